"""Convex hulls against each other, by the facets of their Minkowski difference.

A translation of A makes A and B meet exactly where the difference A - B = {a - b} holds the origin, so its
facets answer everything: depth, the shortest push in any direction, the free way down, the distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from cousins.errors import StageError
from cousins.geometry import Array, transform

PARALLEL: Final = 1e-9
"""Facet normals with a smaller component along a direction count as parallel to it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hull:
    """A convex body."""

    points: Array
    """Corners [m], float64 [n, 3]."""
    normals: Array
    """Distinct outward unit normals of its facets, float64 [m, 3]."""
    low: Array
    """Lower corner of its axis-aligned box [m], float64 [3]."""
    high: Array
    """Upper corner of its axis-aligned box [m], float64 [3]."""

    def moved(self, a_from_b: Array) -> Hull:
        """Return the hull moved by a rigid pose."""
        return _hull(transform(a_from_b, self.points), self.normals @ a_from_b[:3, :3].T)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Difference:
    """The Minkowski difference A - B: points d with `normals · d ≤ offsets`."""

    normals: Array
    """Outward unit normals, float64 [m, 3]."""
    offsets: Array
    """Distance of each facet's plane from the origin along its normal [m], float64 [m]."""
    triangles: Array
    """Corners of its facets [m], float64 [m, 3, 3]."""

    @property
    def depth_m(self) -> float:
        """Length of the shortest translation that parts A and B; negative where they are apart."""
        return float(self.offsets.min())

    @property
    def distance_m(self) -> float:
        """Distance between A and B, 0 where they meet [m]."""
        return 0.0 if self.depth_m >= 0.0 else float(np.linalg.norm(_nearest_to_origin(self.triangles)))

    def push(self, direction: Array) -> float:
        """Return how far A must go along a unit direction [3] to leave B [m]; 0 where they are apart."""
        along = self.normals @ direction
        facing = along < -PARALLEL
        if self.depth_m <= 0.0 or not facing.any():
            return 0.0
        return float((self.offsets[facing] / -along[facing]).min())

    def horizontal_direction(self) -> Array:
        """Return the horizontal unit direction [3] of A's shortest horizontal way out of B."""
        flat = np.hypot(self.normals[:, 0], self.normals[:, 1])
        side = flat > PARALLEL
        best = np.flatnonzero(side)[np.argmin(self.offsets[side] / flat[side])]
        return np.array([-self.normals[best, 0], -self.normals[best, 1], 0.0]) / flat[best]

    def fall(self) -> tuple[float, float] | None:
        """Return the heights [m] between which B would meet A if A fell that far; None where A passes B."""
        up = self.normals[:, 2]
        upright = np.abs(up) <= PARALLEL
        if np.any(self.offsets[upright] < 0.0):
            return None
        low = float((self.offsets[up < -PARALLEL] / up[up < -PARALLEL]).max())
        high = float((self.offsets[up > PARALLEL] / up[up > PARALLEL]).min())
        return (low, high) if low < high else None


def hull_of(points: Array, *, name: str = "a collision piece") -> Hull:
    """Return the convex hull of points [m] [n, 3]; raises `StageError`, with the name, where they have no volume."""
    try:
        found = ConvexHull(np.asarray(points, dtype=np.float64))
    except (QhullError, ValueError) as error:
        flat = f"{len(points)} corners in one plane, a line or a point; a body needs a volume"
        raise StageError(f"{name} has {flat}", stage="layout") from error
    normals = np.unique(np.round(found.equations[:, :3], 9), axis=0)
    return _hull(found.points[found.vertices], normals)


def boxes_apart(first: Hull, second: Hull, *, margin_m: float = 0.0) -> bool:
    """Tell whether two axis-aligned boxes are further apart than a margin."""
    return bool(np.any(first.low > second.high + margin_m) or np.any(second.low > first.high + margin_m))


def gap_by_facets(first: Hull, second: Hull) -> float:
    """Return the widest gap along any facet's normal [m]: a lower bound of the distance, negative if none does."""
    ahead = (first.normals @ second.points.T).min(axis=1) - (first.normals @ first.points.T).max(axis=1)
    back = (second.normals @ first.points.T).min(axis=1) - (second.normals @ second.points.T).max(axis=1)
    return float(max(ahead.max(), back.max()))


def difference(first: Hull, second: Hull) -> Difference:
    """Return the Minkowski difference of two hulls."""
    points = (first.points[:, None, :] - second.points[None, :, :]).reshape(-1, 3)
    found = ConvexHull(points)
    return Difference(normals=found.equations[:, :3], offsets=-found.equations[:, 3], triangles=points[found.simplices])


def _hull(points: Array, normals: Array) -> Hull:
    return Hull(points=points, normals=normals, low=points.min(axis=0), high=points.max(axis=0))


def _nearest_to_origin(triangles: Array) -> Array:
    """Return the point of triangles [m, 3, 3] nearest to the origin (Ericson, Real-Time Collision Detection, 5.1.5)."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    candidates = [_on_segment(a, b), _on_segment(b, c), _on_segment(c, a)]
    normal = np.cross(b - a, c - a)
    size = np.einsum("ij,ij->i", normal, normal)
    valid = size > 1e-30
    foot = normal * (np.einsum("ij,ij->i", normal, a) / np.where(valid, size, 1.0))[:, None]
    inside = valid
    for start, end in ((a, b), (b, c), (c, a)):
        inside = inside & (np.einsum("ij,ij->i", np.cross(end - start, foot - start), normal) >= 0.0)
    points = np.concatenate([*candidates, foot[inside]])
    return np.asarray(points[np.argmin(np.einsum("ij,ij->i", points, points))])


def _on_segment(start: Array, end: Array) -> Array:
    along = end - start
    length = np.maximum(np.einsum("ij,ij->i", along, along), 1e-30)
    share = np.clip(-np.einsum("ij,ij->i", start, along) / length, 0.0, 1.0)
    return np.asarray(start + share[:, None] * along)
