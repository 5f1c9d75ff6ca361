"""Whether the cousins of a written pack hold: looked at anew, in fresh processes, by both engines, for half a minute.

The pack is that of `benchmarks/vary.py`, all axes and ten objects on a table; `--pack FOLDER` looks at any other. Each
cousin is loaded from its blobs, and each engine steps it with its full settings, not those that it was tried with:
depth of the deepest contact at t = 0 (bar 1 mm), and whether each free object stays in its place for 30 s (5 mm, 3°).

    python benchmarks/validity.py --quick --json
    python benchmarks/validity.py --pack my-pack --json
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from vary import table_scene

from cousins.geometry import Array
from cousins.pack.manifests import PackMeta
from cousins.pack.packs import open_folder
from cousins.pack.writer import write_pack
from cousins.vary.cousin_sampler import make_drawer
from cousins.vary.library.candidates import clutter_offers, family_offers
from cousins.vary.library.variants import make_library
from cousins.vary.recipes import Recipe
from sim.physics.backends import mujoco as mujoco_backend
from sim.physics.backends import pybullet as pybullet_backend
from sim.validation.affordance_proofs import Prover
from sim.validation.candidate_blocks import BLOCK, Blocks
from sim.validation.stability import WatchConfig, watch

ENGINES = ("mujoco", "pybullet")
GATE = {"penetration_mm": 1.0, "drift_mm": 5.0, "drift_deg": 3.0}
CHUNK = 10


def main() -> None:
    arguments = _parse()
    if arguments.pack is not None:
        result = check_pack(arguments.pack, arguments.workers)
    else:
        with tempfile.TemporaryDirectory(prefix="cousins-bench-") as place:
            folder = Path(place) / "pack"
            write_bench_pack(folder, 32 if arguments.quick else arguments.count, arguments.seed)
            result = check_pack(folder, arguments.workers)
    print(json.dumps(result) if arguments.json else "\n".join(f"{key:12} {value}" for key, value in result.items()))


def write_bench_pack(folder: Path, count: int, seed: int) -> None:
    """Write a pack of the ten objects on a table, with all axes and both engines."""
    recipe = Recipe()
    with Prover(ENGINES) as prove:
        made = make_library(
            table_scene(seed),
            recipe,
            seed=seed,
            prove=prove,
            offers=(family_offers,),
            clutter=clutter_offers(12, seed=seed),
        )
    with Blocks(make_drawer(made.library, recipe, seed=seed), engines=ENGINES) as blocks:
        cousins = [one for number in range(-(-(count + 1) // BLOCK)) for one in blocks.make(number).cousins]
    meta = PackMeta(name="bench", seed=seed, recipe={}, generator="bench")
    write_pack(folder, made.library, cousins[: count + 1], meta=meta)


def check_pack(folder: Path, workers: int) -> dict[str, Any]:
    """Return what fresh processes measure of every cousin of a pack, in both engines."""
    indices = open_folder(folder).indices()
    parts = [(str(folder), indices[first : first + CHUNK]) for first in range(0, len(indices), CHUNK)]
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(max_workers=workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_look_at, part) for part in parts]):
            rows += done.result()
            print(f"{len(rows) // len(ENGINES)} of {len(indices)} cousins", file=sys.stderr)
    result: dict[str, Any] = {"cousins": len(indices)}
    for engine in ENGINES:
        mine = [row for row in rows if row["engine"] == engine]
        objects = sum(row["objects"] for row in mine)
        result[engine] = {
            "deepest_mm": max(row["depth_mm"] for row in mine),
            "within_1mm": sum(row["depth_mm"] <= GATE["penetration_mm"] for row in mine) / len(mine),
            "stable_objects": sum(row["stable"] for row in mine) / objects,
            "stable_cousins": sum(row["stable"] == row["objects"] for row in mine) / len(mine),
            "unstable": sorted(row["index"] for row in mine if row["stable"] < row["objects"]),
        }
    result["within_1mm"] = min(result[engine]["within_1mm"] for engine in ENGINES)
    result["stable_objects"] = min(result[engine]["stable_objects"] for engine in ENGINES)
    return result


def _look_at(part: tuple[str, list[int]]) -> list[dict[str, Any]]:
    pack = open_folder(Path(part[0]))
    rows = []
    config = WatchConfig(settle_s=1.0, watch_s=3.0, escape_s=30.0)
    for module in (mujoco_backend, pybullet_backend):
        with module.build(module.Config()) as engine:
            for index in part[1]:
                scene = pack.scene(index)
                seen = watch(scene, engine, config=config)
                start = {one.asset.name: one.world_from_asset for one in scene.objects}
                rows.append(
                    {
                        "index": index,
                        "engine": engine.name,
                        "objects": len(seen.objects),
                        "depth_mm": max((1e3 * one.depth_m for one in seen.objects), default=0.0),
                        "stable": sum(_stays(one, start[one.name], seen.rest[one.name]) for one in seen.objects),
                    }
                )
    return rows


def _stays(one: Any, start: Array, end: Array) -> bool:
    far = max(one.settle_m, one.drift_m, float(np.linalg.norm(start[:3, 3] - end[:3, 3])))
    turned = max(one.settle_rad, one.drift_rad)
    return 1e3 * far <= GATE["drift_mm"] and np.rad2deg(turned) <= GATE["drift_deg"] and not one.escaped


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="32 cousins")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--pack", type=Path, metavar="FOLDER", help="a pack to look at instead")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
