"""Set an object on a stable rest pose before the physics simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from cousins.geometry import Array, rigid, rotation_angle_rad
from cousins.scene.layout.collision_bodies import CollisionBody, asset_body, clearance_below
from cousins.scene.layout.flat_feet import with_flat_foot
from cousins.scene.layout.rest_poses import LEVEL_TOLERANCE_RAD, rest_rotation
from cousins.scene.scenes import PlacedAsset

MAX_TILT_RAD: Final = np.deg2rad(3.0)
"""Largest turn onto a rest: 1 cm of noise over 20 cm, the width of a small object."""
NEGLIGIBLE_TILT_RAD: Final = np.deg2rad(0.2)
"""A turn too small to see: 0.7 mm over 20 cm. Smaller ones are made without asking for a flat foot."""
SUPPORT_REACH_M: Final = 0.05
"""Structure this near below an object carries it [m]."""
MIN_LEVEL_COS: Final = 1.0 - 1e-8
"""Least upward component of a level face's normal: 0.1 mrad, a tenth of a millimetre over a metre."""
MAX_FOOT_TILT_RAD: Final = np.deg2rad(10.0)
"""An object whose rest is further away than this falls as it is: only a flat foot can make it stand."""


def set_upright(placed: PlacedAsset, ground: Sequence[CollisionBody]) -> PlacedAsset:
    """Return an object in a stable rest pose: as it is, on a flat foot, rotated a little, or rotated onto a flat foot.

    `ground` is the fixed structure; an object on a slope is returned unchanged.
    """
    if _on_slope(placed, ground):
        return placed
    rotation = _rest_rotation(placed)
    if rotation is None:
        return with_flat_foot(placed) or placed
    if rotation_angle_rad(rotation) <= NEGLIGIBLE_TILT_RAD:
        return placed if rotation_angle_rad(rotation) <= LEVEL_TOLERANCE_RAD else _rotated(placed, rotation)
    with_foot = with_flat_foot(placed)
    if with_foot is not None:
        return with_foot
    if rotation_angle_rad(rotation) > MAX_TILT_RAD:
        return placed
    rotated = _rotated(placed, rotation)
    return with_flat_foot(rotated) or rotated


def _on_slope(placed: PlacedAsset, ground: Sequence[CollisionBody]) -> bool:
    """Return whether the nearest structure below an object has no level face."""
    body = asset_body(placed.asset).transformed(placed.world_from_asset)
    clearances = [(clearance_below(body, structure, reach_m=SUPPORT_REACH_M), structure) for structure in ground]
    clearances = [(clearance_m, structure) for clearance_m, structure in clearances if clearance_m <= SUPPORT_REACH_M]
    if not clearances:
        return False
    below = min(clearances, key=lambda pair: pair[0])[1]
    return not any(bool(np.any(hull.normals[:, 2] > MIN_LEVEL_COS)) for hull in below.hulls)


def _rest_rotation(placed: PlacedAsset) -> Array | None:
    return rest_rotation(asset_body(placed.asset).transformed(placed.world_from_asset), max_tilt_rad=MAX_FOOT_TILT_RAD)


def _rotated(placed: PlacedAsset, rotation: Array) -> PlacedAsset:
    """Return an object rotated in the world about its centre of mass."""
    center = asset_body(placed.asset).transformed(placed.world_from_asset).center_of_mass_m
    return replace(placed, world_from_asset=rigid(rotation, center - rotation @ center) @ placed.world_from_asset)
