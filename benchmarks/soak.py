"""Soak test: many cousins, random actions, both engines; no undetected fault, and memory must stay flat.

Each cousin is stepped for 25 s by a body that moves at random among its objects. After every step all numbers are
checked: a NaN or an explosion that the engine did not report is undetected. Then faults that must be reported by name
are injected: a NaN action, one of 1e9, a body without mass, an overlap of 5 cm, a worker that stalls and one that dies.
All 1,000 cousins take some minutes under MuJoCo and one or two hours under PyBullet, on two cores.

    python benchmarks/soak.py --quick --json
    python benchmarks/soak.py --pybullet 250
    python benchmarks/soak.py --pack out/pack --body gripper
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from cousins.errors import EngineError
from cousins.families.family import Family
from cousins.geometry import Array, rigid
from cousins.pack.packs import open_folder
from cousins.plugins import load_backend
from cousins.reconstruct.assets import Asset
from cousins.scene.looks import Look
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.vary.cousin_sampler import make_cousin_sampler
from cousins.vary.cousins import Cousin, GoalSpec, Library, build_scene
from cousins.vary.library.candidates import load_families
from cousins.vary.library.variants import lowest_point_m, make_library
from cousins.vary.recipes import Recipe
from program import program_parser, run_program
from rows import Row, at_least, at_most, entry, equals
from sim.bodies import build
from sim.physics.engine import MAX_SPEED_M_S
from sim.physics.simple_assets import box_piece, make_scene, place, rigid_asset
from sim.validation.candidate_blocks import BlockBuilder
from sim.worlds import CousinSource, State, Worlds, slots_of
from vary import TOP_M, table_scene

ENGINES = ("mujoco", "pybullet")
CONTROL_HZ = 20
BATCH_ROWS = 8
HELD_STEPS = 20
STALL_S = 2.0
PROGRESS_INTERVAL_S = 60.0
SMALL_CACHES: dict[str, dict[str, int]] = {
    "mujoco": {"cache_mb": 16},
    "pybullet": {"max_plans": 16, "max_created": 250},
}
"""Small caches fill early, so that later growth of memory is not due to them."""
UNUSED_TASK = GoalSpec(
    target="", goal_m=(0.0, 0.0, 0.0), goal_radius_m=0.1, robot_base_m=(-0.5, 0.0, 0.0), robot_yaw_rad=0.0
)
ROWS = (
    Row(
        quantity="cousins, 500 random steps each, MuJoCo",
        bar="≥ 1000",
        value=entry("engines", "mujoco", "cousins"),
        met=at_least(1000.0),
        digits=0,
    ),
    Row(
        quantity="cousins, 500 random steps each, PyBullet",
        bar="≥ 1000",
        value=entry("engines", "pybullet", "cousins"),
        met=at_least(1000.0),
        digits=0,
    ),
    Row(quantity="undetected NaN", bar="0", value=entry("undetected_nan"), met=at_most(0.0), digits=0),
    Row(quantity="share of faults, the worse engine", bar="≤ 0.001", value=entry("fault_share"), met=at_most(0.001)),
    Row(quantity="memory at the end against early", bar="≤ 1.05", value=entry("memory_ratio"), met=at_most(1.05)),
    Row(
        quantity="faults done on purpose told by name",
        bar="all",
        value=lambda result: "all" if result["caught_by_name"] else "not all",
        met=equals("all"),
    ),
)


def main() -> None:
    parser = program_parser(__doc__, quick="50 cousins in place of 1,000", seed=7)
    parser.add_argument("--cousins", type=int, help="that many")
    parser.add_argument("--pybullet", type=int, help="only the first so many of them under PyBullet")
    parser.add_argument("--steps", type=int, default=500, help="actions in each")
    parser.add_argument("--pack", type=Path, help="cousins of a pack folder, in place of families on a table")
    parser.add_argument("--body", default="pusher")
    parser.add_argument("--workers", type=int, default=2, help="processes under PyBullet, threads under MuJoCo")
    run_program(parser, lambda arguments: measure(arguments, arguments.cousins or (50 if arguments.quick else 1000)))


def measure(arguments: argparse.Namespace, count: int) -> dict[str, Any]:
    source, indices = of_pack(arguments.pack, count) if arguments.pack else families_on_a_table(count, arguments.seed)
    max_cousins = {"mujoco": None, "pybullet": arguments.pybullet}
    engines = {name: soak(name, source, indices[: max_cousins[name]], arguments) for name in ENGINES}
    fault_names = {name: injected(name) for name in ENGINES}
    return {
        "cousins": len(indices),
        "steps": arguments.steps,
        "body": arguments.body,
        "undetected_nan": sum(engine_result["undetected"] for engine_result in engines.values()),
        "fault_share": max(engine_result["fault_share"] for engine_result in engines.values()),
        "memory_ratio": max(engine_result["memory_ratio"] for engine_result in engines.values()),
        "engines": engines,
        "injected": fault_names,
        "caught_by_name": all(all(words.values()) for words in fault_names.values()),
    }


class MadeCousins:
    """Source of cousins that are held in memory."""

    def __init__(self, library: Library, cousins: dict[int, Cousin], digest: str) -> None:
        self.digest = digest
        self._library, self._cousins = library, cousins

    def cousin(self, index: int) -> Cousin:
        """Return a cousin as parameters."""
        return self._cousins[index]

    def scene(self, index: int) -> Scene:
        """Return the scene of a cousin."""
        return build_scene(self._cousins[index], self._library, looks=False)


def families_on_a_table(count: int, seed: int) -> tuple[CousinSource, list[int]]:
    """Return cousins of ten family objects and a drawer unit on a table, tried by MuJoCo."""
    scene = with_drawers(table_scene(seed), seed)
    library = make_library(scene, Recipe(), seed=seed, prove=lambda *_: ()).library
    cousins: dict[int, Cousin] = {}
    with BlockBuilder(make_cousin_sampler(library, Recipe(), seed=seed), engines=("mujoco",)) as blocks:
        number = 0
        while len(cousins) < count:
            cousins |= {cousin.index: cousin for cousin in blocks.make(number).cousins}
            number += 1
    first_cousins = dict(sorted(cousins.items())[:count])
    return MadeCousins(library, first_cousins, f"soak {seed} {count}"), list(first_cousins)


def with_drawers(scene: Scene, seed: int) -> Scene:
    """Return the scene with a drawer unit that is joined to the world, at the far end of the table."""
    rng = np.random.default_rng(seed)
    asset = drawer_unit(load_families()["drawer_unit"], rng)
    spot = rigid(None, np.array([0.55, 0.4, TOP_M + 1e-4 - lowest_point_m(asset)]))
    return replace(scene, objects=(*scene.objects, PlacedAsset(asset=asset, world_from_asset=spot, fixed=True)))


def drawer_unit(family: Family, rng: np.random.Generator) -> Asset:
    values = family.sample_with_size(np.array([0.2, 0.2, 0.25]), rng) or family.sample(rng)
    return family.build(values, name="drawers", rng=rng, texture_px=0)


def of_pack(folder: Path, count: int) -> tuple[CousinSource, list[int]]:
    """Return a pack and its first cousins, over and over where it has fewer."""
    pack = open_folder(folder)
    indices = pack.indices()
    return pack, [indices[number % len(indices)] for number in range(count)]


def soak(name: str, source: CousinSource, indices: Sequence[int], arguments: argparse.Namespace) -> dict[str, Any]:
    """Step all cousins under an engine, `BATCH_ROWS` at a time."""
    module, body = load_backend("sim.worlds.backends", name, kind="engine"), build(arguments.body)
    spread = SMALL_CACHES[name] | {"threads" if name == "mujoco" else "workers": arguments.workers}
    slots = slots_of(source, dict.fromkeys(indices))
    rng = np.random.default_rng(arguments.seed)
    faults, refused, memory = Counter[str](), Counter[str](), []
    undetected, episodes, began = 0, 0, time.perf_counter()
    printed_at = began
    with closing(module.build(source, body, rows=BATCH_ROWS, slots=slots, config=module.Config(**spread))) as worlds:
        for first in range(0, len(indices), BATCH_ROWS):
            group = list(indices[first : first + BATCH_ROWS])
            is_shown = [_show(worlds, row, index, refused) for row, index in enumerate(group)]
            row_faults, unseen = wander(worlds, is_shown + [False] * (BATCH_ROWS - len(group)), arguments.steps, rng)
            faults.update(fault for fault in row_faults if fault)
            undetected += unseen
            episodes += sum(is_shown)
            memory.append(rss_mb())
            if time.perf_counter() - printed_at > PROGRESS_INTERVAL_S or first + BATCH_ROWS >= len(indices):
                printed_at = time.perf_counter()
                finished = min(first + BATCH_ROWS, len(indices))
                print(f"{name}: {finished} of {len(indices)} cousins, {memory[-1]:.0f} MB", file=sys.stderr, flush=True)
        replaced = getattr(worlds, "replaced", 0)
    seconds = time.perf_counter() - began
    early = memory[len(memory) // 10 : len(memory) // 5 + 1]
    return {
        "cousins": len(indices),
        "seconds": round(seconds, 1),
        "steps_per_second": round(episodes * arguments.steps / seconds, 1),
        "undetected": undetected,
        "faults": dict(faults),
        "refused": dict(refused),
        "fault_share": (faults.total() + refused.total()) / len(indices),
        "workers_replaced": replaced,
        "memory_mb": [round(memory[0]), round(float(np.median(early))), round(memory[-1])],
        "memory_ratio": round(memory[-1] / float(np.median(early)), 3),
    }


def wander(worlds: Worlds, live: Sequence[bool], steps: int, rng: np.random.Generator) -> tuple[list[str], int]:
    """Step all rows at random; return faults by row, and the number of broken states that no fault reported."""
    max_speed = np.array([drive.max_speed for drive in worlds.body.drives])
    count = round(1.0 / (CONTROL_HZ * worlds.timestep_s))
    row_faults, unseen = [""] * worlds.size, 0
    speeds = np.zeros((worlds.size, len(max_speed)))
    for step in range(steps):
        if step % HELD_STEPS == 0:
            speeds = rng.uniform(-max_speed, max_speed, speeds.shape)
        faults = worlds.step(speeds, count)
        row_faults = [fault if alive else "" for fault, alive in zip(faults, live, strict=True)]
        sane = sound(worlds.read())
        unseen += sum(live[row] and not row_faults[row] and not sane[row] for row in range(worlds.size))
    return row_faults, unseen


def sound(state: State) -> Array:
    """Return which rows hold nothing but finite numbers and possible speeds, bool [n]."""
    rows = len(state.position_m)
    arrays = [np.asarray(getattr(state, name), dtype=float).reshape(rows, -1) for name in State.__slots__]
    numbers = np.concatenate(arrays, axis=1)
    slow = np.abs(state.velocity.reshape(rows, -1)).max(axis=1, initial=0.0) <= MAX_SPEED_M_S
    return np.asarray(np.isfinite(numbers).all(axis=1) & slow)


def rss_mb() -> float:
    """Return the memory of this process and its workers [MB], without what glibc keeps for later here."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    this_process = psutil.Process()
    return sum(process.memory_info().rss for process in (this_process, *this_process.children(recursive=True))) / 1e6


def injected(name: str) -> dict[str, str]:
    """Return by injected fault the message that the engine reported, empty where it reported none."""
    module, body = load_backend("sim.worlds.backends", name, kind="engine"), build("pusher")
    box = [box_piece([0.1, 0.1, 0.1])]
    cube, massless, other = rigid_asset("cube", box), rigid_asset("cube", box, mass_kg=0.0), rigid_asset("other", box)
    scenes = (
        make_scene(place(cube, 0.0, 0.0, 0.05)),
        make_scene(place(massless, 0.0, 0.0, 0.05)),
        make_scene(place(cube, 0.0, 0.0, 0.05), place(other, 0.05, 0.0, 0.05)),
    )
    source, words = PropScenes(scenes), {}
    slots = slots_of(source, range(3))
    with closing(module.build(source, body, rows=2, slots=slots, config=module.Config())) as worlds:
        for fault, value in (("NaN action", np.nan), ("1e9 action", 1e9)):
            for row in range(2):
                worlds.load_cousin(row, 0)
            words[fault] = _fault_of_first_row(worlds.step(np.array([[value, 0.0], [0.0, 0.0]]), 12))
        for fault, index in (("zero-mass body", 1), ("5 cm overlap", 2)):
            words[fault] = _refusal(worlds, index)
    if hasattr(module.Config(), "workers"):
        config = module.Config(workers=2, stall_s=STALL_S)
        with closing(module.build(source, body, rows=2, slots=slots, config=config)) as worlds:
            for fault, kind in (("stalled worker", signal.SIGSTOP), ("dead worker", signal.SIGKILL)):
                for row in range(2):
                    worlds.load_cousin(row, 0)
                os.kill(worlds.worker_ids[0], kind)
                words[fault] = _fault_of_first_row(worlds.step(np.zeros((2, 2)), 12))
    return words


class PropScenes:
    """Source of scenes of simple assets."""

    digest = "props"

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self._scenes = scenes

    def cousin(self, index: int) -> Cousin:
        """Return a cousin that is nothing but a number and a place for the body."""
        return Cousin(
            index=index,
            split="train",
            objects=(),
            structures=(),
            relations=(),
            look=Look(),
            task=UNUSED_TASK,
            distances={},
        )

    def scene(self, index: int) -> Scene:
        """Return the scene of a cousin."""
        return self._scenes[index]


def _show(worlds: Worlds, row: int, index: int, refused: Counter[str]) -> bool:
    try:
        worlds.load_cousin(row, index)
    except EngineError as error:
        refused[str(error)] += 1
        return False
    return True


def _fault_of_first_row(row_faults: list[str]) -> str:
    """Return the fault of the first row, or nothing where the second row has one too."""
    return "" if row_faults[1] else row_faults[0]


def _refusal(worlds: Worlds, index: int) -> str:
    try:
        worlds.load_cousin(0, index)
    except EngineError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main()
