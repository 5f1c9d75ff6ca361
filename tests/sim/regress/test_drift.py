"""Engines compared by their outcomes: flips, equal states, and which agree."""

from __future__ import annotations

from cousins.regress.outcomes import EpisodeOutcome
from cousins.regress.plans import Pair
from sim.regress.drift import EngineRun, agreements
from sim.regress.engine_versions import EngineVersion
from tests.cousins.regress.evidence_for_tests import outcome


def run_of(version: str, *, failed: int, states: str, episodes: int = 40) -> EngineRun:
    outcomes: dict[Pair, EpisodeOutcome] = {
        (1, start): outcome((1, start), success=start >= failed, states=states) for start in range(episodes)
    }
    return EngineRun(engine=EngineVersion(engine="mujoco", version=version), outcomes={"push": outcomes})


def test_engines_agree_unless_flips_are_evidence_of_a_difference() -> None:
    runs = [
        run_of("1", failed=0, states="a"),
        run_of("2", failed=0, states="a"),
        run_of("3", failed=3, states="b"),
        run_of("4", failed=20, states="c"),
    ]
    compared = {(item.first[-1], item.second[-1]): item for item in agreements(runs, alpha=0.01)}
    assert len(compared) == 6
    equal, few_flips, large_drop = compared["1", "2"], compared["1", "3"], compared["1", "4"]
    assert (equal.lost, equal.gained, equal.equal_states, equal.agrees) == (0, 0, 40, True)
    assert (few_flips.lost, few_flips.equal_states, few_flips.agrees) == (3, 0, True)
    assert (large_drop.lost, large_drop.agrees) == (20, False)
    assert large_drop.p == 6 * 2 / 2**20


def test_an_engine_that_has_run_nothing_agrees_with_none() -> None:
    runs = [run_of("1", failed=0, states="a"), run_of("2", failed=0, states="a", episodes=0)]
    assert [(item.pairs, item.agrees) for item in agreements(runs, alpha=0.01)] == [(0, False)]
