"""Bodies by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cousins.errors import CaptureError, UnknownNameError
from sim.bodies.body import Body
from sim.bodies.gripper import gripper
from sim.bodies.panda import panda
from sim.bodies.pusher import pusher
from sim.bodies.so101 import so101

_MADE: Final[dict[str, Callable[[], Body]]] = {"gripper": gripper, "panda": panda, "pusher": pusher}
_READ: Final[dict[str, Callable[[Path], Body]]] = {"so101": so101}


def names() -> list[str]:
    """Return the names that `build` knows."""
    return sorted([*_MADE, *_READ])


def build(name: str, *, urdf: Path | None = None) -> Body:
    """Return a body by name; `urdf` is the file of a robot that the project does not ship.

    Raises `UnknownNameError`, and `CaptureError` where the file is missing or given in vain.
    """
    if name in _MADE:
        if urdf is not None:
            raise CaptureError(f"a URDF for {name!r}", expected="none", hint=f"{name} needs no file: leave it out.")
        return _MADE[name]()
    if name in _READ:
        if urdf is None or not urdf.is_file():
            raise CaptureError(
                f"no URDF of {name!r}" if urdf is None else f"no file {urdf.name[:80]!r}",
                expected="the URDF of the robot, its meshes beside it",
                hint="Give its path: the project ships none.",
            )
        return _READ[name](urdf)
    close = difflib.get_close_matches(name, names(), n=1, cutoff=0.5)
    guess = f"Did you mean '{close[0]}'? " if close else ""
    known = ", ".join(names())
    raise UnknownNameError(f"no body named '{name}'", expected=f"one of {known}", hint=f"{guess}Known: {known}.")
