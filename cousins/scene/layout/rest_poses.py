"""Rest pose of an object on level ground, from its convex hull without a physics engine."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial import ConvexHull

from cousins.geometry import Array, rotation_about, rotation_angle_rad
from cousins.scene.layout.collision_bodies import CollisionBody

MAX_FACET_TURNS: Final = 50
"""Most facets that an object rolls over."""
LEVEL_TOLERANCE_RAD: Final = 1e-7
"""A facet that is this level is rested on; the rounding of written quaternions."""


def rest_rotation(body: CollisionBody, *, max_tilt_rad: float) -> Array | None:
    """Return the rotation [3, 3] that lays a body on a stable facet of its hull, None where none is near.

    The identity where it rests as it is.

    The body turns onto the facet under its centre of mass, again and again: that is the way it rolls, slowly,
    on level ground, and each turn lowers its centre of mass. A turn beyond `max_tilt_rad` is a fall, not noise.
    """
    hull = ConvexHull(np.concatenate([piece.points for piece in body.hulls]))
    normals, offsets = hull.equations[:, :3], hull.equations[:, 3]
    heights = -(normals @ body.center_of_mass_m + offsets)
    rotation = np.eye(3)
    for _ in range(MAX_FACET_TURNS):
        turned = normals @ rotation.T
        facing = turned[:, 2] < -1e-9
        if np.any(heights <= 0.0) or not facing.any():
            return None
        below = np.flatnonzero(facing)[np.argmin(heights[facing] / -turned[facing, 2])]
        turn = _rotation_onto_facet(turned[below])
        if rotation_angle_rad(turn) < LEVEL_TOLERANCE_RAD:
            return rotation
        rotation = turn @ rotation
        if _tilt(rotation) > max_tilt_rad:
            return None
    return None


def _rotation_onto_facet(normal: Array) -> Array:
    """Return the shortest rotation that turns a unit normal straight down."""
    down = np.array([0.0, 0.0, -1.0])
    axis = np.cross(normal, down)
    sine = float(np.linalg.norm(axis))
    return np.eye(3) if sine < 1e-12 else rotation_about(axis, float(np.arctan2(sine, normal @ down)))


def _tilt(rotation: Array) -> float:
    return float(np.arccos(np.clip(rotation[2, 2], -1.0, 1.0)))
