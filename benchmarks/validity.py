"""Stability of the cousins of a written pack, measured in fresh processes, by both engines, for half a minute.

The pack is that of `benchmarks/vary.py`, all axes and ten objects on a table; `--pack FOLDER` measures any other. Each
cousin is loaded from its blobs, and each engine steps it with its full settings, not those that it was tried with:
depth of the deepest contact at t = 0 (bar 1 mm), and whether each free object stays in its place for 30 s (5 mm, 3°).

    python benchmarks/validity.py --quick --json
    python benchmarks/validity.py --pack my-pack --json
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from cousins.geometry import Array
from cousins.pack.manifests import PackMeta
from cousins.pack.packs import open_folder
from cousins.pack.writer import write_pack
from cousins.vary.cousin_sampler import make_cousin_sampler
from cousins.vary.library.candidates import clutter_candidates, family_candidates
from cousins.vary.library.variants import make_library
from cousins.vary.recipes import Recipe
from program import program_parser, run_program
from rows import Row, at_least, entry
from sim.physics.backends import mujoco as mujoco_backend
from sim.physics.backends import pybullet as pybullet_backend
from sim.validation.affordance_proofs import AffordanceProver
from sim.validation.candidate_blocks import BLOCK_SIZE, BlockBuilder
from sim.validation.stability import StabilityConfig, measure_stability
from vary import table_scene

ENGINES = ("mujoco", "pybullet")
GATE = {"penetration_mm": 1.0, "drift_mm": 5.0, "drift_deg": 3.0}
CHUNK = 10
ROWS = (
    Row(
        quantity="cousins looked at anew from the written pack, all axes, both engines, 30 s",
        bar="≥ 1000",
        value=entry("cousins"),
        met=at_least(1000.0),
        digits=0,
    ),
    Row(
        quantity="within 1 mm of overlap, the worse engine",
        bar="1",
        value=entry("within_1mm"),
        met=at_least(1.0),
        digits=4,
    ),
    Row(
        quantity="objects stable over 30 s, the worse engine",
        bar="≥ 0.998",
        value=entry("stable_objects"),
        met=at_least(0.998),
        digits=4,
    ),
)


def main() -> None:
    parser = program_parser(__doc__, quick="32 cousins", seed=7)
    parser.add_argument("--count", type=int, default=1000, help="cousins of the pack (1000)")
    parser.add_argument("--pack", type=Path, metavar="FOLDER", help="a pack to measure instead")
    parser.add_argument("--workers", type=int, default=2, help="processes side by side (2)")
    run_program(parser, measure)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.pack is not None:
        return check_pack(arguments.pack, arguments.workers)
    with tempfile.TemporaryDirectory(prefix="cousins-bench-") as scratch:
        folder = Path(scratch) / "pack"
        write_bench_pack(folder, 32 if arguments.quick else arguments.count, arguments.seed)
        return check_pack(folder, arguments.workers)


def write_bench_pack(folder: Path, count: int, seed: int) -> None:
    """Write a pack of the ten objects on a table, with all axes and both engines."""
    recipe = Recipe()
    with AffordanceProver(ENGINES) as prove:
        built = make_library(
            table_scene(seed),
            recipe,
            seed=seed,
            prove=prove,
            sources=(family_candidates,),
            clutter=clutter_candidates(12, seed=seed),
        )
    with BlockBuilder(make_cousin_sampler(built.library, recipe, seed=seed), engines=ENGINES) as blocks:
        cousins = [cousin for number in range(-(-(count + 1) // BLOCK_SIZE)) for cousin in blocks.make(number).cousins]
    meta = PackMeta(name="bench", seed=seed, recipe={}, generator="bench")
    write_pack(folder, built.library, cousins[: count + 1], meta=meta)


def check_pack(folder: Path, workers: int) -> dict[str, Any]:
    """Return what fresh processes measure of every cousin of a pack, in both engines."""
    indices = open_folder(folder).indices()
    parts = [(str(folder), indices[first : first + CHUNK]) for first in range(0, len(indices), CHUNK)]
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(max_workers=workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(_measure_cousins, part) for part in parts]):
            rows += future.result()
            print(f"{len(rows) // len(ENGINES)} of {len(indices)} cousins", file=sys.stderr)
    result: dict[str, Any] = {"cousins": len(indices)}
    for engine in ENGINES:
        engine_rows = [row for row in rows if row["engine"] == engine]
        objects = sum(row["objects"] for row in engine_rows)
        result[engine] = {
            "deepest_mm": max(row["depth_mm"] for row in engine_rows),
            "within_1mm": sum(row["depth_mm"] <= GATE["penetration_mm"] for row in engine_rows) / len(engine_rows),
            "stable_objects": sum(row["stable"] for row in engine_rows) / objects,
            "stable_cousins": sum(row["stable"] == row["objects"] for row in engine_rows) / len(engine_rows),
            "unstable": sorted(row["index"] for row in engine_rows if row["stable"] < row["objects"]),
        }
    result["within_1mm"] = min(result[engine]["within_1mm"] for engine in ENGINES)
    result["stable_objects"] = min(result[engine]["stable_objects"] for engine in ENGINES)
    return result


def _measure_cousins(part: tuple[str, list[int]]) -> list[dict[str, Any]]:
    pack = open_folder(Path(part[0]))
    rows = []
    config = StabilityConfig(settle_s=1.0, watch_s=3.0, escape_s=30.0)
    for module in (mujoco_backend, pybullet_backend):
        with module.build(module.Config()) as engine:
            for index in part[1]:
                scene = pack.scene(index)
                observed = measure_stability(scene, engine, config=config)
                start = {placed.asset.name: placed.world_from_asset for placed in scene.objects}
                rows.append(
                    {
                        "index": index,
                        "engine": engine.name,
                        "objects": len(observed.objects),
                        "depth_mm": max((1e3 * motion.depth_m for motion in observed.objects), default=0.0),
                        "stable": sum(
                            _stays(motion, start[motion.name], observed.rest[motion.name])
                            for motion in observed.objects
                        ),
                    }
                )
    return rows


def _stays(watched: Any, start: Array, end: Array) -> bool:
    distance_m = max(watched.settle_m, watched.drift_m, float(np.linalg.norm(start[:3, 3] - end[:3, 3])))
    turned = max(watched.settle_rad, watched.drift_rad)
    return 1e3 * distance_m <= GATE["drift_mm"] and np.rad2deg(turned) <= GATE["drift_deg"] and not watched.escaped


if __name__ == "__main__":
    main()
