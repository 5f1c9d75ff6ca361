"""Outcomes, baselines and evidence made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cousins.regress.bands import Band
from cousins.regress.baselines import GoldenBaseline, TestBaseline
from cousins.regress.outcomes import EpisodeOutcome
from cousins.regress.plans import Pair
from cousins.regress.result_keys import Provenance
from cousins.regress.verdicts import Level, TestEvidence

PROVENANCE = Provenance(
    task="t", policy="p", engine="mujoco", engine_version="3.17.0", code="c", cpu="0123456789ab", seed=0
)


def outcome(
    pair: Pair, *, success: bool = True, states: str = "s", fault: str = "", x_m: float = 0.5
) -> EpisodeOutcome:
    return EpisodeOutcome(
        cousin=pair[0],
        start=pair[1],
        success=success,
        success_once=success,
        progress=float(success),
        failure="" if success else "on the way",
        fault=fault,
        states=states,
        steps=120,
        values={"x": x_m},
    )


def pairs_of(count: int, *, cousins: int = 10) -> tuple[Pair, ...]:
    return tuple((number % cousins, number // cousins) for number in range(count))


def baseline_of(successes: Sequence[bool], *, chaotic: str = "", golden: int = 2) -> TestBaseline:
    pairs = pairs_of(len(successes))
    return TestBaseline(
        provenance=PROVENANCE,
        outcomes={pair: outcome(pair, success=success) for pair, success in zip(pairs, successes, strict=True)},
        portable_keys={pair: f"{pair}" for pair in pairs},
        goldens={
            pair: GoldenBaseline(chaotic=chaotic, bands={"x": Band(low=0.4, high=0.6)}) for pair in pairs[:golden]
        },
    )


def evidence_of(successes: Sequence[bool], *, level: Level = "statistical", planned: int | None = None) -> TestEvidence:
    pairs = pairs_of(len(successes) if planned is None else planned)
    outcomes = {pair: outcome(pair, success=success) for pair, success in zip(pairs, successes, strict=False)}
    return TestEvidence(
        test="push-mujoco",
        level=level,
        planned=pairs,
        outcomes=outcomes,
        goldens={pair: (outcomes[pair], outcomes[pair]) for pair in pairs[:2] if pair in outcomes},
    )


def with_golden(evidence: TestEvidence, *states: str, x_m: float = 0.5) -> TestEvidence:
    """Return the evidence with runs of the first golden that reach these states."""
    pair = evidence.planned[0]
    runs = tuple(replace(outcome(pair, x_m=x_m), states=text) for text in states)
    return replace(evidence, goldens={**evidence.goldens, pair: runs})
