"""Height of the support on which an object stands."""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array
from cousins.segment.segments import Plane, Segment, Segmentation

MAX_SUPPORT_GAP_M = 0.03
"""Largest distance of an unnamed support from the object's lowest observed points [m]."""
MIN_CARRIER_POINTS = 30
"""Fewest points of a supporting object below from which its height is estimated."""


def base_height_m(segmentation: Segmentation, segment: Segment, low: Array, high: Array) -> float:
    """Return the height [m] on which an object with the box `low` to `high` [3] stands.

    In order: the plane or the segment that the segment names as its support; the horizontal plane nearest to its lowest
    points; the lowest points themselves.
    """
    middle = 0.5 * (low + high)
    named = [plane for plane in segmentation.planes if plane.name == segment.support]
    if named:
        return plane_height_m(named[0], middle)
    carrier = next((other for other in segmentation.segments if other.name == segment.support), None)
    tops = [] if carrier is None else _carrier_heights_m(carrier, low, high)
    level = [plane_height_m(plane, middle) for plane in segmentation.planes if plane.kind != "wall"]
    near = [height for height in (*tops, *level) if abs(height - low[2]) <= MAX_SUPPORT_GAP_M]
    return min(near, key=lambda height: abs(height - float(low[2])), default=float(low[2]))


def plane_height_m(plane: Plane, point: Array) -> float:
    """Return the height [m] of a plane that is not vertical, above or below a point [3]."""
    n = plane.normal
    return float((plane.offset_m - n[0] * point[0] - n[1] * point[1]) / n[2])


def _carrier_heights_m(carrier: Segment, low: Array, high: Array) -> list[float]:
    """Return the height [m] of a supporting object's surface below the box, if enough of it was observed there."""
    points = carrier.points
    inside = ((points[:, :2] >= low[:2]) & (points[:, :2] <= high[:2])).all(axis=1) & (points[:, 2] < high[2])
    if inside.sum() < MIN_CARRIER_POINTS:
        return []
    return [float(np.quantile(points[inside, 2], 0.8))]
