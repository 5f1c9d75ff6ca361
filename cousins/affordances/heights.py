"""Cavities and support surfaces, measured on a height map of the collision pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage
from skimage.morphology import reconstruction

from cousins.affordances.hulls import Hulls
from cousins.affordances.signatures import Cavity, Support
from cousins.geometry import Array

MAP_CELLS: Final = 128
"""Cells along the longer side of the map."""
MIN_CELL_M: Final = 0.001
"""Smallest cell [m]."""
SLIT_CELLS: Final = 3
"""Gaps between pieces that are narrower than this many cells are closed."""
COARSE_CELLS: Final = 2
"""Cells of the map per cell of a horizontal section."""
LEAK_TEST_SHARES: Final = (0.06, 0.2, 0.4, 0.6)
"""Shares of the depth, from the bottom, at which the wall of a cavity must be closed."""
MIN_DEPTH_M: Final = 0.006
"""Smallest depth of a cavity [m]."""
MIN_OPENING_M: Final = 0.02
"""Smallest opening of a cavity [m]."""
MAX_HEIGHT_DEVIATION_M: Final = 0.003
"""Largest deviation of a level top from one height [m]: the depth noise (one sigma) of a phone."""
MAX_LEVEL_SLOPE: Final = 0.2
"""Largest slope of a level top: 11°."""
MIN_SUPPORT_RADIUS_M: Final = 0.01
"""Smallest radius of a support disc [m]."""
MIN_SUPPORT_SHARE: Final = 0.25
"""Smallest ratio of support diameter to asset width, which excludes the top of a ball."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HeightMap:
    """Height and slope of the uppermost surface over a horizontal grid."""

    top_m: Array
    """Height over each cell [m], float64 [nx, ny]; `floor_m` where the cell is empty."""
    slope: Array
    """Slope of the surface as a tangent, float64 [nx, ny]; infinite where the cell is empty."""
    corner_m: Array
    """Lower corner of cell (0, 0) [m], float64 [2]."""
    cell_m: float
    """Side of a cell [m]."""
    floor_m: float
    """Height of the asset's lowest point [m]."""

    def middle_m(self, cell: tuple[int, int]) -> Array:
        """Return the centre of a cell [m], float64 [2]."""
        return np.asarray(self.corner_m + (np.array(cell) + 0.5) * self.cell_m)


def height_map_of(hulls: Hulls) -> HeightMap:
    """Return the height map of an asset, with a margin of two empty cells on each side."""
    low, high = hulls.low, hulls.high
    cell = max(MIN_CELL_M, float((high - low)[:2].max()) / MAP_CELLS)
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
    return HeightMap(top_m=top, slope=slope, corner_m=corner, cell_m=cell, floor_m=float(low[2]))


def fill_with_water(height_map: HeightMap) -> tuple[Array, Array]:
    """Return water level and water depth [nx, ny] [m] after the map is flooded, with narrow gaps closed."""
    closed = ndimage.grey_closing(height_map.top_m, size=(SLIT_CELLS, SLIT_CELLS))
    seed = np.full_like(closed, closed.max())
    seed[[0, -1]], seed[:, [0, -1]] = closed[[0, -1]], closed[:, [0, -1]]
    level = reconstruction(seed, closed, method="erosion")
    return level, level - closed


def cavity_of(hulls: Hulls, height_map: HeightMap) -> Cavity | None:
    """Return the cavity of the largest volume whose opening is at least `MIN_OPENING_M`; None where there is none.

    The opening is the diameter of the largest ball that sinks straight down by half of the depth. Walls that are open
    below, as those of a lampshade, are not visible in a height map: they are detected in horizontal sections.
    """
    level, water = fill_with_water(height_map)
    lakes, count = ndimage.label(water > 0.5 * MIN_DEPTH_M)
    volumes = np.bincount(lakes.ravel(), weights=water.ravel(), minlength=count + 1)[1:] * height_map.cell_m**2
    for number in np.argsort(-volumes, kind="stable") + 1:
        lake = np.where(lakes == number, water, 0.0)
        depth = float(lake.max())
        cell, radius = _largest_disc(lake > 0.5 * depth, height_map.cell_m)
        if depth < MIN_DEPTH_M or 2.0 * radius < MIN_OPENING_M:
            continue
        x, y = height_map.middle_m(cell)
        rim = float(level[cell])
        if not _leaks(hulls, height_map, cell, rim):
            volume = float(volumes[number - 1])
            return Cavity(volume_m3=volume, opening_m=2.0 * radius, depth_m=depth, center_m=(float(x), float(y), rim))
    return None


def _leaks(hulls: Hulls, height_map: HeightMap, cell: tuple[int, int], rim_m: float) -> bool:
    """Return whether a cavity is connected to the outside in a horizontal section at a height of `LEAK_TEST_SHARES`."""
    coarse = COARSE_CELLS * height_map.cell_m
    shape = tuple(-(-count // COARSE_CELLS) + 4 for count in height_map.top_m.shape)
    x, y = (height_map.corner_m[k] + (np.arange(shape[k]) - 1.5) * coarse for k in (0, 1))
    bottom = float(height_map.top_m[cell])
    for share in LEAK_TEST_SHARES:
        open_regions, _ = ndimage.label(
            ~_level_section(hulls, x, y, bottom + share * (rim_m - bottom), grown_m=0.75 * coarse)
        )
        inside = open_regions[cell[0] // COARSE_CELLS + 2, cell[1] // COARSE_CELLS + 2]
        if inside != 0 and inside == open_regions[0, 0]:
            return True
    return False


def _level_section(hulls: Hulls, x: Array, y: Array, z: float, *, grown_m: float) -> Array:
    """Return which points of a horizontal plane are inside a hull or within `grown_m` of it, bool [len(x), len(y)].

    Hulls are enlarged horizontally by more than half a grid cell, so that no thin wall lies between two points.
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


def support_of(height_map: HeightMap) -> Support | None:
    """Return the largest level disc that is uncovered and outside cavities; None where there is none."""
    _, water = fill_with_water(height_map)
    level = (height_map.slope <= MAX_LEVEL_SLOPE) & (water < MIN_DEPTH_M)
    inner = np.array(height_map.top_m.shape) - 5
    min_radius_m = max(MIN_SUPPORT_RADIUS_M, MIN_SUPPORT_SHARE * 0.5 * height_map.cell_m * float(inner.min()))
    best: Support | None = None
    for height in _common_heights(height_map.top_m[level]):
        cell, radius = _largest_disc(
            level & (np.abs(height_map.top_m - height) <= MAX_HEIGHT_DEVIATION_M), height_map.cell_m
        )
        if radius >= min_radius_m and (best is None or radius > best.radius_m):
            x, y = height_map.middle_m(cell)
            best = Support(radius_m=radius, center_m=(float(x), float(y), float(height_map.top_m[cell])))
    return best


def _upper_side(normals: Array, offsets: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Return height and slope of a hull's upper side over a grid [len(x), len(y)]; -inf outside the hull."""
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
    """Return the centre cell and the radius [m] of the largest disc in a region [nx, ny]; radius 0 where it is empty.

    Among discs of equal size the one nearest to their mean is selected.
    """
    room = ndimage.distance_transform_edt(region)
    largest = float(room.max())
    if largest == 0.0:
        return (0, 0), 0.0
    cells = np.argwhere(room >= largest - 0.5)
    middle = cells[np.argmin(((cells - cells.mean(axis=0)) ** 2).sum(axis=1))]
    return (int(middle[0]), int(middle[1])), (float(room[middle[0], middle[1]]) - 0.5) * cell_m


def _common_heights(heights: Array) -> list[float]:
    """Return the up to six most common heights among [n] [m], the most common first."""
    if not len(heights):
        return []
    bins = np.round(heights / MAX_HEIGHT_DEVIATION_M).astype(np.int64)
    values, counts = np.unique(bins, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:6]
    return [float(np.median(heights[bins == value])) for value in values[order]]
