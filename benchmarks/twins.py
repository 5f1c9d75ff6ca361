"""Whole twins through the gates: scan every table of the accuracy program, demo desks and real captures.

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
from scenes.objects import load_objects
from scenes.tables import settings

from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import PhoneConfig, record

DATA = Path(__file__).parents[1] / "../shared/data"
REAL = ("captures/chair_3dscannerapp",)
SEED = 33
DEMOS = 2
ENGINES = ("pybullet", "mujoco")
WATCHED = ("penetration", "settle", "drift", "escape")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="two objects alone, one clutter, one demo, no real one")
    arguments.add_argument("--objects", type=Path, help="folder of objects; default DATA/objects/gso")
    arguments.add_argument("--data", type=Path, default=DATA)
    arguments.add_argument("--seed", type=int, default=SEED)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, capture, count in captures(given, Path(scratch)):
            rows.append(scan(name, capture, count, Path(scratch)))
            print(line(rows[-1]), file=sys.stderr, flush=True)
    result = summary(rows)
    print(json.dumps(result) if given.json else "\n".join(f"{k:28} {v}" for k, v in result.items() if k != "twins"))


def captures(given: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, Path, int | None]]:
    """Yield name, capture and true number of objects (None where nobody counted them)."""
    objects = load_objects(given.objects or given.data / "objects/gso", None)
    tables = settings(objects, quick=given.quick, seed=given.seed)
    chosen = tables[:2] + tables[-1:] if given.quick else tables
    seeds = np.random.SeedSequence(given.seed, spawn_key=(3,)).spawn(len(chosen))
    for setting, seed in zip(chosen, seeds, strict=True):
        folder = scratch / setting.name.replace(" ", "_")
        record(setting.world, folder, config=setting.phone, rng=np.random.default_rng(seed))
        yield setting.name, folder, len(setting.surfaces)
    for seed in range(1 if given.quick else DEMOS):
        world = demo_world(np.random.default_rng(seed))
        record(world, scratch / f"demo_{seed}", config=PhoneConfig(), rng=np.random.default_rng(1000 + seed))
        yield f"demo {seed}", scratch / f"demo_{seed}", len(world.bodies)
    for name in () if given.quick else REAL:
        if (given.data / name).exists():
            yield name, given.data / name, None
        else:
            print(f"{name}: skipped, it is not in {given.data}", file=sys.stderr)


def scan(name: str, capture: Path, count: int | None, scratch: Path) -> dict[str, Any]:
    """Scan one capture and keep what is counted."""
    scene = scratch / "scenes" / name.replace("/", "_").replace(" ", "_")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as store:
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", "scan", str(capture), "-o", str(scene), "--json"],
            env=os.environ | {"COUSINS_STORE": store},
            capture_output=True,
            text=True,
            check=False,
        )
    row: dict[str, Any] = {"name": name, "true_objects": count, "wall_s": round(time.monotonic() - began, 1)}
    told = json.loads(done.stdout) if done.stdout.strip() else {"error": done.stderr[-500:]}
    if "error" in told:
        return row | {"error": told["error"], "objects": 0, "failed": {engine: [] for engine in ENGINES}}
    failed = {
        engine: sorted(
            {
                one["subject"]
                for one in told["gate_results"]
                if one["engine"] == engine and one["gate"] in WATCHED and not one["passed"]
            }
        )
        for engine in ENGINES
    }
    return row | {
        "objects": len(told["assets"]),
        "fixed": [asset["name"] for asset in told["assets"] if asset.get("fixed", False)],
        "failed": failed,
        "penetration_mm": {engine: told["gates"][engine]["max_penetration_mm"] for engine in ENGINES},
        "agreement": told["agreement"],
        "ok": told["ok"],
        "peak_rss_mb": told["peak_rss_mb"],
        "fallbacks": told["fallbacks"],
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the counts over all twins, and every twin's row."""
    made = [row for row in rows if "error" not in row]
    counted = [row for row in made if row["true_objects"] is not None]
    return {
        "captures": len(rows),
        "scenes": len(made),
        "objects": sum(row["objects"] for row in made),
        "fixed_objects": sum(len(row["fixed"]) for row in made),
        **{f"stable_fraction_{engine}": _stable(made, engine) for engine in ENGINES},
        **{
            f"max_penetration_mm_{engine}": max((row["penetration_mm"][engine] for row in made), default=None)
            for engine in ENGINES
        },
        "agreement_max_mm": max((row["agreement"]["max_mm"] for row in made), default=None),
        "agreement_max_deg": max((row["agreement"]["max_deg"] for row in made), default=None),
        "all_gates_passed": sum(row["ok"] for row in made),
        "count_error": round(float(np.mean([abs(row["objects"] - row["true_objects"]) for row in counted])), 3),
        "wall_s_median": float(np.median([row["wall_s"] for row in rows])),
        "twins": rows,
    }


def _stable(made: Sequence[dict[str, Any]], engine: str) -> float:
    """Return the share of movable objects that keep every watched gate in one engine."""
    movable = sum(row["objects"] - len(row["fixed"]) for row in made)
    return round(1.0 - sum(len(row["failed"][engine]) for row in made) / max(movable, 1), 5)


def line(row: dict[str, Any]) -> str:
    """Return one twin in a line."""
    if "error" in row:
        return f"{row['name']:40} no scene: {row['error']}"
    wanted = "?" if row["true_objects"] is None else row["true_objects"]
    return (
        f"{row['name'][:40]:40} {row['wall_s']:5.0f} s  "
        f"{row['objects']} of {wanted} objects, {len(row['fixed'])} fixed; "
        f"unstable {len(row['failed']['pybullet'])}, {len(row['failed']['mujoco'])}; agreement "
        f"{row['agreement']['max_mm']:.2f} mm {row['agreement']['max_deg']:.2f}°; ok {row['ok']}"
    )


if __name__ == "__main__":
    main()
