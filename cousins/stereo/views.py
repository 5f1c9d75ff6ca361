"""Images of known pose, and selection of the views that each is matched with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array, Intrinsics

BEST_ANGLE_RAD = np.deg2rad(12.0)
"""Triangulation angle that gives the best depth: at wider angles views look too different, narrower ones are less
accurate."""
SPREAD_BELOW_RAD, SPREAD_ABOVE_RAD = np.deg2rad(5.0), np.deg2rad(14.0)
"""Standard deviations of the pair score below and above the best angle."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StereoView:
    """An image of known pose with the sparse points visible in it."""

    gray: Array
    """Brightness 0..1, float32 [h, w]."""
    camera: Intrinsics
    """Its camera, without distortion."""
    world_from_camera: Array
    """Pose, float64 [4, 4], OpenCV axes."""
    points: Array
    """Indices of the sparse points visible in it, ascending, int [n]."""


def neighbours(views: Sequence[StereoView], points: Array, *, max_count: int) -> list[list[int]]:
    """Return for each view the indices of the views that see the same points [n, 3] from a good angle, best first."""
    centers = np.stack([view.world_from_camera[:3, 3] for view in views])
    neighbour_lists = []
    for index, view in enumerate(views):
        scores = [
            0.0 if other == index else _score(points, centers[[index, other]], view, views[other])
            for other in range(len(views))
        ]
        order = sorted(range(len(views)), key=lambda other: (-scores[other], other))
        neighbour_lists.append([other for other in order[:max_count] if scores[other] > 0.0])
    return neighbour_lists


def depth_range(view: StereoView, points: Array) -> tuple[float, float] | None:
    """Return the least and greatest depth to search, from the points [n, 3] that the view shows.

    Returns None where it shows fewer than five.
    """
    if len(view.points) < 5:
        return None
    rotation, center = view.world_from_camera[:3, :3], view.world_from_camera[:3, 3]
    z = (points[view.points] - center) @ rotation[:, 2]
    near, far = np.quantile(z[z > 0.0], [0.01, 0.99])
    return 0.75 * float(near), 1.5 * float(far)


def _score(points: Array, centers: Array, first: StereoView, second: StereoView) -> float:
    common = points[np.intersect1d(first.points, second.points, assume_unique=True)]
    if len(common) < 5:
        return 0.0
    rays = common[:, None] - centers[None]
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    angle_offset = np.arccos(np.clip(np.sum(rays[:, 0] * rays[:, 1], axis=-1), -1.0, 1.0)) - BEST_ANGLE_RAD
    spread = np.where(angle_offset < 0.0, SPREAD_BELOW_RAD, SPREAD_ABOVE_RAD)
    return float(np.exp(-0.5 * (angle_offset / spread) ** 2).sum())
