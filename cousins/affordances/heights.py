"""What is open or level seen from above: hollows and tops, on a map of heights over the collision pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage
from skimage.morphology import reconstruction

from cousins.affordances.hulls import Hulls
from cousins.affordances.signatures import Cavity, Support
from cousins.geometry import Array

CELLS: Final = 128
"""Cells along the longer side of the map."""
FINEST_M: Final = 0.001
"""Smallest cell [m]."""
SLIT_CELLS: Final = 3
"""Slits between pieces that are narrower than this are closed: no thing falls through them."""
COARSE: Final = 2
"""Cells of the map that make one of a level cut."""
TIGHT: Final = (0.06, 0.2, 0.4, 0.6)
"""Shares of the depth, from the bottom, at which the wall must be closed."""
LEAST_DEPTH_M: Final = 0.006
"""Shallower than this is a dent, not a hollow [m]."""
LEAST_OPENING_M: Final = 0.02
"""Nothing is put through a narrower opening [m]."""
LEVEL_M: Final = 0.003
"""A top is level whose heights differ by no more than this from one height [m], a sigma of a phone's depth, ..."""
LEVEL_SLOPE: Final = 0.2
"""... and that is nowhere steeper than this, 11°."""
LEAST_SUPPORT_M: Final = 0.01
"""Nothing stands on a smaller disc [m], ..."""
LEAST_SHARE: Final = 0.25
"""... or on one of a smaller part of the asset's width: the top of a ball."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Heights:
    """The uppermost surface over a grid."""

    top_m: Array
    """Height over each cell [m], float64 [nx, ny]; `floor_m` where nothing is."""
    slope: Array
    """Tangent of the surface's steepness by cell, float64 [nx, ny]; infinite where nothing is."""
    corner_m: Array
    """Lower corner of cell (0, 0) [m], float64 [2]."""
    cell_m: float
    """Side of a cell [m]."""
    floor_m: float
    """Height of the asset's lowest point [m]."""

    def middle_m(self, cell: tuple[int, int]) -> Array:
        """Return the middle of a cell [m], float64 [2]."""
        return np.asarray(self.corner_m + (np.array(cell) + 0.5) * self.cell_m)


def heights_of(hulls: Hulls) -> Heights:
    """Return the map of an asset, two empty cells wider than it on each side."""
    low, high = hulls.low, hulls.high
    cell = max(FINEST_M, float((high - low)[:2].max()) / CELLS)
    corner = low[:2] - 2.5 * cell
    shape = tuple(int(count) for count in np.ceil((high[:2] + 2.5 * cell - corner) / cell).astype(int))
    top, slope = np.full(shape, low[2]), np.full(shape, np.inf)
    ends = [*hulls.starts[1:], len(hulls.offsets)]
    for start, end, points in zip(hulls.starts, ends, hulls.points, strict=True):
        first = np.maximum(np.floor((points[:, :2].min(axis=0) - corner) / cell).astype(int), 0)
        last = np.minimum(np.ceil((points[:, :2].max(axis=0) - corner) / cell).astype(int), np.array(shape))
        window = (slice(first[0], last[0]), slice(first[1], last[1]))
        x = corner[0] + (np.arange(first[0], last[0]) + 0.5) * cell
        y = corner[1] + (np.arange(first[1], last[1]) + 0.5) * cell
        upper, steep = _upper_side(hulls.normals[start:end], hulls.offsets[start:end], x, y)
        higher = upper > top[window]
        top[window] = np.where(higher, upper, top[window])
        slope[window] = np.where(higher, steep, slope[window])
    return Heights(top_m=top, slope=slope, corner_m=corner, cell_m=cell, floor_m=float(low[2]))


def flood(heights: Heights) -> tuple[Array, Array]:
    """Return the level that water would stand at [nx, ny] and its depth [nx, ny] [m], slits closed."""
    closed = ndimage.grey_closing(heights.top_m, size=(SLIT_CELLS, SLIT_CELLS))
    seed = np.full_like(closed, closed.max())
    seed[[0, -1]], seed[:, [0, -1]] = closed[[0, -1]], closed[:, [0, -1]]
    level = reconstruction(seed, closed, method="erosion")
    return level, level - closed


def cavity_of(hulls: Hulls, heights: Heights) -> Cavity | None:
    """Return the hollow of the largest volume that a ball of `LEAST_OPENING_M` sinks into, if there is one.

    The opening is that of the largest ball that sinks by half of the depth, straight down. What a map of heights
    cannot see is looked at in level cuts: walls that are open below, as those of a lampshade, hold nothing.
    """
    level, water = flood(heights)
    lakes, count = ndimage.label(water > 0.5 * LEAST_DEPTH_M)
    volumes = np.bincount(lakes.ravel(), weights=water.ravel(), minlength=count + 1)[1:] * heights.cell_m**2
    for number in np.argsort(-volumes, kind="stable") + 1:
        lake = np.where(lakes == number, water, 0.0)
        depth = float(lake.max())
        cell, radius = _largest_disc(lake > 0.5 * depth, heights.cell_m)
        if depth < LEAST_DEPTH_M or 2.0 * radius < LEAST_OPENING_M:
            continue
        x, y = heights.middle_m(cell)
        rim = float(level[cell])
        if not _leaks(hulls, heights, cell, rim):
            volume = float(volumes[number - 1])
            return Cavity(volume_m3=volume, opening_m=2.0 * radius, depth_m=depth, center_m=(float(x), float(y), rim))
    return None


def _leaks(hulls: Hulls, heights: Heights, cell: tuple[int, int], rim_m: float) -> bool:
    """Return whether a level way leads from the middle of a hollow to the outside, at the heights of `TIGHT`."""
    coarse = COARSE * heights.cell_m
    shape = tuple(-(-count // COARSE) + 4 for count in heights.top_m.shape)
    x, y = (heights.corner_m[k] + (np.arange(shape[k]) - 1.5) * coarse for k in (0, 1))
    bottom = float(heights.top_m[cell])
    for share in TIGHT:
        free, _ = ndimage.label(~_cut(hulls, x, y, bottom + share * (rim_m - bottom), grown_m=0.75 * coarse))
        inside = free[cell[0] // COARSE + 2, cell[1] // COARSE + 2]
        if inside != 0 and inside == free[0, 0]:
            return True
    return False


def _cut(hulls: Hulls, x: Array, y: Array, z: float, *, grown_m: float) -> Array:
    """Return where a level plane lies inside a hull or less than `grown_m` beside it, bool [len(x), len(y)].

    Hulls are grown level by more than half of the grid, so that no thin wall falls between two points.
    """
    solid = np.zeros((len(x), len(y)), dtype=bool)
    ends = [*hulls.starts[1:], len(hulls.offsets)]
    for start, end, points in zip(hulls.starts, ends, hulls.points, strict=True):
        low, high = points.min(axis=0), points.max(axis=0)
        if not low[2] <= z <= high[2]:
            continue
        columns = slice(*np.searchsorted(x, [low[0] - grown_m, high[0] + grown_m]))
        rows = slice(*np.searchsorted(y, [low[1] - grown_m, high[1] + grown_m]))
        normals = hulls.normals[start:end]
        across = np.hypot(normals[:, 0], normals[:, 1])
        room = (hulls.offsets[start:end] - normals[:, 2] * z + grown_m * across)[:, None, None]
        room = room - normals[:, 0, None, None] * x[None, columns, None]
        room = room - normals[:, 1, None, None] * y[None, None, rows]
        solid[columns, rows] |= np.all(room >= 0.0, axis=0)
    return solid


def support_of(heights: Heights) -> Support | None:
    """Return the widest level disc that nothing is above and that lies in no hollow, if there is one."""
    _, water = flood(heights)
    level = (heights.slope <= LEVEL_SLOPE) & (water < LEAST_DEPTH_M)
    inner = np.array(heights.top_m.shape) - 5
    least = max(LEAST_SUPPORT_M, LEAST_SHARE * 0.5 * heights.cell_m * float(inner.min()))
    best: Support | None = None
    for height in _levels(heights.top_m[level]):
        cell, radius = _largest_disc(level & (np.abs(heights.top_m - height) <= LEVEL_M), heights.cell_m)
        if radius >= least and (best is None or radius > best.radius_m):
            x, y = heights.middle_m(cell)
            best = Support(radius_m=radius, center_m=(float(x), float(y), float(heights.top_m[cell])))
    return best


def _upper_side(normals: Array, offsets: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Return height and slope of a hull's upper side over a grid [len(x), len(y)]; -inf where the hull is not."""
    level = offsets[:, None, None] - normals[:, 0, None, None] * x[:, None] - normals[:, 1, None, None] * y[None, :]
    up = normals[:, 2]
    above, below, upright = up > 1e-6, up < -1e-6, np.abs(up) <= 1e-6
    ceilings = level[above] / up[above, None, None]
    lowest = ceilings.argmin(axis=0)
    ceiling = np.take_along_axis(ceilings, lowest[None], axis=0)[0]
    bottom = (level[below] / up[below, None, None]).max(axis=0)
    inside = (ceiling >= bottom) & np.all(level[upright] >= 0.0, axis=0)
    steep = np.hypot(normals[above, 0], normals[above, 1]) / up[above]
    return np.where(inside, ceiling, -np.inf), steep[lowest]


def _largest_disc(region: Array, cell_m: float) -> tuple[tuple[int, int], float]:
    """Return the middle cell and the radius [m] of the largest disc in a region; radius 0 where it is empty.

    Of equally large discs the one in the middle of them is taken.
    """
    room = ndimage.distance_transform_edt(region)
    largest = float(room.max())
    if largest == 0.0:
        return (0, 0), 0.0
    cells = np.argwhere(room >= largest - 0.5)
    middle = cells[np.argmin(((cells - cells.mean(axis=0)) ** 2).sum(axis=1))]
    return (int(middle[0]), int(middle[1])), (float(room[middle[0], middle[1]]) - 0.5) * cell_m


def _levels(heights: Array) -> list[float]:
    """Return the heights around which many lie, the commonest first, at most six."""
    if not len(heights):
        return []
    bins = np.round(heights / LEVEL_M).astype(np.int64)
    values, counts = np.unique(bins, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:6]
    return [float(np.median(heights[bins == value])) for value in values[order]]
