"""What photos are about: the place that all of them look at, and how far around it they tell reliably."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cousins.geometry import Array, Intrinsics, transform, unproject

REACH = 0.75
"""Part of the distance to the cameras around the middle that belongs to it; farther away the views hardly differ."""
INWARD = 0.85
"""Least mean cosine between looking and the common place: below, the photos look around, not at something."""


def attended(poses: Sequence[Array]) -> tuple[Array, float] | None:
    """Return the place [3] that cameras look at and how far around it they tell [m]; None where they look around."""
    eyes = np.stack([pose[:3, 3] for pose in poses])
    looks = np.stack([pose[:3, 2] for pose in poses])
    across = np.eye(3) - looks[:, :, None] * looks[:, None, :]
    total = across.sum(axis=0)
    if np.linalg.eigvalsh(total)[0] < 0.01 * len(poses):
        return None
    middle = np.linalg.solve(total, (across @ eyes[:, :, None]).sum(axis=0)[:, 0])
    away = middle - eyes
    distances = np.linalg.norm(away, axis=1)
    if float(np.mean(np.sum(looks * away, axis=1) / np.maximum(distances, 1e-9))) < INWARD:
        return None
    return middle, REACH * float(np.median(distances))


def nearby(depth: Array, camera: Intrinsics, world_from_camera: Array, middle: Array, reach: float) -> Array:
    """Return the depth [h, w] without what lies farther than `reach` from the middle [3]."""
    points = transform(world_from_camera, unproject(depth, camera))
    return np.where(np.linalg.norm(points - middle, axis=-1) <= reach, depth, np.float32(0.0)).astype(np.float32)
