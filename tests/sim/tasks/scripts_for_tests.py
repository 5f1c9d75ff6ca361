"""Scripted robots with privileged state: proofs that tasks can be done and that their success is recognised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cousins.geometry import Array
from sim.tasks import EpisodeBatch, TaskView
from sim.tasks.sliding_tasks import push_start

STEP_M = 0.012
"""Way of a tip in one action at 1, about [m]."""
Script = Callable[[EpisodeBatch, TaskView, int, dict[str, float]], Array]


def toward(view: TaskView, row: int, point: Array, *, speed: float = 1.0) -> Array:
    """Return the action [k] that moves the tip to a point."""
    return np.clip((point - view.tip_m[row, : len(point)]) / STEP_M, -speed, speed)


def push(rows: EpisodeBatch, view: TaskView, row: int, memory: dict[str, float]) -> Array:
    """Go round the object to its far side, then push it along the way to its goal."""
    target, goal, tip = view.target_m[row, :2], view.goal_m[row, :2], view.tip_m[row, :2]
    to_goal = goal - target
    far = float(np.linalg.norm(to_goal))
    if far < 0.4 * rows.goal_radius_m[row]:
        return np.zeros(2)
    unit = to_goal / max(far, 1e-6)
    side = np.array([-unit[1], unit[0]])
    start = push_start(view)[row] - 0.01 * unit
    along, across = float((tip - target) @ unit), float((tip - target) @ side)
    round_m = 0.5 * float(np.hypot(*view.size_m[row, :2])) + 0.035
    if along > -0.02 and abs(across) < round_m + 0.01 and memory.get("pushing", 0.0) < 1.0:
        sign = 1.0 if across >= 0.0 else -1.0
        aside = target + sign * side * (round_m + 0.02)
        aside = aside + unit * along if abs(across) < round_m - 0.005 else aside - unit * 0.15
        return toward(view, row, aside)
    if abs(across) > 0.012 or along < -float(np.linalg.norm(start - target)) - 0.03:
        memory["pushing"] = 0.0
        return toward(view, row, start if along < -0.02 else start + side * across)
    memory["pushing"] = 1.0
    return np.clip(unit * min(1.0, far / 0.08) - side * across / STEP_M, -1.0, 1.0) * 0.5


def yaw_error(view: TaskView, row: int) -> float:
    """Return how far the fingers must still turn about z [rad]."""
    grasp_axis, now = view.hold_axis[row, :2], view.finger_axis[row, :2]
    return float(np.arctan2(now[0] * grasp_axis[1] - now[1] * grasp_axis[0], now @ grasp_axis))


def grasp(view: TaskView, row: int, memory: dict[str, float]) -> Array | None:
    """Take the object from above; None once it is held."""
    hold = view.hold_m[row]
    phase = memory.setdefault("phase", 0.0)
    turn = np.clip(yaw_error(view, row) / 0.075, -1.0, 1.0)
    if phase == 0.0:
        over = hold + np.array([0.0, 0.0, 0.12])
        if np.linalg.norm(over - view.tip_m[row]) < 0.008 and abs(turn) < 0.3:
            memory["phase"] = 1.0
        return np.array([*toward(view, row, over), turn, 1.0])
    if phase == 1.0:
        if view.tip_m[row, 2] - hold[2] < 0.006 or memory.get("down", 0.0) > 25:
            memory["phase"], memory["closing"] = 2.0, 0.0
        memory["down"] = memory.get("down", 0.0) + 1
        return np.array([*toward(view, row, hold, speed=0.8), turn, 1.0])
    if phase == 2.0:
        memory["closing"] += 1
        if memory["closing"] > 12:
            memory["phase"] = 3.0
        return np.array([0.0, 0.0, 0.0, 0.0, -1.0])
    return None


def lift(rows: EpisodeBatch, view: TaskView, row: int, memory: dict[str, float]) -> Array:
    """Take and raise it to the goal."""
    action = grasp(view, row, memory)
    if action is not None:
        return action
    to_goal = view.goal_m[row] - view.target_m[row]
    return np.array([*np.clip(to_goal / STEP_M, -0.5, 0.5), 0.0, -1.0])


def carry(rows: EpisodeBatch, view: TaskView, row: int, memory: dict[str, float]) -> Array:
    """Take it, carry it over the goal, let it down, open, and leave."""
    action = grasp(view, row, memory)
    if action is not None:
        memory["part"] = float(view.current[row])
        return action
    half = 0.5 * float(np.abs(view.target_rotation[row, 2]) @ view.size_m[row])
    to_goal = view.goal_m[row] - view.target_m[row]
    safe = 0.0 if rows.depth_m[row] == 0.0 else half + 0.02
    if memory["phase"] == 3.0:
        up = view.goal_m[row, 2] + half + 0.06 - view.target_m[row, 2]
        if up < 0.01:
            memory["phase"] = 4.0
        return np.array([0.0, 0.0, np.clip(up / STEP_M, -0.8, 0.8), 0.0, -1.0])
    if memory["phase"] == 4.0:
        flat = to_goal[:2]
        height = to_goal[2] + half + 0.06
        if np.linalg.norm(flat) < 0.008:
            memory["phase"] = 5.0
        return np.array([*np.clip(flat / STEP_M, -0.65, 0.65), np.clip(height / STEP_M, -0.5, 0.5), 0.0, -1.0])
    if memory["phase"] == 5.0:
        down = to_goal[2] + safe
        memory["down"] = memory.get("lowering", 0.0)
        memory["lowering"] = memory.get("lowering", 0.0) + 1
        if down > -0.004 or memory["lowering"] > 40:
            memory["phase"], memory["opening"] = 6.0, 0.0
        return np.array([*np.clip(to_goal[:2] / STEP_M, -0.33, 0.33), np.clip(down / STEP_M, -0.33, 0.33), 0.0, -1.0])
    memory["opening"] += 1
    if memory["opening"] < 8:
        return np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    if memory["opening"] > 46 and view.current[row] != memory["part"]:
        memory.clear()
    return np.array([0.0, 0.0, 0.6 if memory.get("opening", 0.0) < 36 else 0.0, 0.0, 1.0])


def pull_handle(rows: EpisodeBatch, view: TaskView, row: int, memory: dict[str, float]) -> Array:
    """Hook a level bar from behind with one finger, or pinch the top of an upright one, and follow its way."""
    upright = bool(rows.revolute[row])
    level = view.opening_direction[row] / np.linalg.norm(view.opening_direction[row, :2])
    side = np.array([-level[1], level[0], 0.0])
    inward = float((view.target_m[row] - view.hold_m[row]) @ side)
    point = view.hold_m[row] + (0.004 * level if upright else 0.056 * level + 0.6 * inward * side)
    across = np.array([-level[1], level[0]]) if upright else level[:2]
    now = view.finger_axis[row, :2]
    now = -now if now @ across < 0.0 else now
    turn = np.clip(float(np.arctan2(now[0] * across[1] - now[1] * across[0], now @ across)) / 0.075, -1.0, 1.0)
    phase = memory.setdefault("phase", 0.0)
    if phase < 2.0:
        aim = point + np.array([0.0, 0.0, 0.09 * (phase == 0.0)])
        if np.linalg.norm(aim - view.tip_m[row]) < 0.006 and abs(turn) < 0.2:
            memory["phase"] = phase + 1.0
        return np.array([*toward(view, row, aim, speed=1.0 - 0.5 * phase), turn, 1.0])
    memory["closing"] = memory.get("closing", 0.0) + 1.0
    hand = -1.0 if upright else 1.0
    if upright and memory["closing"] < 12:
        return np.array([0.0, 0.0, 0.0, turn, hand])
    left = abs(rows.opened[row] - view.joint[row])
    speed = 0.7
    if left < 0.15 * abs(rows.opened[row]):
        return np.array([0.0, 0.0, 0.0, 0.0, hand])
    return np.array([*np.clip(level * speed + 0.2 * toward(view, row, point), -1.0, 1.0), turn, hand])


def push_handle(rows: EpisodeBatch, view: TaskView, row: int, memory: dict[str, float]) -> Array:
    """Stand before a handle and push it back."""
    hold, opening = view.hold_m[row, :2], view.opening_direction[row, :2]
    before = hold + 0.05 * opening
    if memory.get("pushing", 0.0) == 0.0:
        if np.linalg.norm(before - view.tip_m[row, :2]) < 0.02:
            memory["pushing"] = 1.0
        return toward(view, row, before)
    if abs(view.joint[row] - rows.closed[row]) < 0.004:
        return np.zeros(2)
    across = np.array([-opening[1], opening[0]])
    return np.clip(-0.4 * opening + across * ((hold - view.tip_m[row, :2]) @ across) / STEP_M, -1.0, 1.0)
