"""Options that a user gives to environments, checked before anything is loaded."""

from __future__ import annotations

import math
from typing import Final

from cousins.errors import InputError

MAX_ENVS: Final = 100_000
"""Most rows of a vector environment: each is a world in memory."""
MAX_CONTROL_HZ: Final = 10_000.0
"""Highest rate of actions [1/s]; no world is stepped more often."""


def require_rates(num_envs: int, control_hz: float, hold_s: float) -> None:
    """Raise `InputError` for numbers with which no episode can run."""
    if isinstance(num_envs, bool) or not isinstance(num_envs, int) or not 1 <= num_envs <= MAX_ENVS:
        raise InputError(f"num_envs={num_envs!r}", expected=f"a whole number from 1 to {MAX_ENVS}", hint="Type 1.")
    if not _is_within(control_hz, 0.01, MAX_CONTROL_HZ):
        raise InputError(
            f"control_hz={control_hz!r}", expected=f"actions per second, 0.01 to {MAX_CONTROL_HZ:g}", hint="Type 20."
        )
    if not _is_within(hold_s, 0.0, 1e6):
        raise InputError(f"hold_s={hold_s!r}", expected="seconds, 0 or more", hint="Type 1.")


def _is_within(value: object, low: float, high: float) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(float(value)) and low <= float(value) <= high  # type: ignore[arg-type]
