"""A hand-written policy that lifts: over the object, down, close, and up to the goal; one episode at a time."""

import numpy as np

STEP_M = 0.012
"""Way of the tip in an action of 1, about [m]."""
TURN_RAD = 0.075
"""Angle of the hand in an action of 1, about [rad]."""
memory = {"phase": 0, "count": 0}


def reset() -> None:
    """Begin an episode."""
    memory.update(phase=0, count=0)


def act(observations: np.ndarray) -> np.ndarray:
    """Return actions [1, 5] for observations [1, k] of the gripper."""
    numbers = observations[0]
    to_grasp, grasp_axis, finger_axis, to_goal = numbers[21:24], numbers[29:31], numbers[32:34], numbers[51:54]
    cross = finger_axis[0] * grasp_axis[1] - finger_axis[1] * grasp_axis[0]
    turn = float(np.clip(np.arctan2(cross, finger_axis @ grasp_axis) / TURN_RAD, -1.0, 1.0))
    memory["count"] += 1
    if memory["phase"] == 0:
        over = to_grasp + np.array([0.0, 0.0, 0.12])
        if np.linalg.norm(over) < 0.008 and abs(turn) < 0.3:
            memory.update(phase=1, count=0)
        return np.array([[*np.clip(over / STEP_M, -1.0, 1.0), turn, 1.0]])
    if memory["phase"] == 1:
        if -to_grasp[2] < 0.006 or memory["count"] > 25:
            memory.update(phase=2, count=0)
        return np.array([[*np.clip(to_grasp / STEP_M, -0.8, 0.8), turn, 1.0]])
    if memory["phase"] == 2:
        if memory["count"] > 12:
            memory.update(phase=3, count=0)
        return np.array([[0.0, 0.0, 0.0, 0.0, -1.0]])
    return np.array([[*np.clip(to_goal / STEP_M, -0.5, 0.5), 0.0, -1.0]])
