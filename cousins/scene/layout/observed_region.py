"""Which part of a flat structure exists: a grid over its plane, decided by what depth images measured there.

A depth image measured a surface at a cell, looked through the cell at something behind it, or does not show it
because something nearer hides it. A convex outline alone would close doorways, and fill a floor inside a ring of rooms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from cousins.capture.captures import Frame
from cousins.fusion.point_observations import count_observations
from cousins.geometry import Array, transform

SMALLEST_CELL_M: Final = 0.015
"""Edge of a grid cell on a small structure [m]."""
CELLS_PER_SIDE: Final = 160
"""Number of cells along the longer side of a large structure, whose cells are larger."""
TOLERANCE_M: Final = 0.02
"""A depth within this, and `TOLERANCE_PER_M` of it, of a cell measured the cell [m]."""
TOLERANCE_PER_M: Final = 0.01
"""Growth of the tolerance with depth."""
MIN_CONFIDENCE: Final = 1
"""Least confidence of a depth that is used: 0 low, 1 medium, 2 high."""
NEAREST_M: Final = 0.1
"""Nearest distance from a camera at which a cell is observed [m]."""
MIN_FRAMES_THROUGH: Final = 2
"""Number of frames that must look through a cell before it counts as open."""
MAX_THROUGH: Final = 0.5
"""Number of frames that look through a cell, for each that measured a surface there, from which it counts as open."""
REACH_M: Final = 0.1
"""A cell of a large patch that no frame shows belongs to the structure this near to a measured one [m]: depth ends
before corners do. Further away it lies behind a wall."""
MAX_UNSEEN_M2: Final = 2.0
"""A patch that no frame shows belongs to the structure where it is smaller than this [m²]."""
MAX_WALL_SHARE: Final = 0.5
"""Largest share of the border of an enclosed unseen patch beside walls: more is a room behind them."""
MIN_OPENING_M2: Final = 0.004
"""A smaller opening, or a smaller patch of structure, is noise [m²]."""
WHOLE_SHARE: Final = 0.99
"""From this share of its outline on, a structure is taken for whole."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ObservedRegion:
    """The existing part of a structure, as rectangles of its own grid."""

    rectangles: Array
    """Lower and upper corner of each rectangle [m], float64 [n, 2, 2], in the grid's axes about its centre."""
    share: float
    """Share of the outline that exists."""


def observed_region(
    inside: Array, world_from_grid: Array, cell_m: float, frames: Sequence[Frame], *, covered: Array, at_wall: Array
) -> ObservedRegion | None:
    """Return the part of an outline that exists, or None where it is taken for whole.

    `inside`, bool [rows, columns], are the cells within the outline: cell (row, column) lies at x = (column + ½ -
    columns / 2) · cell_m, y = (row + ½ - rows / 2) · cell_m, z = 0 of the pose `world_from_grid` [4, 4]. `covered`, of
    the same shape, are cells on which objects stand: they exist whatever was seen. `at_wall`, of the same shape, are
    cells beside a wall: a floor does not go on behind one.
    """
    rows, columns = inside.shape
    row, column = np.nonzero(inside)
    points = np.stack(
        [(column + 0.5 - columns / 2) * cell_m, (row + 0.5 - rows / 2) * cell_m, np.zeros(len(row))], axis=1
    )
    measured, through = count_structure_observations(transform(world_from_grid, points), frames)
    is_surface, is_open = np.zeros_like(inside), np.zeros_like(inside)
    is_open[row, column] = is_looked_through(measured, through)
    is_surface[row, column] = (measured > 0) & ~is_open[row, column]
    if not is_surface.any():
        return None
    is_open = _without_specks(is_open, cell_m)
    is_unseen = inside & ~is_surface & ~is_open
    near = ndimage.distance_transform_edt(~is_surface) * cell_m <= REACH_M
    near |= is_unseen & ~_large_patches(is_unseen, MAX_UNSEEN_M2 / cell_m**2)
    near |= _enclosed_patches(is_surface, is_open, at_wall)
    exists = inside & ((is_surface | near) & ~is_open | covered)
    exists = _without_specks(exists, cell_m)
    share = float(exists.sum() / inside.sum())
    if share >= WHOLE_SHARE or not exists.any():
        return None
    corners = (merged_rectangles(exists) - np.array([columns, rows]) / 2) * cell_m
    return ObservedRegion(rectangles=corners, share=share)


def cell_size_m(size_m: Array) -> float:
    """Return the cell edge [m] of a grid over a rectangle of `size_m` [2]."""
    return max(SMALLEST_CELL_M, float(np.max(size_m)) / CELLS_PER_SIDE)


def merged_rectangles(cells: Array) -> Array:
    """Return rectangles that cover the true cells, bool [rows, columns], exactly once: corners (x, y), int [n, 2, 2].

    Runs along a row grow downwards as long as the next row has the same run.
    """
    finished: list[tuple[int, int, int, int]] = []
    growing: dict[tuple[int, int], int] = {}
    for row in range(len(cells) + 1):
        runs = _runs(cells[row]) if row < len(cells) else set()
        for run in [run for run in growing if run not in runs]:
            finished.append((run[0], growing.pop(run), run[1], row))
        for run in runs:
            growing.setdefault(run, row)
    return np.array(sorted(finished), dtype=np.float64).reshape(-1, 2, 2)


def count_structure_observations(points: Array, frames: Sequence[Frame]) -> tuple[Array, Array]:
    """Return how many frames measured a surface at world points [n, 3], and how many looked through them, int64 [n]."""
    return count_observations(
        points,
        frames,
        tolerance_m=TOLERANCE_M,
        tolerance_per_m=TOLERANCE_PER_M,
        min_confidence=MIN_CONFIDENCE,
        min_depth_m=NEAREST_M,
    )


def is_looked_through(measured: Array, through: Array) -> Array:
    """Return at which points the counts of `count_structure_observations` [n] show free space, bool [n]."""
    return np.asarray((through >= MIN_FRAMES_THROUGH) & (through > MAX_THROUGH * measured))


def _enclosed_patches(is_surface: Array, is_open: Array, at_wall: Array) -> Array:
    """Return the cells of unseen patches with surface all around, such as floor under a table, bool [rows, columns].

    A patch of which more than `MAX_WALL_SHARE` of the border lies beside walls is the room behind them.
    """
    labels, count = ndimage.label(ndimage.binary_fill_holes(is_surface) & ~is_surface & ~is_open)
    enclosed = np.zeros_like(is_surface)
    for index in range(1, count + 1):
        patch = labels == index
        border = ndimage.binary_dilation(patch) & ~patch
        if float(at_wall[border].mean()) <= MAX_WALL_SHARE:
            enclosed |= patch
    return enclosed


def _runs(row: Array) -> set[tuple[int, int]]:
    """Return the runs of true values of a row as (first, one past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
    return {(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)}


def _without_specks(cells: Array, cell_m: float) -> Array:
    """Return the cells without patches below `MIN_OPENING_M2` and smoothed by one cell."""
    smooth = ndimage.binary_opening(cells, structure=np.ones((3, 3), dtype=bool))
    return _large_patches(smooth, MIN_OPENING_M2 / cell_m**2)


def _large_patches(cells: Array, min_cells: float) -> Array:
    """Return the true cells in connected patches of at least `min_cells`."""
    labels, count = ndimage.label(cells)
    is_large = np.bincount(labels.ravel(), minlength=count + 1) >= min_cells
    is_large[0] = False
    return np.asarray(is_large[labels])
