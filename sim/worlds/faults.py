"""What can break in a row of worlds, told in the same words by all engines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array
from sim.bodies.body import Body
from sim.physics.engine import FASTEST_M_S, Contact

MOST_OVERLAP_M: Final = 0.02
"""Bodies that overlap by more than this at the start are refused: engines throw them apart [m]."""
MOST_COMMAND: Final = FASTEST_M_S
"""A faster command is no command but a bug of whoever gave it; up to here it is cut to the drive's limit."""
NOTHING_SHOWN: Final = "no cousin is shown"
"""Told by a row before its first cousin and after one that was refused."""


def cut_commands(body: Body, drive_velocity: Array) -> tuple[Array, list[str]]:
    """Return target speeds [n, drives] cut to the drives' limits, and by row what is wrong with them, empty if nothing.

    Rows of which something is wrong hold zeros.
    """
    wanted = np.array(drive_velocity, dtype=np.float64)
    most = np.array([drive.most_speed for drive in body.drives])
    wild = ~(np.abs(wanted) <= MOST_COMMAND)
    told = [""] * len(wanted)
    for row in np.flatnonzero(wild.any(axis=1)).tolist():
        drive = int(np.argmax(wild[row]))
        told[row] = f"the command of drive {body.drives[drive].joint} is {wanted[row, drive]:.3g}"
        wanted[row] = 0.0
    return np.clip(wanted, -most, most), told


def exploded(names: Iterable[str], velocity: Array) -> str:
    """Return which of these has an impossible velocity [n, k]; empty where none has."""
    if np.all(np.abs(velocity) <= FASTEST_M_S / np.sqrt(3.0)):
        return ""
    for name, row in zip(names, velocity, strict=True):
        if not np.all(np.isfinite(row)):
            return f"the state of {name} holds NaN or infinity"
        speed = float(np.abs(row[3:]).max(initial=np.linalg.norm(row[:3])))
        if speed > FASTEST_M_S:
            return f"{name} exploded: {speed:.3g} m/s or rad/s after a step"
    return ""


def require_apart(contacts: Iterable[Contact], *, engine: str) -> None:
    """Raise `EngineError` where two bodies overlap far too deeply."""
    deepest = max(contacts, key=lambda contact: contact.depth_m, default=None)
    if deepest is not None and deepest.depth_m > MOST_OVERLAP_M:
        depth_mm = 1000.0 * deepest.depth_m
        raise EngineError(
            f"{deepest.first} and {deepest.second} overlap by {depth_mm:.0f} mm at the start", engine=engine
        )
