"""Verdicts: what the evidence of a test says, by level, and the exit code of the whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from cousins.regress.bands import Band, outside
from cousins.regress.baselines import GateBaseline, TestBaseline
from cousins.regress.outcomes import EpisodeOutcome
from cousins.regress.plans import Pair
from cousins.regress.result_keys import Provenance
from cousins.regress.sequential import PairedCounts, fewest_losses

State = Literal["pass", "regressed", "inconclusive", "vacuous", "fault", "flaky"]
Level = Literal["identical", "band", "statistical", "none"]
"""`identical`: the same content on the same kind of CPU; `band`: the same on another kind; `statistical`: changed
content; `none`: there is no baseline."""
WORST_FIRST: Final[tuple[State, ...]] = ("fault", "flaky", "regressed", "inconclusive", "vacuous", "pass")
"""States in the order of reports."""
RED: Final[frozenset[str]] = frozenset(("fault", "flaky", "regressed"))
"""States that end with exit code 1, and that running again does not turn green."""
INCONCLUSIVE_CODE: Final = 125
"""Exit code where nothing can be concluded; `git bisect run` skips the commit."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """A reused result and the result of running its episode again."""

    stored: EpisodeOutcome
    """What was reused."""
    repeated: EpisodeOutcome
    """What came out now."""
    same_cpu: bool
    """Whether both are of one kind of CPU, so that their states must be equal."""


@dataclass(frozen=True, kw_only=True)
class TestEvidence:
    """Everything that a run found out about one test."""

    test: str
    """Id of the test."""
    level: Level
    """How it is compared with the baseline."""
    planned: tuple[Pair, ...]
    """Episodes in the order of the test."""
    outcomes: Mapping[Pair, EpisodeOutcome]
    """Outcomes so far; those of a prefix of the plan at least."""
    reused: frozenset[Pair] = frozenset()
    """Episodes whose outcome was not run again."""
    audits: tuple[Audit, ...] = ()
    """Reused results that were run again."""
    goldens: Mapping[Pair, tuple[EpisodeOutcome, ...]] = field(default_factory=dict)
    """Runs of one start in fresh processes, by episode."""
    crash: str = ""
    """How the process that simulates died; empty where it did not."""
    changed: tuple[str, ...] = ()
    """What differs from the baseline, in words."""

    __test__ = False


@dataclass(frozen=True, kw_only=True)
class TestVerdict:
    """Verdict of one test."""

    test: str
    """Id of the test."""
    state: State
    """What it says."""
    level: Level
    """How it was compared."""
    reason: str
    """One sentence with the numbers."""
    counts: PairedCounts = field(default_factory=PairedCounts)
    """Pairs, losses and gains up to the verdict."""
    planned: int = 0
    """Episodes of the plan."""
    reused: int = 0
    """Outcomes that were not run again."""
    audited: int = 0
    """Reused outcomes that were run again."""
    flips: int = 0
    """Audited outcomes that differ on another kind of CPU."""
    golden: int = 0
    """Episodes whose states were compared."""
    chaotic: int = 0
    """Golden episodes that do not repeat themselves: counted, not asserted."""
    quarantine: str = ""
    """Issue and last day of the quarantine that keeps it from deciding; empty for none."""
    changed: tuple[str, ...] = ()
    """What differs from the baseline, in words."""

    __test__ = False


def level_of(provenance: Provenance, portable_keys: Mapping[Pair, str], baseline: TestBaseline | None) -> Level:
    """Return how a test is compared: by whether the content of every episode is the baseline's."""
    if baseline is None:
        return "none"
    same_content = all(baseline.portable_keys.get(pair) == key for pair, key in portable_keys.items())
    if not same_content:
        return "statistical"
    return "identical" if provenance.cpu == baseline.provenance.cpu else "band"


def judge(evidence: TestEvidence, baseline: TestBaseline | None, *, alpha: float) -> TestVerdict:
    """Return the verdict of a test; `alpha` is its share of the suite's false-alarm rate."""
    counts = paired_counts(evidence, baseline, alpha=alpha)
    chaotic = chaotic_pairs(evidence, baseline)
    flips = [audit for audit in evidence.audits if audit.stored.success != audit.repeated.success]
    verdict = TestVerdict(
        test=evidence.test,
        state="pass",
        level=evidence.level,
        reason="",
        counts=counts,
        planned=len(evidence.planned),
        reused=len(evidence.reused),
        audited=len(evidence.audits),
        flips=sum(not audit.same_cpu for audit in flips),
        golden=len(evidence.goldens),
        chaotic=len(chaotic),
        changed=evidence.changed,
    )
    state, reason = _first_problem(evidence, baseline, counts, chaotic, alpha)
    return replace(verdict, state=state, reason=reason)


def paired_counts(evidence: TestEvidence, baseline: TestBaseline | None, *, alpha: float) -> PairedCounts:
    """Return the state of the paired test at its alarm, or after the last outcome in the order of the plan."""
    counts = PairedCounts()
    if baseline is None:
        return counts
    for pair in evidence.planned:
        if pair not in evidence.outcomes or counts.is_alarm(alpha):
            break
        counts = counts.after(baseline=baseline.outcomes[pair].success, candidate=evidence.outcomes[pair].success)
    return counts


def chaotic_pairs(evidence: TestEvidence, baseline: TestBaseline | None) -> set[Pair]:
    """Return the golden episodes that are not asserted on: as learned, or without a baseline as seen."""
    if baseline is None:
        return {pair for pair, runs in evidence.goldens.items() if len({run.states for run in runs}) > 1}
    return {pair for pair in evidence.goldens if pair in baseline.goldens and baseline.goldens[pair].chaotic}


def _first_problem(
    evidence: TestEvidence, baseline: TestBaseline | None, counts: PairedCounts, chaotic: set[Pair], alpha: float
) -> tuple[State, str]:
    """Return the worst state that the evidence supports, with its reason."""
    fault = _new_fault(evidence, baseline)
    if fault:
        return "fault", fault
    unequal = _broken_repeat(evidence, baseline, chaotic)
    if unequal:
        return "flaky", unequal
    if baseline is None:
        return "inconclusive", "there is no baseline to compare with: `cousins regress accept SUITE` writes one"
    out_of_band = _out_of_band(evidence, baseline, chaotic)
    if out_of_band:
        return "regressed", out_of_band
    numbers = f"{counts.losses} lost and {counts.gains} gained in {counts.pairs} paired episodes"
    if counts.is_alarm(alpha):
        return "regressed", f"{numbers}: evidence {_evidence(counts)} against 'no worse', alarm at {1.0 / alpha:.0f}"
    successes = sum(baseline.outcomes[pair].success for pair in evidence.planned)
    needed = fewest_losses(alpha)
    if successes < needed:
        share = f"{successes} of {len(evidence.planned)} episodes"
        return "vacuous", f"the baseline succeeds in {share}: with fewer than {needed} the test cannot fail"
    if counts.pairs < len(evidence.planned):
        return "inconclusive", f"the budget ended after {counts.pairs} of {len(evidence.planned)} episodes; {numbers}"
    return "pass", numbers


def _new_fault(evidence: TestEvidence, baseline: TestBaseline | None) -> str:
    if evidence.crash:
        return f"the process that simulates ended: {evidence.crash}"
    for pair in evidence.planned:
        outcome = evidence.outcomes.get(pair)
        if outcome is not None and outcome.fault and not (baseline and baseline.outcomes[pair].fault):
            return f"cousin {pair[0]}, start {pair[1]}: {outcome.fault}"
    return ""


def _broken_repeat(evidence: TestEvidence, baseline: TestBaseline | None, chaotic: set[Pair]) -> str:
    """Return which episode did not repeat itself although nothing that it follows from has changed."""
    for pair, runs in sorted(evidence.goldens.items()):
        name = f"cousin {pair[0]}, start {pair[1]}"
        if pair in chaotic:
            continue
        if len({run.states for run in runs}) > 1:
            return f"{name}: two runs in fresh processes reach different states"
        if evidence.level == "identical" and baseline and runs and runs[0].states != baseline.outcomes[pair].states:
            return f"{name}: other states than the baseline's, from the same content"
    for audit in evidence.audits:
        is_chaotic = baseline is not None and _is_chaotic(baseline, audit.stored.pair)
        if audit.same_cpu and audit.stored.states != audit.repeated.states and not is_chaotic:
            return f"cousin {audit.stored.cousin}, start {audit.stored.start}: a reused result does not repeat itself"
    return ""


def _is_chaotic(baseline: TestBaseline, pair: Pair) -> bool:
    return pair in baseline.goldens and bool(baseline.goldens[pair].chaotic)


def _out_of_band(evidence: TestEvidence, baseline: TestBaseline, chaotic: set[Pair]) -> str:
    if evidence.level != "band":
        return ""
    for pair, runs in sorted(evidence.goldens.items()):
        if pair in chaotic or pair not in baseline.goldens:
            continue
        problems = outside(baseline.goldens[pair].bands, runs[0].values)
        if problems:
            return f"cousin {pair[0]}, start {pair[1]}: {problems[0]}"
    return ""


def _evidence(counts: PairedCounts) -> str:
    return f"{math.exp(counts.largest_log_evidence):.3g}"


def judge_gates(
    engine: str,
    values: Mapping[int, Mapping[str, float]],
    digests: Mapping[int, str],
    *,
    thresholds: Mapping[str, float],
    provenance: Provenance,
    baseline: GateBaseline | None,
    faults: Mapping[int, str],
) -> TestVerdict:
    """Return the verdict of the gate values of some cousins, by number, in one engine.

    Thresholds hold always. Bands hold for cousins that are unchanged, under the version of engine and code that they
    were learned under; under another version a value that left its band is reported, and only thresholds decide.
    """
    same_program = baseline is not None and _program(baseline.provenance) == _program(provenance)
    level: Level = "none" if baseline is None else "statistical"
    if baseline is not None and same_program:
        level = "identical" if baseline.provenance.cpu == provenance.cpu else "band"
    verdict = TestVerdict(test=f"gates-{engine}", state="pass", level=level, reason="", planned=len(digests))
    if faults:
        number, fault = sorted(faults.items())[0]
        return replace(verdict, state="fault", reason=f"cousin {number}: {fault}")
    beyond = [
        f"cousin {number}: {name} = {gates[name]:.4g}, threshold {threshold:.4g}"
        for number, gates in sorted(values.items())
        for name, threshold in thresholds.items()
        if not gates[name] <= threshold
    ]
    if beyond:
        return replace(verdict, state="regressed", reason=_and_more(beyond))
    left = [] if baseline is None else _left_bands(values, digests, baseline)
    if left and same_program:
        return replace(verdict, state="regressed", reason=_and_more(left))
    if len(values) < len(digests):
        return replace(verdict, state="inconclusive", reason=f"measured {len(values)} of {len(digests)} cousins")
    note = f"; under another version, outside of its band: {_and_more(left)}" if left else ""
    return replace(verdict, reason=f"{len(values)} cousins within all thresholds{note}")


def _program(provenance: Provenance) -> tuple[str, str]:
    return provenance.engine_version, provenance.code


def _left_bands(
    values: Mapping[int, Mapping[str, float]], digests: Mapping[int, str], baseline: GateBaseline
) -> list[str]:
    unchanged = [number for number in sorted(values) if baseline.cousins.get(number) == digests[number]]
    bands: Mapping[int, Mapping[str, Band]] = baseline.bands
    return [f"cousin {number}: {text}" for number in unchanged for text in outside(bands[number], values[number])]


def _and_more(sentences: Sequence[str]) -> str:
    more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
    return sentences[0] + more


def never_greener(verdict: TestVerdict, earlier: Mapping[str, str] | None) -> TestVerdict:
    """Return the verdict, red where an earlier run of the same inputs was red."""
    if earlier is None or verdict.state in RED:
        return verdict
    state: State = next(state for state in WORST_FIRST if state == earlier["state"])
    reason = f"in an earlier run of the same inputs: {earlier['reason']} (this time: {verdict.state})"
    return replace(verdict, state=state, reason=reason)


def exit_code(verdicts: Sequence[TestVerdict]) -> int:
    """Return 0 for pass, 1 where something is red, 125 where it cannot be concluded; quarantined tests do not count."""
    states = {verdict.state for verdict in verdicts if not verdict.quarantine}
    if states & RED:
        return 1
    return 0 if states == {"pass"} else INCONCLUSIVE_CODE
