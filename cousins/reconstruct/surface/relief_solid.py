"""Solid of a low object from its height map: upright flanks around its outline, its tops, flat where it lies."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from cousins.geometry import Array
from cousins.reconstruct.surface.view_evidence import VoxelGrid

LAYERS = 5.0
"""Voxels over the height of a low object: its top then keeps its shape."""
VOXEL_M = (0.0006, 0.0015)
"""Smallest and largest edge of a voxel [m]."""
REACH_CELLS = 0.75
"""Distance from a cell's centre up to which is inside [cells]: the corners of cells, at 0.71, leave no gaps."""
MARGIN = 4
"""Voxels around the object."""


def relief_field(
    tops: Array, height_m: Array, *, cell_m: float, base_m: float, max_voxels: int
) -> tuple[Array, VoxelGrid]:
    """Return the signed distance [m], negative inside, of a low object, float32 [x, y, z], and its grid.

    `tops` are the tops of its cells in the world [n, 3], `cell_m` apart; `height_m` [n] are their heights over the
    support, which counts as level at `base_m` [m].
    """
    low, high = tops[:, :2].min(axis=0), tops[:, :2].max(axis=0)
    voxel_m = float(np.clip(np.quantile(height_m, 0.9) / LAYERS, *VOXEL_M))
    extent = np.append(high - low, height_m.max()) + 2 * MARGIN * voxel_m
    voxel_m = max(voxel_m, float((np.prod(extent) / max_voxels) ** (1.0 / 3.0)))
    margin_m = MARGIN * voxel_m + cell_m
    shape = np.ceil((np.append(high - low, height_m.max()) + 2.0 * margin_m) / voxel_m).astype(int) + 1
    origin = np.append(low - margin_m, base_m - (MARGIN - 0.5) * voxel_m)
    grid = VoxelGrid(origin=origin, voxel_m=voxel_m, shape=(int(shape[0]), int(shape[1]), int(shape[2])))
    outside_m, top_m = _outline_and_tops(tops, height_m, grid, cell_m)
    above = grid.centers_m(2)[None, None, :] - base_m
    field = np.maximum(np.maximum(outside_m[..., None], above - top_m[..., None]), -above)
    return field.astype(np.float32), grid


def _outline_and_tops(tops: Array, height_m: Array, grid: VoxelGrid, cell_m: float) -> tuple[Array, Array]:
    """Return the distance from the outline [m], negative inside, and the height of the top [m], both [x, y]."""
    x, y = np.meshgrid(grid.centers_m(0), grid.centers_m(1), indexing="ij")
    distance, nearest = cKDTree(tops[:, :2]).query(np.stack([x.ravel(), y.ravel()], axis=1), k=min(4, len(tops)))
    distance, nearest = (values.reshape(*x.shape, -1) for values in (distance, nearest))
    inside = distance[..., 0] <= REACH_CELLS * cell_m
    outside_m = np.where(
        inside, 0.5 - ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside) - 0.5
    )
    blur = cell_m / grid.voxel_m
    weight = 1.0 / np.maximum(distance, 0.25 * cell_m)
    top_m = (weight * height_m[nearest]).sum(axis=-1) / weight.sum(axis=-1)
    outside_m = (outside_m + (REACH_CELLS - 0.5) * blur) * grid.voxel_m
    return ndimage.gaussian_filter(outside_m, 0.7 * blur), ndimage.gaussian_filter(top_m, blur)
