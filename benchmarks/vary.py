"""Valid cousins per CPU second: ten objects of families on a table, warm caches.

`per_second` counts valid cousins with the axes layout, look and dynamics and MuJoCo's trial; `per_second_all` those
with all axes, affordance proof and both engines. `settle_limit_per_second` is what would be left if nothing but the
trial's physics steps cost time. With `--peer PYTHON`, an interpreter that has NVlabs scene_synthesizer places ten boxes
on a table in the same minute, without physics. `coverage` compares farthest-first packs with random ones of the same
size: dispersion, the distance from the worst of many probes to its nearest cousin, by axis and for all axes. `growth`
makes many cousins (MuJoCo alone) into a pack that is written as it grows: CPU time by cousin over the last tenth
against the first, and memory.

    python benchmarks/vary.py --quick --json
    python benchmarks/vary.py --peer ~/peers/bin/python --json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from cousins.families.family import family_names
from cousins.geometry import Array, rigid, rotation_about
from cousins.pack.manifests import PackMeta
from cousins.pack.packs import open_folder
from cousins.pack.writer import PackWriter
from cousins.scene.layout.relations import find_relations
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.vary.cousin_sampler import Rejection, make_cousin_sampler, sample_cousin
from cousins.vary.cousins import AXES, Cousin, Library
from cousins.vary.coverage import coverage, dispersion
from cousins.vary.distance import distance_vector, distances
from cousins.vary.library.candidates import clutter_candidates, family_candidates, load_families
from cousins.vary.library.variants import lowest_point_m, make_library
from cousins.vary.recipes import Recipe
from program import program_parser, run_program
from rows import Row, at_least, at_most, entry, is_complete, optional
from sim.physics.simple_assets import make_scene, slab
from sim.validation.affordance_proofs import AffordanceProver
from sim.validation.candidate_blocks import BLOCK_SIZE, BlockBuilder

TABLE_M = (1.4, 1.0, 0.05)
TOP_M = 0.75
NAMES = ("box", "mug", "bowl", "can", "bottle", "book", "cup", "plate", "tray", "shoe")
RANDOM_PACKS = 3
PEER = """
import time, json, trimesh
import numpy as np
import scene_synthesizer as synth
from scene_synthesizer import procedural_assets as pa
def once(seed):
    table = pa.TableAsset(1.4, 1.0, 0.75)
    s = synth.Scene(seed=seed)
    s.add_object(table, 'table')
    s.label_support('support', obj_ids='table')
    for i in range(10):
        s.place_object(f'box{i}', synth.BoxAsset(extents=[0.06, 0.06, 0.1]), 'support')
once(0)
began = time.process_time()
for k in range(1, 21):
    once(k)
print(json.dumps({'per_second': 20 / (time.process_time() - began)}))
"""
ROWS = (
    Row(
        quantity="valid cousins a CPU second: layout, look, dynamics; ten objects, MuJoCo",
        bar="≥ 140",
        value=entry("per_second"),
        met=at_least(140.0),
        digits=1,
    ),
    Row(quantity="the same if only physics cost time", value=entry("settle_limit_per_second"), digits=1),
    Row(
        quantity="peer, scene_synthesizer, places without physics a CPU second",
        value=optional("peer_per_second"),
        digits=1,
    ),
    Row(
        quantity="times the peer",
        bar="≥ 10",
        value=lambda result: result.get("times_peer"),
        met=at_least(10.0),
        digits=1,
    ),
    Row(
        quantity="valid cousins a CPU second: all axes, affordance proof, both engines",
        bar="≥ 15",
        value=entry("per_second_all"),
        met=at_least(15.0),
        digits=1,
    ),
    Row(quantity="share of draws that hold, all axes", value=entry("accepted_all")),
    Row(
        quantity="axes along which farthest-first cousins spread wider than random ones",
        bar="all",
        value=lambda result: "{axes_spread_wider} of {axes}, {size} cousins".format(**result["coverage"]),
        met=is_complete,
    ),
    Row(
        quantity="axes along which a place is nearer to one of them, on average",
        bar="all",
        value=lambda result: "{axes_gaps_smaller} of {axes}, {size} cousins".format(**result["coverage"]),
        met=is_complete,
    ),
    Row(
        quantity="growth: CPU time of a cousin, the last tenth of 10,000 against the first",
        bar="0.9 to 1.1",
        value=entry("growth", "last_of_first"),
        met=lambda value: 0.9 <= value <= 1.1,
    ),
    Row(
        quantity="growth: memory at the last of 10,000 against the first tenth",
        bar="≤ 1.05",
        value=entry("growth", "memory_growth"),
        met=at_most(1.05),
    ),
    Row(
        quantity="growth: bytes of a cousin beside meshes",
        bar="≤ 5000",
        value=entry("growth", "bytes_per_cousin"),
        met=at_most(5000.0),
        digits=0,
    ),
)


def main() -> None:
    parser = program_parser(__doc__, quick="few blocks", seed=7)
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter with scene_synthesizer")
    run_program(parser, measure)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    scene = table_scene(arguments.seed)
    full, plain = Recipe(), Recipe().at_distance(0.0, axes={"layout": 0.6, "look": 0.6, "dynamics": 0.6})
    few = make_library(scene, plain, seed=arguments.seed, prove=lambda *_: ())
    result: dict[str, Any] = {"objects": len(scene.objects)}
    blocks = 2 if arguments.quick else 12
    fast = rate(few.library, plain, ("mujoco",), blocks, arguments.seed)
    result["per_second"] = fast["per_second"]
    result["settle_limit_per_second"] = fast["settle_limit_per_second"]
    result["accepted"] = fast["accepted"]
    if arguments.peer is not None:
        process = subprocess.run([arguments.peer, "-c", PEER], capture_output=True, text=True, check=True)
        result["peer_per_second"] = json.loads(process.stdout.splitlines()[-1])["per_second"]
        result["times_peer"] = result["per_second"] / result["peer_per_second"]
    with AffordanceProver(("mujoco", "pybullet")) as prove:
        built = make_library(
            scene,
            full,
            seed=arguments.seed,
            prove=prove,
            sources=(family_candidates,),
            clutter=clutter_candidates(12, seed=arguments.seed),
        )
    result["variants"] = len(built.library.variants)
    both = rate(built.library, full, ("mujoco", "pybullet"), 1 if arguments.quick else 4, arguments.seed)
    result["per_second_all"] = both["per_second"]
    result["accepted_all"] = both["accepted"]
    result["rejected"] = both["refused"]
    result["coverage"] = compared(built.library, full, arguments.seed, 64 if arguments.quick else 256)
    result["growth"] = growth(few.library, plain, arguments.seed, 640 if arguments.quick else 10_000)
    return result


def table_scene(seed: int) -> Scene:
    """Return ten family objects in two rows on a table."""
    families_by_name = load_families()
    rng = np.random.default_rng(seed)
    placed = []
    for number, name in enumerate(family_name for family_name in NAMES if family_name in family_names()):
        family = families_by_name[name]
        for _ in range(50):
            asset = family.build(family.sample(rng), name=f"{name}_{number}", rng=rng, texture_px=32)
            if float(asset.size_m[:2].max()) <= 0.22 and not asset.joints:
                break
        spot = np.array(
            [-0.48 + 0.24 * (number % 5), -0.16 + 0.34 * (number // 5), TOP_M + 1e-5 - lowest_point_m(asset)]
        )
        turn = rotation_about(np.array([0.0, 0.0, 1.0]), float(rng.uniform(-0.3, 0.3)))
        placed.append(PlacedAsset(asset=asset, world_from_asset=rigid(turn, spot)))
    table = replace(slab("table", size_m=TABLE_M, top_m=TOP_M), kind="table")
    scene = make_scene(*placed, structures=(slab("floor", top_m=0.0), table), name="bench")
    return replace(scene, relations=tuple(relation for relation in find_relations(scene) if relation.kind == "on"))


def rate(library: Library, recipe: Recipe, engines: tuple[str, ...], count: int, seed: int) -> dict[str, Any]:
    """Return valid cousins by CPU second over some blocks, the first of which is thrown away."""
    with BlockBuilder(make_cousin_sampler(library, recipe, seed=seed), engines=engines) as blocks:
        blocks.make(0)
        began, stepped = time.process_time(), blocks.physics_s
        made_blocks = [blocks.make(number) for number in range(1, count + 1)]
        seconds, physics = time.process_time() - began, blocks.physics_s - stepped
    valid = sum(len(block.cousins) for block in made_blocks)
    refused: dict[str, int] = {}
    for block in made_blocks:
        for reason, times in block.refused.items():
            refused[reason] = refused.get(reason, 0) + times
    return {
        "per_second": valid / seconds,
        "settle_limit_per_second": valid / physics,
        "accepted": valid / (valid + sum(refused.values())),
        "refused": refused,
    }


def compared(library: Library, recipe: Recipe, seed: int, size: int) -> dict[str, Any]:
    """Return dispersion and coverage of farthest-first cousins and of plainly drawn ones, both valid.

    `spread` is the standard deviation along an axis, `gap` the mean distance along it from a place between the least
    and the largest value of both to the nearest cousin; both as shares of that range.
    """
    drawer = make_cousin_sampler(library, recipe, seed=seed)
    with BlockBuilder(drawer, engines=("mujoco", "pybullet")) as blocks:
        farthest_first = [
            cousin for number in range(size // BLOCK_SIZE) for cousin in blocks.make(number).cousins if cousin.index
        ]
        splits = [cousin.split for cousin in farthest_first]
        plain = [_plainly(blocks, splits, (seed, again)) for again in range(RANDOM_PACKS)]
    first, *rest = (
        np.array([distance_vector(cousin.distances) for cousin in group]) for group in (farthest_first, *plain)
    )
    both = np.concatenate([first, *rest])
    low, high = both.min(axis=0), both.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    first, *rest = ((group - low) / span for group in (first, *rest))
    by_axis = {
        axis: {
            "ours": _gap(first[:, k]),
            "random": float(np.mean([_gap(values[:, k]) for values in rest])),
            "ours_spread": float(first[:, k].std()),
            "random_spread": float(np.mean([values[:, k].std() for values in rest])),
        }
        for k, axis in enumerate(AXES)
        if high[k] > low[k]
    }
    return {
        "size": len(farthest_first),
        "by_axis": by_axis,
        "cells": {
            axis: {
                "ours": coverage(first[:, k]),
                "random": float(np.mean([coverage(values[:, k]) for values in rest])),
            }
            for k, axis in enumerate(AXES)
        },
        "dispersion": {"ours": dispersion(first), "random": float(np.mean([dispersion(values) for values in rest]))},
        "axes_spread_wider": sum(row["ours_spread"] > row["random_spread"] for row in by_axis.values()),
        "axes_gaps_smaller": sum(row["ours"] <= row["random"] + 1e-9 for row in by_axis.values()),
        "axes": len(by_axis),
    }


def _plainly(blocks: BlockBuilder, splits: list[Any], seed: tuple[int, int]) -> list[Cousin]:
    """Return valid cousins of these splits, each the first that holds of independent uniform draws."""
    rng = np.random.default_rng(seed)
    drawer = blocks.sampler
    sampled: list[Cousin] = []
    number = 0
    while len(sampled) < len(splits):
        drawn = sample_cousin(drawer, splits[len(sampled)], (9, *seed, number), rng.uniform(size=len(AXES)))
        number += 1
        if isinstance(drawn, Rejection):
            continue
        tried = blocks.validate(replace(drawn, distances=distances(drawn, drawer.library, drawer.twin)))
        if not isinstance(tried, Rejection):
            sampled.append(tried)
    return sampled


def _gap(values: Array) -> float:
    """Return the mean distance from a place from 0 to 1 to the nearest value [n]."""
    inside = np.sort(values)
    between = np.diff(inside)
    return float((between**2).sum() / 4.0 + (inside[0] ** 2 + (1.0 - inside[-1]) ** 2) / 2.0)


def growth(library: Library, recipe: Recipe, seed: int, count: int) -> dict[str, Any]:
    """Return what the last tenth of many cousins costs against the first, and how memory grows between them."""
    every = -(-count // BLOCK_SIZE)
    tenth = max(1, every // 10)
    seconds, memory = [], []
    with tempfile.TemporaryDirectory(prefix="cousins-bench-") as place:
        folder = Path(place) / "pack"
        writer = PackWriter(folder, key="growth")
        with BlockBuilder(make_cousin_sampler(library, recipe, seed=seed), engines=("mujoco",)) as blocks:
            for number in range(every):
                began = time.process_time()
                block = blocks.make(number)
                writer.add_block(number, list(block.cousins), {})
                seconds.append(time.process_time() - began)
                memory.append(psutil.Process().memory_info().rss / 1e6)
        began = time.process_time()
        writer.close(library, PackMeta(name="bench", seed=seed, recipe={}, generator="bench"))
        closing = time.process_time() - began
        pack = open_folder(folder)
        pages = sum(page.blob.size for page in pack.pages_of(pack.indices()))
        cousins = len(pack)
    return {
        "cousins": cousins,
        "last_of_first": sum(seconds[-tenth:]) / sum(seconds[1 : tenth + 1]),
        "memory_mb": [memory[tenth], memory[-1]],
        "memory_growth": memory[-1] / memory[tenth],
        "closing_s": closing,
        "seconds": sum(seconds) + closing,
        "bytes_per_cousin": pages / cousins,
    }


if __name__ == "__main__":
    main()
