"""Complete twins through the gates: scan every table of the accuracy program, demo desks and real captures.

Each capture goes through `cousins scan` as a user would start it, in a process of its own with an empty store.
Counted over all twins: captures that ended in a scene, objects beside the true number, objects that keep every
gate of penetration, settling, drift and escape in each engine, objects that had to be fixed in place because they
do not stand by themselves, the deepest contact at t = 0, and how far the engines disagree.

    python benchmarks/twins.py [--quick] [--objects DIR] [--data DIR] [--seed SEED] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from program import DATA, program_parser, run_program
from rows import Row, at_least, at_most, count_of, entry, is_complete, largest
from scenes.objects import load_objects
from scenes.tables import settings
from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import PhoneConfig, record_capture

REAL = ("captures/chair_3dscannerapp",)
SEED = 33
DEMOS = 2
ENGINES = ("pybullet", "mujoco")
WATCHED = ("penetration", "settle", "drift", "escape")
ROWS = (
    Row(quantity="captures that ended in a scene", bar="all", value=count_of("scenes", "captures"), met=is_complete),
    Row(
        quantity="deepest overlap at t = 0, both engines [mm]",
        bar="≤ 1",
        value=largest(entry("max_penetration_mm_pybullet"), entry("max_penetration_mm_mujoco")),
        met=at_most(1.0),
        digits=4,
    ),
    Row(
        quantity="stable movable objects, PyBullet",
        bar="≥ 0.998",
        value=entry("stable_fraction_pybullet"),
        met=at_least(0.998),
    ),
    Row(
        quantity="stable movable objects, MuJoCo",
        bar="≥ 0.998",
        value=entry("stable_fraction_mujoco"),
        met=at_least(0.998),
    ),
    Row(quantity="objects fixed in place, of all", value=count_of("fixed_objects", "objects")),
    Row(quantity="engines agree within [mm]", bar="≤ 5", value=entry("agreement_max_mm"), met=at_most(5.0)),
    Row(quantity="engines agree within [°]", bar="≤ 3", value=entry("agreement_max_deg"), met=at_most(3.0)),
    Row(quantity="objects found off the true number, mean", value=entry("count_error")),
    Row(quantity="wall seconds of a scan, median", value=entry("wall_s_median"), digits=1),
)


def main() -> None:
    parser = program_parser(
        __doc__, quick="two objects alone, one clutter, one demo, no real one", data=DATA, seed=SEED
    )
    parser.add_argument("--objects", type=Path, help="folder of objects; default DATA/objects/gso")
    run_program(parser, measure, hidden=("twins",))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, capture, count in captures(arguments, Path(scratch)):
            rows.append(scan(name, capture, count, Path(scratch)))
            print(line(rows[-1]), file=sys.stderr, flush=True)
    return summary(rows)


def captures(arguments: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, Path, int | None]]:
    """Yield name, capture and true number of objects (None where nobody counted them)."""
    objects = load_objects(arguments.objects or arguments.data / "objects/gso", None)
    tables = settings(objects, quick=arguments.quick, seed=arguments.seed)
    selected = tables[:2] + tables[-1:] if arguments.quick else tables
    seeds = np.random.SeedSequence(arguments.seed, spawn_key=(3,)).spawn(len(selected))
    for setting, seed in zip(selected, seeds, strict=True):
        folder = scratch / setting.name.replace(" ", "_")
        record_capture(setting.world, folder, config=setting.phone, rng=np.random.default_rng(seed))
        yield setting.name, folder, len(setting.surfaces)
    for seed in range(1 if arguments.quick else DEMOS):
        world = demo_world(np.random.default_rng(seed))
        record_capture(world, scratch / f"demo_{seed}", config=PhoneConfig(), rng=np.random.default_rng(1000 + seed))
        yield f"demo {seed}", scratch / f"demo_{seed}", len(world.bodies)
    for name in () if arguments.quick else REAL:
        if (arguments.data / name).exists():
            yield name, arguments.data / name, None
        else:
            print(f"{name}: skipped, it is not in {arguments.data}", file=sys.stderr)


def scan(name: str, capture: Path, count: int | None, scratch: Path) -> dict[str, Any]:
    """Scan one capture and keep what is counted."""
    scene = scratch / "scenes" / name.replace("/", "_").replace(" ", "_")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as store:
        process = subprocess.run(
            [sys.executable, "-m", "flows.cli", "scan", str(capture), "-o", str(scene), "--json"],
            env=os.environ | {"COUSINS_STORE": store},
            capture_output=True,
            text=True,
            check=False,
        )
    row: dict[str, Any] = {"name": name, "true_objects": count, "wall_s": round(time.monotonic() - began, 1)}
    report = json.loads(process.stdout) if process.stdout.strip() else {"error": process.stderr[-500:]}
    if "error" in report:
        return row | {"error": report["error"], "objects": 0, "failed": {engine: [] for engine in ENGINES}}
    failed = {
        engine: sorted(
            {
                gate_result["subject"]
                for gate_result in report["gate_results"]
                if gate_result["engine"] == engine and gate_result["gate"] in WATCHED and not gate_result["passed"]
            }
        )
        for engine in ENGINES
    }
    return row | {
        "objects": len(report["assets"]),
        "fixed": [asset["name"] for asset in report["assets"] if asset.get("fixed", False)],
        "failed": failed,
        "penetration_mm": {engine: report["gates"][engine]["max_penetration_mm"] for engine in ENGINES},
        "agreement": report["agreement"],
        "ok": report["ok"],
        "peak_rss_mb": report["peak_rss_mb"],
        "fallbacks": report["fallbacks"],
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the counts over all twins, and every twin's row."""
    scanned = [row for row in rows if "error" not in row]
    counted = [row for row in scanned if row["true_objects"] is not None]
    return {
        "captures": len(rows),
        "scenes": len(scanned),
        "objects": sum(row["objects"] for row in scanned),
        "fixed_objects": sum(len(row["fixed"]) for row in scanned),
        **{f"stable_fraction_{engine}": _stable(scanned, engine) for engine in ENGINES},
        **{
            f"max_penetration_mm_{engine}": max((row["penetration_mm"][engine] for row in scanned), default=None)
            for engine in ENGINES
        },
        "agreement_max_mm": max((row["agreement"]["max_mm"] for row in scanned), default=None),
        "agreement_max_deg": max((row["agreement"]["max_deg"] for row in scanned), default=None),
        "all_gates_passed": sum(row["ok"] for row in scanned),
        "count_error": round(float(np.mean([abs(row["objects"] - row["true_objects"]) for row in counted])), 3),
        "wall_s_median": float(np.median([row["wall_s"] for row in rows])),
        "twins": rows,
    }


def _stable(scanned: Sequence[dict[str, Any]], engine: str) -> float:
    """Return the share of movable objects that keep every watched gate in one engine."""
    movable = sum(row["objects"] - len(row["fixed"]) for row in scanned)
    return round(1.0 - sum(len(row["failed"][engine]) for row in scanned) / max(movable, 1), 5)


def line(row: dict[str, Any]) -> str:
    """Return one twin in a line."""
    if "error" in row:
        return f"{row['name']:40} no scene: {row['error']}"
    true_count = "?" if row["true_objects"] is None else row["true_objects"]
    return (
        f"{row['name'][:40]:40} {row['wall_s']:5.0f} s  "
        f"{row['objects']} of {true_count} objects, {len(row['fixed'])} fixed; "
        f"unstable {len(row['failed']['pybullet'])}, {len(row['failed']['mujoco'])}; agreement "
        f"{row['agreement']['max_mm']:.2f} mm {row['agreement']['max_deg']:.2f}°; ok {row['ok']}"
    )


if __name__ == "__main__":
    main()
