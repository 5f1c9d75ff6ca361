"""Every way of misreading a pose that apps and importers are known for, and the unit that poses are in.

A convention says how the *true* relative pose of two frames follows from the poses as they were read. World axes that
were turned alike in all frames cancel, so camera axes turned in any of the 24 ways hold OpenGL for OpenCV, the four
rolls, and both of them for worlds with y up.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from typing import Literal

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array, Intrinsics, invert, rigid

UNITS = np.delete(np.geomspace(1e-3, 1e3, 77), 38)
"""Units of position that are tried [m], 1.2 times apart, 1 m itself left out."""

_NAMED_UNITS = {0.001: "millimetres", 0.01: "centimetres", 0.0254: "inches", 0.3048: "feet", 0.9144: "yards"}
_NEAR = 1.2
"""A unit within this factor of one with a name is called by it."""
_ROLLS = {0: "", 1: ", image turned by 90°", 2: ", image turned by 180°", 3: ", image turned by 270°"}

Reading = Literal["as declared", "inverse", "transposed"]
"""The matrix as it stands, world-to-camera, or its rotation by columns."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Convention:
    """One way to read the poses."""

    name: str
    """In words."""
    turn: Array
    """Camera axes, as a rotation [4, 4] behind the declared pose."""
    reading: Reading = "as declared"
    """What was done to the matrix."""
    unit_m: float = 1.0
    """Length of one unit of position [m]."""

    def relative(self, first: Frame, second: Frame) -> Array:
        """Return `second_from_first` [4, 4]."""
        one, other = (self._read(frame.world_from_camera) for frame in (first, second))
        relative = invert(other) @ one
        return rigid(relative[:3, :3], self.unit_m * relative[:3, 3])

    def _read(self, pose: Array) -> Array:
        if self.reading == "transposed":
            return rigid(self.turn[:3, :3] @ pose[:3, :3].T @ self.turn[:3, :3], pose[:3, 3])
        return np.asarray((invert(pose) if self.reading == "inverse" else pose) @ self.turn)


def axes_conventions() -> list[Convention]:
    """Return every convention of axes and matrices; the declared one is the first."""
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


def unit_conventions(units_m: Array = UNITS) -> list[Convention]:
    """Return the declared axes with each of these units [m]."""
    return [Convention(name=_unit_name(unit), turn=np.eye(4), unit_m=unit) for unit in units_m.tolist()]


def ray_lengths(camera: Intrinsics) -> Array:
    """Return the length of every pixel's ray per planar depth [h, w]: 1 at the principal point."""
    u = (np.arange(camera.width) - camera.cx) / camera.fx
    v = (np.arange(camera.height) - camera.cy) / camera.fy
    return np.asarray(np.sqrt(1.0 + u[None, :] ** 2 + v[:, None] ** 2))


def _unit_name(unit: float) -> str:
    near = [name for value, name in _NAMED_UNITS.items() if max(unit / value, value / unit) < _NEAR]
    called = f" ({near[0]})" if near else ""
    return f"positions in units of {unit:.2g} m{called}, or depth {unit:.2g} times its length"


def _axis_turns() -> list[Array]:
    """Return the 24 rotations that map axes onto axes, the neutral one first."""
    turns = []
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        matrix = np.zeros((3, 3))
        matrix[np.arange(3), order] = signs
        if np.linalg.det(matrix) > 0:
            turns.append(matrix)
    return turns
