"""Split a pose into a rotation about z (yaw) and the remaining rotation (tilt)."""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array, rotation_about


def yaw_of(world_from_asset: Array) -> float:
    """Return the yaw [rad] of a pose [4, 4] or rotation [3, 3]: the heading of its x axis seen from above."""
    return float(np.arctan2(world_from_asset[1, 0], world_from_asset[0, 0]))


def tilt_of(world_from_asset: Array) -> Array:
    """Return the rotation [3, 3] that remains after the yaw of a pose [4, 4] is removed."""
    unturn = rotation_about(np.array([0.0, 0.0, 1.0]), -yaw_of(world_from_asset))
    return np.asarray(unturn @ world_from_asset[:3, :3])
