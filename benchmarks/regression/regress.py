"""Regression suites: false alarms where nothing got worse, power, planted causes, repeats, selection, kills, cost.

Outcomes are measured once: policies that push boxes, too slowly to succeed always, in a small pack. A null suite draws
the outcomes of both runs from those of one cousin with replacement, so nothing got worse and many outcomes differ.
For power, a share of a sure policy's outcomes is lost, and 5 % flip either way. The rest runs real suites, see
`planted.py`, `repeats.py` and `large_packs.py`. Flips between engines are not measured here: `cousins regress drift`
prints them for a suite, and policies of three tasks are in `policies/`.

Each part that is done is a JSON file under --out, and a rerun goes on from there. A part that was not run is `not run`
in the table. CPU times are of all processes of a part; some 45 minutes of one core that does nothing else in all.

    python benchmarks/regression/regress.py --out out/regress_bench --json
    python benchmarks/regression/regress.py --parts statistics,causes --json
    python benchmarks/regression/regress.py --quick --json   # a few of everything, no other versions of engines
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from large_packs import pull_request, selection
from planted import planted_causes
from repeats import kills, repeats

from cousins.geometry import Array
from cousins.regress.exact_tests import clopper_pearson
from cousins.regress.result_store import ResultStore
from cousins.regress.sequential import PairedCounts
from cousins.regress.suites import GoldenSpec, Suite, read_suite
from program import program_parser, run_program
from rows import Row, at_least, at_most, entry, is_complete, optional
from sim.regress.suite_plans import plan_suite
from sim.regress.suite_runs import run_suite
from tests.sim.regress.suites_for_tests import boxes_pack, write_suite

ROOT: Final = Path(__file__).resolve().parents[2]
ALPHA: Final = 0.01
PAIRS: Final = 240
SPEEDS: Final = (0.17, 0.2, 0.23)
"""Shares of the sure policy's speed with which outcomes vary from start to start."""
TODAY: Final = datetime.date(2026, 12, 1)
ROWS = (
    Row(
        quantity="false alarms of 2,000 null suites of 240 episodes, looks after every episode, alpha 0.01 [95 %]",
        bar="<= 0.01",
        value=lambda result: "{share:.4f} [{low:.4f}, {high:.4f}]".format(**result["false_alarm"]),
        met=lambda value: float(value.split()[0]) <= 0.01,
    ),
    *(
        Row(
            quantity=f"false alarms, {words} [95 %]",
            bar="<= 0.01",
            value=lambda result, key=key: (
                "{k} of {n} [{low:.4f}, {high:.4f}]".format(**result[key]) if key in result else "not run"
            ),
            met=lambda value: value.startswith("0 of 100 "),
        )
        for key, words in (
            ("identical_alarms", "identical level: episodes again in fresh processes"),
            ("band_alarms", "band level: episodes with starts moved by 1e-9 m, numbers rounded as on an older CPU"),
            ("gate_alarms", "band level: gate values, the same"),
        )
    ),
    Row(
        quantity="a 10-point drop at 5 % flips found within 240 episodes",
        bar=">= 0.85",
        value=entry("power10", "share"),
        met=at_least(0.85),
    ),
    Row(
        quantity="a 20-point drop at 5 % flips found within 120 episodes",
        bar=">= 0.95",
        value=entry("power20", "share"),
        met=at_least(0.95),
    ),
    Row(
        quantity="kinds of planted changes of which one repeat at least was found and named",
        bar="6 of 6",
        value=lambda result: f"{result['kinds_named']} of 6" if "kinds_named" in result else "not run",
        met=lambda value: value == "6 of 6",
    ),
    *(
        Row(
            quantity=f"planted changes that were {word}, of six kinds",
            bar=bar,
            value=lambda result, key=word: f"{result[key]} of {result['planted']}" if key in result else "not run",
            met=lambda value: value.endswith(" of 60") and int(value.split(" of ")[0]) >= 54,
        )
        for word, bar in (("found", ">= 90 %"), ("named", ">= 90 % of 60"))
    ),
    Row(
        quantity="planted changes named, by kind",
        value=lambda result: (
            "; ".join(f"{kind} {row['named']} of {row['n']}" for kind, row in result.get("kinds", {}).items())
            or "not run"
        ),
    ),
    Row(
        quantity="differences from the twin after the search for a cause (before), median",
        bar="<= 3",
        value=lambda result: (
            f"{result['differences']} ({result['differences_before']})" if "differences" in result else "not run"
        ),
        met=lambda value: value[0].isdigit() and float(value.split()[0]) <= 3.0,
    ),
    Row(
        quantity="CPU time of the search for a cause, median [s]",
        bar="<= 60",
        value=optional("search_cpu_s"),
        met=lambda value: not isinstance(value, str) and value is not None and value <= 60.0,
        digits=1,
    ),
    Row(
        quantity="episodes with equal states in fresh processes: as they are, other TZ, other LANG, other cwd",
        bar="100 of 100",
        value=lambda result: (
            f"{result['identical_equal']} of {result['identical_runs']}" if "identical_runs" in result else "not run"
        ),
        met=lambda value: value == "100 of 100",
    ),
    Row(
        quantity="tests of the pytest plugin with equal states under -n 0 and -n 2",
        bar="100 of 100",
        value=lambda result: (
            f"{result['workers_equal']} of {result['workers_tests']}" if "workers_tests" in result else "not run"
        ),
        met=lambda value: value == "100 of 100",
    ),
    Row(
        quantity="one changed asset in a pack of 1,000: episodes run, of those whose cousins show it",
        bar="only these",
        value=lambda result: (
            f"{result['selection_fresh']} of {result['selection_changed']} in {result['selection_cousins']} cousins"
            if "selection_cousins" in result
            else "not run"
        ),
        met=lambda value: value.endswith(" 1000 cousins") and value.split()[0] == value.split()[2],
    ),
    Row(
        quantity="the same: reused episodes run again, of the random tenth",
        bar="all",
        value=lambda result: (
            f"{result['selection_audited']} of {result['selection_tenth']}"
            if "selection_tenth" in result
            else "not run"
        ),
        met=lambda value: value != "not run" and is_complete(value),
    ),
    Row(
        quantity="the same: outcomes, states, losses and gains as of the full run",
        bar="yes",
        value=optional("selection_equal"),
        met=lambda value: value is True,
    ),
    Row(
        quantity="killed runs without a partial result and with the same verdict after, at 40 instants",
        bar="40 of 40",
        value=lambda result: (
            f"{result['kills_whole']} of {result['kills']}, {result['kills_in_episodes']} of them between two episodes"
            if "kills" in result
            else "not run"
        ),
        met=lambda value: value.startswith("40 of 40"),
    ),
    Row(
        quantity="CPU time of a pull-request suite, 120 pushes in the demo pack, none known, imports included [s]",
        bar="<= 25",
        value=optional("pull_request_cpu_s"),
        met=lambda value: not isinstance(value, str) and value <= 25.0,
        digits=1,
    ),
    Row(
        quantity="the same with two goldens run twice and gates of 12 cousins [s]",
        value=lambda result: result.get("pull_request_with_goldens_and_gates_cpu_s", "not run"),
        digits=1,
    ),
    Row(
        quantity="import of the pytest plugin [ms]", bar="<= 20", value=entry("import_ms"), met=at_most(20.0), digits=1
    ),
    *(
        Row(
            quantity=f"outcomes of {task} that flip against MuJoCo {{}}, by engine; success".format("3.17.0"),
            value=lambda result, task=task: (
                "; ".join(
                    f"{row['engine']}: {row['flips']} of {row['pairs']}, {row['success']}"
                    for row in result.get("flips", {}).get(task, [])
                )
                or "not run"
            ),
        )
        for task in ("push", "lift", "close_drawer")
    ),
    Row(
        quantity="episodes that find a 10-point drop in 85 % of runs, at the largest flips measured of each task",
        value=lambda result: (
            "; ".join(f"{task}: {text}" for task, text in result.get("episodes_needed", {}).items()) or "not run"
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all parts share."""

    quick: bool
    """Whether a few of everything are enough."""
    suites: int
    """Null suites, and runs for each power."""
    seed: int
    """Root of all randomness."""
    repeats: int
    """Repeats of each planted cause."""
    out: Path
    """Folder of the finished parts."""
    pack: Path | None
    """A pack of the demo capture; None to make one."""


def main() -> None:
    parser = program_parser(__doc__, quick="a few of everything, no other versions of engines", seed=7)
    parser.add_argument("--suites", type=int, default=2000, help="null suites, and runs for each power (2000)")
    parser.add_argument("--out", type=Path, help="folder of the finished parts (a new one)")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"parts to run, of {','.join(PARTS)}")
    parser.add_argument("--repeats", type=int, default=10, help="repeats of each planted cause (10)")
    parser.add_argument("--pack", type=Path, help="a pack of the demo capture; else one is made")
    run_program(parser, _measure_in_scratch)


def _measure_in_scratch(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(
            quick=arguments.quick,
            suites=arguments.suites,
            seed=arguments.seed,
            repeats=arguments.repeats,
            out=arguments.out or Path(scratch) / "out",
            pack=arguments.pack and arguments.pack.resolve(),
        )
        return measure(Path(scratch), settings, parts=arguments.parts.split(","))


def measure(scratch: Path, settings: Settings, *, parts: list[str]) -> dict[str, Any]:
    """Return all figures: those of the parts that are named, and of those that are finished in `settings.out`."""
    out = settings.out
    out.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"quick": settings.quick}
    for name, part in PARTS.items():
        path = out / f"{name}.json"
        if not path.exists() and name in parts:
            began_s = time.monotonic()
            figures = part(scratch / name, settings)
            path.write_text(json.dumps(figures, indent=1))
            print(f"{name}: {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
        result |= json.loads(path.read_text()) if path.exists() else {}
    return result


def _statistics(scratch: Path, settings: Settings) -> dict[str, Any]:
    rng = np.random.default_rng(settings.seed)
    suite = read_suite(_project(scratch / "project"))
    outcomes = _measured_outcomes(suite, scratch / "outcomes")
    print(f"measured outcomes by cousin: {[float(row.mean()) for row in outcomes]}", file=sys.stderr)
    return {
        "false_alarm": _share([_null_suite(outcomes, rng) for _ in range(settings.suites)]),
        "null_success": float(np.mean([row.mean() for row in outcomes])),
        "power10": _share([_planted(0.1, 240, rng) for _ in range(settings.suites)]),
        "power20": _share([_planted(0.2, 120, rng) for _ in range(settings.suites)]),
        "import_ms": _import_ms(),
    }


def _repeats(scratch: Path, settings: Settings) -> dict[str, Any]:
    return repeats(scratch, count=4 if settings.quick else 100)


def _kills(scratch: Path, settings: Settings) -> dict[str, Any]:
    return kills(scratch, count=1 if settings.quick else 40)


def _causes(scratch: Path, settings: Settings) -> dict[str, Any]:
    repeats_of_kind = 1 if settings.quick else settings.repeats
    rows_path = settings.out / "causes.jsonl"
    return planted_causes(scratch, repeats=repeats_of_kind, seed=settings.seed, rows_path=rows_path)


def _selection(scratch: Path, settings: Settings) -> dict[str, Any]:
    return selection(scratch, cousins=24 if settings.quick else 1000)


def _cost(scratch: Path, settings: Settings) -> dict[str, Any]:
    return {} if settings.quick else pull_request(scratch, pack=demo_pack(scratch, settings))


def demo_pack(scratch: Path, settings: Settings) -> Path:
    """Return a pack of the demo capture, made where none was given."""
    if settings.pack is not None:
        return settings.pack
    twin, pack = scratch / "twin", scratch / "pack"
    words = [sys.executable, "-m", "flows.cli"]
    subprocess.run([*words, "scan", "assets/demo_capture/capture", "-o", str(twin)], cwd=ROOT, check=True)
    subprocess.run([*words, "vary", str(twin), "-n", "20", "--seed", "7", "-o", str(pack)], cwd=ROOT, check=True)
    return pack


PARTS: Final[dict[str, Callable[[Path, Settings], dict[str, Any]]]] = {
    "statistics": _statistics,
    "cost": _cost,
    "causes": _causes,
    "repeats": _repeats,
    "kills": _kills,
    "selection": _selection,
}
"""Measurements by name, in their order."""


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


def _import_ms() -> float:
    program = "import time, pytest; t = time.process_time(); import flows.pytest_plugin; print(time.process_time() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    return 1000.0 * min(float(text) for text in runs)


if __name__ == "__main__":
    main()
