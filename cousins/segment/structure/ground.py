"""Height of the measured ground over its plane: bumps of a patio and pose drift are followed, steps are not."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cousins.geometry import Array
from cousins.segment.structure.planes import FittedPlane, plane_basis

MAX_GROUND_SLOPE = 0.12
"""Steepest ground between neighbouring cells: 7 degrees, more than pose drift or a paved floor has."""
ROUGHNESS_M = 0.003
"""Step between neighbouring cells that roughness and averaged depth noise explain [m]."""
EXTRAPOLATION_M = 0.1
"""Distance beyond measured ground up to which its height is held constant [m]."""


def ground_heights(points: Array, normals: Array, over_m: Array, fitted: FittedPlane, *, cell_m: float) -> Array:
    """Return the height [n] of the ground above its plane [m] at points [n, 3] that lie `over_m` [n] above the plane.

    Cells of upright points join the ground while the height changes gently from one to the next; the top of a book ends
    at a step and does not join.
    """
    flat = points @ plane_basis(fitted.plane.normal).T
    cells = np.floor((flat - flat.min(axis=0)) / cell_m).astype(np.int64) + 1
    shape = tuple(cells.max(axis=0) + 2)
    upright = (normals @ fitted.plane.normal > np.cos(np.deg2rad(15.0))) & (np.abs(over_m) < 0.15)
    is_measured, height = _cell_means(cells[upright], over_m[upright], shape)
    is_ground = is_measured & (np.abs(height) < max(fitted.scatter_m, ROUGHNESS_M))
    is_ground = _grow_ground(is_ground, is_measured, height, MAX_GROUND_SLOPE * cell_m + ROUGHNESS_M)
    if not is_ground.any():
        return np.zeros(len(points))
    distance, (row, column) = ndimage.distance_transform_edt(~is_ground, return_indices=True)
    filled = np.where(distance * cell_m <= EXTRAPOLATION_M, height[row, column], 0.0)
    return np.asarray(filled[cells[:, 0], cells[:, 1]])


def _cell_means(cells: Array, values: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return which cells hold values at one height, and their means."""
    flat = np.ravel_multi_index((cells[:, 0], cells[:, 1]), shape)
    size = int(np.prod(shape))
    count = np.bincount(flat, minlength=size)
    mean = np.bincount(flat, weights=values, minlength=size) / np.maximum(count, 1)
    square = np.bincount(flat, weights=values**2, minlength=size) / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    return ((count > 0) & (spread < 0.01)).reshape(shape), mean.reshape(shape)


def _grow_ground(is_ground: Array, is_measured: Array, height: Array, step_m: float) -> Array:
    while True:
        before = int(is_ground.sum())
        for axis in (0, 1):
            for step in (-1, 1):
                is_beside = np.roll(is_ground, step, axis=axis)
                is_gentle = np.abs(height - np.roll(height, step, axis=axis)) < step_m
                is_ground = is_ground | (is_measured & is_beside & is_gentle)
        if int(is_ground.sum()) == before:
            return is_ground
