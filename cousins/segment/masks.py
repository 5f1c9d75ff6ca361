"""Objects in space back to masks by frame: each depth pixel takes the label of the nearest labelled point."""

from __future__ import annotations

import itertools

import numpy as np
from numba import njit

from cousins.capture.captures import Frame
from cousins.geometry import Array, invert, transform, unproject
from cousins.segment.surfaces.surface import NOISE_FLOOR_M, NOISE_PER_M
from cousins.segment.surfaces.voxel_map import codes_of

MIN_PIXELS = 8
"""Least pixels of an object in a frame: fewer are not told from noise."""
RIVAL_M = 0.1
"""Twice the distance at which a point and a pixel may agree at 2 m [m]: nothing further off competes."""


def label_frame(frame: Frame, points: Array, labels: Array, *, voxel_m: float) -> Array:
    """Return the label [h, w] of each depth pixel: that of the nearest of the points [n, 3], -1 where none agrees.

    A point agrees within its voxel and three standard deviations of the depth noise, so that edge and
    low-confidence pixels of an object count and flying pixels do not.
    """
    camera = frame.depth_camera
    local = np.ascontiguousarray(transform(invert(frame.world_from_camera), points))
    return np.asarray(
        _nearest_labels(
            local,
            np.ascontiguousarray(labels, dtype=np.int64),
            np.ascontiguousarray(unproject(frame.depth_m, camera)),
            np.array([camera.fx, camera.fy, camera.cx, camera.cy]),
            voxel_m,
        )
    )


def rivals(rest: Array, points: Array) -> Array:
    """Return those of the points [r, 3] that can be nearer to a pixel of an object than its own points [n, 3]."""
    if len(points) == 0:
        return rest[:0]
    near = np.unique(codes_of(np.floor(points / RIVAL_M).astype(np.int64)))
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    cells, inverse = np.unique(np.floor(rest / RIVAL_M).astype(np.int64), axis=0, return_inverse=True)
    beside = np.asarray(np.isin(codes_of(cells[:, None, :] + steps[None]), near)).any(axis=1)
    return np.asarray(rest[np.asarray(beside)[inverse.ravel()]])


def masks_of(frame: Frame, labels: Array) -> dict[int, Array]:
    """Return the mask of each object in a label image [h, w] that has enough pixels there."""
    seen = (labels >= 0) & (frame.depth_m > 0.0)
    counts = np.bincount(labels[seen], minlength=1)
    return {int(k): seen & (labels == k) for k in np.flatnonzero(counts >= MIN_PIXELS)}


def cut_by_border(mask: Array) -> bool:
    """Tell whether an object is cut off by the edge of the image: it holds two pixels in a row of the outermost."""
    sides = (mask[1], mask[-2], mask[:, 1], mask[:, -2])
    return any(bool((side[1:] & side[:-1]).any()) for side in sides)


@njit(cache=True)
def _nearest_labels(points, labels, seen, camera, voxel):  # type: ignore[no-untyped-def]
    height, width = seen.shape[0], seen.shape[1]
    out = np.full((height, width), -1, np.int64)
    best = np.full((height, width), np.inf)
    for p in range(points.shape[0]):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        if z <= 0.05:
            continue
        u = x / z * camera[0] + camera[2]
        v = y / z * camera[1] + camera[3]
        reach = 1.5 * voxel / z * camera[0] + 0.5
        if u < -reach or v < -reach or u > width - 1 + reach or v > height - 1 + reach:
            continue
        limit = 1.5 * voxel + 3.0 * (NOISE_FLOOR_M + NOISE_PER_M * z)
        for r in range(max(0, int(np.ceil(v - reach))), min(height - 1, int(np.floor(v + reach))) + 1):
            for c in range(max(0, int(np.ceil(u - reach))), min(width - 1, int(np.floor(u + reach))) + 1):
                if seen[r, c, 2] <= 0.0:
                    continue
                dx, dy, dz = seen[r, c, 0] - x, seen[r, c, 1] - y, seen[r, c, 2] - z
                distance = np.sqrt(dx * dx + dy * dy + dz * dz)
                if distance < limit and distance < best[r, c]:
                    best[r, c] = distance
                    out[r, c] = labels[p]
    return out
