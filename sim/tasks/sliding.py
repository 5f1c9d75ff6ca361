"""What pushing and pulling share: an object that slides over its ground to a goal."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array
from sim.tasks.frames import length, six
from sim.tasks.rows import Rows
from sim.tasks.task import Judged
from sim.tasks.view import View, knocked

STILL_M_S: Final = 0.02
"""Slower than this an object is at rest [m/s]."""
FALLEN_M: Final = 0.05
"""What sank by more than this has left its ground [m]."""
STICK_M: Final = 0.015
"""Radius of what pushes [m]."""
MANISKILL_M: Final = 0.10
"""PushCube: the goal's radius in the plane [m]."""
METAWORLD_M: Final = 0.05
"""push: distance to the goal [m]."""


def slide_features(rows: Rows, view: View) -> Array:
    """Return what a policy sees of an object that slides: relations of tip, target and goal, size, turn, motion."""
    way = view.goal_m - view.target_m
    distance = length(way[:, :2])[:, None]
    return np.concatenate(
        [
            view.target_m - view.tip_m,
            way[:, :2],
            behind(view) - view.tip_m[:, :2],
            way[:, :2] / np.maximum(distance, 0.01),
            distance,
            rows.goal_radius_m[:, None],
            view.size_m,
            six(view.target_rotation),
            view.velocity_m_s,
            view.spin_rad_s[:, 2:],
        ],
        axis=1,
    )


def behind(view: View) -> Array:
    """Return where a pusher stands to move the target to its goal: on the goal's far side, just off it [n, 2]."""
    way = view.goal_m[:, :2] - view.target_m[:, :2]
    unit = way / np.maximum(length(way), 1e-6)[:, None]
    across = np.abs((view.target_rotation[:, :2] * unit[:, :, None]).sum(axis=1))
    reach = 0.5 * (across * view.size_m).sum(axis=1) + STICK_M
    return np.asarray(view.target_m[:, :2] - unit * reach[:, None])


def judge_slide(rows: Rows, view: View) -> Judged:
    """Tell how far an object got; profiles are ours, maniskill and metaworld."""
    distance = length(view.goal_m[:, :2] - view.target_m[:, :2])
    start = length(view.goal_m[:, :2] - view.start_m[:, :2])
    sunk = view.start_m[:, 2] - view.target_m[:, 2]
    there = distance <= rows.goal_radius_m
    moved = length(view.velocity_m_s)
    still = moved < STILL_M_S
    ours = there & still & (np.abs(sunk) < FALLEN_M) & ~knocked(rows, view.state)
    rise = 0.5 * (np.abs(view.target_rotation[:, 2]) * view.size_m).sum(axis=1) - 0.5 * view.size_m.min(axis=1)
    maniskill = (distance < MANISKILL_M) & (-sunk < rise + 0.005)
    metaworld = np.sqrt(distance**2 + sunk**2) <= METAWORLD_M
    progress = np.clip((start - distance) / np.maximum(start - rows.goal_radius_m, 1e-3), 0.0, 1.0)
    near = 1.0 - np.tanh(8.0 * length(behind(view) - view.tip_m[:, :2]))
    staged = 0.25 * near + 0.5 * (1.0 - np.tanh(5.0 * np.maximum(distance - 0.5 * rows.goal_radius_m, 0.0)))
    reward = np.where(there, 0.8 + 0.1 * np.exp(-20.0 * moved), staged)
    return Judged(
        reward=np.where(ours, 1.0, reward),
        progress=np.where(there, 1.0, progress),
        successes=np.stack([ours, maniskill, metaworld], axis=1),
        failed=sunk > FALLEN_M,
    )
