"""Penetration depth and distance of convex hulls from the facets of their Minkowski difference.

A and B intersect exactly where A - B = {a - b} contains the origin, so its facets give the penetration depth, the
shortest separating translation along a direction, the heights of contact in a vertical fall, and the distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from cousins.errors import StageError
from cousins.geometry import Array, transform

PARALLEL_TOLERANCE: Final = 1e-9
"""Facet normals with a smaller component along a direction count as parallel to it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hull:
    """A convex polytope."""

    points: Array
    """Corners [m], float64 [n, 3]."""
    normals: Array
    """Distinct outward unit normals of its facets, float64 [m, 3]."""
    low: Array
    """Lower corner of its axis-aligned box [m], float64 [3]."""
    high: Array
    """Upper corner of its axis-aligned box [m], float64 [3]."""

    def transformed(self, a_from_b: Array) -> Hull:
        """Return the hull transformed by a rigid pose [4, 4]."""
        return _hull(transform(a_from_b, self.points), self.normals @ a_from_b[:3, :3].T)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MinkowskiDifference:
    """The Minkowski difference A - B: points d with `normals · d ≤ offsets`."""

    normals: Array
    """Outward unit normals, float64 [m, 3]."""
    offsets: Array
    """Distance of each facet's plane from the origin along its normal [m], float64 [m]."""
    triangles: Array
    """Corners of its facets [m], float64 [m, 3, 3]."""

    @property
    def depth_m(self) -> float:
        """Length of the shortest translation that separates A and B [m]; negative where they are apart."""
        return float(self.offsets.min())

    @property
    def distance_m(self) -> float:
        """Distance between A and B, 0 where they meet [m]."""
        return 0.0 if self.depth_m >= 0.0 else float(np.linalg.norm(_nearest_to_origin(self.triangles)))

    def push_distance(self, direction: Array) -> float:
        """Return how far A must move along a unit direction [3] to separate from B [m]; 0 where they are apart."""
        along = self.normals @ direction
        facing = along < -PARALLEL_TOLERANCE
        if self.depth_m <= 0.0 or not facing.any():
            return 0.0
        return float((self.offsets[facing] / -along[facing]).min())

    def horizontal_direction(self) -> Array:
        """Return the horizontal unit direction [3] in which the translation that separates A from B is shortest."""
        flat = np.hypot(self.normals[:, 0], self.normals[:, 1])
        side = flat > PARALLEL_TOLERANCE
        best = np.flatnonzero(side)[np.argmin(self.offsets[side] / flat[side])]
        return np.array([-self.normals[best, 0], -self.normals[best, 1], 0.0]) / flat[best]

    def contact_heights(self) -> tuple[float, float] | None:
        """Return the least and greatest drop of A [m] at which it intersects B; None where A passes beside B."""
        up = self.normals[:, 2]
        upright = np.abs(up) <= PARALLEL_TOLERANCE
        if np.any(self.offsets[upright] < 0.0):
            return None
        low = float((self.offsets[up < -PARALLEL_TOLERANCE] / up[up < -PARALLEL_TOLERANCE]).max())
        high = float((self.offsets[up > PARALLEL_TOLERANCE] / up[up > PARALLEL_TOLERANCE]).min())
        return (low, high) if low < high else None


def convex_hull(points: Array, *, name: str = "a collision piece") -> Hull:
    """Return the convex hull of points [m] [n, 3]; raises `StageError`, with the name, where they have no volume."""
    try:
        qhull = ConvexHull(np.asarray(points, dtype=np.float64))
    except (QhullError, ValueError) as error:
        problem = f"{len(points)} corners in one plane, a line or a point; a body needs a volume"
        raise StageError(f"{name} has {problem}", stage="layout") from error
    normals = np.unique(np.round(qhull.equations[:, :3], 9), axis=0)
    return _hull(qhull.points[qhull.vertices], normals)


def boxes_are_apart(first: Hull, second: Hull, *, margin_m: float = 0.0) -> bool:
    """Return whether the axis-aligned boxes of two hulls are further apart than a margin."""
    return bool(np.any(first.low > second.high + margin_m) or np.any(second.low > first.high + margin_m))


def facet_gap(first: Hull, second: Hull) -> float:
    """Return the widest gap along any facet normal [m]: a lower bound of the distance, negative where all overlap."""
    ahead = (first.normals @ second.points.T).min(axis=1) - (first.normals @ first.points.T).max(axis=1)
    back = (second.normals @ first.points.T).min(axis=1) - (second.normals @ second.points.T).max(axis=1)
    return float(max(ahead.max(), back.max()))


def minkowski_difference(first: Hull, second: Hull) -> MinkowskiDifference:
    """Return the Minkowski difference of two hulls."""
    points = (first.points[:, None, :] - second.points[None, :, :]).reshape(-1, 3)
    qhull = ConvexHull(points)
    return MinkowskiDifference(
        normals=qhull.equations[:, :3], offsets=-qhull.equations[:, 3], triangles=points[qhull.simplices]
    )


def _hull(points: Array, normals: Array) -> Hull:
    return Hull(points=points, normals=normals, low=points.min(axis=0), high=points.max(axis=0))


def _nearest_to_origin(triangles: Array) -> Array:
    """Return the point of triangles [m, 3, 3] nearest to the origin (Ericson, Real-Time Collision Detection, 5.1.5)."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    candidates = [_on_segment(a, b), _on_segment(b, c), _on_segment(c, a)]
    normal = np.cross(b - a, c - a)
    size = np.einsum("ij,ij->i", normal, normal)
    valid = size > 1e-30
    foot_points = normal * (np.einsum("ij,ij->i", normal, a) / np.where(valid, size, 1.0))[:, None]
    inside = valid
    for start, end in ((a, b), (b, c), (c, a)):
        inside = inside & (np.einsum("ij,ij->i", np.cross(end - start, foot_points - start), normal) >= 0.0)
    points = np.concatenate([*candidates, foot_points[inside]])
    return np.asarray(points[np.argmin(np.einsum("ij,ij->i", points, points))])


def _on_segment(start: Array, end: Array) -> Array:
    along = end - start
    length = np.maximum(np.einsum("ij,ij->i", along, along), 1e-30)
    share = np.clip(-np.einsum("ij,ij->i", start, along) / length, 0.0, 1.0)
    return np.asarray(start + share[:, None] * along)
