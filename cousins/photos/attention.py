"""Viewing focus of a set of photos: the point that all cameras look at, and the radius of reliable depth around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cousins.geometry import Array, Intrinsics, transform, unproject

FOCUS_RADIUS_SHARE = 0.75
"""Focus radius as a share of the camera distance; farther away the views have little parallax."""
MIN_INWARD_COSINE = 0.85
"""Least mean cosine between viewing directions and the focus: below, the cameras look around, not at one place."""


def viewing_focus(poses: Sequence[Array]) -> tuple[Array, float] | None:
    """Return the point [3] that cameras with `poses` [4, 4] look at, and the focus radius [m]; None without a focus."""
    centers = np.stack([pose[:3, 3] for pose in poses])
    directions = np.stack([pose[:3, 2] for pose in poses])
    projections = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    total = projections.sum(axis=0)
    if np.linalg.eigvalsh(total)[0] < 0.01 * len(poses):
        return None
    middle = np.linalg.solve(total, (projections @ centers[:, :, None]).sum(axis=0)[:, 0])
    offsets = middle - centers
    distances = np.linalg.norm(offsets, axis=1)
    if float(np.mean(np.sum(directions * offsets, axis=1) / np.maximum(distances, 1e-9))) < MIN_INWARD_COSINE:
        return None
    return middle, FOCUS_RADIUS_SHARE * float(np.median(distances))


def crop_depth_to_focus(
    depth: Array, camera: Intrinsics, world_from_camera: Array, middle: Array, reach: float
) -> Array:
    """Return the depth [h, w], float32, with 0 where the surface is farther than `reach` [m] from `middle` [3]."""
    points = transform(world_from_camera, unproject(depth, camera))
    return np.where(np.linalg.norm(points - middle, axis=-1) <= reach, depth, np.float32(0.0)).astype(np.float32)
