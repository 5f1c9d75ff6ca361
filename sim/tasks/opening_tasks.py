"""Reward and success of opening, shared by drawers and doors."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array
from sim.tasks.batch_rotations import nearness, norms
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.grasp_tasks import finger_opening
from sim.tasks.joint_tasks import has_fallen, is_standing, open_fraction
from sim.tasks.shared_observations import tip_to_handle
from sim.tasks.task import StepOutcome
from sim.tasks.task_view import TaskView, knocked_over

HANDLE_GRASP_RADIUS_M: Final = 0.02
"""A tip that is nearer to a handle has it between its fingers [m]."""


def judge_opening(
    batch: EpisodeBatch, view: TaskView, *, share: float, still: Array, benchmark_successes: list[Array]
) -> StepOutcome:
    """Return the outcome of a step; `still` and each of the benchmark successes are bool [n].

    Ours is a share of the range of the joint, at rest, with all objects and the furniture upright.
    """
    opened = open_fraction(batch, view)
    success = (opened >= share) & still & is_standing(batch, view) & ~knocked_over(batch, view.state)
    open_progress = np.clip(opened / share, 0.0, 1.0)
    at_handle = np.where(batch.revolute, _handle_grasp_progress(batch, view), nearness(tip_to_handle(view)))
    return StepOutcome(
        reward=np.where(success, 1.0, 0.25 * at_handle + 0.6 * open_progress),
        progress=np.where(success, 1.0, 0.99 * open_progress),
        successes=np.stack([success, *benchmark_successes], axis=1),
        failed=has_fallen(view),
    )


def _handle_grasp_progress(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return how far a hand has got to a door's handle, 0 to 1 [n]: near, its fingers along the door, then closed."""
    distance_m = norms(view.hold_m - view.tip_m)
    along = 1.0 - np.abs((view.opening_direction * view.finger_axis).sum(axis=1))
    opening = finger_opening(batch, view) if batch.slides else np.zeros(len(distance_m))
    home = max(float(batch.home[batch.fingers].sum()), 1e-6)
    around = distance_m < HANDLE_GRASP_RADIUS_M
    closed = around * view.touched * np.clip(1.0 - opening / home, 0.0, 1.0)
    return np.asarray(0.6 * nearness(distance_m) * (0.5 + 0.5 * along) + 0.4 * closed)
