"""Suites against a real pack in MuJoCo: results repeat, are reused by content, and every state can be reached."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cousins.errors import InputError
from cousins.regress.baselines import Baseline, baseline_path, read_baseline, write_baseline
from cousins.regress.result_store import ResultStore
from cousins.regress.suites import GoldenSpec, read_suite
from sim.regress.acceptance import accept_suite
from sim.regress.suite_plans import plan_suite
from sim.regress.suite_runs import SuiteRun, run_suite
from tests.sim.regress.suites_for_tests import ROOT, boxes_pack, write_suite

TODAY = datetime.date(2026, 12, 1)


class Accepted:
    """A suite with its baseline in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        boxes_pack(folder / "pack")
        self.suite = write_suite(folder)
        acceptance = accept_suite(plan_suite(read_suite(self.suite)), store=ResultStore(folder / "results"))
        self.warnings, self.baseline = acceptance.warnings, acceptance.baseline
        write_baseline(baseline_path(self.suite), self.baseline)


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    return Accepted(tmp_path_factory.mktemp("suite"))


def run(
    path: Path, baseline: Baseline | None, store: Path, *, today: datetime.date = TODAY, golden: int = 0
) -> SuiteRun:
    suite = replace(read_suite(path), golden=GoldenSpec(count=golden))
    plan = plan_suite(suite, today=today)
    return run_suite(plan, baseline=baseline, store=ResultStore(store), today=today)


def test_the_same_content_repeats_bit_by_bit_and_is_reused(accepted: Accepted, tmp_path: Path) -> None:
    assert accepted.warnings == ()
    done = run(accepted.suite, accepted.baseline, tmp_path / "empty", golden=1)
    verdict = done.verdicts[0]
    assert (verdict.state, verdict.level) == ("pass", "identical")
    assert (verdict.reused, verdict.planned, verdict.golden, verdict.chaotic) == (24, 24, 1, 0)
    assert verdict.audited >= 2


def test_a_result_does_not_follow_from_what_else_is_run(accepted: Accepted, tmp_path: Path) -> None:
    """One cousin alone, in another order and process, reaches the states that it reached among six."""
    text = accepted.suite.read_text().replace('split = "train"\ncount = 6', "numbers = [3]")
    suite = tmp_path / "suite.toml"
    suite.write_text(text.replace('"pack"', f'"{accepted.folder}/pack"').replace("= 24", "= 4"))
    (tmp_path / "policy.py").write_text((accepted.folder / "policy.py").read_text())
    alone = run(suite, None, tmp_path / "results").evidence["push-mujoco"]
    among = accepted.baseline.tests["push-mujoco"]
    assert len(alone.outcomes) == 4
    for pair, outcome in alone.outcomes.items():
        assert pair[0] == 3
        assert outcome.states == among.outcomes[pair].states
    keys = plan_suite(read_suite(suite)).tests[0].portable_keys
    assert keys == {pair: among.portable_keys[pair] for pair in keys}


def test_a_policy_that_got_worse_is_found_and_stays_red(accepted: Accepted, tmp_path: Path) -> None:
    suite = replace(read_suite(accepted.suite), golden=GoldenSpec(count=0))
    worse = replace(suite, policy=replace(suite.policy, path="policy.py:lazy"))
    plan = plan_suite(worse)
    verdict = run_suite(plan, baseline=accepted.baseline, store=ResultStore(tmp_path), today=TODAY).verdicts[0]
    assert (verdict.state, verdict.level) == ("regressed", "statistical")
    assert verdict.counts.pairs == verdict.counts.losses == 9
    assert verdict.changed == ("policy",)
    again = run_suite(plan, baseline=accepted.baseline, store=ResultStore(tmp_path), today=TODAY).verdicts[0]
    assert (again.state, again.counts) == (verdict.state, verdict.counts)
    assert again.reused == 9


def test_one_changed_cousin_is_run_again_and_the_others_are_not(accepted: Accepted, tmp_path: Path) -> None:
    boxes_pack(tmp_path / "pack", friction={2: 0.9})
    suite = write_suite(tmp_path)
    done = run(suite, accepted.baseline, tmp_path / "results")
    verdict, evidence = done.verdicts[0], done.evidence["push-mujoco"]
    assert (verdict.state, verdict.level, verdict.reused) == ("pass", "statistical", 20)
    assert verdict.changed == ("1 of 6 cousins (2)",)
    assert {pair[0] for pair in evidence.planned if pair not in evidence.reused} == {2}
    full = run(suite, None, tmp_path / "full").evidence["push-mujoco"]
    assert len(full.outcomes) == 24
    assert {pair: item.states for pair, item in evidence.outcomes.items()} == {
        pair: item.states for pair, item in full.outcomes.items()
    }


def test_a_stored_result_that_is_wrong_is_found_and_stays_flaky(accepted: Accepted, tmp_path: Path) -> None:
    plan = plan_suite(replace(read_suite(accepted.suite), golden=GoldenSpec(count=0)))
    store = ResultStore(tmp_path)
    test = plan.tests[0]
    for pair, outcome in accepted.baseline.tests["push-mujoco"].outcomes.items():
        store.put(test.keys[pair], replace(outcome, states="0" * 64))
    verdict = run_suite(plan, baseline=accepted.baseline, store=store, today=TODAY).verdicts[0]
    assert (verdict.state, "does not repeat itself" in verdict.reason) == ("flaky", True)
    for path in (tmp_path / "results").rglob("*.json"):
        path.unlink()
    verdict = run_suite(plan, baseline=accepted.baseline, store=store, today=TODAY).verdicts[0]
    assert (verdict.state, "in an earlier run of the same inputs" in verdict.reason) == ("flaky", True)


def test_on_another_cpu_goldens_are_held_against_their_bands(accepted: Accepted, tmp_path: Path) -> None:
    before = accepted.baseline.tests["push-mujoco"]
    elsewhere = replace(before, provenance=replace(before.provenance, cpu="another"))
    baseline = replace(accepted.baseline, tests={"push-mujoco": elsewhere})
    verdict = run(accepted.suite, baseline, tmp_path, golden=1).verdicts[0]
    assert (verdict.state, verdict.level) == ("pass", "band")


def test_a_budget_that_is_spent_concludes_nothing_and_the_same_run_goes_on(accepted: Accepted, tmp_path: Path) -> None:
    suite = replace(read_suite(accepted.suite), golden=GoldenSpec(count=0))
    slow = replace(suite, policy=replace(suite.policy, path="policy.py:slow"), budget_cpu_s=0.0)
    nothing = run_suite(plan_suite(slow), baseline=accepted.baseline, store=ResultStore(tmp_path), today=TODAY)
    assert (nothing.verdicts[0].state, nothing.verdicts[0].counts.pairs) == ("inconclusive", 0)
    some = replace(slow, budget_cpu_s=0.001)
    counts = []
    for _ in range(2):
        done = run_suite(plan_suite(some), baseline=accepted.baseline, store=ResultStore(tmp_path), today=TODAY)
        counts.append(len(done.evidence["push-mujoco"].outcomes))
    assert counts == [1, 2]
    assert len(ResultStore(tmp_path).red_tests(plan_suite(some).run_key(accepted.baseline.digest))) == 0


def test_a_policy_that_fails_is_a_fault(accepted: Accepted, tmp_path: Path) -> None:
    boxes_pack(tmp_path / "pack")
    suite = write_suite(tmp_path, policy="policy.py:broken")
    policy = tmp_path / "policy.py"
    policy.write_text(policy.read_text() + "\ndef broken(observations):\n    return 1 / 0\n")
    verdict = run(suite, accepted.baseline, tmp_path / "results").verdicts[0]
    assert (verdict.state, "ZeroDivisionError" in verdict.reason) == ("fault", True)
    policy.write_text(policy.read_text().replace("return 1 / 0", "import os; os.abort()"))
    verdict = run(suite, accepted.baseline, tmp_path / "results").verdicts[0]
    assert (verdict.state, "signal SIGABRT" in verdict.reason) == ("fault", True)


def test_quarantine_leaves_out_until_its_day(accepted: Accepted, tmp_path: Path) -> None:
    boxes_pack(tmp_path / "pack")
    entry = '[[quarantine]]\ntest = "push-mujoco"\nuntil = 2026-12-31\nissue = "https://example.org/1"\n'
    suite = write_suite(tmp_path)
    suite.write_text(suite.read_text() + entry + entry.replace('test = "push-mujoco"', "cousin = 2"))
    done = run(suite, accepted.baseline, tmp_path / "results")
    assert done.verdicts[0].quarantine == "until 2026-12-31: https://example.org/1"
    assert done.verdicts[0].planned == 20
    assert done.notes == ("cousin 2 is left out until 2026-12-31: https://example.org/1",)
    later = run(suite, accepted.baseline, tmp_path / "results", today=datetime.date(2027, 1, 1))
    assert (later.verdicts[0].quarantine, later.verdicts[0].planned) == ("", 24)
    assert all("expired on 2026-12-31" in note for note in later.notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('split = "train"\ncount = 6', "numbers = [2, 99]"), "cousin 99, which the pack lacks"),
        (('["push"]', '["open_drawer"]'), "none of which affords open_drawer"),
        (('["push"]', '["pusch"]'), r"no task named 'pusch'.*Did you mean 'push'\?"),
        (('"policy.py"', '"ws://robot:8000"'), "the policy server 'ws://robot:8000'"),
        (('"policy.py"', '"none.py"'), "no policy at .*none.py"),
        (('"policy.py"', '"policy.py:none"'), "no function `none` in"),
        (('"pack"', '"nothing"'), "nothing"),
    ],
)
def test_bad_input_is_named(accepted: Accepted, tmp_path: Path, change: tuple[str, str], message: str) -> None:
    boxes_pack(tmp_path / "pack")
    suite = write_suite(tmp_path)
    suite.write_text(suite.read_text().replace(*change))
    with pytest.raises(InputError, match=message):
        plan_suite(read_suite(suite))


def test_a_baseline_without_a_planned_episode_is_refused(accepted: Accepted, tmp_path: Path) -> None:
    suite = replace(read_suite(accepted.suite), episodes=30)
    with pytest.raises(InputError, match=r"6 of 30 episodes are missing.*no verdict is given on a part"):
        run_suite(plan_suite(suite), baseline=accepted.baseline, store=ResultStore(tmp_path), today=TODAY)


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_partial_result_and_the_same_verdict(accepted: Accepted, tmp_path: Path) -> None:
    boxes_pack(tmp_path / "pack")
    suite = write_suite(tmp_path, policy="policy.py:slow")
    words = [sys.executable, "-m", "flows.cli", "regress", "run", str(suite), "--json"]
    words += ["--against", str(baseline_path(accepted.suite)), "--store"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def verdict_in(store: Path) -> dict[str, object]:
        done = subprocess.run([*words, str(store)], env=environment, cwd=tmp_path, capture_output=True, text=True)
        test = json.loads(done.stdout)["tests"][0]
        return {name: test[name] for name in ("state", "pairs", "losses", "gains")} | {"code": done.returncode}

    undisturbed = verdict_in(tmp_path / "undisturbed")
    store = tmp_path / "killed"
    for count in (1, 3, 6):
        process = subprocess.Popen(
            [*words, str(store)], env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and len(list(store.rglob("results/*/*.json"))) < count:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        entries = [ResultStore(store).get(path.stem) for path in store.rglob("results/*/[!.]*.json")]
        assert all(entry is not None for entry in entries)
    assert verdict_in(store) == undisturbed


def test_a_baseline_on_disk_is_the_one_that_was_made(accepted: Accepted) -> None:
    assert read_baseline(baseline_path(accepted.suite)) == accepted.baseline
