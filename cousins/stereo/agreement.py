"""Which depths to believe: those that other views found too, averaged with what these say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cousins.geometry import Array, Intrinsics, invert, project, transform, unproject

MAX_BACK_PX = 1.0
"""A point that another view's depth leads back to farther away disagrees [px of the depth image]."""
MAX_RELATIVE = 0.01
"""Largest difference of agreeing depths, as a share."""
LEAST_AGREEING, WELL_AGREEING = 2, 3
"""Other views that must agree for medium and for high confidence."""
MAX_COST = 0.6
"""Greatest 1 − ZNCC of a depth that is kept."""
MAX_STEP = 0.03
"""Neighbours whose depths differ by less, as a share, belong to one surface."""
LEAST_PIXELS = 60
"""Smaller islands are left out."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DepthMap:
    """What several views agree upon."""

    camera: Intrinsics
    """Camera of the depth image."""
    depth: Array
    """Planar depth in the unit of the poses, float32 [h, w]; 0 = unknown."""
    confidence: Array
    """0 unknown, 1 two other views agree, 2 three or more; uint8 [h, w]."""


def agreed(
    depths: Mapping[int, Array],
    costs: Mapping[int, Array],
    cameras: Mapping[int, Intrinsics],
    poses: Mapping[int, Array],
    near: Sequence[Sequence[int]],
) -> dict[int, DepthMap]:
    """Return by view the depth that other views found too; `near` are the views that each is compared with."""
    found = {}
    for index, depth in depths.items():
        total = 1.0 / depth.astype(np.float64)
        count = np.zeros(depth.shape, dtype=np.int64)
        for other in near[index]:
            inverse = _inverse_seen_by(depth, depths[other], cameras, poses, index, other)
            agrees = inverse > 0.0
            total += inverse
            count += agrees
        mean = ((count + 1) / total).astype(np.float32)
        least = min(LEAST_AGREEING, max(1, len(near[index])))
        kept = _without_islands(np.where((count >= least) & (costs[index] < MAX_COST), mean, np.float32(0.0)))
        confidence = np.where(kept > 0.0, np.where(count >= WELL_AGREEING, 2, 1), 0).astype(np.uint8)
        found[index] = DepthMap(camera=cameras[index], depth=kept, confidence=confidence)
    return found


def _inverse_seen_by(
    depth: Array,
    other_depth: Array,
    cameras: Mapping[int, Intrinsics],
    poses: Mapping[int, Array],
    index: int,
    other: int,
) -> Array:
    """Return the inverse depth [h, w] that another view gives to each pixel; 0 where it disagrees or sees nothing."""
    own, foreign = cameras[index], cameras[other]
    other_from_own = invert(poses[other]) @ poses[index]
    pixels, _ = project(transform(other_from_own, unproject(depth, own)), foreign)
    with np.errstate(invalid="ignore"):
        inside = np.all((pixels > -0.5) & (pixels < np.array([foreign.width, foreign.height]) - 0.5), axis=-1)
    cells = np.where(inside[..., None], pixels, 0.0)
    column, row = np.rint(cells).astype(int).transpose(2, 0, 1)
    z = other_depth[row, column].astype(np.float64)
    rays = np.stack(
        [(cells[..., 0] - foreign.cx) / foreign.fx, (cells[..., 1] - foreign.cy) / foreign.fy, np.ones_like(z)], axis=-1
    )
    back, back_z = project(transform(invert(other_from_own), rays * z[..., None]), own)
    grid = np.stack(np.meshgrid(np.arange(own.width), np.arange(own.height)), axis=-1)
    with np.errstate(invalid="ignore"):
        close = np.linalg.norm(back - grid, axis=-1) < MAX_BACK_PX
        agrees = inside & close & (np.abs(back_z - depth) < MAX_RELATIVE * depth)
    return np.where(agrees, 1.0 / np.where(agrees, back_z, 1.0), 0.0)


def _without_islands(depth: Array) -> Array:
    """Return the depth without surfaces of few pixels."""
    height, width = depth.shape
    number = np.arange(height * width).reshape(height, width)
    links = []
    for one, two in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        near, far = depth[one], depth[two]
        joined = (near > 0.0) & (far > 0.0) & (np.abs(near - far) < MAX_STEP * np.minimum(near, far))
        links.append(np.stack([number[one][joined], number[two][joined]]))
    first, second = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(len(first), dtype=np.int8), (first, second)), shape=(height * width,) * 2)
    _, island = connected_components(graph, directed=False)
    large = np.bincount(island) >= LEAST_PIXELS
    return np.where(large[island].reshape(height, width), depth, np.float32(0.0))
