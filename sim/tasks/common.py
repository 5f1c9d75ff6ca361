"""What every task shows beside its own: the body to a policy, and to a critic what no robot can know."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array
from sim.tasks.frames import length, six
from sim.tasks.rows import Rows
from sim.tasks.view import View

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
    near, near_velocity = _nearest(rows, view)
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
            near_velocity,
        ],
        axis=1,
    )


def _nearest(rows: Rows, view: View) -> tuple[Array, Array]:
    """Return where the movable object nearest to the target is from it, and its velocity, [n, 3] each; 0 for none."""
    state, at = view.state, rows.index
    if not state.position_m.shape[1]:
        return np.zeros((len(at), 3)), np.zeros((len(at), 3))
    way = state.position_m - state.position_m[at, rows.part[at, view.current]][:, None]
    squared: Array = np.where(rows.movable & state.present, (way * way).sum(axis=2), np.inf)
    column = squared.argmin(axis=1)
    there = np.isfinite(squared[at, column])[:, None]
    both = np.stack([way[at, column], state.velocity[at, column, :3]], axis=1) @ rows.world_from_base
    return np.where(there, both[:, 0], 0.0), np.where(there, both[:, 1], 0.0)


def height_over(view: View) -> Array:
    """Return how far the target has risen from its start [n] [m]."""
    return np.asarray(view.target_m[:, 2] - view.start_m[:, 2])


def tip_to_handle(view: View) -> Array:
    """Return the distance from the tip to a handle [n] [m]; 0 within `HOOK_M`, where a finger gets behind it."""
    return np.maximum(length(view.hold_m - view.tip_m) - HOOK_M, 0.0)
