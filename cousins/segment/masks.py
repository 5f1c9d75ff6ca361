"""Project labelled points to masks by frame: each depth pixel takes the label of the nearest labelled point."""

from __future__ import annotations

import itertools

import numpy as np
from numba import njit

from cousins.capture.captures import Frame
from cousins.geometry import Array, invert, transform, unproject
from cousins.segment.frame_masks import PackedMask, pack_labels
from cousins.segment.surfaces.surface import NOISE_FLOOR_M, NOISE_PER_M
from cousins.segment.surfaces.voxel_map import voxel_codes

MIN_MASK_PIXELS = 8
"""Fewest pixels of an object in a frame; fewer are noise."""
COMPETING_DISTANCE_M = 0.1
"""Distance beyond which a point cannot compete for an object's pixel [m]: twice the matching distance at 2 m."""


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


def competing_points(other_points: Array, points: Array) -> Array:
    """Return those of the points [r, 3] that can be nearer to a pixel of an object than its own points [n, 3]."""
    if len(points) == 0:
        return other_points[:0]
    near_codes = np.unique(voxel_codes(np.floor(points / COMPETING_DISTANCE_M).astype(np.int64)))
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    cells, inverse = np.unique(
        np.floor(other_points / COMPETING_DISTANCE_M).astype(np.int64), axis=0, return_inverse=True
    )
    is_near = np.asarray(np.isin(voxel_codes(cells[:, None, :] + steps[None]), near_codes)).any(axis=1)
    return np.asarray(other_points[np.asarray(is_near)[inverse.ravel()]])


def masks_by_object(frame: Frame, labels: Array) -> dict[int, PackedMask]:
    """Return the mask of each object in a label image [h, w] that has enough pixels there, packed."""
    is_labelled = (labels >= 0) & (frame.depth_m > 0.0)
    return pack_labels(np.where(is_labelled, labels, -1), min_pixels=MIN_MASK_PIXELS)


def is_cut_by_border(mask: Array) -> bool:
    """Return whether a mask [h, w] is cut off by the image edge: two adjacent pixels lie in a border row or column."""
    sides = (mask[1], mask[-2], mask[:, 1], mask[:, -2])
    return any(bool((side[1:] & side[:-1]).any()) for side in sides)


@njit(cache=True, nogil=True)
def _nearest_labels(points, labels, pixel_points, camera, voxel):  # type: ignore[no-untyped-def]
    height, width = pixel_points.shape[0], pixel_points.shape[1]
    out = np.full((height, width), -1, np.int64)
    best = np.full((height, width), np.inf)
    for p in range(points.shape[0]):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        if z <= 0.05:
            continue
        u = x / z * camera[0] + camera[2]
        v = y / z * camera[1] + camera[3]
        radius_px = 1.5 * voxel / z * camera[0] + 0.5
        if u < -radius_px or v < -radius_px or u > width - 1 + radius_px or v > height - 1 + radius_px:
            continue
        limit = 1.5 * voxel + 3.0 * (NOISE_FLOOR_M + NOISE_PER_M * z)
        for r in range(max(0, int(np.ceil(v - radius_px))), min(height - 1, int(np.floor(v + radius_px))) + 1):
            for c in range(max(0, int(np.ceil(u - radius_px))), min(width - 1, int(np.floor(u + radius_px))) + 1):
                if pixel_points[r, c, 2] <= 0.0:
                    continue
                dx, dy, dz = pixel_points[r, c, 0] - x, pixel_points[r, c, 1] - y, pixel_points[r, c, 2] - z
                distance = np.sqrt(dx * dx + dy * dy + dz * dz)
                if distance < limit and distance < best[r, c]:
                    best[r, c] = distance
                    out[r, c] = labels[p]
    return out
