"""Consistency filter of multi-view stereo: keep depths that other views confirm, averaged over these views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cousins.geometry import Array, Intrinsics, invert, project, transform, unproject

MAX_ROUND_TRIP_PX = 1.0
"""Largest round-trip reprojection error through another view for the two depths to agree [px of the depth image]."""
MAX_RELATIVE_DIFFERENCE = 0.01
"""Largest relative difference of agreeing depths."""
MIN_AGREEING_VIEWS, HIGH_CONFIDENCE_VIEWS = 2, 3
"""Other views that must agree for medium and for high confidence."""
MAX_COST = 0.6
"""Largest matching cost (1 − ZNCC) of a depth that is kept."""
MAX_NEIGHBOUR_STEP = 0.03
"""Largest relative depth difference of neighbouring pixels of one surface."""
MIN_ISLAND_PX = 60
"""Smallest connected surface that is kept [px]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DepthMap:
    """Depth image that several views confirm."""

    camera: Intrinsics
    """Camera of the depth image."""
    depth: Array
    """Planar depth in the unit of the poses, float32 [h, w]; 0 = unknown."""
    confidence: Array
    """0 unknown, 1 two other views agree, 2 three or more; uint8 [h, w]."""


def fuse_consistent_depths(
    depths: Mapping[int, Array],
    costs: Mapping[int, Array],
    cameras: Mapping[int, Intrinsics],
    poses: Mapping[int, Array],
    neighbours: Sequence[Sequence[int]],
) -> dict[int, DepthMap]:
    """Return the depth that other views confirm, by view.

    By view: `depths` and `costs` [h, w], `cameras`, and `poses` (`world_from_camera` [4, 4]); `neighbours` lists the
    views that each view is compared with.
    """
    depth_maps = {}
    for index, depth in depths.items():
        total = 1.0 / depth.astype(np.float64)
        count = np.zeros(depth.shape, dtype=np.int64)
        for other in neighbours[index]:
            inverse = _consistent_inverse_depth(depth, depths[other], cameras, poses, index, other)
            agrees = inverse > 0.0
            total += inverse
            count += agrees
        mean = ((count + 1) / total).astype(np.float32)
        least = min(MIN_AGREEING_VIEWS, max(1, len(neighbours[index])))
        consistent = _remove_islands(np.where((count >= least) & (costs[index] < MAX_COST), mean, np.float32(0.0)))
        confidence = np.where(consistent > 0.0, np.where(count >= HIGH_CONFIDENCE_VIEWS, 2, 1), 0).astype(np.uint8)
        depth_maps[index] = DepthMap(camera=cameras[index], depth=consistent, confidence=confidence)
    return depth_maps


def _consistent_inverse_depth(
    depth: Array,
    other_depth: Array,
    cameras: Mapping[int, Intrinsics],
    poses: Mapping[int, Array],
    index: int,
    other: int,
) -> Array:
    """Return the inverse depth [h, w] of each pixel according to another view; 0 where it disagrees or has no depth."""
    camera, other_camera = cameras[index], cameras[other]
    other_from_camera = invert(poses[other]) @ poses[index]
    pixels, _ = project(transform(other_from_camera, unproject(depth, camera)), other_camera)
    with np.errstate(invalid="ignore"):
        inside = np.all((pixels > -0.5) & (pixels < np.array([other_camera.width, other_camera.height]) - 0.5), axis=-1)
    cells = np.where(inside[..., None], pixels, 0.0)
    column, row = np.rint(cells).astype(int).transpose(2, 0, 1)
    z = other_depth[row, column].astype(np.float64)
    rays = np.stack(
        [
            (cells[..., 0] - other_camera.cx) / other_camera.fx,
            (cells[..., 1] - other_camera.cy) / other_camera.fy,
            np.ones_like(z),
        ],
        axis=-1,
    )
    pixels_back, back_z = project(transform(invert(other_from_camera), rays * z[..., None]), camera)
    grid = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), axis=-1)
    with np.errstate(invalid="ignore"):
        close = np.linalg.norm(pixels_back - grid, axis=-1) < MAX_ROUND_TRIP_PX
        agrees = inside & close & (np.abs(back_z - depth) < MAX_RELATIVE_DIFFERENCE * depth)
    return np.where(agrees, 1.0 / np.where(agrees, back_z, 1.0), 0.0)


def _remove_islands(depth: Array) -> Array:
    """Return the depth [h, w] without connected surfaces smaller than `MIN_ISLAND_PX`."""
    height, width = depth.shape
    number = np.arange(height * width).reshape(height, width)
    links = []
    for before, after in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        near, far = depth[before], depth[after]
        joined = (near > 0.0) & (far > 0.0) & (np.abs(near - far) < MAX_NEIGHBOUR_STEP * np.minimum(near, far))
        links.append(np.stack([number[before][joined], number[after][joined]]))
    first, second = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(len(first), dtype=np.int8), (first, second)), shape=(height * width,) * 2)
    _, island = connected_components(graph, directed=False)
    large = np.bincount(island) >= MIN_ISLAND_PX
    return np.where(large[island].reshape(height, width), depth, np.float32(0.0))
