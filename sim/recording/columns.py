"""A rollout as columns, frames first: what data sets of robot learning have in common.

A frame holds what was seen before its action, and `next.*` what came of it. What no policy may see has no
`observation.` in its name, so nobody trains on it by accident.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from cousins.geometry import Array
from sim.recording.rollouts import About, Rollout

POSE: Final = ("x", "y", "z", "qw", "qx", "qy", "qz")
"""An object's position [m] and orientation."""
_COUNTED: Final = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
"""Columns that every data set has."""


def columns_of(rollout: Rollout, *, episode: int, first: int, fps: int) -> dict[str, Array]:
    """Return an episode as columns, frames first."""
    count, state = rollout.steps, rollout.state
    numbers = np.arange(count, dtype=np.int64)
    done = numbers == count - 1
    poses = np.concatenate([state.position_m, state.quat_wxyz], axis=2).reshape(count, -1)
    columns = {
        "observation.state": state.drive_position,
        "observation.policy": rollout.policy,
        "action": rollout.action,
        "privileged": rollout.privileged,
        "world.objects": poses,
        "world.joints": state.joint_position,
        "next.reward": rollout.reward,
        "next.progress": rollout.progress,
    }
    columns = {name: np.asarray(value, dtype=np.float32) for name, value in columns.items()}
    columns |= {
        "next.success": rollout.successes[:, 0],
        "next.profiles": rollout.successes,
        "next.done": done,
        "next.terminated": done & rollout.terminated,
        "next.truncated": done & rollout.truncated,
        "timestamp": (numbers / fps).astype(np.float32),
        "frame_index": numbers,
        "episode_index": np.full(count, episode, dtype=np.int64),
        "index": first + numbers,
        "task_index": np.zeros(count, dtype=np.int64),
    }
    return {name: value for name, value in columns.items() if value.ndim == 1 or value.shape[1]}


def features_of(about: About, columns: Mapping[str, Array]) -> dict[str, Any]:
    """Return what each column is: dtype, shape of a frame, and names of its numbers."""
    names: dict[str, list[str]] = {
        "observation.state": list(about.drives),
        "action": list(about.actions),
        "world.objects": [f"{name}.{axis}" for name in about.slots.objects for axis in POSE],
        "world.joints": [f"{name}.{number}" for name, number in about.slots.joints],
        "next.profiles": list(about.profiles),
    }
    return {
        name: {
            "dtype": _COUNTED.get(name, "bool" if value.dtype == np.bool_ else "float32"),
            "shape": [1 if value.ndim == 1 else value.shape[1]],
            "names": names.get(name),
        }
        for name, value in columns.items()
    }


def outcome_of(rollout: Rollout) -> dict[str, Any]:
    """Return how an episode went, for tables and metadata."""
    return {
        "cousin": rollout.cousin,
        "start": rollout.start,
        "seed": rollout.seed,
        "success_at_end": rollout.success_at_end,
        "success_once": rollout.success_once,
        "profiles_once": [name for name, good in rollout.once.items() if good],
        "profiles_at_end": [name for name, good in rollout.at_end.items() if good],
        "fault": rollout.fault,
    }
