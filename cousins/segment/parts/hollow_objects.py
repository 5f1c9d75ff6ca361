"""Hollow things seen from above: walls that close around a bottom, which lies within the noise of the ground."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from cousins.geometry import Array
from cousins.segment.parts.stability_grouping import union
from cousins.segment.structure.planes import basis_of
from cousins.segment.surfaces.surface import Surface

RING_M = 0.04
"""Height below which a closed wall makes what it encloses the bottom of a hollow thing [m]."""
LEAST_HOLE_M2 = 0.0009
"""Least area that a ring of several pieces encloses [m²]: 3 cm square."""
AROUND_M = 0.06
"""How far outside a ring the ground's colour is looked at [m]."""
LEAST_WALL = 0.15
"""Least part of what stands around a bottom that is a wall of it: what leans on the outside shows less."""
SAME_SHARE = 0.5
"""Lab distance to a thing's colour, as a part of that to the ground's, below which ground in its outline is its."""
LEAST_POINTS = 20
"""Fewer points have no colour to compare."""


def join_rings(surface: Surface, labels: Array, height_m: Array, *, voxel_m: float, up: Array) -> Array:
    """Return the labels [n] with touching pieces joined that close around a bottom of their colour, not the ground's.

    Things that happen to stand in a ring have the ground between them, in the ground's colour.
    """
    count = int(labels.max(initial=-1)) + 1
    a, b = labels[surface.edges].T
    touching = np.unique(np.stack([a, b], axis=1)[(a >= 0) & (b >= 0) & (a != b)], axis=0)
    groups = np.asarray(union(list(range(count)), [(int(i), int(j)) for i, j in touching]))
    cells = _cells(surface.points, voxel_m, up)
    pairs: list[tuple[int, int]] = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        if len(members) > 1:
            pairs += _closing(surface, labels, height_m < RING_M, cells, members, voxel_m)
    if not pairs:
        return labels
    joined = np.unique(np.asarray(union(list(range(count)), pairs)), return_inverse=True)[1].ravel()
    return np.where(labels >= 0, joined[labels], -1)


def with_bottoms(
    surface: Surface, labels: Array, height_m: Array, noise_m: float, *, voxel_m: float, up: Array
) -> Array:
    """Give each object the ground points that its foot encloses: the bottom of a bowl or mug seen from above.

    Where a gap opens the ring of its foot, what lies between its parts in its colour is its bottom too.
    """
    count = int(labels.max(initial=-1)) + 1
    cells = _cells(surface.points, voxel_m, up)
    out, along = labels.copy(), surface.points @ up
    ground = (labels < 0) & (height_m < RING_M) & (height_m > -noise_m)
    for k in range(count):
        low_part = (labels == k) & (height_m < RING_M)
        foot = cells[low_part]
        if len(foot) == 0:
            continue
        low, hole = _enclosed(foot)
        at = cells - low
        inside = ((at >= 0) & (at < hole.shape)).all(axis=1) & ground
        inside &= along > float(along[labels == k].min()) - RING_M
        rows = np.flatnonzero(inside)
        out[rows[hole[tuple(at[rows].T)]]] = k
        out[_between(surface, cells, low_part, np.flatnonzero(inside & (out < 0)), ground & ~inside)] = k
    return out


def _between(surface: Surface, cells: Array, foot: Array, rows: Array, ground: Array) -> Array:
    """Return which ground points `rows` lie in the outline of a foot [n] and have its colour, not the ground's [n]."""
    try:
        sides = ConvexHull(cells[foot]).equations
    except QhullError:
        return rows[:0]
    rows = rows[(cells[rows] @ sides[:, :2].T + sides[:, 2] < 0.0).all(axis=1)]
    own, around = _color(surface, foot), _color(surface, ground)
    to_own = np.linalg.norm(surface.colors[rows] - own, axis=1)
    alike = to_own < SAME_SHARE * np.linalg.norm(surface.colors[rows] - around, axis=1)
    return rows[alike] if 2 * np.count_nonzero(alike) > len(rows) else rows[:0]


def _closing(
    surface: Surface, labels: Array, near_ground: Array, cells: Array, members: Array, voxel_m: float
) -> list[tuple[int, int]]:
    """Return pairs of the members that stand around a hole whose colour is theirs."""
    own = np.isin(labels, members)
    low, filled = _enclosed(cells[own & near_ground])
    at = cells - low
    on_grid = np.asarray(((at >= 0) & (at < filled.shape)).all(axis=1))
    ring = np.zeros(filled.shape, dtype=bool)
    ring[tuple(at[own & near_ground].T)] = True
    regions, count = ndimage.label(filled & ~ndimage.binary_dilation(ring))
    ground = on_grid & (labels < 0) & near_ground
    wide = np.round(AROUND_M / voxel_m).astype(int)
    around = ndimage.binary_dilation(ring, iterations=int(wide)) & ~ndimage.binary_fill_holes(
        ndimage.binary_dilation(ring, iterations=3)
    )
    outside = _color(surface, ground & _marked(around, at, on_grid))
    pairs: list[tuple[int, int]] = []
    for number in range(1, count + 1):
        region = regions == number
        if region.sum() * voxel_m**2 < LEAST_HOLE_M2:
            continue
        beside = ndimage.binary_dilation(region, iterations=4)
        touching = own & near_ground & _marked(beside, at, on_grid)
        inside = _color(surface, ground & _marked(region, at, on_grid))
        to_ring = float(np.linalg.norm(inside - _color(surface, touching)))
        if to_ring < float(np.linalg.norm(inside - outside)):
            around_it, points = np.unique(labels[touching], return_counts=True)
            walls = around_it[points >= LEAST_WALL * points.sum()]
            pairs += [(int(walls[0]), int(other)) for other in walls[1:]]
    return pairs


def _cells(points: Array, voxel_m: float, up: Array) -> Array:
    flat = points @ basis_of(up).T
    return np.asarray(np.floor((flat - flat.min(axis=0, initial=0.0)) / voxel_m).astype(np.int64))


def _enclosed(foot: Array) -> tuple[Array, Array]:
    """Return the corner cell [2] of a grid around cells [n, 2], and what they enclose, themselves drawn in by one."""
    low = foot.min(axis=0) - 2
    ring = np.zeros(foot.max(axis=0) - low + 3, dtype=bool)
    ring[tuple((foot - low).T)] = True
    closed = ndimage.binary_fill_holes(ndimage.binary_dilation(ring))
    return low, np.asarray(ndimage.binary_erosion(closed, iterations=2))


def _marked(grid: Any, at: Array, on_grid: Array) -> Array:
    """Return which points [n] lie in marked cells."""
    found = np.zeros(len(at), dtype=bool)
    rows = np.flatnonzero(on_grid)
    found[rows] = grid[tuple(at[rows].T)]
    return found


def _color(surface: Surface, chosen: Array) -> Array:
    """Return the median Lab colour [3] of chosen points [n]; NaN where too few have one."""
    known = surface.colors[chosen]
    known = known[np.isfinite(known[:, 0])]
    return np.asarray(np.median(known, axis=0)) if len(known) >= LEAST_POINTS else np.full(3, np.nan)
