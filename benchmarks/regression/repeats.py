"""Repeats of a suite in which nothing has changed: at the identical and the band level, under other conditions, killed.

The suite pushes boxes in six cousins. Whatever is red here is a false alarm.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cousins.regress.baselines import Baseline, baseline_path, write_baseline
from cousins.regress.exact_tests import clopper_pearson
from cousins.regress.outcomes import read_outcome
from cousins.regress.result_store import ResultStore
from cousins.regress.suites import GoldenSpec, read_suite
from cousins.regress.verdicts import RED, TestEvidence, judge, judge_gates
from sim.regress.acceptance import accept_suite
from sim.regress.child_process import SimulatorProcess
from sim.regress.episode_series import Budget, simulated
from sim.regress.gate_runs import gate_provenance, gated_cousins, learned_gates
from sim.regress.suite_plans import SuitePlan, plan_suite
from sim.regress.suite_runs import run_suite
from tests.sim.regress.suites_for_tests import boxes_pack, write_suite

ROOT: Final = Path(__file__).resolve().parents[2]
ALPHA: Final = 0.01
TODAY: Final = datetime.date(2026, 12, 1)
ELSEWHERE: Final[tuple[Mapping[str, str], ...]] = (
    {},
    {"TZ": "Asia/Kathmandu"},
    {"LANG": "de_DE.UTF-8", "LC_ALL": "C", "PYTHONHASHSEED": "7"},
    {"cwd": "/"},
)
"""Conditions under which processes are begun, in turn: nothing else, another time zone, language, folder."""
OTHER_CPU: Final = {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX", "OPENBLAS_CORETYPE": "Prescott"}
"""Variables by which numpy and its BLAS work as on an older CPU."""
TESTS: Final = """
import json, os
from pathlib import Path
import pytest
from policy import act

@pytest.mark.cousins(split="train", count=5, task="push")
@pytest.mark.parametrize("start", range({starts}))
def test_states(world, start, request):
    states = world.run(act, start=start).states
    (Path(os.environ["STATES"]) / f"{{abs(hash(request.node.name))}}.json").write_text(
        json.dumps([request.node.name, states])
    )
"""


def repeats(scratch: Path, *, count: int) -> dict[str, Any]:
    """Return how many repeats of each kind are equal, and how many of each level give a false alarm."""
    plan, baseline = _accepted(scratch)
    return {
        **_identical(plan, baseline, count),
        **_bands(plan, baseline, count),
        **_workers(scratch, starts=max(1, count // 5)),
    }


def kills(scratch: Path, *, count: int) -> dict[str, Any]:
    """Kill runs at instants that are spread over their duration; return how many left no partial result.

    A run is counted as whole where each entry in its store is, and running again gives the verdict of a run that was
    left in peace.
    """
    if not count:
        return {"kills": 0, "kills_whole": 0, "kills_in_episodes": 0}
    _accepted(scratch)
    folder = scratch / "project"
    path = write_suite(folder, policy="policy.py:slow", episodes=12)
    path.write_text(path.read_text().replace("count = 1", "count = 0"))
    accepted = accept_suite(plan_suite(read_suite(path)), store=ResultStore(scratch / "accepting")).baseline
    write_baseline(baseline_path(path), accepted)
    policy = folder / "policy.py"
    policy.write_text(policy.read_text().replace("0.25", "0.2"))
    words = [sys.executable, "-m", "flows.cli", "regress", "run", str(path), "--json", "--store"]
    expected = _verdicts(path, accepted, scratch / "undisturbed")
    began_s = time.monotonic()
    _started(words, scratch / "timed").wait()
    duration_s = time.monotonic() - began_s
    whole_count, in_episodes = 0, 0
    for number in range(count):
        store = scratch / f"killed_{number}"
        process = _started(words, store)
        try:
            process.wait(duration_s * (number + 0.5) / count)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        stored = ResultStore(store)
        keys = stored.keys()
        in_episodes += 0 < len(keys) < 12
        is_whole = all(stored.get(key) is not None for key in keys)
        whole_count += is_whole and _verdicts(path, accepted, store) == expected
        print(f"kill {number}: {len(keys)} results, {whole_count} whole so far", file=sys.stderr, flush=True)
    return {"kills": count, "kills_whole": whole_count, "kills_in_episodes": in_episodes}


def _accepted(scratch: Path) -> tuple[SuitePlan, Baseline]:
    folder = scratch / "project"
    if not folder.exists():
        folder.mkdir(parents=True)
        boxes_pack(folder / "pack")
    path = write_suite(folder)
    plan = plan_suite(replace(read_suite(path), golden=GoldenSpec(count=4)))
    return plan, accept_suite(plan, store=ResultStore(scratch / "store")).baseline


def _identical(plan: SuitePlan, baseline: Baseline, count: int) -> dict[str, Any]:
    """Run an episode in each of some fresh processes, under all conditions in turn."""
    test, before = plan.tests[0], baseline.tests["push-mujoco"]
    equal, alarms = 0, 0
    for number in range(count):
        pair = test.pairs[number % len(test.pairs)]
        with _conditions(ELSEWHERE[number % len(ELSEWHERE)]), SimulatorProcess(engine=test.engine) as process:
            outcome = dict(simulated(process, test, [pair], Budget(left_s=float("inf"))))[pair]
        equal += outcome.states == before.outcomes[pair].states and outcome.success == before.outcomes[pair].success
        evidence = TestEvidence(
            test=test.test,
            level="identical",
            planned=(pair,),
            outcomes={pair: outcome},
            goldens={pair: (before.outcomes[pair], outcome)},
        )
        alarms += judge(evidence, before, alpha=ALPHA).state in RED
    return {"identical_equal": equal, "identical_runs": count, "identical_alarms": _alarms(alarms, count)}


def _bands(plan: SuitePlan, baseline: Baseline, count: int) -> dict[str, Any]:
    """Hold goldens and gate values against their bands: starts shaken as never before, numbers rounded otherwise."""
    test = plan.tests[0]
    accepted = baseline.tests["push-mujoco"]
    before = replace(accepted, provenance=replace(accepted.provenance, cpu="another"))
    gates = learned_gates(plan, test.engine)
    gates = replace(gates, provenance=replace(gates.provenance, cpu="another"))
    digests = {number: gated_cousins(plan, test.engine)[number] for number in gates.cousins}
    goldens = [pair for pair, golden in before.goldens.items() if not golden.chaotic]
    episode_alarms = gate_alarms = 0
    with _conditions(OTHER_CPU), SimulatorProcess(engine=test.engine) as process:
        for number in range(count):
            pair = goldens[number % len(goldens)]
            (reply,) = list(process.ask(test.request([(*pair, 1000 + number)])))
            outcome = read_outcome(reply["episode"], source="a repeat")
            evidence = TestEvidence(
                test=test.test, level="band", planned=(pair,), outcomes={pair: outcome}, goldens={pair: (outcome,)}
            )
            episode_alarms += judge(evidence, before, alpha=ALPHA).state in RED
            cousin = sorted(digests)[number % len(digests)]
            request = {"pack": test.pack, "engine": test.engine, "gates": [[cousin, 1000 + number]]}
            (reply,) = list(process.ask(request))
            verdict = judge_gates(
                test.engine,
                {cousin: reply["gates"]["values"]},
                {cousin: digests[cousin]},
                thresholds={},
                provenance=gate_provenance(plan, test.engine),
                baseline=gates,
                faults={},
            )
            gate_alarms += verdict.state in RED
    return {
        "band_alarms": _alarms(episode_alarms, count),
        "gate_alarms": _alarms(gate_alarms, count),
        "chaotic": len(before.goldens) - len(goldens),
    }


def _workers(scratch: Path, *, starts: int) -> dict[str, int]:
    """Return how many tests of the plugin reach equal states in this process and in two workers of xdist."""
    folder = scratch / "project"
    (folder / "test_states.py").write_text(TESTS.format(starts=starts))
    states = [_states_under(folder, scratch / f"states_{workers}", workers) for workers in (0, 2)]
    equal = sum(states[0][name] == states[1].get(name) for name in states[0])
    return {"workers_equal": equal, "workers_tests": len(states[0])}


def _states_under(folder: Path, output: Path, workers: int) -> dict[str, str]:
    output.mkdir()
    words = [sys.executable, "-m", "pytest", "-q", "-p", "flows.pytest_plugin", "-p", "no:cacheprovider"]
    words += ["-n", str(workers), "--dist", "load", "--cousins-pack", str(folder / "pack"), "test_states.py"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{folder}", "STATES": str(output), "PYTHONHASHSEED": "0"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return dict(json.loads(path.read_text()) for path in output.iterdir())


def _verdicts(path: Path, accepted: Baseline, store: Path) -> list[Any]:
    done = run_suite(plan_suite(read_suite(path)), baseline=accepted, store=ResultStore(store), today=TODAY)
    return [(verdict.state, verdict.counts) for verdict in done.verdicts]


def _started(words: list[str], store: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*words, str(store)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _alarms(count: int, runs: int) -> dict[str, Any]:
    low, high = clopper_pearson(count, runs)
    return {"k": count, "n": runs, "share": count / runs, "low": low, "high": high}


@contextmanager
def _conditions(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and with `cwd` the folder, for the processes that begin inside the context."""
    before, folder = dict(os.environ), Path.cwd()
    os.environ.update({name: value for name, value in variables.items() if name != "cwd"})
    os.chdir(variables.get("cwd", folder))
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)
