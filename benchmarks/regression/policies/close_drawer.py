"""A hand-written policy that closes a drawer: stands before its handle, then pushes it back; one episode at a time."""

import numpy as np

STEP_M = 0.012
"""Way of the tip in an action of 1, about [m]."""
memory = {"pushing": False}


def reset() -> None:
    """Begin an episode."""
    memory["pushing"] = False


def act(observations: np.ndarray) -> np.ndarray:
    """Return actions [1, 2] for observations [1, k] of the pusher."""
    numbers = observations[0]
    to_handle, opening, left_m = numbers[7:9], numbers[10:12], numbers[26]
    before = to_handle + 0.05 * opening
    if not memory["pushing"]:
        memory["pushing"] = bool(np.linalg.norm(before) < 0.02)
        return np.clip(before / STEP_M, -1.0, 1.0)[None]
    if abs(left_m) < 0.004:
        return np.zeros((1, 2))
    across = np.array([-opening[1], opening[0]])
    return np.clip(-0.4 * opening + across * (to_handle @ across) / STEP_M, -1.0, 1.0)[None]
