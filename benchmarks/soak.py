"""Soak: many cousins, random actions, both engines; nothing may break unseen, and memory must stay flat.

Each cousin is stepped for 25 s by a body that wanders at random among its objects. After every step all numbers are
looked at: a NaN or an explosion that the engine did not tell is undetected. Then what must be told by name is done on
purpose: a NaN action, one of 1e9, a body without mass, an overlap of 5 cm, a worker that stalls and one that dies.
All 1,000 cousins take some minutes under MuJoCo and one or two hours under PyBullet, on two cores.

    python benchmarks/soak.py --quick --json
    python benchmarks/soak.py --pybullet 250
    python benchmarks/soak.py --pack out/pack --body gripper
"""

from __future__ import annotations

import argparse
import ctypes
import json
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
from vary import TOP_M, table_scene

from cousins.errors import EngineError
from cousins.families.family import Family
from cousins.geometry import Array, rigid
from cousins.pack.packs import open_folder
from cousins.plugins import load
from cousins.reconstruct.assets import Asset
from cousins.scene.looks import Look
from cousins.scene.scenes import Placed, Scene
from cousins.vary.cousin_sampler import make_drawer
from cousins.vary.cousins import Cousin, Library, Task, realise
from cousins.vary.library.candidates import families
from cousins.vary.library.variants import lowest_point_m, make_library
from cousins.vary.recipes import Recipe
from sim.bodies import build
from sim.physics.engine import FASTEST_M_S
from sim.physics.simple_assets import box_piece, place, prop, scene_of
from sim.validation.candidate_blocks import Blocks
from sim.worlds import Source, State, Worlds, slots_of

ENGINES = ("mujoco", "pybullet")
CONTROL_HZ = 20
ROWS = 8
HELD_STEPS = 20
STALL_S = 2.0
TELL_S = 60.0
SMALL_CACHES: dict[str, dict[str, int]] = {"mujoco": {"cache_mb": 16}, "pybullet": {"plans": 16, "made": 250}}
"""Full early, so that memory that grows later is not theirs."""
HERE = Task(target="", goal_m=(0.0, 0.0, 0.0), goal_radius_m=0.1, robot_base_m=(-0.5, 0.0, 0.0), robot_yaw_rad=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50 cousins in place of 1,000")
    parser.add_argument("--cousins", type=int, help="that many")
    parser.add_argument("--pybullet", type=int, help="only the first so many of them under PyBullet")
    parser.add_argument("--steps", type=int, default=500, help="actions in each")
    parser.add_argument("--pack", type=Path, help="cousins of a pack folder, in place of families on a table")
    parser.add_argument("--body", default="pusher")
    parser.add_argument("--workers", type=int, default=2, help="processes under PyBullet, threads under MuJoCo")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    count = given.cousins or (50 if given.quick else 1000)
    result = measure(given, count)
    print(json.dumps(result) if given.json else json.dumps(result, indent=1))


def measure(given: argparse.Namespace, count: int) -> dict[str, Any]:
    source, indices = of_pack(given.pack, count) if given.pack else families_on_a_table(count, given.seed)
    most = {"mujoco": None, "pybullet": given.pybullet}
    engines = {name: soak(name, source, indices[: most[name]], given) for name in ENGINES}
    told = {name: injected(name) for name in ENGINES}
    return {
        "cousins": len(indices),
        "steps": given.steps,
        "body": given.body,
        "undetected_nan": sum(one["undetected"] for one in engines.values()),
        "fault_share": max(one["fault_share"] for one in engines.values()),
        "memory_ratio": max(one["memory_ratio"] for one in engines.values()),
        "engines": engines,
        "injected": told,
        "caught_by_name": all(all(words.values()) for words in told.values()),
    }


class Made:
    """Cousins that were made here, as a source."""

    def __init__(self, library: Library, cousins: dict[int, Cousin], digest: str) -> None:
        self.digest = digest
        self._library, self._cousins = library, cousins

    def cousin(self, index: int) -> Cousin:
        """Return a cousin as parameters."""
        return self._cousins[index]

    def scene(self, index: int) -> Scene:
        """Return the scene of a cousin."""
        return realise(self._cousins[index], self._library, looks=False)


def families_on_a_table(count: int, seed: int) -> tuple[Source, list[int]]:
    """Return cousins of ten family objects and a drawer unit on a table, tried by MuJoCo."""
    scene = with_drawers(table_scene(seed), seed)
    library = make_library(scene, Recipe(), seed=seed, prove=lambda *_: ()).library
    found: dict[int, Cousin] = {}
    with Blocks(make_drawer(library, Recipe(), seed=seed), engines=("mujoco",)) as blocks:
        number = 0
        while len(found) < count:
            found |= {cousin.index: cousin for cousin in blocks.make(number).cousins}
            number += 1
    kept = dict(sorted(found.items())[:count])
    return Made(library, kept, f"soak {seed} {count}"), list(kept)


def with_drawers(scene: Scene, seed: int) -> Scene:
    """Return the scene with a drawer unit that is joined to the world, at the far end of the table."""
    rng = np.random.default_rng(seed)
    asset = drawer_unit(families()["drawer_unit"], rng)
    spot = rigid(None, np.array([0.55, 0.4, TOP_M + 1e-4 - lowest_point_m(asset)]))
    return replace(scene, objects=(*scene.objects, Placed(asset=asset, world_from_asset=spot, fixed=True)))


def drawer_unit(family: Family, rng: np.random.Generator) -> Asset:
    values = family.sized_like(np.array([0.2, 0.2, 0.25]), rng) or family.draw(rng)
    return family.build(values, name="drawers", rng=rng, texture_px=0)


def of_pack(folder: Path, count: int) -> tuple[Source, list[int]]:
    """Return a pack and its first cousins, over and over where it has fewer."""
    pack = open_folder(folder)
    there = pack.indices()
    return pack, [there[number % len(there)] for number in range(count)]


def soak(name: str, source: Source, indices: Sequence[int], given: argparse.Namespace) -> dict[str, Any]:
    """Step all cousins under an engine, `ROWS` at a time."""
    module, body = load("sim.worlds.backends", name, kind="engine"), build(given.body)
    spread = SMALL_CACHES[name] | {"threads" if name == "mujoco" else "workers": given.workers}
    slots = slots_of(source, dict.fromkeys(indices))
    rng = np.random.default_rng(given.seed)
    faults, refused, memory = Counter[str](), Counter[str](), []
    undetected, episodes, began = 0, 0, time.perf_counter()
    told_at = began
    with closing(module.build(source, body, rows=ROWS, slots=slots, config=module.Config(**spread))) as worlds:
        for first in range(0, len(indices), ROWS):
            group = list(indices[first : first + ROWS])
            shown = [_show(worlds, row, index, refused) for row, index in enumerate(group)]
            told, unseen = wander(worlds, shown + [False] * (ROWS - len(group)), given.steps, rng)
            faults.update(fault for fault in told if fault)
            undetected += unseen
            episodes += sum(shown)
            memory.append(rss_mb())
            if time.perf_counter() - told_at > TELL_S or first + ROWS >= len(indices):
                told_at = time.perf_counter()
                done = min(first + ROWS, len(indices))
                print(f"{name}: {done} of {len(indices)} cousins, {memory[-1]:.0f} MB", file=sys.stderr, flush=True)
        replaced = getattr(worlds, "replaced", 0)
    seconds = time.perf_counter() - began
    early = memory[len(memory) // 10 : len(memory) // 5 + 1]
    return {
        "cousins": len(indices),
        "seconds": round(seconds, 1),
        "steps_per_second": round(episodes * given.steps / seconds, 1),
        "undetected": undetected,
        "faults": dict(faults),
        "refused": dict(refused),
        "fault_share": (faults.total() + refused.total()) / len(indices),
        "workers_replaced": replaced,
        "memory_mb": [round(memory[0]), round(float(np.median(early))), round(memory[-1])],
        "memory_ratio": round(memory[-1] / float(np.median(early)), 3),
    }


def wander(worlds: Worlds, live: Sequence[bool], steps: int, rng: np.random.Generator) -> tuple[list[str], int]:
    """Step all rows at random; return what broke by row, and how many broken numbers nobody told of."""
    most = np.array([drive.most_speed for drive in worlds.body.drives])
    count = round(1.0 / (CONTROL_HZ * worlds.timestep_s))
    told, unseen = [""] * worlds.size, 0
    speeds = np.zeros((worlds.size, len(most)))
    for step in range(steps):
        if step % HELD_STEPS == 0:
            speeds = rng.uniform(-most, most, speeds.shape)
        faults = worlds.step(speeds, count)
        told = [fault if alive else "" for fault, alive in zip(faults, live, strict=True)]
        sane = sound(worlds.read())
        unseen += sum(live[row] and not told[row] and not sane[row] for row in range(worlds.size))
    return told, unseen


def sound(state: State) -> Array:
    """Return which rows hold nothing but finite numbers and possible speeds, bool [n]."""
    rows = len(state.position_m)
    arrays = [np.asarray(getattr(state, name), dtype=float).reshape(rows, -1) for name in State.__slots__]
    numbers = np.concatenate(arrays, axis=1)
    slow = np.abs(state.velocity.reshape(rows, -1)).max(axis=1, initial=0.0) <= FASTEST_M_S
    return np.asarray(np.isfinite(numbers).all(axis=1) & slow)


def rss_mb() -> float:
    """Return the memory of this process and its workers [MB], without what glibc keeps for later here."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    mine = psutil.Process()
    return sum(one.memory_info().rss for one in (mine, *mine.children(recursive=True))) / 1e6


def injected(name: str) -> dict[str, str]:
    """Return by injected fault what the engine told, empty where it told nothing."""
    module, body = load("sim.worlds.backends", name, kind="engine"), build("pusher")
    box = [box_piece([0.1, 0.1, 0.1])]
    cube, massless, other = prop("cube", box), prop("cube", box, mass_kg=0.0), prop("other", box)
    scenes = (
        scene_of(place(cube, 0.0, 0.0, 0.05)),
        scene_of(place(massless, 0.0, 0.0, 0.05)),
        scene_of(place(cube, 0.0, 0.0, 0.05), place(other, 0.05, 0.0, 0.05)),
    )
    source, words = Props(scenes), {}
    slots = slots_of(source, range(3))
    with closing(module.build(source, body, rows=2, slots=slots, config=module.Config())) as worlds:
        for what, value in (("NaN action", np.nan), ("1e9 action", 1e9)):
            for row in range(2):
                worlds.show(row, 0)
            words[what] = _told_alone(worlds.step(np.array([[value, 0.0], [0.0, 0.0]]), 12))
        for what, index in (("zero-mass body", 1), ("5 cm overlap", 2)):
            words[what] = _refusal(worlds, index)
    if hasattr(module.Config(), "workers"):
        config = module.Config(workers=2, stall_s=STALL_S)
        with closing(module.build(source, body, rows=2, slots=slots, config=config)) as worlds:
            for what, kind in (("stalled worker", signal.SIGSTOP), ("dead worker", signal.SIGKILL)):
                for row in range(2):
                    worlds.show(row, 0)
                os.kill(worlds.worker_ids[0], kind)
                words[what] = _told_alone(worlds.step(np.zeros((2, 2)), 12))
    return words


class Props:
    """Scenes of props as a source."""

    digest = "props"

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self._scenes = scenes

    def cousin(self, index: int) -> Cousin:
        """Return a cousin that is nothing but a number and a place for the body."""
        return Cousin(
            index=index,
            split="train",
            stands=(),
            grounds=(),
            relations=(),
            look=Look(),
            task=HERE,
            distances={},
        )

    def scene(self, index: int) -> Scene:
        """Return the scene of a cousin."""
        return self._scenes[index]


def _show(worlds: Worlds, row: int, index: int, refused: Counter[str]) -> bool:
    try:
        worlds.show(row, index)
    except EngineError as error:
        refused[str(error)] += 1
        return False
    return True


def _told_alone(told: list[str]) -> str:
    """Return what the first row told, if the second has nothing to tell."""
    return "" if told[1] else told[0]


def _refusal(worlds: Worlds, index: int) -> str:
    try:
        worlds.show(0, index)
    except EngineError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main()
