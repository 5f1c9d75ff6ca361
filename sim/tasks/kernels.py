"""Compiled loops of task observations; the numbers of a row do not depend on how many rows there are."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit

from cousins.geometry import Array

TIP, TARGET, VELOCITY, SPIN, START, HOLD, HOLD_AXIS, FINGERS, GOAL, OPENING_DIRECTION = range(10)
"""Vectors of `observe_targets`, by number."""
TIP_TURN, TARGET_TURN, PLACE_TURN = range(3)
"""Rotations of `observe_targets`, by number."""
VECTOR_COUNT: Final = 10
"""How many vectors there are."""


@njit(cache=True)
def observe_targets(
    current: Array,
    base: tuple[Array, Array],
    parts: tuple[Array, Array, Array, Array],
    goal: tuple[Array, Array],
    hinge: tuple[Array, Array, Array, Array, Array, Array],
    finger_axis: Array,
    objects: tuple[Array, Array, Array],
    joints: tuple[Array, Array],
    tips: tuple[Array, Array],
) -> tuple[Array, Array, Array]:
    """Return vectors [n, 10, 3] and rotations [n, 3, 3, 3] in the base frame, joint positions and speeds [n, 2].

    `base` are places and axes, `parts` columns, holds, their axes and starts, `goal` goals and columns of places,
    `hinge` columns, whether they turn, axes, pivots, closed and opened; `objects` places, quaternions and velocities.
    Goals are seen from their place where they have one; the rotation of the place is that in the world.
    """
    rows = len(current)
    vectors, turns, moves = np.zeros((rows, VECTOR_COUNT, 3)), np.zeros((rows, 3, 3, 3)), np.zeros((rows, 2))
    world, hold, opening_direction, point = np.zeros((3, 3)), np.zeros(3), np.zeros(3), np.zeros(3)
    for row in range(rows):
        axes, origin = base[1][row], base[0][row]
        part = current[row]
        column = parts[0][row, part]
        rotation_of(tips[1][row], world)
        _rotation_in_base(axes, world, turns[row, TIP_TURN])
        rotation_of(objects[1][row, column], world)
        _rotation_in_base(axes, world, turns[row, TARGET_TURN])
        _point_in_base(axes, origin, tips[0][row], vectors[row, TIP])
        _point_in_base(axes, origin, objects[0][row, column], vectors[row, TARGET])
        _point_in_base(axes, origin, parts[3][row, part], vectors[row, START])
        _vector_in_base(axes, objects[2][row, column, :3], vectors[row, VELOCITY])
        _vector_in_base(axes, objects[2][row, column, 3:], vectors[row, SPIN])
        hold[:] = parts[1][row, part]
        if hinge[0][row] >= 0:
            moves[row, 0], moves[row, 1] = joints[0][row, hinge[0][row]], joints[1][row, hinge[0][row]]
            _move_handle(hinge, row, moves[row, 0], hold, opening_direction)
            _rotate(turns[row, TARGET_TURN], opening_direction, vectors[row, OPENING_DIRECTION])
        _rotate(turns[row, TARGET_TURN], hold, point)
        vectors[row, HOLD] = vectors[row, TARGET] + point
        _rotate(turns[row, TARGET_TURN], parts[2][row, part], vectors[row, HOLD_AXIS])
        _rotate(turns[row, TIP_TURN], finger_axis, vectors[row, FINGERS])
        if _dot(vectors[row, HOLD_AXIS], vectors[row, FINGERS]) < 0.0:
            vectors[row, HOLD_AXIS] *= -1.0
        _goal(goal, row, objects, point, turns[row, PLACE_TURN])
        _point_in_base(axes, origin, point, vectors[row, GOAL])
    return vectors, turns, moves


@njit(cache=True)
def is_tilted(quat_wxyz: Array, movable: Array, start_up: Array, least: float) -> Array:
    """Return whether a movable object of each row has tilted: its up axis at the start has too small a cosine, [n]."""
    result = np.zeros(len(quat_wxyz), dtype=np.bool_)
    for row in range(len(quat_wxyz)):
        for column in range(quat_wxyz.shape[1]):
            if movable[row, column]:
                w, x, y, z = quat_wxyz[row, column]
                up = start_up[row, column]
                size = w * w + x * x + y * y + z * z
                cosine = (
                    2.0 * (x * z - w * y) * up[0]
                    + 2.0 * (y * z + w * x) * up[1]
                    + (size - 2.0 * (x * x + y * y)) * up[2]
                )
                if cosine < least * size:
                    result[row] = True
    return result


@njit(cache=True)
def nearest_object(place: Array, velocity: Array, movable: Array, column: Array, axes: Array) -> Array:
    """Return the way to the movable object nearest to that of a column, and its velocity, in base axes [n, 6]."""
    result = np.zeros((len(place), 6))
    for row in range(len(place)):
        best, nearest_column = np.inf, -1
        for other in range(place.shape[1]):
            if movable[row, other]:
                far = 0.0
                for i in range(3):
                    far += (place[row, other, i] - place[row, column[row], i]) ** 2
                if far < best:
                    best, nearest_column = far, other
        if nearest_column >= 0:
            _vector_in_base(axes[row], place[row, nearest_column] - place[row, column[row]], result[row, :3])
            _vector_in_base(axes[row], velocity[row, nearest_column, :3], result[row, 3:])
    return result


@njit(cache=True)
def rotation_of(quat_wxyz: Array, out: Array) -> None:
    """Fill the rotation of a quaternion [4]; a zero one, as of what is absent, gives identity."""
    w, x, y, z = quat_wxyz
    size = w * w + x * x + y * y + z * z
    s = 2.0 / size if size > 0.0 else 0.0
    out[0, 0], out[0, 1], out[0, 2] = 1.0 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)
    out[1, 0], out[1, 1], out[1, 2] = s * (x * y + w * z), 1.0 - s * (x * x + z * z), s * (y * z - w * x)
    out[2, 0], out[2, 1], out[2, 2] = s * (x * z - w * y), s * (y * z + w * x), 1.0 - s * (x * x + y * y)


@njit(cache=True)
def _move_handle(
    hinge: tuple[Array, Array, Array, Array, Array, Array], row: int, q: float, hold: Array, opening_direction: Array
) -> None:
    """Move a handle as its joint has moved, and fill the unit direction in which it moves as the joint opens."""
    axis, pivot = hinge[2][row], hinge[3][row]
    sign = 1.0 if hinge[5][row] >= hinge[4][row] else -1.0
    if not hinge[1][row]:
        for i in range(3):
            hold[i] += axis[i] * q
            opening_direction[i] = sign * axis[i]
        return
    arm = hold - pivot
    c, s, along = math.cos(q), math.sin(q), _dot(axis, arm)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        hold[i] = pivot[i] + arm[i] * c + (axis[j] * arm[k] - axis[k] * arm[j]) * s + axis[i] * along * (1.0 - c)
    arm = hold - pivot
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        opening_direction[i] = sign * (axis[j] * arm[k] - axis[k] * arm[j])
    opening_direction /= max(math.sqrt(_dot(opening_direction, opening_direction)), 1e-9)


@njit(cache=True)
def _goal(goal: tuple[Array, Array], row: int, objects: tuple[Array, Array, Array], point: Array, turn: Array) -> None:
    """Fill a goal in the world [3], and the rotation of its place."""
    column = goal[1][row]
    if column < 0:
        point[:] = goal[0][row]
        for i in range(3):
            turn[i, i] = 1.0
        return
    rotation_of(objects[1][row, column], turn)
    _rotate(turn, goal[0][row], point)
    point += objects[0][row, column]


@njit(cache=True)
def _rotation_in_base(axes: Array, world: Array, out: Array) -> None:
    """Fill a rotation of the world in base axes."""
    for i in range(3):
        for j in range(3):
            out[i, j] = axes[0, i] * world[0, j] + axes[1, i] * world[1, j] + axes[2, i] * world[2, j]


@njit(cache=True)
def _point_in_base(axes: Array, origin: Array, point: Array, out: Array) -> None:
    for i in range(3):
        out[i] = 0.0
        for j in range(3):
            out[i] += axes[j, i] * (point[j] - origin[j])


@njit(cache=True)
def _vector_in_base(axes: Array, vector: Array, out: Array) -> None:
    for i in range(3):
        out[i] = axes[0, i] * vector[0] + axes[1, i] * vector[1] + axes[2, i] * vector[2]


@njit(cache=True)
def _rotate(rotation: Array, vector: Array, out: Array) -> None:
    for i in range(3):
        out[i] = rotation[i, 0] * vector[0] + rotation[i, 1] * vector[1] + rotation[i, 2] * vector[2]


@njit(cache=True)
def _dot(a: Array, b: Array) -> float:
    return float(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])
