"""What every task shows beside its own: the body to a policy, and to a critic what no robot can know."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array
from sim.tasks.batch_rotations import length, six
from sim.tasks.episode_batch import Rows
from sim.tasks.kernels import nearest
from sim.tasks.task_view import View

HOOK_M: Final = 0.06
"""From so far before a handle a finger hooks it, and so far beside its middle two pinch it [m]."""


def body_features(rows: Rows, view: View) -> Array:
    """Return what a body knows of itself: drives from home, their speeds, the tip's place, its turn where it can."""
    parts = [view.state.drive_position - rows.home, view.state.drive_velocity, view.tip_m]
    if rows.turns:
        parts.append(six(view.tip_rotation))
    return np.concatenate(parts, axis=1)


def privileged_features(rows: Rows, view: View) -> Array:
    """Return true masses, frictions, joint states and contacts, and the nearest other object [n, 19]."""
    at, part = rows.index, view.current
    touched: Array = view.state.touched & rows.movable
    state, column = view.state, rows.part[at, part]
    near = nearest(state.position_m, state.velocity, rows.movable, column, rows.world_from_base)
    return np.concatenate(
        [
            rows.mass_kg[at, part][:, None],
            rows.friction[at, part][:, None],
            rows.ground_friction[:, None],
            rows.place_friction[:, None],
            rows.resistance,
            view.joint[:, None],
            view.joint_speed[:, None],
            view.touched[:, None],
            np.asarray(touched.any(axis=1))[:, None],
            view.velocity_m_s,
            near,
        ],
        axis=1,
    )


def tip_to_handle(view: View) -> Array:
    """Return the distance from the tip to a handle [n] [m]; 0 within `HOOK_M`, where a finger gets behind it."""
    return np.maximum(length(view.hold_m - view.tip_m) - HOOK_M, 0.0)
