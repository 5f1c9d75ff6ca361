"""Faults of a row of worlds, with the same texts in all engines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array
from sim.bodies.body import Body
from sim.physics.engine import MAX_SPEED_M_S, Contact

MAX_START_OVERLAP_M: Final = 0.02
"""Largest initial overlap of two bodies [m]; engines throw apart bodies that overlap more."""
MAX_COMMAND: Final = MAX_SPEED_M_S
"""Largest command [m/s or rad/s]; faster ones are faults of the caller, others are clipped to the drive's limit."""
NO_COUSIN: Final = "no cousin is shown"
"""Fault of a row before its first cousin and after one that was rejected."""


def clip_commands(body: Body, drive_velocity: Array) -> tuple[Array, list[str]]:
    """Return target velocities [n, drives] clipped to the drives' limits, and the fault of each row, empty if none.

    Rows with a fault hold zeros.
    """
    commands = np.array(drive_velocity, dtype=np.float64)
    max_speeds = np.array([drive.max_speed for drive in body.drives])
    is_absurd = ~(np.abs(commands) <= MAX_COMMAND)
    faults = [""] * len(commands)
    for row in np.flatnonzero(is_absurd.any(axis=1)).tolist():
        drive = int(np.argmax(is_absurd[row]))
        faults[row] = f"the command of drive {body.drives[drive].joint} is {commands[row, drive]:.3g}"
        commands[row] = 0.0
    return np.clip(commands, -max_speeds, max_speeds), faults


def explosion_fault(names: Iterable[str], velocity: Array) -> str:
    """Return a description of the first named body with an impossible velocity [n, k]; empty if there is none."""
    if np.all(np.abs(velocity) <= MAX_SPEED_M_S / np.sqrt(3.0)):
        return ""
    for name, row in zip(names, velocity, strict=True):
        if not np.all(np.isfinite(row)):
            return f"the state of {name} holds NaN or infinity"
        speed = float(np.abs(row[3:]).max(initial=np.linalg.norm(row[:3])))
        if speed > MAX_SPEED_M_S:
            return f"{name} exploded: {speed:.3g} m/s or rad/s after a step"
    return ""


def require_apart(contacts: Iterable[Contact], *, engine: str) -> None:
    """Raise `EngineError` where two bodies overlap by more than `MAX_START_OVERLAP_M`."""
    deepest = max(contacts, key=lambda contact: contact.depth_m, default=None)
    if deepest is not None and deepest.depth_m > MAX_START_OVERLAP_M:
        depth_mm = 1000.0 * deepest.depth_m
        raise EngineError(
            f"{deepest.first} and {deepest.second} overlap by {depth_mm:.0f} mm at the start", engine=engine
        )
