"""Environment steps a second with ten objects on a table, beside a bare loop that steps the same physics.

Random actions at 20 Hz move a pusher, then a Panda, in cousins of ten family objects. The bare loop starts from the
same states and gives the same drive speeds to the engine alone: no observation, reward, controller or check. Both are
timed in turn, processor seconds, medians over rounds. `switch_ms` is the time until a row shows another cousin:
kept in memory (`warm`), read from disk, and made from its scene (`reload`). With `--peer PYTHON`, an interpreter that
has robosuite, gymnasium-robotics or panda-gym steps their like tasks in between.

    python benchmarks/throughput.py --quick --json
    python benchmarks/throughput.py --peer ~/peers/bin/python --json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import mujoco
import numpy as np
import pybullet

from cousins.errors import EngineError
from cousins.geometry import Array
from cousins.pack.manifests import PackMeta
from cousins.pack.packs import Pack, open_folder
from cousins.pack.writer import PackWriter
from cousins.vary.cousin_sampler import make_cousin_sampler
from cousins.vary.library.variants import make_library
from cousins.vary.recipes import Recipe
from program import program_parser, run_program
from rows import Row, at_least, at_most, entry, largest, optional, smallest
from sim.bodies import build as build_body
from sim.envs.make_env import make_env
from sim.envs.vector_env import CousinsVectorEnv
from sim.tasks import build_task
from sim.tasks.task import Refused
from sim.tasks.task_source import PhysicsSource, TaskSource
from sim.validation.candidate_blocks import BlockBuilder
from sim.worlds.backends import mujoco as mujoco_worlds
from sim.worlds.backends.mujoco import MujocoWorlds
from sim.worlds.backends.pybullet import PyBulletWorlds
from sim.worlds.worlds import ROBOT_NAME, slots_of
from vary import table_scene

BODIES = ("pusher", "panda")
PEERS = Path(__file__).parent / "learning/throughput_peers.py"
SHOWN_COUSINS = 8
"""Cousins that are shown in turn."""
FEW_ROWS = 8
"""Rows of a small batch."""
PYBULLET_COSTS = 4
"""So many fewer steps are timed under PyBullet, whose steps cost a hundred times as much."""
ROWS = (
    Row(
        quantity="environment of a bare loop, MuJoCo, the worse of pusher and Panda, 32 rows",
        bar="≥ 0.85",
        value=entry("mujoco_of_bare"),
        met=at_least(0.85),
    ),
    Row(
        quantity="the same with 8 rows",
        value=smallest(entry("of_bare", "mujoco_pusher_8_rows"), entry("of_bare", "mujoco_panda_8_rows")),
    ),
    Row(
        quantity="environment of a bare loop, PyBullet, the worse of pusher and Panda",
        bar="≥ 0.85",
        value=entry("pybullet_of_bare"),
        met=at_least(0.85),
    ),
    Row(
        quantity="environment steps a CPU second, MuJoCo, Panda among ten objects",
        value=entry("steps_per_second", "mujoco_panda"),
        digits=0,
    ),
    Row(
        quantity="times the best of panda-gym, gymnasium-robotics and robosuite",
        bar="> 1",
        value=optional("times_best_peer"),
        met=lambda value: value != "not run" and float(value) > 1.0,
        digits=2,
    ),
    Row(
        quantity="another cousin, MuJoCo, warm [ms]",
        bar="≤ 1",
        value=largest(*(entry("switch_ms", f"mujoco_{body}", "warm") for body in ("pusher", "panda"))),
        met=at_most(1.0),
    ),
    Row(
        quantity="the same from its scene, a full reload [ms]",
        value=largest(*(entry("switch_ms", f"mujoco_{body}", "reload") for body in ("pusher", "panda"))),
        digits=1,
    ),
    Row(
        quantity="another cousin, PyBullet, warm [ms]",
        bar="≤ 3",
        value=largest(*(entry("switch_ms", f"pybullet_{body}", "warm") for body in ("pusher", "panda"))),
        met=at_most(3.0),
    ),
)


def main() -> None:
    parser = program_parser(__doc__, quick="few steps", seed=7)
    parser.add_argument("--rows", type=int, default=32, help="cousins side by side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter with robosuite, gymnasium-robotics, panda-gym")
    run_program(parser, _measure_in_scratch)


def _measure_in_scratch(arguments: argparse.Namespace) -> dict[str, Any]:
    arguments.steps, arguments.rounds = (30, 2) if arguments.quick else (100, 8)
    with tempfile.TemporaryDirectory(prefix="throughput-") as scratch:
        return measure(Path(scratch), arguments)


def measure(place: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    pack = table_pack(place / "pack", seed=arguments.seed)
    indices = cousins_to_show(pack)
    result: dict[str, Any] = {
        "objects": len(pack.scene(indices[0]).objects),
        "rows": arguments.rows,
        "versions": {"mujoco": mujoco.__version__, "pybullet": str(pybullet.getAPIVersion())},
        "steps_per_second": {},
        "of_bare": {},
        "switch_ms": {},
    }
    peers: dict[str, list[float]] = {}
    for engine, body, rows in plan(arguments):
        pair = Pair(pack, indices, engine, body, rows=rows, seed=arguments.seed)
        steps = max(10, arguments.steps * rows // (PYBULLET_COSTS * arguments.rows))
        steps = arguments.steps if engine == "mujoco" else steps
        rounds = [pair.round(number, steps) for number in range(arguments.rounds + 1)][1:]
        name = f"{engine}_{body}" if rows != FEW_ROWS else f"{engine}_{body}_{rows}_rows"
        for kind in ("env", "worlds", "bare"):
            label = name if kind == "env" else f"{name}_{kind}"
            result["steps_per_second"][label] = median(rates[kind] for rates in rounds)
            if kind != "bare":
                result["of_bare"][label] = median(rates[kind] / rates["bare"] for rates in rounds)
        if rows != FEW_ROWS:
            result["switch_ms"][name] = pair.switches(place / "models")
        pair.close()
        if arguments.peer is not None and engine == "mujoco":
            _add(peers, arguments.peer, quick=arguments.quick)
    for engine in ("mujoco", "pybullet"):
        result[f"{engine}_of_bare"] = min(result["of_bare"][f"{engine}_{body}"] for body in BODIES)
    result["peers"] = {name: median(peer_rates) for name, peer_rates in peers.items()} if peers else "not run"
    if peers:
        best = max(result["peers"].values())
        result["times_best_peer"] = result["steps_per_second"]["mujoco_panda"] / best
    result["wall_per_second"] = {
        f"{threads}_threads": _wall(pack, indices, threads, arguments) for threads in (1, arguments.threads)
    }
    return result


def plan(arguments: argparse.Namespace) -> list[tuple[str, str, int]]:
    """Return what is measured: engine, body and rows; few rows too, where what an environment adds weighs more."""
    mujoco_pairs = [("mujoco", body, rows) for body in BODIES for rows in (arguments.rows, FEW_ROWS)]
    return mujoco_pairs + [("pybullet", body, arguments.rows // 8) for body in BODIES]


def table_pack(folder: Path, *, seed: int) -> Pack:
    """Return a pack of cousins of ten family objects on a table."""
    recipe = Recipe().at_distance(0.0, axes={"layout": 0.6, "look": 0.2, "dynamics": 0.6})
    built = make_library(table_scene(seed), recipe, seed=seed, prove=lambda *_: ())
    writer = PackWriter(folder, key="throughput")
    with BlockBuilder(make_cousin_sampler(built.library, recipe, seed=seed), engines=("mujoco",)) as blocks:
        writer.add_block(0, list(blocks.make(0).cousins), {})
    writer.close(built.library, PackMeta(name="throughput", seed=seed, recipe={}, generator="benchmark"))
    return open_folder(folder)


def cousins_to_show(pack: Pack) -> list[int]:
    """Return the first cousins that afford pushing, and in which no robot stands in an object at the start."""
    source, selected = PhysicsSource(pack), []
    staged = TaskSource(source, build_task("push"), BODIES[0])
    slots = slots_of(source, pack.indices("train"))
    batches = [mujoco_worlds.build(source, build_body(body), rows=1, slots=slots) for body in BODIES]
    for index in pack.indices("train"):
        if isinstance(staged.episode(index), Refused):
            continue
        try:
            for batch in batches:
                batch.load_cousin(0, index)
        except EngineError:
            continue
        selected.append(index)
        if len(selected) == SHOWN_COUSINS:
            break
    return selected


class Pair:
    """An environment, and worlds of the same cousins that are stepped without it."""

    def __init__(self, pack: Pack, indices: list[int], engine: str, body: str, *, rows: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._env_options = {"pack": pack, "split": indices, "num_envs": rows, "engine": engine, "body": body}
        self._env, self._other = (self._environment() for _ in range(2))
        self._rows, self._indices = rows, indices

    def round(self, number: int, steps: int) -> dict[str, float]:
        """Return environment steps a second of the environment, of its worlds alone and of the bare engine.

        All three take the same way; every other round they are timed in the opposite order.
        """
        env, worlds = self._env, self._other.episodes.worlds
        cousins = [self._indices[row % len(self._indices)] for row in range(self._rows)]
        actions = self._rng.uniform(-1.0, 1.0, (steps, *env.action_space.shape))
        seed, substeps = int(self._rng.integers(2**31)), env.episodes.substeps
        for row, index in enumerate(cousins):
            worlds.load_cousin(row, index)
        env.reset(seed=seed, options={"cousin": cousins})
        starts = [env.episodes.worlds.snapshot(row) for row in range(self._rows)]
        drive_speeds = self._recorded(actions)

        def again() -> None:
            env.reset(seed=seed, options={"cousin": cousins})

        def back() -> None:
            for row, start in enumerate(starts):
                worlds.restore(row, start)

        def alone(number: int) -> None:
            worlds.step(drive_speeds[number], substeps)
            worlds.read()

        loops: dict[str, tuple[Callable[[], None], Callable[[int], Any]]] = {
            "env": (again, lambda index: env.step(actions[index])),
            "worlds": (back, alone),
            "bare": (back, bare_of(worlds, drive_speeds, substeps)),
        }
        rates = {}
        for name in list(loops) if number % 2 else reversed(loops):
            prepare, step = loops[name]
            prepare()
            rates[name] = self._rate(step, steps)
        return rates

    def _recorded(self, actions: Array) -> list[Array]:
        """Step the environment and return the drive speeds that it asked for."""
        drive_speeds: list[Array] = []
        worlds = self._env.episodes.worlds
        step = worlds.step

        def listen(speeds: Array, count: int) -> list[str]:
            drive_speeds.append(speeds.copy())
            return step(speeds, count)

        worlds.step = listen  # type: ignore[method-assign]
        for action in actions:
            self._env.step(action)
        worlds.step = step  # type: ignore[method-assign]
        return drive_speeds

    def switches(self, folder: Path) -> dict[str, float]:
        """Return the median time until a row shows another cousin [ms]."""
        worlds, indices = self._other.episodes.worlds, self._indices
        times_ms = {
            "warm": _times(lambda number: worlds.load_cousin(0, indices[number % len(indices)]), 4 * len(indices))
        }
        times_ms["reset"] = _times(lambda _: worlds.load_cousin(0, indices[0]), 32)
        if not isinstance(worlds, MujocoWorlds):
            fresh = [self._environment(num_envs=1) for _ in range(3)]
            times_ms["reload"] = median(
                _times(lambda _, env=env: env.episodes.worlds.load_cousin(0, indices[1]), 1) for env in fresh
            )
            for env in fresh:
                env.close()
            return times_ms

        def again(number: int) -> None:
            worlds.models.clear()
            worlds.load_cousin(0, indices[number % len(indices)])

        times_ms["reload"] = _times(again, len(indices))
        disk = self._environment(num_envs=1, engine_options={"folder": folder, "cache_mb": 0.0})
        for index in indices:
            disk.episodes.worlds.load_cousin(0, index)
        times_ms["disk"] = _times(
            lambda number: disk.episodes.worlds.load_cousin(0, indices[number % len(indices)]), len(indices)
        )
        disk.close()
        return times_ms

    def close(self) -> None:
        """Free both."""
        self._env.close()
        self._other.close()

    def _environment(self, **more: Any) -> CousinsVectorEnv:
        return make_env(**{**self._env_options, **more}, task="push", autoreset="disabled", end_at_failure=False)

    def _rate(self, step: Callable[[int], Any], steps: int) -> float:
        began = time.process_time()
        for number in range(steps):
            step(number)
        return self._rows * steps / (time.process_time() - began)


def bare_of(worlds: Any, drive_speeds: list[Array], substeps: int) -> Callable[[int], None]:
    """Return a loop over the rows of worlds that gives recorded speeds to the engine and steps it."""
    if isinstance(worlds, MujocoWorlds):
        rows = [worlds._row(row) for row in range(worlds.size)]
        pairs = [(row.compiled.model, row.data) for row in rows]

        def step(number: int) -> None:
            for (model, data), speeds in zip(pairs, drive_speeds[number], strict=True):
                data.ctrl[:] = speeds
                mujoco.mj_step(model, data, substeps)

        return step
    assert isinstance(worlds, PyBulletWorlds)
    clients = [(row._client.client_id, row._client.bodies[ROBOT_NAME], row) for row in worlds._executor._rows]

    def push(number: int) -> None:
        for (client, robot, row), speeds in zip(clients, drive_speeds[number], strict=True):
            pybullet.setJointMotorControlArray(
                robot,
                row._drives,
                pybullet.VELOCITY_CONTROL,
                targetVelocities=speeds.tolist(),
                forces=row._forces,
                physicsClientId=client,
            )
            for _ in range(substeps):
                if row._link_weights:
                    row._apply_gravity_compensation(robot)
                pybullet.stepSimulation(physicsClientId=client)

    return push


def _wall(pack: Pack, indices: list[int], threads: int, arguments: argparse.Namespace) -> float:
    """Return environment steps a second of the pusher by the clock, with automatic resets."""
    env = make_env(
        pack=pack,
        split=indices,
        num_envs=arguments.rows,
        body="pusher",
        engine_options={"threads": threads},
        autoreset="same_step",
    )
    env.reset(seed=arguments.seed)
    actions = np.random.default_rng(arguments.seed).uniform(-1.0, 1.0, (arguments.steps, *env.action_space.shape))
    env.step(actions[0])
    began = time.perf_counter()
    for action in actions:
        env.step(action)
    seconds = time.perf_counter() - began
    env.close()
    return env.num_envs * arguments.steps / seconds


def _times(work: Callable[[int], Any], count: int) -> float:
    """Return the median time of a few calls [ms]; the first round over all is thrown away."""
    seconds = []
    for number in range(count):
        began = time.perf_counter()
        work(number)
        seconds.append(time.perf_counter() - began)
    return 1000.0 * median(seconds[count // 2 :])


def _add(peers: dict[str, list[float]], python: str, *, quick: bool) -> None:
    command = [python, str(PEERS), *(["--quick"] if quick else [])]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    for name, rate in json.loads(process.stdout.splitlines()[-1]).items():
        peers.setdefault(name, []).append(rate)


if __name__ == "__main__":
    main()
