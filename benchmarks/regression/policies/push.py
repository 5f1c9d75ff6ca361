"""Hand-written policies that push: a sure one, one that is as slow as the time allows, one that lets things slide.

The other two are the faults that the benchmark plants: a gain that is 20 % too small, and a camera that is off by 2 cm.
"""

import numpy as np

ROUND_M = 0.09
"""Farther than this from an object's middle, a stick goes round it [m]."""
STEP_M = 0.012
"""Way of the tip in an action of 1 [m]."""
SLIDE_M = 0.13
"""Distance to the goal at which a shove ends [m]."""
SLOW = 0.21
"""Share of the sure policy's speed that just suffices."""
SHIFT_M = 0.02
"""Error of the camera along y [m]."""


def act(observations: np.ndarray) -> np.ndarray:
    """Go round the object to its far side, then push it along the line to its goal."""
    return _push(observations, shoves=False)


def shove(observations: np.ndarray) -> np.ndarray:
    """Push at full speed and stop before the goal: the object slides on."""
    return _push(observations, shoves=True)


def slow(observations: np.ndarray) -> np.ndarray:
    """Push so slowly that the time just suffices."""
    return SLOW * act(observations)


def slow_weak(observations: np.ndarray) -> np.ndarray:
    """Do the same with a gain that is 20 % too small."""
    return 0.8 * slow(observations)


def shifted(observations: np.ndarray) -> np.ndarray:
    """Push what a camera shows 2 cm beside its place."""
    moved = observations.copy()
    moved[:, 8] += SHIFT_M
    moved[:, 11] -= SHIFT_M
    moved[:, 13] += SHIFT_M
    return act(moved)


def _push(observations: np.ndarray, *, shoves: bool) -> np.ndarray:
    to_object, to_goal, to_start = observations[:, 7:9], observations[:, 10:12], observations[:, 12:14]
    left = np.linalg.norm(to_goal, axis=1, keepdims=True)
    ahead = to_goal / np.maximum(left, 1e-6)
    side = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    behind = (to_object * ahead).sum(axis=1, keepdims=True)
    aside = -(to_object * side).sum(axis=1, keepdims=True)
    lined_up = (np.abs(aside) < 0.015) & (behind > 0.0)
    past = (behind < 0.02) & (np.abs(aside) < ROUND_M)
    out = side * np.where(aside < 0.0, -1.0, 1.0) * 0.02
    speed = STEP_M if shoves else np.minimum(0.3 * left, STEP_M)
    push = ahead * speed - side * aside
    go = np.where(lined_up, push, np.where(past, out, to_start - 0.01 * ahead))
    return np.clip(go / STEP_M, -1.0, 1.0) * (left > (SLIDE_M if shoves else 0.02))
