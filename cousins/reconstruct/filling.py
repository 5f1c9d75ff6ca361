"""Colours for texels that no view saw: from their surroundings on the surface, or in the picture."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from cousins.geometry import Array

CELL_M = 0.004
"""Side of the cells whose mean colours stand for what was seen [m]."""
NEIGHBOURS = 6
"""Cells that are mixed, by the inverse square of their distance."""


def fill_on_surface(points: Array, colors: Array, seen: Array) -> None:
    """Colour unseen texels in place by the nearest cells of seen ones.

    Points [n, 3] [m], colours uint8 [n, 3], seen bool [n]; for a surface in many charts, on which neighbours
    in the picture are no neighbours in space.
    """
    if seen.all() or not seen.any():
        return
    cells, owner = np.unique(np.floor(points[seen] / CELL_M).astype(np.int64), axis=0, return_inverse=True)
    counts = np.bincount(owner)
    means = np.stack([np.bincount(owner, colors[seen][:, channel]) / counts for channel in range(3)], axis=1)
    near = min(NEIGHBOURS, len(cells))
    distance, index = cKDTree((cells + 0.5) * CELL_M).query(points[~seen], k=near)
    weight = 1.0 / (distance.reshape(-1, near) ** 2 + (CELL_M / 2.0) ** 2)
    mixed = np.einsum("nk,nkc->nc", weight, means[index.reshape(-1, near)]) / weight.sum(axis=1, keepdims=True)
    colors[~seen] = np.rint(mixed).astype(np.uint8)


def fill_in_picture(texture: Array, known: Array) -> Array:
    """Return a texture uint8 [s, s, 3], s a power of two, with unknown texels filled smoothly.

    Push-pull over a pyramid (Gortler et al., The Lumigraph, SIGGRAPH 1996): coarse levels average what
    is known, finer ones take from them what they lack.
    """
    if known.all() or not known.any():
        return texture
    levels: list[tuple[Array, Array]] = [(texture.astype(np.float32) * known[..., None], known.astype(np.float32))]
    while levels[-1][1].shape[0] > 1:
        color, weight = (_halved(array) for array in levels[-1])
        share = np.minimum(weight, 1.0)
        levels.append((color * (share / np.maximum(weight, 1e-9))[..., None], share))
    filled = levels[-1][0]
    for color, weight in reversed(levels[:-1]):
        finer = ndimage.zoom(filled, (2, 2, 1), order=1, grid_mode=True, mode="nearest")
        filled = color + (1.0 - weight[..., None]) * finer
    return np.where(known[..., None], texture, np.rint(np.clip(filled, 0.0, 255.0)).astype(np.uint8))


def fill_gutters(texture: Array, covered: Array) -> Array:
    """Return a texture whose uncovered texels take the colour of the nearest covered one."""
    rows, columns = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return np.asarray(texture[rows, columns])


def _halved(array: Array) -> Array:
    size = array.shape[0] // 2
    return np.asarray(array.reshape(size, 2, size, 2, *array.shape[2:]).sum(axis=(1, 3)))
