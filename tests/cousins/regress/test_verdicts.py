"""Verdicts: each state has its evidence, and red stays red."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cousins.errors import InputError
from cousins.regress.bands import chaos, learned_band, learned_bands, outside
from cousins.regress.baselines import GateBaseline
from cousins.regress.verdicts import (
    Audit,
    TestVerdict,
    exit_code,
    judge,
    judge_gates,
    level_of,
    never_greener,
)
from tests.cousins.regress.evidence_for_tests import (
    PROVENANCE,
    baseline_of,
    evidence_of,
    outcome,
    with_golden,
)

ALL = [True] * 60
SOME_LOST = [False] * 12 + [True] * 48


def test_nothing_lost_is_a_pass() -> None:
    verdict = judge(evidence_of(ALL), baseline_of(ALL), alpha=0.01)
    assert (verdict.state, verdict.counts.pairs, verdict.golden) == ("pass", 60, 2)


def test_many_lost_is_a_regression_at_the_pair_that_proves_it() -> None:
    verdict = judge(evidence_of(SOME_LOST), baseline_of(ALL), alpha=0.01)
    assert verdict.state == "regressed"
    assert verdict.counts.losses == verdict.counts.pairs == 9


def test_the_order_of_the_plan_decides_and_not_what_came_after_a_gap() -> None:
    evidence = evidence_of(SOME_LOST)
    gap = {pair: item for pair, item in evidence.outcomes.items() if pair != evidence.planned[5]}
    verdict = judge(replace(evidence, outcomes=gap), baseline_of(ALL), alpha=0.01)
    assert (verdict.state, verdict.counts.pairs) == ("inconclusive", 5)


def test_without_a_baseline_nothing_is_concluded() -> None:
    verdict = judge(evidence_of(ALL, level="none"), None, alpha=0.01)
    assert verdict.state == "inconclusive"
    assert "accept" in verdict.reason


def test_a_test_that_cannot_fail_is_vacuous() -> None:
    few = [True] * 8 + [False] * 52
    assert judge(evidence_of(few), baseline_of(few), alpha=0.01).state == "vacuous"
    enough = [True] * 9 + [False] * 51
    assert judge(evidence_of(enough), baseline_of(enough), alpha=0.01).state == "pass"


def test_the_budget_that_ends_first_is_inconclusive() -> None:
    verdict = judge(evidence_of(ALL[:30], planned=60), baseline_of(ALL), alpha=0.01)
    assert verdict.state == "inconclusive"
    assert "30 of 60" in verdict.reason


def test_a_new_fault_is_a_fault_and_an_accepted_one_is_not() -> None:
    evidence, baseline = evidence_of(ALL), baseline_of(ALL)
    pair = evidence.planned[3]
    broken = outcome(pair, success=False, fault="an object explodes")
    evidence = replace(evidence, outcomes={**evidence.outcomes, pair: broken})
    assert judge(evidence, baseline, alpha=0.01).reason == "cousin 3, start 0: an object explodes"
    accepted = replace(baseline, outcomes={**baseline.outcomes, pair: broken})
    assert judge(evidence, accepted, alpha=0.01).state == "pass"


def test_a_process_that_dies_is_a_fault() -> None:
    assert judge(replace(evidence_of(ALL), crash="signal SIGSEGV"), baseline_of(ALL), alpha=0.01).state == "fault"


def test_a_golden_that_differs_in_two_fresh_processes_is_flaky_unless_it_is_known_to_be_chaotic() -> None:
    evidence = with_golden(evidence_of(ALL), "a", "b")
    assert judge(evidence, baseline_of(ALL), alpha=0.01).state == "flaky"
    verdict = judge(evidence, baseline_of(ALL, chaotic="it differs"), alpha=0.01)
    assert (verdict.state, verdict.chaotic) == ("pass", 2)


def test_other_states_from_the_same_content_are_flaky_and_from_other_content_are_not() -> None:
    moved = with_golden(evidence_of(ALL, level="identical"), "new", "new")
    assert judge(moved, baseline_of(ALL), alpha=0.01).state == "flaky"
    assert judge(replace(moved, level="statistical"), baseline_of(ALL), alpha=0.01).state == "pass"


def test_a_reused_result_that_does_not_repeat_itself_is_flaky_on_the_same_cpu_alone() -> None:
    pair = (5, 1)
    audit = Audit(stored=outcome(pair), repeated=outcome(pair, success=False, states="new"), same_cpu=True)
    evidence = replace(evidence_of(ALL), audits=(audit,))
    assert judge(evidence, baseline_of(ALL), alpha=0.01).state == "flaky"
    elsewhere = judge(replace(evidence, audits=(replace(audit, same_cpu=False),)), baseline_of(ALL), alpha=0.01)
    assert (elsewhere.state, elsewhere.flips, elsewhere.audited) == ("pass", 1, 1)


def test_on_another_cpu_goldens_must_stay_in_their_bands() -> None:
    inside = with_golden(evidence_of(ALL, level="band"), "new", "new", x_m=0.59)
    assert judge(inside, baseline_of(ALL), alpha=0.01).state == "pass"
    left = with_golden(evidence_of(ALL, level="band"), "new", "new", x_m=0.61)
    verdict = judge(left, baseline_of(ALL), alpha=0.01)
    assert (verdict.state, "x = 0.61, band 0.4 to 0.6" in verdict.reason) == ("regressed", True)
    assert judge(left, baseline_of(ALL, chaotic="flips"), alpha=0.01).state == "pass"


def test_the_level_follows_from_content_and_cpu() -> None:
    baseline = baseline_of(ALL)
    keys = dict(baseline.portable_keys)
    assert level_of(PROVENANCE, keys, baseline) == "identical"
    assert level_of(replace(PROVENANCE, cpu="other"), keys, baseline) == "band"
    assert level_of(PROVENANCE, keys | {(0, 0): "changed"}, baseline) == "statistical"
    assert level_of(PROVENANCE, keys, None) == "none"


def test_running_again_turns_nothing_green() -> None:
    passed = judge(evidence_of(ALL), baseline_of(ALL), alpha=0.01)
    stays = never_greener(passed, {"state": "flaky", "reason": "it differed"})
    assert stays.state == "flaky"
    assert "it differed" in stays.reason
    assert never_greener(passed, None) == passed


def verdict_of(state: str, **fields: str) -> TestVerdict:
    return TestVerdict(test="t", state=state, level="statistical", reason="", **fields)


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["pass", "pass"], 0),
        (["pass", "regressed"], 1),
        (["inconclusive", "fault"], 1),
        (["flaky"], 1),
        (["pass", "inconclusive"], 125),
        (["pass", "vacuous"], 125),
        ([], 125),
    ],
)
def test_the_exit_code_follows_the_worst_state(states: list[str], code: int) -> None:
    assert exit_code([verdict_of(state) for state in states]) == code


def test_a_quarantined_test_decides_nothing() -> None:
    assert exit_code([verdict_of("pass"), verdict_of("regressed", quarantine="until 2027: url")]) == 0
    assert exit_code([verdict_of("pass", quarantine="until 2027: url")]) == 125


def gates(drift_mm: float, baseline: GateBaseline | None, *, version: str = "3.17.0", cpu: str = "cpu") -> TestVerdict:
    return judge_gates(
        "mujoco",
        {4: {"max_drift_mm": drift_mm}},
        {4: "d"},
        thresholds={"max_drift_mm": 5.0},
        provenance=replace(PROVENANCE, engine_version=version, cpu=cpu),
        baseline=baseline,
        faults={},
    )


def test_gates_hold_their_thresholds_always_and_their_bands_under_the_same_version() -> None:
    runs = [{"max_drift_mm": 1.0 + 0.001 * number} for number in range(20)]
    learned = GateBaseline(provenance=PROVENANCE, cousins={4: "d"}, bands={4: learned_bands(runs)})
    assert gates(1.01, learned).state == "pass"
    assert gates(1.1, learned).state == "regressed"
    assert gates(5.1, learned, version="4.0.1").state == "regressed"
    newer = gates(1.1, learned, version="4.0.1")
    assert (newer.state, "outside of its band" in newer.reason) == ("pass", True)
    assert gates(float("nan"), None).state == "regressed"


def test_a_band_is_learned_from_twenty_runs_or_refused() -> None:
    with pytest.raises(InputError, match="19 runs to learn a band from; expected at least 20"):
        learned_band([0.0] * 19)
    band = learned_band([1.0, 2.0, *[1.5] * 18])
    assert (band.low, band.high) == pytest.approx((0.0, 3.0), abs=1e-8)
    assert 1.0 in learned_band([1.0] * 20)
    assert 1.0 + 1e-6 not in learned_band([1.0] * 20)
    assert outside({"x": band}, {"y": 1.0}) == ["x is missing"]


def test_an_episode_is_chaotic_where_it_differs_or_its_outcome_flips() -> None:
    same = outcome((1, 1))
    assert chaos([same, same], [same] * 20) == ""
    assert "fresh processes" in chaos([same, outcome((1, 1), states="t")], [])
    assert "flips in 2 of 20" in chaos([same], [outcome((1, 1), success=False)] * 2 + [same] * 18)
