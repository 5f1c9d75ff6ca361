"""Regression suites: false alarms on suites in which nothing got worse, power, repeats, selection, kills, causes.

Outcomes are measured once: policies that push boxes, too slowly to succeed always, in a small pack. A null suite draws
the outcomes of both runs from those of one cousin with replacement, so nothing got worse and many outcomes differ.
For power, a share of a sure policy's outcomes is lost, and 5 % flip either way. The rest runs real suites: episodes in
two fresh processes, a pack of which one cousin has changed, runs that are killed, and cousins with a planted cause.

    python benchmarks/regression/regress.py --json          # some three minutes of one core
    python benchmarks/regression/regress.py --quick --json  # no kills, one planted cause
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cousins.geometry import Array
from cousins.pack.packs import open_folder
from cousins.pack.writer import write_pack
from cousins.regress.baselines import baseline_path, write_baseline
from cousins.regress.exact_tests import clopper_pearson
from cousins.regress.result_store import ResultStore
from cousins.regress.sequential import PairedCounts
from cousins.regress.suites import GoldenSpec, Suite, read_suite
from program import program_parser, run_program
from rows import Row, at_least, at_most, count_of, entry, is_complete
from sim.regress.acceptance import accept_suite
from sim.regress.causes import find_cause
from sim.regress.suite_plans import plan_suite
from sim.regress.suite_runs import run_suite
from tests.sim.regress.suites_for_tests import META, boxes_cousin, boxes_library, boxes_pack, write_suite

ROOT: Final = Path(__file__).resolve().parents[2]
ALPHA: Final = 0.01
PAIRS: Final = 240
SPEEDS: Final = (0.17, 0.2, 0.23)
"""Shares of the sure policy's speed with which outcomes vary from start to start."""
TODAY: Final = datetime.date(2026, 12, 1)
ROWS = (
    Row(
        quantity="false alarms of 2,000 null suites of 240 episodes, alpha 0.01 [95 %]",
        bar="<= 0.01",
        value=lambda result: "{share:.4f} [{low:.4f}, {high:.4f}]".format(**result["false_alarm"]),
        met=lambda value: float(value.split()[0]) <= 0.01,
    ),
    Row(
        quantity="a 10-point drop found within 240 episodes",
        bar=">= 0.85",
        value=entry("power10", "share"),
        met=at_least(0.85),
    ),
    Row(
        quantity="a 20-point drop found within 120 episodes",
        bar=">= 0.95",
        value=entry("power20", "share"),
        met=at_least(0.95),
    ),
    Row(
        quantity="episodes with equal states in two fresh processes",
        bar="all",
        value=count_of("identical", "repeated"),
        met=is_complete,
    ),
    Row(
        quantity="one changed cousin of six: episodes run again, of those that changed; verdict as of the full run",
        bar="all",
        value=lambda result: f"{result['selection']['run']} of {result['selection']['changed']}",
        met=is_complete,
    ),
    Row(
        quantity="killed runs without a partial result and with the same verdict after",
        bar="all",
        value=lambda result: f"{result['kills_whole']} of {result['kills']}",
        met=is_complete,
    ),
    Row(
        quantity="planted causes that were named: axis and object",
        bar="all",
        value=count_of("causes_named", "causes_planted"),
        met=is_complete,
    ),
    Row(quantity="CPU time of a suite of 24 episodes, all run [s]", value=entry("suite_cpu_s"), digits=1),
    Row(
        quantity="import of the pytest plugin [ms]", bar="<= 20", value=entry("import_ms"), met=at_most(20.0), digits=1
    ),
)


def main() -> None:
    parser = program_parser(__doc__, quick="no kills, one planted cause", seed=7)
    parser.add_argument("--suites", type=int, default=2000, help="null suites, and runs for each power (2000)")
    run_program(parser, _measure_in_scratch)


def _measure_in_scratch(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        return measure(Path(scratch), quick=arguments.quick, suites=arguments.suites, seed=arguments.seed)


def measure(scratch: Path, *, quick: bool, suites: int, seed: int) -> dict[str, Any]:
    """Return all figures."""
    rng = np.random.default_rng(seed)
    path = _project(scratch / "project")
    suite = read_suite(path)
    began = time.process_time()
    outcomes = _measured_outcomes(suite, scratch / "outcomes")
    print(f"measured outcomes by cousin: {[float(row.mean()) for row in outcomes]}", file=sys.stderr)
    selection = _selection(scratch, path)
    return {
        "quick": quick,
        "false_alarm": _share([_null_suite(outcomes, rng) for _ in range(suites)]),
        "null_success": float(np.mean([row.mean() for row in outcomes])),
        "power10": _share([_planted(0.1, 240, rng) for _ in range(suites)]),
        "power20": _share([_planted(0.2, 120, rng) for _ in range(suites)]),
        **selection,
        **_kills(scratch, path, count=0 if quick else 3),
        **_causes(scratch, count=1 if quick else 3),
        "import_ms": _import_ms(),
        "parent_cpu_s": round(time.process_time() - began, 1),
    }


def _project(folder: Path) -> Path:
    folder.mkdir(parents=True)
    boxes_pack(folder / "pack")
    return write_suite(folder)


def _measured_outcomes(suite: Suite, store: Path) -> list[Array]:
    """Return the outcomes of policies of several speeds by cousin, bool [episodes] each."""
    policy = suite.folder / "policy.py"
    text = policy.read_text()
    by_cousin: dict[int, list[bool]] = {}
    for number, speed in enumerate(SPEEDS):
        policy.write_text(text + f"\n\ndef speed_{number}(observations):\n    return {speed} * act(observations)\n")
        spec = replace(suite.policy, path=f"policy.py:speed_{number}")
        test_suite = replace(suite, policy=spec, episodes=24, golden=GoldenSpec(count=0))
        done = run_suite(plan_suite(test_suite), baseline=None, store=ResultStore(store), today=TODAY)
        for pair, outcome in sorted(done.evidence["push-mujoco"].outcomes.items()):
            by_cousin.setdefault(pair[0], []).append(outcome.success)
    policy.write_text(text)
    return [np.array(by_cousin[cousin]) for cousin in sorted(by_cousin)]


def _alarm(baseline: Array, candidate: Array) -> bool:
    """Return whether the paired test of outcomes, bool [n], gives an alarm."""
    counts = PairedCounts()
    for before, now in zip(baseline.tolist(), candidate.tolist(), strict=True):
        if before != now:
            counts = counts.after(baseline=before, candidate=now)
    return counts.is_alarm(ALPHA)


def _null_suite(outcomes: list[Array], rng: np.random.Generator) -> bool:
    """Return whether a suite gives an alarm whose two runs are drawn from the same outcomes, bool [starts] each."""
    cousins = rng.permutation(np.arange(PAIRS) % len(outcomes))
    baseline, candidate = (np.array([rng.choice(outcomes[cousin]) for cousin in cousins]) for _ in range(2))
    return _alarm(baseline, candidate)


def _planted(drop: float, pairs: int, rng: np.random.Generator, *, flips: float = 0.05) -> bool:
    draw = rng.random(pairs)
    lost = draw < drop + flips / 2
    gained = (draw >= drop + flips / 2) & (draw < drop + flips)
    return _alarm(~gained, ~lost)


def _share(alarms: list[bool]) -> dict[str, Any]:
    low, high = clopper_pearson(sum(alarms), len(alarms))
    return {"k": sum(alarms), "n": len(alarms), "share": sum(alarms) / len(alarms), "low": low, "high": high}


def _selection(scratch: Path, path: Path) -> dict[str, Any]:
    """Accept a suite, repeat its episodes in two processes, and run it with one changed cousin, by parts and whole."""
    suite = replace(read_suite(path), golden=GoldenSpec(count=12))
    store = ResultStore(scratch / "store")
    first = run_suite(plan_suite(suite), baseline=None, store=store, today=TODAY)
    goldens = first.evidence["push-mujoco"].goldens
    accepted = accept_suite(plan_suite(replace(suite, golden=GoldenSpec(count=0))), store=store).baseline
    write_baseline(baseline_path(path), accepted)
    boxes_pack(scratch / "changed/pack", friction={2: 0.9})
    changed = replace(read_suite(write_suite(scratch / "changed")), golden=GoldenSpec(count=0))
    plan = plan_suite(changed)
    by_parts = run_suite(plan, baseline=accepted, store=ResultStore(scratch / "parts"), today=TODAY)
    evidence, before = by_parts.evidence["push-mujoco"], accepted.tests["push-mujoco"]
    different = [pair for pair, key in plan.tests[0].portable_keys.items() if before.portable_keys[pair] != key]
    full = run_suite(plan, baseline=None, store=ResultStore(scratch / "full"), today=TODAY).evidence["push-mujoco"]
    is_same = all(full.outcomes[pair].states == item.states for pair, item in evidence.outcomes.items())
    return {
        "identical": sum(len({run.states for run in runs}) == 1 for runs in goldens.values()),
        "repeated": len(goldens),
        "suite_cpu_s": first.cpu_s,
        "selection": {
            "run": len(evidence.outcomes) - len(evidence.reused) if is_same else -1,
            "changed": len(different),
            "states_as_of_full_run": is_same,
        },
    }


def _kills(scratch: Path, path: Path, *, count: int) -> dict[str, int]:
    """Kill runs while they store their results; return how many left whole entries and the same verdict."""
    path.write_text(path.read_text().replace("policy.py", "policy.py:slow").replace("count = 1", "count = 0"))
    words = [sys.executable, "-m", "flows.cli", "regress", "run", str(path), "--json", "--store"]
    baseline = scratch / "kill.json"
    accepted = accept_suite(plan_suite(read_suite(path)), store=ResultStore(scratch / "undisturbed")).baseline
    write_baseline(baseline, accepted)
    words[-1:] = ["--against", str(baseline), "--store"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def verdict(store: Path) -> list[Any]:
        done = subprocess.run([*words, str(store)], env=environment, capture_output=True, text=True, check=False)
        return [(test["state"], test["losses"], test["gains"]) for test in json.loads(done.stdout)["tests"]]

    changed = path.with_name("policy.py")
    changed.write_text(changed.read_text().replace("0.25", "0.2"))
    expected = verdict(scratch / "expected") if count else []
    whole_count = 0
    for number in range(count):
        store = scratch / f"killed_{number}"
        process = subprocess.Popen([*words, str(store)], env=environment, stdout=subprocess.DEVNULL)
        while process.poll() is None and len(list(store.glob("results/*/[!.]*.json"))) < 2 + 5 * number:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        entries = [ResultStore(store).get(item.stem) for item in store.glob("results/*/[!.]*.json")]
        whole_count += all(entries) and verdict(store) == expected
    return {"kills": count, "kills_whole": whole_count}


def _causes(scratch: Path, *, count: int) -> dict[str, int]:
    """Plant a box that is too heavy in some cousins; return in how many the search names it."""
    library = boxes_library()
    named = 0
    for number in range(1, count + 1):
        cousins = [boxes_cousin(library, index) for index in range(1, 7)]
        box = cousins[number - 1].objects[0]
        heavy = replace(box, mass_kg=(box.mass_kg[0] * 40.0,), friction=1.4)
        cousins[number - 1] = replace(cousins[number - 1], objects=(heavy,))
        folder = scratch / f"cause_{number}"
        folder.mkdir()
        write_pack(folder / "pack", library, cousins, meta=META, rejections={})
        plan = plan_suite(read_suite(write_suite(folder))).tests[0]
        cause = find_cause(plan, open_folder(folder / "pack"), number, [0, 1, 2, 3])
        named += [(part.axis, part.object) for part in cause.parts] == [("dynamics", "box")]
    return {"causes_planted": count, "causes_named": named}


def _import_ms() -> float:
    program = "import time, pytest; t = time.process_time(); import flows.pytest_plugin; print(time.process_time() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    return 1000.0 * min(float(text) for text in runs)


if __name__ == "__main__":
    main()
