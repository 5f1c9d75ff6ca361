"""Pictures of known pose, and which of them to compare with which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array, Intrinsics

BEST_ANGLE_RAD = np.deg2rad(12.0)
"""Angle between two views at which they tell depth best: wider ones look too different, narrower ones measure less."""
SPREAD_BELOW_RAD, SPREAD_ABOVE_RAD = np.deg2rad(5.0), np.deg2rad(14.0)
"""How fast the use of a pair falls off below and above it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """A picture of known pose with the sparse points it shows."""

    gray: Array
    """Brightness 0..1, float32 [h, w]."""
    camera: Intrinsics
    """Its camera, without distortion."""
    world_from_camera: Array
    """Pose, float64 [4, 4], OpenCV axes."""
    points: Array
    """Numbers of the points it shows, ascending, int [n]."""


def neighbours(views: Sequence[View], points: Array, *, most: int) -> list[list[int]]:
    """Return for each view those that see the same points [n, 3] from a good angle, best first."""
    centers = np.stack([view.world_from_camera[:3, 3] for view in views])
    found = []
    for index, view in enumerate(views):
        scores = [
            0.0 if other == index else _score(points, centers[[index, other]], view, views[other])
            for other in range(len(views))
        ]
        order = sorted(range(len(views)), key=lambda other: (-scores[other], other))
        found.append([other for other in order[:most] if scores[other] > 0.0])
    return found


def depth_range(view: View, points: Array) -> tuple[float, float] | None:
    """Return least and greatest depth to search, by the points that the view shows; None where it shows too few."""
    if len(view.points) < 5:
        return None
    rotation, center = view.world_from_camera[:3, :3], view.world_from_camera[:3, 3]
    z = (points[view.points] - center) @ rotation[:, 2]
    near, far = np.quantile(z[z > 0.0], [0.01, 0.99])
    return 0.75 * float(near), 1.5 * float(far)


def _score(points: Array, centers: Array, first: View, second: View) -> float:
    common = points[np.intersect1d(first.points, second.points, assume_unique=True)]
    if len(common) < 5:
        return 0.0
    rays = common[:, None] - centers[None]
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    off = np.arccos(np.clip(np.sum(rays[:, 0] * rays[:, 1], axis=-1), -1.0, 1.0)) - BEST_ANGLE_RAD
    spread = np.where(off < 0.0, SPREAD_BELOW_RAD, SPREAD_ABOVE_RAD)
    return float(np.exp(-0.5 * (off / spread) ** 2).sum())
