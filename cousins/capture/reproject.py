"""Depth of one frame carried into another: the ground on which poses and conventions are judged."""

from __future__ import annotations

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array, Intrinsics, project, unproject

NEAR_M, FAR_M = 0.15, 5.0
"""Range in which a phone's LiDAR is trusted [m]."""
OCCLUSION_M = 0.1
"""A larger difference [m] is taken for a point that is hidden in the other frame."""

_SAME_PLANE = np.cos(np.deg2rad(10.0))


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


def surface(depth_m: Array, camera: Intrinsics, *, columns: int) -> tuple[Array, Array, int]:
    """Return camera-frame points and normals, both [h, w, 3], of every n-th pixel, and n.

    About `columns` samples lie across the image. A normal faces the camera; it is 0 where the samples on both sides
    do not lie on one plane with the middle one, within 10°.
    """
    stride = max(1, camera.width // columns)
    points = unproject(np.where(np.isfinite(depth_m), depth_m, 0.0), camera)[::stride, ::stride]
    normals = np.zeros_like(points)
    middle = points[1:-1, 1:-1]
    ahead = _unit(np.cross(points[2:, 1:-1] - middle, points[1:-1, 2:] - middle))
    behind = _unit(np.cross(points[:-2, 1:-1] - middle, points[1:-1, :-2] - middle))
    z = points[..., 2]
    known = (middle[..., 2] > 0) & (z[2:, 1:-1] > 0) & (z[1:-1, 2:] > 0) & (z[:-2, 1:-1] > 0) & (z[1:-1, :-2] > 0)
    flat = known & (np.sum(ahead * behind, axis=-1) > _SAME_PLANE)
    mean = _unit(ahead + behind)
    mean = -mean * np.sign(np.sum(mean * middle, axis=-1, keepdims=True))
    normals[1:-1, 1:-1] = np.where(flat[..., None], mean, 0.0)
    return points, normals, stride


def _unit(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0.0, lengths, 1.0))
