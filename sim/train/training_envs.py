"""The environment that a training asks for: the twin, the twin with noise, or cousins, and who draws among them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Final

from cousins.errors import InputError
from cousins.pack.packs import Pack
from sim.envs.cousin_sampler import Sampler
from sim.envs.make_env import make_vector, source_of
from sim.envs.robot_imperfections import Robot, RobotRanges
from sim.envs.vector_env import CousinsVectorEnv
from sim.tasks import Task, build_task
from sim.tasks.episode import Episode
from sim.tasks.task_source import Staged
from sim.train.config import REPLAYS, ROBOTS, WORLDS, Training
from sim.train.cousin_sampling import Even, Prioritised, TwinFirst
from sim.train.noisy_twin import COPIES, SHIFT_M, TURN_RAD, NoisyTwin
from sim.worlds.worlds import Source

PERFECT: Final = 0.5
"""Share of the episodes whose robot is perfect where robots vary."""


def environment_of(
    pack: str | Path | Pack | Source, training: Training, *, autoreset: str = "same_step"
) -> tuple[str, CousinsVectorEnv]:
    """Return the digest of a training's pack, and its environment."""
    _require_known(training)
    source, twin = source_of(pack, "twin" if isinstance(pack, (str, Path, Pack)) else [0])
    digest, indices, task = source.digest, list(twin), _task(training)
    if training.worlds == "noise":
        source, indices = NoisyTwin(source, twin=twin[0], seed=training.seed), [0, *range(1, COPIES + 1)]
    elif training.worlds == "cousins":
        others = source_of(pack, "train" if training.cousins is None else training.cousins)[1]
        indices = twin + others[: training.first]
    alone = training.worlds == "cousins" and training.twin_share == 0.0
    indices = indices[1:] if alone else indices
    staged = Staged(source, task, training.body or task.bodies[0])
    staged.first_of(indices if alone else indices[:1])
    afforded = [index for index in indices if isinstance(staged.episode(index), Episode)]
    sampler = _drawing(training, afforded) if alone else _twin_first(training, afforded)
    env = make_vector(
        pack=staged,
        task=task,
        split=afforded,
        num_envs=training.rows,
        engine=training.engine,
        engine_options={} if training.timestep_s is None else {"timestep_s": training.timestep_s},
        body=training.body,
        control=training.control,
        control_hz=training.control_hz,
        sampler=sampler,
        robot=_robot(training),
        autoreset=autoreset,
    )
    return digest, env


def _task(training: Training) -> Task:
    """Return the task as it is trained; with noise its starts are drawn wider, where it has starts to draw."""
    wanted: dict[str, float] = {} if training.horizon_s is None else {"horizon_s": training.horizon_s}
    if training.worlds == "noise":
        known = {field.name for field in fields(build_task(training.task).config)}
        wider = {"start_shift_m": SHIFT_M, "start_turn_rad": TURN_RAD}
        wanted |= {name: value for name, value in wider.items() if name in known}
    return build_task(training.task, **wanted)


def _robot(training: Training) -> Robot | RobotRanges:
    """Return the robot, or those that episodes draw from."""
    exact = training.worlds == "twin" if training.robot is None else training.robot == "exact"
    return Robot() if exact else RobotRanges(perfect=PERFECT)


def _twin_first(training: Training, afforded: list[int]) -> Sampler:
    """Return who draws among cousins that afford the task, the first of which is the twin."""
    twin, others = afforded[0], afforded[1:]
    if not others:
        return Even([twin])
    steps = round(training.twin_share * training.steps)
    return TwinFirst(_drawing(training, others), twin=twin, steps=steps, share=training.twin_after)


def _drawing(training: Training, afforded: list[int]) -> Sampler:
    return Even(afforded) if training.replay == "uniform" else Prioritised(afforded)


def _require_known(training: Training) -> None:
    told = (
        ("worlds", training.worlds, WORLDS),
        ("replay", training.replay, REPLAYS),
        ("robot", training.robot or ROBOTS[0], ROBOTS),
    )
    for what, found, known in told:
        if found not in known:
            raise InputError(f"{what} {found!r}", expected="one of " + ", ".join(known), hint="Type one of them.")
