"""Reprojection of one frame's depth into another frame, and surface normals of depth images."""

from __future__ import annotations

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array, Intrinsics, project, unproject

NEAR_M, FAR_M = 0.15, 5.0
"""Range in which a phone's LiDAR is trusted [m]."""
OCCLUSION_M = 0.1
"""Largest depth difference [m] of the same surface: a larger one means that the point is occluded."""

_SAME_PLANE_COSINE = np.cos(np.deg2rad(15.0))
_NORMAL_REACH = 2
"""Distance from the centre to the neighbours used for a normal, in samples: at 64 columns some 3 cm at 0.8 m, five
times the noise."""


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
    """Return predicted minus measured depth [poses, n] [m]; NaN where there is no measurement.

    `points` [n, 3] are transformed into the frame by each of the poses `frame_from_points` [poses, 4, 4].
    """
    moved = np.einsum("hij,nj->hni", frame_from_points[:, :3, :3], points) + frame_from_points[:, None, :3, 3]
    pixels, z = project(moved, frame.depth_camera)
    height, width = frame.depth_m.shape
    with np.errstate(invalid="ignore"):
        inside: Array = np.all((pixels > -0.5) & (pixels < np.array([width, height]) - 0.5), axis=-1)
    column, row = np.rint(np.where(inside[..., None], pixels, 0.0)).astype(int).transpose(2, 0, 1)
    measured = frame.depth_m[row, column]
    is_known = inside & (measured > 0.0) & (frame.confidence[row, column] >= 1)
    return np.where(is_known, z - measured, np.nan)


def surface_normals(depth_m: Array, camera: Intrinsics, *, columns: int) -> tuple[Array, Array, Intrinsics]:
    """Return camera-frame points and normals, both [h, w, 3], of the image reduced to about `columns`, and its camera.

    Blocks of pixels are averaged against noise. A normal faces the camera; it is 0 where the samples on both sides
    do not lie on one plane with the middle one, within 15°.
    """
    small, reduced = _block_mean(np.where(np.isfinite(depth_m), depth_m, 0.0), camera, max(1, camera.width // columns))
    points = unproject(small, reduced)
    normals = np.zeros_like(points)
    height, width = points.shape[:2]
    if height <= 2 * _NORMAL_REACH or width <= 2 * _NORMAL_REACH:
        return points, normals, reduced
    rows, across = slice(_NORMAL_REACH, -_NORMAL_REACH), slice(_NORMAL_REACH, -_NORMAL_REACH)
    middle = points[rows, across]
    below, above = points[2 * _NORMAL_REACH :, across], points[: -2 * _NORMAL_REACH, across]
    right, left = points[rows, 2 * _NORMAL_REACH :], points[rows, : -2 * _NORMAL_REACH]
    ahead = _normalise(np.cross(below - middle, right - middle))
    behind = _normalise(np.cross(above - middle, left - middle))
    all_known = np.stack([part[..., 2] for part in (middle, below, above, right, left)]).min(axis=0) > 0
    flat = all_known & (np.sum(ahead * behind, axis=-1) > _SAME_PLANE_COSINE)
    mean = _normalise(ahead + behind)
    mean = -mean * np.sign(np.sum(mean * middle, axis=-1, keepdims=True))
    normals[rows, across] = np.where(flat[..., None], mean, 0.0)
    return points, normals, reduced


def _block_mean(depth_m: Array, camera: Intrinsics, step: int) -> tuple[Array, Intrinsics]:
    """Return the mean of blocks of `step`×`step` pixels, and the camera; a block that is half unknown becomes 0."""
    width, height = camera.width // step, camera.height // step
    blocks = depth_m[: height * step, : width * step].reshape(height, step, width, step)
    known_counts = (blocks > 0.0).sum(axis=(1, 3))
    small = np.where(2 * known_counts > step * step, blocks.sum(axis=(1, 3)) / np.maximum(known_counts, 1), 0.0)
    reduced = Intrinsics(
        width=width,
        height=height,
        fx=camera.fx / step,
        fy=camera.fy / step,
        cx=(camera.cx + 0.5) / step - 0.5,
        cy=(camera.cy + 0.5) / step - 0.5,
    )
    return small, reduced


def _normalise(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0.0, lengths, 1.0))
