"""Hollow objects seen from above: join walls around a common bottom, and add the bottom, hidden in ground noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from cousins.geometry import Array
from cousins.segment.parts.stability_grouping import merge_groups
from cousins.segment.structure.planes import plane_basis
from cousins.segment.surfaces.surface import Surface

MAX_BOTTOM_HEIGHT_M = 0.04
"""Height below which points enclosed by a closed wall are the bottom of a hollow object [m]."""
MIN_HOLE_AREA_M2 = 0.0009
"""Smallest area that a ring of several pieces encloses [m²]: 3 cm square."""
GROUND_COLOR_REACH_M = 0.06
"""How far outside a ring the colour of the ground is sampled [m]."""
MIN_WALL_SHARE = 0.15
"""Smallest share of the points around a bottom that a wall holds: objects that lean on the outside have less."""
MAX_COLOR_DISTANCE_SHARE = 0.5
"""Lab distance to the object's colour over that to the ground's, below which enclosed ground belongs to the object."""
MIN_COLOR_POINTS = 20
"""Fewest points from which a colour is estimated."""


def join_hollow_walls(surface: Surface, labels: Array, height_m: Array, *, voxel_m: float, up: Array) -> Array:
    """Return the labels [n] with touching pieces joined that enclose a bottom of their own colour, not the ground's.

    `height_m` [n] is the height above the support [m]. Objects that happen to stand in a ring enclose ground of the
    ground's colour and stay separate.
    """
    count = int(labels.max(initial=-1)) + 1
    a, b = labels[surface.edges].T
    touching = np.unique(np.stack([a, b], axis=1)[(a >= 0) & (b >= 0) & (a != b)], axis=0)
    groups = np.asarray(merge_groups(list(range(count)), [(int(i), int(j)) for i, j in touching]))
    cells = _level_cells(surface.points, voxel_m, up)
    pairs: list[tuple[int, int]] = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        if len(members) > 1:
            pairs += _pairs_around_bottoms(surface, labels, height_m < MAX_BOTTOM_HEIGHT_M, cells, members, voxel_m)
    if not pairs:
        return labels
    joined = np.unique(np.asarray(merge_groups(list(range(count)), pairs)), return_inverse=True)[1].ravel()
    return np.where(labels >= 0, joined[labels], -1)


def add_hollow_bottoms(
    surface: Surface, labels: Array, height_m: Array, noise_m: float, *, voxel_m: float, up: Array
) -> Array:
    """Return the labels [n] with the ground points that an object's foot encloses added to it: the bottom of a bowl.

    `height_m` [n] is the height above the support [m]. Where a gap opens the ring of its foot, points between its parts
    that have its colour are its bottom too.
    """
    count = int(labels.max(initial=-1)) + 1
    cells = _level_cells(surface.points, voxel_m, up)
    out, along = labels.copy(), surface.points @ up
    ground = (labels < 0) & (height_m < MAX_BOTTOM_HEIGHT_M) & (height_m > -noise_m)
    for k in range(count):
        low_part = (labels == k) & (height_m < MAX_BOTTOM_HEIGHT_M)
        foot = cells[low_part]
        if len(foot) == 0:
            continue
        low, hole = _enclosed_cells(foot)
        grid_cells = cells - low
        inside = ((grid_cells >= 0) & (grid_cells < hole.shape)).all(axis=1) & ground
        inside &= along > float(along[labels == k].min()) - MAX_BOTTOM_HEIGHT_M
        rows = np.flatnonzero(inside)
        out[rows[hole[tuple(grid_cells[rows].T)]]] = k
        out[_bottom_within_outline(surface, cells, low_part, np.flatnonzero(inside & (out < 0)), ground & ~inside)] = k
    return out


def _bottom_within_outline(surface: Surface, cells: Array, foot: Array, rows: Array, ground: Array) -> Array:
    """Return those of the ground points `rows` that lie in the outline of a foot [n] and have its colour."""
    try:
        sides = ConvexHull(cells[foot]).equations
    except QhullError:
        return rows[:0]
    rows = rows[(cells[rows] @ sides[:, :2].T + sides[:, 2] < 0.0).all(axis=1)]
    foot_color, ground_color = _median_color(surface, foot), _median_color(surface, ground)
    distance_to_foot = np.linalg.norm(surface.colors[rows] - foot_color, axis=1)
    is_alike = distance_to_foot < MAX_COLOR_DISTANCE_SHARE * np.linalg.norm(surface.colors[rows] - ground_color, axis=1)
    return rows[is_alike] if 2 * np.count_nonzero(is_alike) > len(rows) else rows[:0]


def _pairs_around_bottoms(
    surface: Surface, labels: Array, near_ground: Array, cells: Array, members: Array, voxel_m: float
) -> list[tuple[int, int]]:
    """Return pairs of the member pieces that enclose a hole of their own colour."""
    is_member = np.isin(labels, members)
    if not (is_member & near_ground).any():
        return []
    low, filled = _enclosed_cells(cells[is_member & near_ground])
    grid_cells = cells - low
    on_grid = np.asarray(((grid_cells >= 0) & (grid_cells < filled.shape)).all(axis=1))
    ring = np.zeros(filled.shape, dtype=bool)
    ring[tuple(grid_cells[is_member & near_ground].T)] = True
    regions, count = ndimage.label(filled & ~ndimage.binary_dilation(ring))
    ground = on_grid & (labels < 0) & near_ground
    reach_cells = np.round(GROUND_COLOR_REACH_M / voxel_m).astype(int)
    surroundings = ndimage.binary_dilation(ring, iterations=int(reach_cells)) & ~ndimage.binary_fill_holes(
        ndimage.binary_dilation(ring, iterations=3)
    )
    outside = _median_color(surface, ground & _points_in_cells(surroundings, grid_cells, on_grid))
    pairs: list[tuple[int, int]] = []
    for number in range(1, count + 1):
        region = regions == number
        if region.sum() * voxel_m**2 < MIN_HOLE_AREA_M2:
            continue
        near_region = ndimage.binary_dilation(region, iterations=4)
        touching = is_member & near_ground & _points_in_cells(near_region, grid_cells, on_grid)
        inside = _median_color(surface, ground & _points_in_cells(region, grid_cells, on_grid))
        to_ring = float(np.linalg.norm(inside - _median_color(surface, touching)))
        if to_ring < float(np.linalg.norm(inside - outside)):
            around_it, points = np.unique(labels[touching], return_counts=True)
            walls = around_it[points >= MIN_WALL_SHARE * points.sum()]
            pairs += [(int(walls[0]), int(other)) for other in walls[1:]]
    return pairs


def _level_cells(points: Array, voxel_m: float, up: Array) -> Array:
    flat = points @ plane_basis(up).T
    return np.asarray(np.floor((flat - flat.min(axis=0, initial=0.0)) / voxel_m).astype(np.int64))


def _enclosed_cells(foot: Array) -> tuple[Array, Array]:
    """Return the corner cell [2] of a grid around cells [n, 2], and what they enclose, eroded by one, bool [h, w]."""
    low = foot.min(axis=0) - 2
    ring = np.zeros(foot.max(axis=0) - low + 3, dtype=bool)
    ring[tuple((foot - low).T)] = True
    closed = ndimage.binary_fill_holes(ndimage.binary_dilation(ring))
    return low, np.asarray(ndimage.binary_erosion(closed, iterations=2))


def _points_in_cells(grid: Any, grid_cells: Array, on_grid: Array) -> Array:
    """Return which points [n] lie in marked cells."""
    is_marked = np.zeros(len(grid_cells), dtype=bool)
    rows = np.flatnonzero(on_grid)
    is_marked[rows] = grid[tuple(grid_cells[rows].T)]
    return is_marked


def _median_color(surface: Surface, mask: Array) -> Array:
    """Return the median Lab colour [3] of the points selected by a mask [n]; NaN where too few have one."""
    colors = surface.colors[mask]
    colors = colors[np.isfinite(colors[:, 0])]
    return np.asarray(np.median(colors, axis=0)) if len(colors) >= MIN_COLOR_POINTS else np.full(3, np.nan)
