"""Inpaint texels that no view observed, from their surroundings on the surface or in the texture image."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import ndimage
from scipy.spatial import cKDTree

from cousins.geometry import Array

CELL_M = 0.004
"""Side of the cells in which observed colours are averaged [m]."""
FILL_CELL_M = 0.004
"""Side of the cells that are filled with one colour [m]; its steps are too small to see."""
NEIGHBOURS = 4
"""Number of cells that are mixed, by the inverse square of their distance."""
_KEY_BITS = 21
"""Bits of a cell's number along one axis: 8 km of cells of `CELL_M`."""


def fill_on_surface(points: Array, colors: Array, is_seen: Array) -> None:
    """Colour unobserved texels in place by the nearest cells of observed ones.

    Points [n, 3] [m], colours uint8 [n, 3], is_seen bool [n]; for a surface in many charts, on which neighbours
    in the picture need not be neighbours in space.
    """
    if is_seen.all() or not is_seen.any():
        return
    origin = points.min(axis=0)
    cells, owner = _cell_centers(points[is_seen] - origin, CELL_M)
    counts = np.bincount(owner)
    seen_colors = colors[is_seen]
    means = np.stack([np.bincount(owner, seen_colors[:, channel]) / counts for channel in range(3)], axis=1)
    unseen_cells, place = _cell_centers(points[~is_seen] - origin, FILL_CELL_M)
    near = min(NEIGHBOURS, len(cells))
    distance, index = cKDTree(cells).query(unseen_cells, k=near)
    weight = 1.0 / (distance.reshape(-1, near) ** 2 + (CELL_M / 2.0) ** 2)
    mixed = np.einsum("nk,nkc->nc", weight, means[index.reshape(-1, near)]) / weight.sum(axis=1, keepdims=True)
    colors[~is_seen] = np.rint(mixed).astype(np.uint8)[place]


def fill_in_image(texture: Array, is_known: Array) -> Array:
    """Return a texture uint8 [s, s, 3], s a power of two, with unknown texels filled smoothly.

    Push-pull over a pyramid (Gortler et al., The Lumigraph, SIGGRAPH 1996): coarse levels average
    known texels, finer ones are filled from them.
    """
    if is_known.all() or not is_known.any():
        return texture
    levels: list[tuple[Array, Array]] = [
        (texture.astype(np.float32) * is_known[..., None], is_known.astype(np.float32))
    ]
    while levels[-1][1].shape[0] > 1:
        color, weight = (_sum_blocks(array) for array in levels[-1])
        share = np.minimum(weight, 1.0)
        levels.append((color * (share / np.maximum(weight, 1e-9))[..., None], share))
    filled = levels[-1][0]
    for color, weight in reversed(levels[:-1]):
        finer = ndimage.zoom(filled, (2, 2, 1), order=1, grid_mode=True, mode="nearest")
        filled = color + (1.0 - weight[..., None]) * finer
    return np.where(is_known[..., None], texture, np.rint(np.clip(filled, 0.0, 255.0)).astype(np.uint8))


def fill_gutters(texture: Array, covered: Array) -> Array:
    """Return a texture uint8 [h, w, 3] whose uncovered texels take the colour of a near covered one, bool [h, w]."""
    if covered.all() or not covered.any():
        return texture
    source = nearest_covered(covered)
    return np.asarray(texture.reshape(-1, texture.shape[2])[source])


@njit(cache=True)
def nearest_covered(covered: Array) -> Array:
    """Return for each cell of a raster the flat index of a near covered one, int64 [h, w].

    Two sweeps propagate the nearest known source (Danielsson's distance map, 1980): exact but for a few cells.
    """
    height, width = covered.shape
    source = np.full((height, width), -1, dtype=np.int64)
    squares = np.full((height, width), 2 * (height * height + width * width), dtype=np.int64)
    for row in range(height):
        for column in range(width):
            if covered[row, column]:
                source[row, column] = row * width + column
                squares[row, column] = 0
    for step in (1, -1):
        for r in range(height):
            row = r if step == 1 else height - 1 - r
            for turn in (1, -1):
                for c in range(width):
                    column = c if turn == 1 else width - 1 - c
                    _take_source(source, squares, row, column, row - step, column)
                    _take_source(source, squares, row, column, row, column - turn)
    return source


@njit(cache=True)
def _take_source(source: Array, squares: Array, row: int, column: int, from_row: int, from_column: int) -> None:
    """Copy a neighbour's source to a cell where it is nearer than its current one."""
    height, width = source.shape
    if squares[row, column] == 0 or not (0 <= from_row < height and 0 <= from_column < width):
        return
    if source[from_row, from_column] < 0:
        return
    candidate = source[from_row, from_column]
    down, across = row - candidate // width, column - candidate % width
    square = down * down + across * across
    if square < squares[row, column]:
        squares[row, column] = square
        source[row, column] = candidate


def _cell_centers(points: Array, side_m: float) -> tuple[Array, Array]:
    """Return the middles [m] [k, 3] of the cells that points [n, 3] of at least 0 fall into, and each point's cell."""
    numbers = np.floor(points / side_m).astype(np.int64)
    keys = (numbers[:, 0] << 2 * _KEY_BITS) | (numbers[:, 1] << _KEY_BITS) | numbers[:, 2]
    _, first, owner = np.unique(keys, return_index=True, return_inverse=True)
    return (numbers[first] + 0.5) * side_m, owner


def _sum_blocks(array: Array) -> Array:
    size = array.shape[0] // 2
    return np.asarray(array.reshape(size, 2, size, 2, *array.shape[2:]).sum(axis=(1, 3)))
