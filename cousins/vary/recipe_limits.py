"""What each field of a recipe may hold: beyond these, a number has no meaning, or the work no end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from cousins.errors import InputError
from cousins.vary.distributions import Distribution

LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "layout.shift_m": (0.0, 100.0),
    "layout.yaw_rad": (-100.0, 100.0),
    "layout.jitter_m": (-10.0, 10.0),
    "clutter.add": (0.0, 100.0),
    "clutter.remove": (0.0, 1000.0),
    "shape.variants": (0.0, 1000.0),
    "shape.stretch": (0.01, 100.0),
    "shape.taper": (-0.99, 10.0),
    "shape.twist_rad": (-100.0, 100.0),
    "shape.bend": (-1.0, 1.0),
    "swap.families": (0.0, 1000.0),
    "swap.library": (0.0, 1000.0),
    "swap.size_ratio": (0.01, 100.0),
    "joints.limits": (0.01, 1.0),
    "joints.damping": (0.0, 1000.0),
    "joints.friction": (0.0, 1000.0),
    "dynamics.mass": (0.0, 1.0),
    "dynamics.friction": (0.0, 1.0),
    "dynamics.restitution": (0.0, 1.0),
    "dynamics.com_shift": (-0.5, 0.5),
    "look.lights": (0.0, 32.0),
    "look.intensity": (0.0, 1000.0),
    "look.ambient": (0.0, 1000.0),
    "look.warmth": (-1.0, 1.0),
    "look.elevation_rad": (-math.pi / 2.0, math.pi / 2.0),
    "look.exposure": (0.001, 1000.0),
    "look.background": (0.0, 1000.0),
    "look.camera_shift_m": (-10.0, 10.0),
    "look.camera_turn_rad": (-math.pi, math.pi),
    "look.focal": (0.05, 20.0),
    "look.materials": (0.0, 1.0),
    "task.goal_distance_m": (0.0, 100.0),
    "task.goal_radius_m": (0.001, 100.0),
    "task.reach_m": (0.01, 100.0),
}
"""Smallest and largest value by field; counts are bounded because each is worked on in turn."""


def require_limits(distribution: Distribution, *, field_name: str) -> None:
    """Raise `InputError` where a field's distribution reaches beyond its limits."""
    low, high = LIMITS[field_name]
    smallest, largest = distribution.bounds
    if smallest < low or largest > high:
        raise InputError(
            f"{field_name} from {smallest:g} to {largest:g}",
            expected=f"values from {low:g} to {high:g}",
            hint="Correct the recipe; `cousins recipe init SCENE` writes one with every field.",
        )
