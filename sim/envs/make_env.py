"""Vector environments from user-level options: pack, split, task, engine, body, control."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from gymnasium.vector import AutoresetMode

from cousins.errors import InputError
from cousins.pack.packs import Pack, selection_of
from cousins.pack.transfer.pull import open_pack
from cousins.plugins import called_with, load_backend
from cousins.vary.cousins import SPLITS
from sim.bodies.body import Body
from sim.bodies.capabilities import BodyCapabilities, capabilities_of
from sim.bodies.controllers import Control, Controller, ee_delta, joint_delta, joint_velocity
from sim.bodies.named import build as build_body
from sim.envs.cousin_sampler import Sampler, UniformAffordedSampler
from sim.envs.episodes import EpisodeConfig, Episodes
from sim.envs.options import require_rates
from sim.envs.robot_imperfections import RobotImperfectionRanges, RobotImperfections
from sim.envs.shadow import LABEL, ShadowSource, shadow_robot
from sim.envs.vector_env import CousinsVectorEnv, Observations
from sim.physics.installed import require_engines
from sim.tasks import Task, build_task
from sim.tasks.task_source import PhysicsSource, TaskSource
from sim.worlds.worlds import CousinSource, Worlds

WORLD_BACKENDS: Final = "sim.worlds.backends"
CONTROLS: Final[dict[str, Callable[[Body], Control]]] = {
    "ee_delta": ee_delta,
    "joint_delta": joint_delta,
    "joint_velocity": joint_velocity,
}
"""Constructors of the control modes by name."""


def make_env(
    *,
    pack: str | Path | Pack | CousinSource,
    task: str | Task = "push",
    split: str | Sequence[int] | Sequence[str] = "train",
    num_envs: int = 1,
    engine: str = "mujoco",
    engine_options: Mapping[str, Any] | None = None,
    body: str | Path | Body | None = None,
    urdf: str | Path | None = None,
    control: str | Control = "ee_delta",
    control_hz: float = 20.0,
    hold_s: float = 1.0,
    task_options: Mapping[str, Any] | None = None,
    robot: RobotImperfections | RobotImperfectionRanges | Mapping[str, Any] | None = None,
    shadow: int | None = None,
    sampler: Sampler | None = None,
    autoreset: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    observations: Observations = "policy",
    end_at_success: bool = False,
    end_at_failure: bool = True,
    digest: str | None = None,
    engine_version: str | None = None,
) -> CousinsVectorEnv:
    """Return a vector environment whose rows show cousins with a task and a robot in each.

    `pack` is a folder, a reference such as `demo:v1@https://…`, an open pack or any source of worlds; `split` is the
    name of a split of the pack, names of several, or numbers of cousins. `digest` and `engine_version`, where given,
    must match the pack and the engine; `spec.kwargs` of an earlier environment holds both. `shadow` is the seed of a
    shadow world: hidden physics, and a hidden robot where `robot` is not given. With `RobotImperfectionRanges` each
    episode samples its own robot. Raises `InputError`.
    """
    require_rates(num_envs, control_hz, hold_s)
    source, indices = resolve_source(pack, split)
    task_object = task if isinstance(task, Task) else build_task(task, **(task_options or {}))
    robot_body = body if isinstance(body, Body) else _robot_body(task_object, body, urdf)
    task_source = _task_source(source, task_object, capabilities_of(robot_body))
    _require_version("pack of digest", task_source.source.digest, digest)
    if robot is None and shadow is not None:
        robot = shadow_robot(shadow, drives=len(robot_body.drives))
    controller = Controller(_control_config(control, robot_body, control_hz), robot_body, num_envs)
    cousin_sampler: Sampler = sampler or UniformAffordedSampler(task_source, indices)
    require_engines([engine])
    backend = load_backend(WORLD_BACKENDS, engine, kind="engine of worlds")
    config = called_with(backend.Config, options=engine_options, owner=f"the engine {engine}")
    physics_source = task_source if shadow is None else ShadowSource(task_source, seed=shadow)
    worlds: Worlds = backend.build(
        physics_source, robot_body, rows=num_envs, slots=task_source.slots(indices), config=config
    )
    _require_version(f"{engine} of version", worlds.version, engine_version)
    episodes = Episodes(
        worlds,
        task_source,
        controller,
        robot=robot
        if isinstance(robot, (RobotImperfections, RobotImperfectionRanges))
        else called_with(RobotImperfections, options=robot, owner="robots"),
        config=EpisodeConfig(control_hz=control_hz, hold_s=hold_s),
    )
    return CousinsVectorEnv(
        episodes,
        cousin_sampler,
        autoreset=autoreset,
        observations=observations,
        end_at_success=end_at_success,
        end_at_failure=end_at_failure,
        provenance={"digest": task_source.source.digest, "engine": worlds.name, "engine_version": worlds.version},
        reset_info={} if shadow is None else {"label": LABEL},
    )


def resolve_source(
    pack: str | Path | Pack | CousinSource, split: str | Sequence[int] | Sequence[str]
) -> tuple[CousinSource, list[int]]:
    """Return the source of a pack, and the numbers of the available cousins of a split; raises `InputError`."""
    selected: list[int] | None = None
    if isinstance(pack, (list, tuple)):
        raise InputError(
            f"{len(pack)} packs", expected="one pack", hint="Make an environment of each, or vary one scene further."
        )
    if isinstance(pack, (str, Path)):
        if Path(pack).is_dir():
            selected = selection_of(Path(pack))
        pack = open_pack(os.fspath(pack))
    source: CousinSource = PhysicsSource(pack) if isinstance(pack, Pack) else pack
    parts = [split] if isinstance(split, str) else list(split)
    numbers = [int(part) for part in parts if isinstance(part, (int, np.integer)) and not isinstance(part, bool)]
    names = [part for part in parts if isinstance(part, str)]
    if len(numbers) == len(parts):
        return source, numbers
    unknown = [part for part in names if part not in SPLITS]
    if len(names) < len(parts) or unknown:
        raise InputError(
            f"split {str(unknown[0] if unknown else split)[:80]!r}",
            expected="numbers of cousins, or names among " + ", ".join(SPLITS),
            hint="Type one of them.",
        )
    if not isinstance(source, PhysicsSource):
        raise InputError(f"split {split!r} of a source", expected="a pack", hint="Tell the cousins' numbers instead.")
    indices = {number for name in SPLITS if name in names for number in source.pack.indices(name)}
    return source, sorted(indices if selected is None else indices & set(selected))


def _robot_body(task: Task, body: str | Path | None, urdf: str | Path | None) -> Body:
    """Return a body by name or by the path of its file; the task's default for None."""
    name = task.bodies[0] if body is None else os.fspath(body)
    return build_body(name, urdf=None if urdf is None else Path(urdf))


def _task_source(source: CousinSource, task: Task, body: BodyCapabilities) -> TaskSource:
    """Return the source prepared for a task and body; one prepared for the same two is returned unchanged."""
    if isinstance(source, TaskSource) and source.task is task and source.body == body:
        return source
    return TaskSource(source, task, body)


def _control_config(control: str | Control, body: Body, hz: float) -> Control:
    """Return the control of that name at the rate of the environment; raises `InputError` for an unknown name."""
    if isinstance(control, str):
        if control not in CONTROLS:
            names = ", ".join(CONTROLS)
            raise InputError(f"control {control!r}", expected=f"one of {names}", hint="Type one of them.")
        control = CONTROLS[control](body)
    return replace(control, rate_hz=hz)


def _require_version(kind: str, version: str, required: str | None) -> None:
    if required is not None and version != required:
        raise InputError(
            f"a {kind} {version[:24]}", expected=required[:24], hint="Results would not compare; leave it out to go on."
        )
