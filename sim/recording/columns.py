"""A rollout as columns with one row per frame, as data sets of robot learning store it.

A frame holds the observations before its action, and `next.*` the result of the action. Columns that no policy may
observe have no `observation.` in their name, so that nobody trains on them by accident.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from cousins.geometry import Array
from sim.recording.rollouts import Rollout, RunMetadata

POSE_AXES: Final = ("x", "y", "z", "qw", "qx", "qy", "qz")
"""Components of an object's pose: position [m] and unit quaternion."""
_INDEX_DTYPES: Final = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
"""Types of the columns that index the frames."""


def rollout_columns(rollout: Rollout, *, episode: int, first: int, fps: int) -> dict[str, Array]:
    """Return a rollout as columns, each [t] or [t, k] for t frames.

    `episode` is the number of the episode, `first` the number of its first frame, and `fps` the frame rate [Hz].
    """
    count, state = rollout.steps, rollout.state
    numbers = np.arange(count, dtype=np.int64)
    is_last = numbers == count - 1
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
        "next.done": is_last,
        "next.terminated": is_last & rollout.terminated,
        "next.truncated": is_last & rollout.truncated,
        "timestamp": (numbers / fps).astype(np.float32),
        "frame_index": numbers,
        "episode_index": np.full(count, episode, dtype=np.int64),
        "index": first + numbers,
        "task_index": np.zeros(count, dtype=np.int64),
    }
    return {name: value for name, value in columns.items() if value.ndim == 1 or value.shape[1]}


def column_features(metadata: RunMetadata, columns: Mapping[str, Array]) -> dict[str, Any]:
    """Return dtype, shape of a frame and component names of each column, whose arrays are [t] or [t, k]."""
    names: dict[str, list[str]] = {
        "observation.state": list(metadata.drives),
        "observation.policy": [column.name for column in metadata.columns],
        "action": list(metadata.actions),
        "privileged": [column.name for column in metadata.privileged_columns],
        "world.objects": [f"{name}.{axis}" for name in metadata.slots.objects for axis in POSE_AXES],
        "world.joints": [f"{name}.{number}" for name, number in metadata.slots.joints],
        "next.profiles": list(metadata.profiles),
    }
    return {
        name: {
            "dtype": _INDEX_DTYPES.get(name, "bool" if value.dtype == np.bool_ else "float32"),
            "shape": [1 if value.ndim == 1 else value.shape[1]],
            "names": names.get(name),
        }
        for name, value in columns.items()
    }


def episode_outcome(rollout: Rollout) -> dict[str, Any]:
    """Return the outcome of an episode for tables and metadata."""
    return {
        "cousin": rollout.cousin,
        "start": rollout.start,
        "seed": rollout.seed,
        "success_at_end": rollout.success_at_end,
        "success_once": rollout.success_once,
        "profiles_once": [name for name, good in rollout.profiles_once.items() if good],
        "profiles_at_end": [name for name, good in rollout.profiles_at_end.items() if good],
        "fault": rollout.fault,
    }
