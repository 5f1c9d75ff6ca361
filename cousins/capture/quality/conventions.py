"""Candidate pose conventions: axes, matrix layouts and units that apps and importers are known to confuse.

A convention defines the *true* relative pose of two frames as a function of the poses that were read. A common rotation
of the world axes cancels, so the 24 rotations of camera axes include OpenGL for OpenCV, the four image rolls, and both
of them for y-up worlds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from typing import Literal

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array, Intrinsics, invert, rigid

UNITS_M = np.delete(np.geomspace(1e-3, 1e3, 77), 38)
"""Candidate position units [m], [76], spaced by a factor of 1.2, without 1 m."""

_NAMED_UNITS = {0.001: "millimetres", 0.01: "centimetres", 0.0254: "inches", 0.3048: "feet", 0.9144: "yards"}
_NAMED_UNIT_FACTOR = 1.2
"""Factor within which a unit is described by a named unit."""
_ROLLS = {0: "", 1: ", image turned by 90°", 2: ", image turned by 180°", 3: ", image turned by 270°"}

Reading = Literal["as declared", "inverse", "transposed"]
"""Interpretation of a pose matrix: as declared, world-to-camera, or with a transposed rotation."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Convention:
    """One interpretation of the poses."""

    name: str
    """Description for messages."""
    turn: Array
    """Camera axes, as a rotation [4, 4] applied on the right of the declared pose."""
    reading: Reading = "as declared"
    """Interpretation of the matrix."""
    unit_m: float = 1.0
    """Length of one unit of position [m]."""

    def relative(self, first: Frame, second: Frame) -> Array:
        """Return the relative pose `second_from_first` [4, 4] of two frames under this convention."""
        world_from_first, world_from_second = (self._read(frame.world_from_camera) for frame in (first, second))
        relative = invert(world_from_second) @ world_from_first
        return rigid(relative[:3, :3], self.unit_m * relative[:3, 3])

    def _read(self, pose: Array) -> Array:
        if self.reading == "transposed":
            return rigid(self.turn[:3, :3] @ pose[:3, :3].T @ self.turn[:3, :3], pose[:3, 3])
        return np.asarray((invert(pose) if self.reading == "inverse" else pose) @ self.turn)


def axes_conventions() -> list[Convention]:
    """Return every convention of axes and matrix layout; the declared one is the first."""
    flip = np.diag([1.0, -1.0, -1.0])
    named = {}
    for quarter, roll in _ROLLS.items():
        turn = np.linalg.matrix_power(np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), quarter)
        named[(turn + 0.0).tobytes()] = "these camera axes" + roll
        named[(flip @ turn + 0.0).tobytes()] = "camera axes with y and z flipped (OpenGL for OpenCV)" + roll
    conventions = []
    readings: tuple[Reading, ...] = ("as declared", "inverse")
    for reading, axes in product(readings, _axis_turns()):
        name = named.get((axes + 0.0).tobytes(), "camera axes swapped")
        name += ", world-to-camera for camera-to-world" if reading == "inverse" else ""
        conventions.append(Convention(name=name, turn=rigid(axes), reading=reading))
    name = "rotations with rows for columns"
    conventions += [Convention(name=name, turn=rigid(axes), reading="transposed") for axes in _axis_turns()]
    return conventions


def unit_conventions(units_m: Array = UNITS_M) -> list[Convention]:
    """Return the declared axes with each of the units [n] [m]."""
    return [Convention(name=_unit_name(unit), turn=np.eye(4), unit_m=unit) for unit in units_m.tolist()]


def ray_lengths(camera: Intrinsics) -> Array:
    """Return the ray length of every pixel per unit of planar depth, float64 [h, w]: 1 at the principal point."""
    u = (np.arange(camera.width) - camera.cx) / camera.fx
    v = (np.arange(camera.height) - camera.cy) / camera.fy
    return np.asarray(np.sqrt(1.0 + u[None, :] ** 2 + v[:, None] ** 2))


def _unit_name(unit: float) -> str:
    close_names = [name for value, name in _NAMED_UNITS.items() if max(unit / value, value / unit) < _NAMED_UNIT_FACTOR]
    name_text = f" ({close_names[0]})" if close_names else ""
    return f"positions in units of {unit:.2g} m{name_text}, or depth {unit:.2g} times its length"


def _axis_turns() -> list[Array]:
    """Return the 24 rotations [3, 3] that map axes onto axes, the identity first."""
    turns = []
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        matrix = np.zeros((3, 3))
        matrix[np.arange(3), order] = signs
        if np.linalg.det(matrix) > 0:
            turns.append(matrix)
    return turns
