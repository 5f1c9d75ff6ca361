"""Winding numbers of triangles around points: 1 inside of a closed outward surface, 0 outside.

Generalized winding numbers after Jacobson, Kavan and Sorkine-Hornung, 2013; solid angles after van Oosterom and
Strackee, 1983.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit, prange

from cousins.geometry import Array

BLOCK: Final = 3
"""Grid points along a block, in which the field is interpolated where nothing happens."""
SETTLED: Final = 0.2
"""Largest distance from a whole number at which the field at a block's corners counts as settled: away from triangles
it has no extrema, so that a block between such corners does not cross 0.5."""


@njit(cache=True, parallel=True)
def winding_numbers(points: Array, triangles: Array) -> Array:
    """Return how often triangles [m, 3, 3] wind around points [n, 3], 1 deep inside, float64 [n]."""
    winding = np.zeros(len(points))
    for i in prange(len(points)):
        solid_angle = 0.0
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for t in range(triangles.shape[0]):
            ax, ay, az = triangles[t, 0, 0] - x, triangles[t, 0, 1] - y, triangles[t, 0, 2] - z
            bx, by, bz = triangles[t, 1, 0] - x, triangles[t, 1, 1] - y, triangles[t, 1, 2] - z
            cx, cy, cz = triangles[t, 2, 0] - x, triangles[t, 2, 1] - y, triangles[t, 2, 2] - z
            a = np.sqrt(ax * ax + ay * ay + az * az)
            b = np.sqrt(bx * bx + by * by + bz * bz)
            c = np.sqrt(cx * cx + cy * cy + cz * cz)
            triple_product = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
            denominator = a * b * c + (ax * bx + ay * by + az * bz) * c
            denominator += (bx * cx + by * cy + bz * cz) * a + (cx * ax + cy * ay + cz * az) * b
            solid_angle += 2.0 * np.arctan2(triple_product, denominator)
        winding[i] = solid_angle / (4.0 * np.pi)
    return winding


def winding_grid(axes: list[Array], triangles: Array) -> Array:
    """Return the winding numbers of triangles [m, 3, 3] at the points of a grid with three ascending axes.

    Exact in blocks that triangles pass or in which the field changes; elsewhere a corner's value, float64 [x, y, z].
    """
    shape = tuple(len(axis) for axis in axes)
    blocks = tuple(-(-count // BLOCK) for count in shape)
    corner_axes = [
        axis[np.minimum(np.arange(count + 1) * BLOCK, len(axis) - 1)] for axis, count in zip(axes, blocks, strict=True)
    ]
    corners = winding_numbers(_grid_points(corner_axes), triangles).reshape([count + 1 for count in blocks])
    around = np.stack(
        [
            corners[i : i + blocks[0], j : j + blocks[1], k : k + blocks[2]]
            for i in (0, 1)
            for j in (0, 1)
            for k in (0, 1)
        ]
    )
    is_quiet = (np.ptp(around, axis=0) < 2.0 * SETTLED) & (np.abs(around - np.round(around)).max(axis=0) < SETTLED)
    cell = float(axes[0][1] - axes[0][0])
    low = np.array([axis[0] for axis in axes])
    for shift in (-0.5, 0.5):
        touched = np.floor((_dense_points(triangles, 0.5 * cell) - low) / cell + shift).astype(int) // BLOCK
        is_quiet[tuple(np.clip(touched, 0, np.array(blocks) - 1).T)] = False
    at_points = [np.arange(count) // BLOCK for count in shape]
    field = corners[np.ix_(*at_points)].copy()
    busy = ~is_quiet[np.ix_(*at_points)]
    field[busy] = winding_numbers(_grid_points(axes).reshape(*shape, 3)[busy], triangles)
    return field


def _grid_points(axes: list[Array]) -> Array:
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _dense_points(triangles: Array, spacing_m: float) -> Array:
    """Return points [n, 3] of triangles, no gap between them larger than a spacing [m]."""
    sides = np.linalg.norm(triangles - np.roll(triangles, -1, axis=1), axis=2).max(axis=1)
    steps = np.maximum(1, np.ceil(sides / spacing_m)).astype(int)
    points = [triangles.reshape(-1, 3)]
    for count in np.unique(steps):
        u, v = np.divmod(np.arange((count + 1) ** 2), count + 1)
        weights = np.stack([u, v, count - u - v], axis=1)[u + v <= count] / count
        points.append(np.einsum("nk,mkd->mnd", weights, triangles[steps == count]).reshape(-1, 3))
    return np.concatenate(points)
