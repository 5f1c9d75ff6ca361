"""Environments to record in, from what a user types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cousins.errors import InputError
from cousins.pack.packs import Pack
from sim.envs.make_env import make_vector, source_of
from sim.envs.vector_env import CousinsVectorEnv
from sim.worlds.worlds import Source


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where rollouts are gathered."""

    task: str = "push"
    """Name of the task."""
    body: str | None = None
    """Name of the body; the task's first where not told."""
    control: str = "ee_delta"
    """Name of the control."""
    control_hz: float = 20.0
    """Actions a second."""
    engine: str = "mujoco"
    """Name of the engine."""
    shadow: int | None = None
    """Seed of hidden physics; None for the pack's own."""
    rows: int = 16
    """Most worlds side by side."""


def open_worlds(
    pack: str | Path | Pack | Source, split: str | Sequence[int], episodes: int, setting: Setting
) -> tuple[CousinsVectorEnv, list[int]]:
    """Return an environment for `gather`, which the caller closes, and the numbers of the split's cousins.

    Raises `InputError` where the split is empty.
    """
    if episodes < 1:
        raise InputError(f"{episodes} episodes", expected="1 or more", hint="Give a larger number.")
    source, indices = source_of(pack, split)
    if not indices:
        raise InputError(
            f"split {split!r} without a cousin",
            expected="a split with cousins",
            hint="`cousins pack info PACK` counts.",
        )
    env = make_vector(
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
