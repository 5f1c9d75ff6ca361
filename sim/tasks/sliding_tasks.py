"""Sliding an object over its ground to a goal, shared by push and pull: observations, reward and success."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit

from cousins.geometry import Array
from sim.bodies.columns import rotation, scalar, vector
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.task import StepOutcome
from sim.tasks.task_view import TaskView, knocked_over

MAX_REST_SPEED_M_S: Final = 0.02
"""Slower than this an object is at rest [m/s]."""
MAX_SINK_M: Final = 0.05
"""What sank by more than this has left its ground [m]."""
PUSHER_RADIUS_M: Final = 0.015
"""Radius of what pushes [m]."""
MANISKILL_RADIUS_M: Final = 0.10
"""PushCube: the goal's radius in the plane [m]."""
METAWORLD_DISTANCE_M: Final = 0.05
"""push: distance to the goal [m]."""


SLIDE_COLUMNS: Final = (
    *vector("target_from_tip", "m", "object_pose", "proprio"),
    *vector("goal_from_target", "m", "goal", "object_pose", components="xy"),
    *vector("push_start_from_tip", "m", "goal", "object_pose", "object_size", "proprio", components="xy"),
    *vector("goal_direction", "1", "goal", "object_pose", components="xy"),
    *scalar("goal_distance", "m", "goal", "object_pose"),
    *scalar("goal_radius", "m", "goal"),
    *vector("target_size", "m", "object_size", frame="target"),
    *rotation("target_rotation", "object_pose"),
    *vector("target_velocity", "m/s", "object_pose"),
    *vector("target_spin", "rad/s", "object_pose", components="z"),
)
"""What `slide_features` returns, in order."""


def slide_features(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return observations of an object that slides [n, k]: relations of tip, target and goal, size, turn, motion."""
    to_goal = view.goal_m[:, :2] - view.target_m[:, :2]
    distance = np.sqrt((to_goal * to_goal).sum(axis=1))[:, None]
    turn = view.target_rotation
    parts = [
        view.target_m - view.tip_m,
        to_goal,
        push_start(view) - view.tip_m[:, :2],
        to_goal / np.maximum(distance, 0.01),
        distance,
        batch.goal_radius_m[:, None],
        view.size_m,
        turn[:, :, 0],
        turn[:, :, 1],
        view.velocity_m_s,
        view.spin_rad_s[:, 2:],
    ]
    return np.concatenate(parts, axis=1)


def push_start(view: TaskView) -> Array:
    """Return where a pusher starts to move the target to its goal: on the goal's far side, just off it [n, 2]."""
    return np.asarray(_push_start(view.goal_m, view.target_m, view.target_rotation, view.size_m))


def judge_slide(batch: EpisodeBatch, view: TaskView) -> StepOutcome:
    """Return the outcome of a step of a sliding object; profiles are ours, maniskill and metaworld."""
    reward, progress, successes, failed = _judge(
        (view.goal_m, batch.goal_radius_m, view.start_m),
        (view.target_m, view.target_rotation, view.size_m, view.velocity_m_s),
        view.tip_m,
        push_start(view),
        knocked_over(batch, view.state),
    )
    return StepOutcome(reward=reward, progress=progress, successes=successes, failed=failed)


@njit(cache=True)
def _push_start(goal: Array, target: Array, rotation: Array, size: Array) -> Array:
    points = np.zeros((len(goal), 2))
    for row in range(len(goal)):
        x, y = goal[row, 0] - target[row, 0], goal[row, 1] - target[row, 1]
        far = max(math.hypot(x, y), 1e-6)
        reach = PUSHER_RADIUS_M
        for axis in range(3):
            along = (rotation[row, 0, axis] * x + rotation[row, 1, axis] * y) / far
            reach += 0.5 * size[row, axis] * abs(along)
        points[row, 0], points[row, 1] = target[row, 0] - reach * x / far, target[row, 1] - reach * y / far
    return points


@njit(cache=True)
def _judge(
    goals: tuple[Array, Array, Array], target: tuple[Array, Array, Array, Array], tip: Array, aim: Array, knocked: Array
) -> tuple[Array, Array, Array, Array]:
    """Return rewards, progress, successes by profile, and who has lost the object."""
    n = len(tip)
    reward, progress = np.zeros(n), np.zeros(n)
    successes, failed = np.zeros((n, 3), dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    for row in range(n):
        goal, radius, start = goals[0][row], goals[1][row], goals[2][row]
        place, rotation, size, velocity = target[0][row], target[1][row], target[2][row], target[3][row]
        left = math.hypot(goal[0] - place[0], goal[1] - place[1])
        start_distance = math.hypot(goal[0] - start[0], goal[1] - start[1])
        sunk, in_goal = start[2] - place[2], left <= radius
        moved = math.sqrt(velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2)
        flat = 0.5 * min(size[0], size[1], size[2])
        tall = 0.5 * (abs(rotation[2, 0]) * size[0] + abs(rotation[2, 1]) * size[1] + abs(rotation[2, 2]) * size[2])
        successes[row, 0] = in_goal and moved < MAX_REST_SPEED_M_S and abs(sunk) < MAX_SINK_M and not knocked[row]
        successes[row, 1] = left < MANISKILL_RADIUS_M and -sunk < tall - flat + 0.005
        successes[row, 2] = math.sqrt(left**2 + sunk**2) <= METAWORLD_DISTANCE_M
        failed[row] = sunk > MAX_SINK_M
        away = math.hypot(aim[row, 0] - tip[row, 0], aim[row, 1] - tip[row, 1])
        near = 1.0 - 0.5 * (math.tanh(2.0 * away) + math.tanh(10.0 * away))
        reward[row] = 0.25 * near + 0.5 * (1.0 - math.tanh(5.0 * max(left - 0.5 * radius, 0.0)))
        progress[row] = min(max((start_distance - left) / max(start_distance - radius, 1e-3), 0.0), 1.0)
        if in_goal:
            reward[row] = 1.0 if successes[row, 0] else 0.8 + 0.1 * math.exp(-20.0 * moved)
            progress[row] = 1.0
    return reward, progress, successes, failed
