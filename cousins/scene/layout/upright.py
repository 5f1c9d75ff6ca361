"""Lay an object on a stable rest before physics does it the hard way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from cousins.geometry import Array, rigid, rotation_angle_rad
from cousins.scene.layout.collision_bodies import Body, body_of_asset, clearance_below
from cousins.scene.layout.flat_feet import with_flat_foot
from cousins.scene.layout.rest_poses import FLAT_RAD, rest_rotation
from cousins.scene.scenes import Placed

MAX_TILT_RAD: Final = np.deg2rad(3.0)
"""Largest turn onto a rest: 1 cm of noise over 20 cm, the width of a small object."""
UNSEEN_TILT_RAD: Final = np.deg2rad(0.2)
"""A turn too small to see: 0.7 mm over 20 cm. Smaller ones are made without asking for a flat foot."""
REACH_M: Final = 0.05
"""Structure this near below an object carries it [m]."""
LEVEL_COSINE: Final = 1.0 - 1e-8
"""Least upward component of a level face's normal: 0.1 mrad, a tenth of a millimetre over a metre."""
MAX_FOOT_TILT_RAD: Final = np.deg2rad(10.0)
"""An object whose rest is further away than this falls as it is: only a flat foot can make it stand."""


def upright(placed: Placed, ground: Sequence[Body]) -> Placed:
    """Return an object laid on a stable rest: as it is, on a flat foot, turned a little, or turned onto a flat foot.

    `ground` is the fixed structure; what stands on a slope is left to physics.
    """
    if _on_slope(placed, ground):
        return placed
    rotation = _rest_of(placed)
    if rotation is None:
        return with_flat_foot(placed) or placed
    if rotation_angle_rad(rotation) <= UNSEEN_TILT_RAD:
        return placed if rotation_angle_rad(rotation) <= FLAT_RAD else _turned(placed, rotation)
    footed = with_flat_foot(placed)
    if footed is not None:
        return footed
    if rotation_angle_rad(rotation) > MAX_TILT_RAD:
        return placed
    turned = _turned(placed, rotation)
    return with_flat_foot(turned) or turned


def _on_slope(placed: Placed, ground: Sequence[Body]) -> bool:
    """Tell whether the nearest structure below an object has no level face."""
    body = body_of_asset(placed.asset).moved(placed.world_from_asset)
    ways = [(clearance_below(body, structure, reach_m=REACH_M), structure) for structure in ground]
    ways = [(way, structure) for way, structure in ways if way <= REACH_M]
    if not ways:
        return False
    below = min(ways, key=lambda pair: pair[0])[1]
    return not any(bool(np.any(hull.normals[:, 2] > LEVEL_COSINE)) for hull in below.hulls)


def _rest_of(placed: Placed) -> Array | None:
    return rest_rotation(body_of_asset(placed.asset).moved(placed.world_from_asset), max_tilt_rad=MAX_FOOT_TILT_RAD)


def _turned(placed: Placed, rotation: Array) -> Placed:
    """Return an object turned in the world about its centre of mass."""
    center = body_of_asset(placed.asset).moved(placed.world_from_asset).center_of_mass_m
    return replace(placed, world_from_asset=rigid(rotation, center - rotation @ center) @ placed.world_from_asset)
