"""Environments from what a user types: a pack, a split, an engine, a body."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gymnasium.vector import AutoresetMode

from cousins.errors import InputError
from cousins.pack.packs import Pack, selection_of
from cousins.pack.transfer.pull import open_pack
from cousins.plugins import load
from cousins.vary.cousins import SPLITS
from sim.bodies.body import Body
from sim.bodies.controllers import Control, Controller, ee_delta, joint_delta, joint_velocity
from sim.bodies.named import build as build_body
from sim.envs.cousin_sampler import Sampler, Uniform
from sim.envs.episodes import EpisodeConfig, Episodes
from sim.envs.robot_imperfections import Robot, RobotRanges
from sim.envs.shadow import LABEL, Shadow, shadow_robot
from sim.envs.vector_env import CousinsVectorEnv, Observations
from sim.tasks import Task, build_task
from sim.tasks.task_source import Bare, Staged
from sim.worlds.worlds import Source, Worlds

WORLDS: Final = "sim.worlds.backends"
CONTROLS: Final[dict[str, Callable[[Body], Control]]] = {
    "ee_delta": ee_delta,
    "joint_delta": joint_delta,
    "joint_velocity": joint_velocity,
}
"""Controls by name."""


def make_vector(
    *,
    pack: str | Path | Pack | Source,
    task: str | Task = "push",
    split: str | Sequence[int] = "train",
    num_envs: int = 1,
    engine: str = "mujoco",
    engine_options: Mapping[str, Any] | None = None,
    body: str | Body | None = None,
    urdf: str | Path | None = None,
    control: str | Control = "ee_delta",
    control_hz: float = 20.0,
    hold_s: float = 1.0,
    task_options: Mapping[str, Any] | None = None,
    robot: Robot | RobotRanges | Mapping[str, Any] | None = None,
    shadow: int | None = None,
    sampler: Sampler | None = None,
    autoreset: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    observations: Observations = "policy",
    end_at_success: bool = False,
    end_at_failure: bool = True,
    digest: str | None = None,
    engine_version: str | None = None,
) -> CousinsVectorEnv:
    """Return rows of cousins with a task and a robot in each.

    `pack` is a folder, a reference such as `demo:v1@https://…`, an open pack or any source of worlds; `split` is a
    split of the pack or the numbers of cousins. `digest` and `engine_version` are what they must be where they are
    told, as `spec.kwargs` of an environment that was made before has them. `shadow` is the seed of a shadow world:
    hidden physics, and where no `robot` is told one of its own. Of `RobotRanges` each episode draws a robot. Raises
    `InputError`.
    """
    source, indices = source_of(pack, split)
    chosen = task if isinstance(task, Task) else build_task(task, **(task_options or {}))
    machine = (
        body
        if isinstance(body, Body)
        else build_body(_body_name(chosen, body), urdf=None if urdf is None else Path(urdf))
    )
    staged = _staged(source, chosen, machine.name)
    _require("pack of digest", staged.source.digest, digest)
    if robot is None and shadow is not None:
        robot = shadow_robot(shadow, drives=len(machine.drives))
    controller = Controller(_control(control, machine, control_hz), machine, num_envs)
    picked: Sampler = sampler or Uniform(staged, indices)
    module = load(WORLDS, engine, kind="engine of worlds")
    config = module.Config(**(engine_options or {}))
    physics = staged if shadow is None else Shadow(staged, seed=shadow)
    worlds: Worlds = module.build(physics, machine, rows=num_envs, slots=staged.slots(indices), config=config)
    _require(f"{engine} of version", worlds.version, engine_version)
    episodes = Episodes(
        worlds,
        staged,
        controller,
        robot=robot if isinstance(robot, (Robot, RobotRanges)) else Robot(**(robot or {})),
        config=EpisodeConfig(control_hz=control_hz, hold_s=hold_s),
    )
    return CousinsVectorEnv(
        episodes,
        picked,
        autoreset=autoreset,
        observations=observations,
        end_at_success=end_at_success,
        end_at_failure=end_at_failure,
        label={"digest": staged.source.digest, "engine": worlds.name, "engine_version": worlds.version},
        notes={} if shadow is None else {"label": LABEL},
    )


def source_of(pack: str | Path | Pack | Source, split: str | Sequence[int]) -> tuple[Source, list[int]]:
    """Return the worlds of a pack, and the numbers of a split that are at hand; raises `InputError`."""
    there: list[int] | None = None
    if isinstance(pack, (str, Path)):
        if Path(pack).is_dir():
            there = selection_of(Path(pack))
        pack = open_pack(os.fspath(pack))
    source: Source = Bare(pack) if isinstance(pack, Pack) else pack
    if not isinstance(split, str):
        return source, [int(index) for index in split]
    if split not in SPLITS:
        raise InputError(f"split {split!r}", expected="one of " + ", ".join(SPLITS), hint="Type one of them.")
    if not isinstance(source, Bare):
        raise InputError(f"split {split!r} of a source", expected="a pack", hint="Tell the cousins' numbers instead.")
    numbers = source.pack.indices(next(name for name in SPLITS if name == split))
    return source, numbers if there is None else sorted(set(numbers) & set(there))


def _staged(source: Source, task: Task, body: str) -> Staged:
    """Return a source as a task needs it; one staged for the same is taken as it is, with what it knows."""
    if isinstance(source, Staged) and source.task is task and source.body == body:
        return source
    return Staged(source, task, body)


def _control(control: str | Control, body: Body, hz: float) -> Control:
    """Return the control of a name, at the environment's rate."""
    if isinstance(control, str):
        if control not in CONTROLS:
            known = ", ".join(CONTROLS)
            raise InputError(f"control {control!r}", expected=f"one of {known}", hint="Type one of them.")
        control = CONTROLS[control](body)
    return replace(control, rate_hz=hz)


def _body_name(task: Task, name: str | None) -> str:
    if name is None:
        return task.bodies[0]
    if name not in task.bodies:
        raise InputError(
            f"body {name!r} for {task.name}",
            expected="one of " + ", ".join(task.bodies),
            hint="A stick cannot lift: choose a body that suits the task.",
        )
    return name


def _require(what: str, found: str, wanted: str | None) -> None:
    if wanted is not None and found != wanted:
        raise InputError(
            f"a {what} {found[:24]}", expected=wanted[:24], hint="Results would not compare; leave it out to go on."
        )
