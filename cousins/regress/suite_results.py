"""Results of a suite as JSON: verdicts, what was lost by cousin, and the line that repeats each loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from cousins.regress.baselines import Baseline
from cousins.regress.exact_tests import holm, sign_test
from cousins.regress.outcomes import EpisodeOutcome
from cousins.regress.plans import Pair
from cousins.regress.verdicts import WORST_FIRST, TestEvidence, TestVerdict, exit_code

FORMAT: Final = "cousins regress run 1"
"""Value of `format` in `regress.json`."""
MAX_LISTED: Final = 100
"""Most episodes that a report lists."""


@dataclass(frozen=True, kw_only=True)
class CousinRow:
    """Paired outcomes of a test in one cousin."""

    test: str
    """Id of the test."""
    cousin: int
    """Number of the cousin."""
    pairs: int
    """Compared episodes."""
    losses: int
    """Episodes in which only the baseline succeeded."""
    gains: int
    """Episodes in which only this run succeeded."""
    p: float
    """Exact one-sided p-value of the losses, adjusted by Holm over the test's cousins."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """An episode that the baseline succeeded in and this run did not, or a new fault."""

    test: str
    """Id of the test."""
    cousin: int
    """Number of the cousin."""
    start: int
    """Number of the start."""
    failure: str
    """Kind of failure."""
    fault: str
    """Fault in its own words; empty for none."""
    repeat: str
    """Command line that runs it again."""


def cousin_rows(evidence: TestEvidence, baseline: Mapping[Pair, EpisodeOutcome]) -> list[CousinRow]:
    """Return the paired outcomes by cousin, those with the smallest p-values first."""
    losses: dict[int, int] = {}
    gains: dict[int, int] = {}
    pairs: dict[int, int] = {}
    for pair in _compared(evidence, baseline):
        before, now = baseline[pair].success, evidence.outcomes[pair].success
        pairs[pair[0]] = pairs.get(pair[0], 0) + 1
        losses[pair[0]] = losses.get(pair[0], 0) + (before and not now)
        gains[pair[0]] = gains.get(pair[0], 0) + (now and not before)
    adjusted = holm({cousin: sign_test(losses[cousin], gains[cousin]) for cousin in pairs})
    rows = [
        CousinRow(
            test=evidence.test,
            cousin=cousin,
            pairs=pairs[cousin],
            losses=losses[cousin],
            gains=gains[cousin],
            p=adjusted[cousin],
        )
        for cousin in pairs
    ]
    return sorted(rows, key=lambda row: (row.p, -row.losses, row.cousin))


def losses_of(evidence: TestEvidence, baseline: Mapping[Pair, EpisodeOutcome], *, suite: str) -> list[Loss]:
    """Return the lost episodes in the order of the plan; `suite` is the path to repeat them with."""
    return [
        Loss(
            test=evidence.test,
            cousin=pair[0],
            start=pair[1],
            failure=evidence.outcomes[pair].failure,
            fault=evidence.outcomes[pair].fault,
            repeat=f"cousins regress show {suite} --episode {evidence.test}:{pair[0]}:{pair[1]}",
        )
        for pair in _compared(evidence, baseline)
        if baseline[pair].success and not evidence.outcomes[pair].success
    ]


def result_json(
    verdicts: Sequence[TestVerdict],
    evidence: Mapping[str, TestEvidence],
    baseline: Baseline | None,
    *,
    suite_path: str,
    context: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a run as JSON values, the worst test first; `context` holds what was run and where."""
    rows: list[CousinRow] = []
    losses: list[Loss] = []
    for test, item in evidence.items():
        before = {} if baseline is None else baseline.tests[test].outcomes
        rows += cousin_rows(item, before)
        losses += losses_of(item, before, suite=suite_path)
    code = exit_code(verdicts)
    return {
        "format": FORMAT,
        **context,
        "suite_file": suite_path,
        "ok": code == 0,
        "exit_code": code,
        "tests": [_verdict_json(verdict) for verdict in sorted(verdicts, key=_badness)],
        "cousins": [
            asdict(row) for row in sorted(rows, key=lambda row: (row.p, -row.losses)) if row.losses or row.gains
        ],
        "losses": [asdict(loss) for loss in losses[:MAX_LISTED]],
        "more_losses": max(0, len(losses) - MAX_LISTED),
    }


def _compared(evidence: TestEvidence, baseline: Mapping[Pair, EpisodeOutcome]) -> list[Pair]:
    return [pair for pair in evidence.planned if pair in evidence.outcomes and pair in baseline]


def _badness(verdict: TestVerdict) -> tuple[bool, int, str]:
    return bool(verdict.quarantine), WORST_FIRST.index(verdict.state), verdict.test


def _verdict_json(verdict: TestVerdict) -> dict[str, Any]:
    counts = verdict.counts
    return {
        "test": verdict.test,
        "state": verdict.state,
        "level": verdict.level,
        "reason": verdict.reason,
        "planned": verdict.planned,
        "pairs": counts.pairs,
        "losses": counts.losses,
        "gains": counts.gains,
        "evidence": round(math.exp(counts.largest_log_evidence), 4),
        "reused": verdict.reused,
        "audited": verdict.audited,
        "flips": verdict.flips,
        "golden": verdict.golden,
        "chaotic": verdict.chaotic,
        "quarantine": verdict.quarantine,
        "changed": list(verdict.changed),
    }
