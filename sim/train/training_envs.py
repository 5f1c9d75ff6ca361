"""The environment of a training: the twin, the twin with noise, or cousins, with the sampler among them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Final

from cousins.errors import InputError
from cousins.pack.packs import Pack
from sim.envs.cousin_sampler import Sampler
from sim.envs.make_env import make_env, resolve_source
from sim.envs.robot_imperfections import RobotImperfectionRanges, RobotImperfections
from sim.envs.vector_env import CousinsVectorEnv
from sim.tasks import Task, build_task
from sim.tasks.episode import Episode
from sim.tasks.task_source import TaskSource
from sim.train.config import REPLAYS, ROBOT_KINDS, TRAINING_WORLDS, TrainingConfig
from sim.train.cousin_sampling import PrioritisedSampler, TwinFirstSampler, UniformSampler
from sim.train.noisy_twin import COPY_COUNT, MAX_SHIFT_M, MAX_TURN_RAD, NoisyTwin
from sim.worlds.worlds import CousinSource

PERFECT_ROBOT_SHARE: Final = 0.5
"""Share of the episodes with a perfect robot where robots vary."""


def make_training_env(
    pack: str | Path | Pack | CousinSource, training: TrainingConfig, *, autoreset: str = "same_step"
) -> tuple[str, CousinsVectorEnv]:
    """Return the digest of a training's pack, and its environment; raises `InputError`."""
    _require_known_settings(training)
    source, twin = resolve_source(pack, "twin" if isinstance(pack, (str, Path, Pack)) else [0])
    digest, indices, task = source.digest, list(twin), _training_task(training)
    if training.worlds == "noise":
        source, indices = NoisyTwin(source, twin=twin[0], seed=training.seed), [0, *range(1, COPY_COUNT + 1)]
    elif training.worlds == "cousins":
        cousins = resolve_source(pack, "train" if training.cousins is None else training.cousins)[1]
        indices = twin + cousins[: training.first]
    without_twin = training.worlds == "cousins" and training.twin_share == 0.0
    indices = indices[1:] if without_twin else indices
    task_source = TaskSource(source, task, training.body or task.bodies[0])
    task_source.first_of(indices if without_twin else indices[:1])
    afforded = [index for index in indices if isinstance(task_source.episode(index), Episode)]
    sampler = _cousin_sampler(training, afforded) if without_twin else _twin_first_sampler(training, afforded)
    env = make_env(
        pack=task_source,
        task=task,
        split=afforded,
        num_envs=training.rows,
        engine=training.engine,
        engine_options={} if training.timestep_s is None else {"timestep_s": training.timestep_s},
        body=training.body,
        control=training.control,
        control_hz=training.control_hz,
        sampler=sampler,
        robot=_training_robot(training),
        autoreset=autoreset,
    )
    return digest, env


def _training_task(training: TrainingConfig) -> Task:
    """Return the task of a training; in the noisy twin its starts are sampled from a wider range, where it has one."""
    task_options: dict[str, float] = {} if training.horizon_s is None else {"horizon_s": training.horizon_s}
    if training.worlds == "noise":
        option_names = {field.name for field in fields(build_task(training.task).config)}
        start_noise = {"start_shift_m": MAX_SHIFT_M, "start_turn_rad": MAX_TURN_RAD}
        task_options |= {name: value for name, value in start_noise.items() if name in option_names}
    return build_task(training.task, **task_options)


def _training_robot(training: TrainingConfig) -> RobotImperfections | RobotImperfectionRanges:
    """Return the robot, or the ranges that episodes sample it from."""
    is_exact = training.worlds == "twin" if training.robot is None else training.robot == "exact"
    return RobotImperfections() if is_exact else RobotImperfectionRanges(perfect_share=PERFECT_ROBOT_SHARE)


def _twin_first_sampler(training: TrainingConfig, afforded: list[int]) -> Sampler:
    """Return the sampler of cousins that afford the task, the first of which is the twin."""
    twin, cousins = afforded[0], afforded[1:]
    if not cousins:
        return UniformSampler([twin])
    steps = round(training.twin_share * training.steps)
    return TwinFirstSampler(
        _cousin_sampler(training, cousins), twin=twin, twin_steps=steps, twin_share=training.twin_after
    )


def _cousin_sampler(training: TrainingConfig, afforded: list[int]) -> Sampler:
    return UniformSampler(afforded) if training.replay == "uniform" else PrioritisedSampler(afforded)


def _require_known_settings(training: TrainingConfig) -> None:
    settings = (
        ("worlds", training.worlds, TRAINING_WORLDS),
        ("replay", training.replay, REPLAYS),
        ("robot", training.robot or ROBOT_KINDS[0], ROBOT_KINDS),
    )
    for name, value, allowed in settings:
        if value not in allowed:
            raise InputError(f"{name} {value!r}", expected="one of " + ", ".join(allowed), hint="Type one of them.")
