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
from vary import table_scene

from cousins.errors import EngineError
from cousins.geometry import Array
from cousins.pack.manifests import PackMeta
from cousins.pack.packs import Pack, open_folder
from cousins.pack.writing import PackWriter
from cousins.vary.drawing import make_drawer
from cousins.vary.recipes import Recipe
from cousins.vary.variants import make_library
from sim.blocks import Blocks
from sim.bodies import build as build_body
from sim.making import make_vector
from sim.tasks.staging import Bare
from sim.vector_env import CousinsVectorEnv
from sim.worlds.backends import mujoco as mujoco_worlds
from sim.worlds.backends.mujoco import MujocoWorlds
from sim.worlds.backends.pybullet import PyBulletWorlds
from sim.worlds.worlds import BODY, slots_of

BODIES = ("pusher", "panda")
PEERS = Path(__file__).with_name("throughput_peers.py")
SHOWN = 8
"""Cousins that are shown in turn."""


def main() -> None:
    arguments = _parse()
    with tempfile.TemporaryDirectory(prefix="throughput-") as place:
        result = measure(Path(place), arguments)
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=1))


def measure(place: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    pack = table_pack(place / "pack", seed=arguments.seed)
    indices = shown(pack)
    result: dict[str, Any] = {
        "objects": len(pack.scene(indices[0]).objects),
        "rows": arguments.rows,
        "versions": {"mujoco": mujoco.__version__, "pybullet": str(pybullet.getAPIVersion())},
        "steps_per_second": {},
        "of_bare": {},
        "switch_ms": {},
    }
    peers: dict[str, list[float]] = {}
    for engine, steps in (("mujoco", arguments.steps), ("pybullet", max(10, arguments.steps // 5))):
        for body in BODIES:
            pair = Pair(pack, indices, engine, body, rows=arguments.rows, seed=arguments.seed)
            rounds = [pair.round(steps) for _ in range(arguments.rounds + 1)][1:]
            name = f"{engine}_{body}"
            result["steps_per_second"][name] = median(one["env"] for one in rounds)
            result["steps_per_second"][f"{name}_bare"] = median(one["bare"] for one in rounds)
            result["steps_per_second"][f"{name}_worlds"] = median(one["worlds"] for one in rounds)
            result["of_bare"][name] = median(one["env"] / one["bare"] for one in rounds)
            result["of_bare"][f"{name}_worlds"] = median(one["worlds"] / one["bare"] for one in rounds)
            result["switch_ms"][name] = pair.switches(place / "models")
            pair.close()
            if arguments.peer is not None:
                _add(peers, arguments.peer, quick=arguments.quick)
        result[f"{engine}_of_bare"] = min(result["of_bare"][f"{engine}_{body}"] for body in BODIES)
    result["peers"] = {name: median(rates) for name, rates in peers.items()} if peers else "not run"
    if peers:
        best = max(result["peers"].values())
        result["times_best_peer"] = result["steps_per_second"]["mujoco_panda"] / best
    result["wall_per_second"] = {
        f"{threads}_threads": _wall(pack, indices, threads, arguments) for threads in (1, arguments.threads)
    }
    return result


def table_pack(folder: Path, *, seed: int) -> Pack:
    """Return a pack of cousins of ten family objects on a table."""
    recipe = Recipe().at(0.0, axes={"layout": 0.6, "look": 0.2, "dynamics": 0.6})
    made = make_library(table_scene(seed), recipe, seed=seed, prove=lambda *_: ())
    writer = PackWriter(folder, key="throughput")
    with Blocks(make_drawer(made.library, recipe, seed=seed), engines=("mujoco",)) as blocks:
        writer.add_block(0, list(blocks.make(0).cousins), {})
    writer.close(made.library, PackMeta(name="throughput", seed=seed, recipe={}, generator="benchmark"))
    return open_folder(folder)


def shown(pack: Pack) -> list[int]:
    """Return the first cousins in which no robot stands in an object at the start."""
    source, found = Bare(pack), []
    slots = slots_of(source, pack.indices("train"))
    batches = [mujoco_worlds.build(source, build_body(body), rows=1, slots=slots) for body in BODIES]
    for index in pack.indices("train"):
        try:
            for batch in batches:
                batch.show(0, index)
        except EngineError:
            continue
        found.append(index)
        if len(found) == SHOWN:
            break
    return found


class Pair:
    """An environment, and worlds of the same cousins that are stepped without it."""

    def __init__(self, pack: Pack, indices: list[int], engine: str, body: str, *, rows: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._made = {"pack": pack, "split": indices, "num_envs": rows, "engine": engine, "body": body}
        self._env, self._other = (self._environment() for _ in range(2))
        self._rows, self._indices = rows, indices

    def round(self, steps: int) -> dict[str, float]:
        """Return environment steps a second of the environment, of its worlds alone and of the bare engine."""
        env, worlds = self._env, self._other.episodes.worlds
        cousins = [self._indices[row % len(self._indices)] for row in range(self._rows)]
        env.reset(seed=int(self._rng.integers(2**31)), options={"cousin": cousins})
        for row, index in enumerate(cousins):
            worlds.show(row, index)
        starts = [env.episodes.worlds.snapshot(row) for row in range(self._rows)]
        actions = self._rng.uniform(-1.0, 1.0, (steps, *env.action_space.shape))
        asked: list[Array] = []
        speeds_of = env.episodes.controller.speeds
        env.episodes.controller.speeds = lambda *given: asked.append(speeds_of(*given)) or asked[-1]  # type: ignore
        rates = {"env": self._rate(lambda number: env.step(actions[number]), steps)}
        env.episodes.controller.speeds = speeds_of  # type: ignore
        substeps = env.episodes.substeps

        def alone(number: int) -> None:
            worlds.step(asked[number], substeps)
            worlds.read()

        for name, step in (("worlds", alone), ("bare", bare_of(worlds, asked, substeps))):
            for row, start in enumerate(starts):
                worlds.restore(row, start)
            rates[name] = self._rate(step, steps)
        return rates

    def switches(self, folder: Path) -> dict[str, float]:
        """Return the median time until a row shows another cousin [ms]."""
        worlds, indices = self._other.episodes.worlds, self._indices
        found = {"warm": _times(lambda number: worlds.show(0, indices[number % len(indices)]), 4 * len(indices))}
        found["reset"] = _times(lambda _: worlds.show(0, indices[0]), 32)
        if not isinstance(worlds, MujocoWorlds):
            fresh = [self._environment(num_envs=1) for _ in range(3)]
            found["reload"] = median(
                _times(lambda _, one=one: one.episodes.worlds.show(0, indices[1]), 1) for one in fresh
            )
            for one in fresh:
                one.close()
            return found

        def again(number: int) -> None:
            worlds.models.clear()
            worlds.show(0, indices[number % len(indices)])

        found["reload"] = _times(again, len(indices))
        disk = self._environment(num_envs=1, engine_options={"folder": folder, "cache_mb": 0.0})
        for index in indices:
            disk.episodes.worlds.show(0, index)
        found["disk"] = _times(
            lambda number: disk.episodes.worlds.show(0, indices[number % len(indices)]), len(indices)
        )
        disk.close()
        return found

    def close(self) -> None:
        """Free both."""
        self._env.close()
        self._other.close()

    def _environment(self, **more: Any) -> CousinsVectorEnv:
        return make_vector(**{**self._made, **more}, task="push", autoreset="disabled", end_at_failure=False)

    def _rate(self, step: Callable[[int], Any], steps: int) -> float:
        began = time.process_time()
        for number in range(steps):
            step(number)
        return self._rows * steps / (time.process_time() - began)


def bare_of(worlds: Any, asked: list[Array], substeps: int) -> Callable[[int], None]:
    """Return a loop over the rows of worlds that gives recorded speeds to the engine and steps it."""
    if isinstance(worlds, MujocoWorlds):
        rows = [worlds._row(row) for row in range(worlds.size)]
        pairs = [(row.compiled.model, row.data) for row in rows]

        def step(number: int) -> None:
            for (model, data), speeds in zip(pairs, asked[number], strict=True):
                data.ctrl[:] = speeds
                mujoco.mj_step(model, data, substeps)

        return step
    assert isinstance(worlds, PyBulletWorlds)
    clients = [(row._client.number, row._client.bodies[BODY], row) for row in worlds._crew._rows]

    def push(number: int) -> None:
        for (client, robot, row), speeds in zip(clients, asked[number], strict=True):
            pybullet.setJointMotorControlArray(
                robot,
                row._drives,
                pybullet.VELOCITY_CONTROL,
                targetVelocities=speeds.tolist(),
                forces=row._forces,
                physicsClientId=client,
            )
            for _ in range(substeps):
                if row._heavy:
                    row._carry(robot)
                pybullet.stepSimulation(physicsClientId=client)

    return push


def _wall(pack: Pack, indices: list[int], threads: int, arguments: argparse.Namespace) -> float:
    """Return environment steps a second of the pusher by the clock, with automatic resets."""
    env = make_vector(
        pack=pack,
        split=indices,
        num_envs=4 * arguments.rows,
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
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for name, rate in json.loads(done.stdout.splitlines()[-1]).items():
        peers.setdefault(name, []).append(rate)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few steps")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rows", type=int, default=8, help="cousins side by side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter with robosuite, gymnasium-robotics, panda-gym")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    arguments.steps, arguments.rounds = (40, 2) if arguments.quick else (150, 7)
    return arguments


if __name__ == "__main__":
    main()
