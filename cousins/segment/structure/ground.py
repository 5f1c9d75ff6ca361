"""The real ground over a plane: bumps of a patio or pose drift are followed, steps are not."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cousins.geometry import Array
from cousins.segment.structure.planes import Fitted, basis_of

SLOPE = 0.12
"""Steepest ground between neighbouring cells: 7 degrees, more than pose drift or a paved floor shows."""
ROUGH_M = 0.003
"""Step between neighbouring cells that roughness and averaged depth noise explain [m]."""
REACH_M = 0.1
"""Ground is held constant this far beyond where it was seen [m]."""


def ground(points: Array, normals: Array, over_m: Array, fitted: Fitted, *, cell_m: float) -> Array:
    """Return the height [n] of the ground above its plane [m] at points [n, 3] that lie `over_m` [n] above it.

    Cells of upright points are joined to the plane's own cells while the height changes gently from one to the
    next; the top of a book ends at a step and is not joined.
    """
    flat = points @ basis_of(fitted.plane.normal).T
    cells = np.floor((flat - flat.min(axis=0)) / cell_m).astype(np.int64) + 1
    shape = tuple(cells.max(axis=0) + 2)
    upright = (normals @ fitted.plane.normal > np.cos(np.deg2rad(15.0))) & (np.abs(over_m) < 0.15)
    seen, height = _cell_means(cells[upright], over_m[upright], shape)
    known = seen & (np.abs(height) < max(fitted.scatter_m, ROUGH_M))
    known = _grow(known, seen, height, SLOPE * cell_m + ROUGH_M)
    if not known.any():
        return np.zeros(len(points))
    away, (row, column) = ndimage.distance_transform_edt(~known, return_indices=True)
    filled = np.where(away * cell_m <= REACH_M, height[row, column], 0.0)
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


def _grow(known: Array, seen: Array, height: Array, step_m: float) -> Array:
    while True:
        before = int(known.sum())
        for axis in (0, 1):
            for way in (-1, 1):
                beside = np.roll(known, way, axis=axis)
                gentle = np.abs(height - np.roll(height, way, axis=axis)) < step_m
                known = known | (seen & beside & gentle)
        if int(known.sum()) == before:
            return known
