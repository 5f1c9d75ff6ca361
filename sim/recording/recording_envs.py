"""Environments for recording, from user-level options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cousins.errors import InputError
from cousins.pack.packs import Pack
from sim.envs.make_env import make_env, resolve_source
from sim.envs.vector_env import CousinsVectorEnv
from sim.worlds.worlds import CousinSource


@dataclass(frozen=True, kw_only=True)
class RecordingEnvConfig:
    """Task, robot and engine of the environment in which rollouts are collected."""

    task: str = "push"
    """Name of the task."""
    body: str | None = None
    """Name of the body; None for the task's first."""
    control: str = "ee_delta"
    """Name of the control."""
    control_hz: float = 20.0
    """Actions per second [Hz]."""
    engine: str = "mujoco"
    """Name of the engine."""
    shadow: int | None = None
    """Seed of a shadow world with hidden physics; None for the physics of the pack."""
    rows: int = 16
    """Largest number of worlds that are stepped in parallel."""


def make_recording_env(
    pack: str | Path | Pack | CousinSource, split: str | Sequence[int], episodes: int, setting: RecordingEnvConfig
) -> tuple[CousinsVectorEnv, list[int]]:
    """Return an environment for `collect_rollouts`, which the caller closes, and the numbers of the split's cousins.

    Raises `InputError` where the split is empty.
    """
    if episodes < 1:
        raise InputError(f"{episodes} episodes", expected="1 or more", hint="Give a larger number.")
    source, indices = resolve_source(pack, split)
    if not indices:
        raise InputError(
            f"split {split!r} without a cousin",
            expected="a split with cousins",
            hint="`cousins pack info PACK` counts.",
        )
    env = make_env(
        pack=source,
        task=setting.task,
        split=indices,
        num_envs=max(1, min(setting.rows, episodes)),
        engine=setting.engine,
        body=setting.body,
        control=setting.control,
        control_hz=setting.control_hz,
        shadow=setting.shadow,
        autoreset="disabled",
        observations="groups",
    )
    return env, indices
