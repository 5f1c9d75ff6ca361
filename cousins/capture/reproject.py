"""Depth of one frame carried into another: the ground on which poses and conventions are judged."""

from __future__ import annotations

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array, project, unproject

NEAR_M, FAR_M = 0.15, 5.0
"""Range in which a phone's LiDAR is trusted [m]."""
OCCLUSION_M = 0.1
"""A larger difference [m] is taken for a point that is hidden in the other frame."""


def trusted_pixels(frame: Frame) -> Array:
    """Return the flat indices [n] of pixels whose depth is in range and not of low confidence."""
    return np.flatnonzero((frame.depth_m > NEAR_M) & (frame.depth_m < FAR_M) & (frame.confidence >= 1))


def sample_points(frame: Frame, count: int, rng: np.random.Generator) -> Array:
    """Return at most `count` camera-frame points [n, 3] [m] of trusted depth."""
    pixels = trusted_pixels(frame)
    if len(pixels) > count:
        pixels = rng.choice(pixels, count, replace=False)
    return np.asarray(unproject(frame.depth_m, frame.depth_camera).reshape(-1, 3)[pixels])


def depth_errors_m(points: Array, frame_from_points: Array, frame: Frame) -> Array:
    """Return predicted minus measured depth [poses, n] [m]; NaN where nothing was measured.

    `points` [n, 3] are carried into the frame by each of the poses `frame_from_points` [poses, 4, 4].
    """
    moved = np.einsum("hij,nj->hni", frame_from_points[:, :3, :3], points) + frame_from_points[:, None, :3, 3]
    pixels, z = project(moved, frame.depth_camera)
    height, width = frame.depth_m.shape
    with np.errstate(invalid="ignore"):
        inside: Array = np.all((pixels > -0.5) & (pixels < np.array([width, height]) - 0.5), axis=-1)
    column, row = np.rint(np.where(inside[..., None], pixels, 0.0)).astype(int).transpose(2, 0, 1)
    measured = frame.depth_m[row, column]
    known = inside & (measured > 0.0) & (frame.confidence[row, column] >= 1)
    return np.where(known, z - measured, np.nan)
