"""Observations that all tasks share: proprioception for a policy, privileged state for a critic."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array
from sim.bodies.columns import scalar, vector
from sim.tasks.batch_rotations import first_two_columns, norms
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.kernels import nearest_object
from sim.tasks.task_view import TaskView

HOOK_DISTANCE_M: Final = 0.06
"""From so far before a handle a finger hooks it, and so far beside its middle two pinch it [m]."""

PRIVILEGED_COLUMNS: Final = (
    *scalar("target_mass", "kg", "hidden"),
    *scalar("target_friction", "1", "hidden"),
    *scalar("ground_friction", "1", "hidden"),
    *scalar("place_friction", "1", "hidden"),
    *scalar("joint_damping", "SI", "hidden"),
    *scalar("joint_dry_friction", "SI", "hidden"),
    *scalar("joint_position", "m or rad", "joint"),
    *scalar("joint_speed", "m/s or rad/s", "joint"),
    *scalar("touches_target", "1", "contact"),
    *scalar("touches_another", "1", "contact"),
    *vector("target_velocity", "m/s", "object_pose"),
    *vector("nearest_from_target", "m", "object_pose"),
    *vector("nearest_velocity", "m/s", "object_pose"),
)
"""What `privileged_features` returns, in order."""


def body_features(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return proprioception [n, k]: drives from home, their speeds, the tip's position, its rotation where it turns."""
    parts = [view.state.drive_position - batch.home, view.state.drive_velocity, view.tip_m]
    if batch.turns:
        parts.append(first_two_columns(view.tip_rotation))
    return np.concatenate(parts, axis=1)


def privileged_features(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return true masses, frictions, joint states and contacts, and the nearest other object [n, 19]."""
    index, part = batch.index, view.current
    touched: Array = view.state.touched & batch.movable
    state, column = view.state, batch.part[index, part]
    near = nearest_object(state.position_m, state.velocity, batch.movable, column, batch.world_from_base)
    return np.concatenate(
        [
            batch.mass_kg[index, part][:, None],
            batch.friction[index, part][:, None],
            batch.ground_friction[:, None],
            batch.place_friction[:, None],
            batch.resistance,
            view.joint[:, None],
            view.joint_speed[:, None],
            view.touched[:, None],
            np.asarray(touched.any(axis=1))[:, None],
            view.velocity_m_s,
            near,
        ],
        axis=1,
    )


def tip_to_handle(view: TaskView) -> Array:
    """Return the distance [n] [m] from the tip to a handle; 0 within `HOOK_DISTANCE_M`, where a finger hooks it."""
    return np.maximum(norms(view.hold_m - view.tip_m) - HOOK_DISTANCE_M, 0.0)
