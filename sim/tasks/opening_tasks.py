"""What opening a drawer and opening a door share: how it is judged."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array
from sim.tasks.batch_rotations import length, nearness
from sim.tasks.episode_batch import Rows
from sim.tasks.grasp_tasks import opening_m
from sim.tasks.joint_tasks import fallen, share_open, stands
from sim.tasks.shared_observations import tip_to_handle
from sim.tasks.task import Judged
from sim.tasks.task_view import View, knocked

AROUND_M: Final = 0.02
"""A tip that is nearer to a handle has it between its fingers [m]."""


def judge_opening(rows: Rows, view: View, *, share: float, still: Array, others: list[Array]) -> Judged:
    """Tell how far a joint is open; ours wants a share of its range, at rest, all upright, the furniture too."""
    opened = share_open(rows, view)
    ours = (opened >= share) & still & stands(rows, view) & ~knocked(rows, view.state)
    done = np.clip(opened / share, 0.0, 1.0)
    at_handle = np.where(rows.revolute, _pinched(rows, view), nearness(tip_to_handle(view)))
    return Judged(
        reward=np.where(ours, 1.0, 0.25 * at_handle + 0.6 * done),
        progress=np.where(ours, 1.0, 0.99 * done),
        successes=np.stack([ours, *others], axis=1),
        failed=fallen(view),
    )


def _pinched(rows: Rows, view: View) -> Array:
    """Return how far a hand has got to a door's handle, 0 to 1 [n]: near, its fingers along the door, then closed."""
    way_m = length(view.hold_m - view.tip_m)
    along = 1.0 - np.abs((view.way * view.finger_axis).sum(axis=1))
    opening = opening_m(rows, view) if rows.slides else np.zeros(len(way_m))
    home = max(float(rows.home[rows.fingers].sum()), 1e-6)
    around = way_m < AROUND_M
    closed = around * view.touched * np.clip(1.0 - opening / home, 0.0, 1.0)
    return np.asarray(0.6 * nearness(way_m) * (0.5 + 0.5 * along) + 0.4 * closed)
