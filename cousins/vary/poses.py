"""A pose as a turn about z and how the object lies before it."""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array, rotation_about


def yaw_of(world_from_asset: Array) -> float:
    """Return the turn about z [rad] that brings an object's x axis where it points from above."""
    return float(np.arctan2(world_from_asset[1, 0], world_from_asset[0, 0]))


def tilt_of(world_from_asset: Array) -> Array:
    """Return the rotation [3, 3] that is left when the turn about z is taken away."""
    back = rotation_about(np.array([0.0, 0.0, 1.0]), -yaw_of(world_from_asset))
    return np.asarray(back @ world_from_asset[:3, :3])
