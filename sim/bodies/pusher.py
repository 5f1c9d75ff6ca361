"""A planar pusher: an upright stick that two rails move over the base plane."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import rigid, rotation_about
from sim.bodies.body import Body, Drive
from sim.bodies.parts import body_asset, ghost, slide
from sim.physics.simple_assets import cylinder_piece, link

RADIUS_M: Final = 0.015
"""Radius of the stick [m]."""
HEIGHT_M: Final = 0.1
"""Height of the stick [m]."""
CLEARANCE_M: Final = 0.005
"""Of its lower end over the base plane [m]."""
X_M: Final = (-0.1, 1.0)
"""Way ahead of the base [m]."""
Y_M: Final = (-0.7, 0.7)
"""Way to the sides [m]."""
MOST_N: Final = 10.0
"""Largest force along a rail [N]."""
MOST_M_S: Final = 0.25
"""Largest speed along a rail [m/s]: 12 mm in one of 20 actions a second, so that a late robot does not sway."""
MASS_KG: Final = 1.0
"""Mass of the carriage, and of the stick [kg]."""


def pusher() -> Body:
    """Return the pusher, its stick over the base."""
    stick = link("stick", [cylinder_piece(RADIUS_M, HEIGHT_M)], mass_kg=MASS_KG)
    height_m = CLEARANCE_M + HEIGHT_M / 2.0
    joints = (
        slide("x", "base", "carriage", (1.0, 0.0, 0.0), span_m=X_M),
        slide("y", "carriage", "stick", (0.0, 1.0, 0.0), span_m=Y_M, at=np.array([0.0, 0.0, height_m])),
    )
    links = (ghost("base", mass_kg=MASS_KG), ghost("carriage", mass_kg=MASS_KG), stick)
    return Body(
        name="pusher",
        asset=body_asset("pusher", links, joints),
        drives=tuple(Drive(joint=name, most_force=MOST_N, most_speed=MOST_M_S, home=0.0) for name in ("x", "y")),
        fingers=(),
        tip="stick",
        link_from_tip=rigid(rotation_about(np.array([1.0, 0.0, 0.0]), np.pi), np.array([0.0, 0.0, -HEIGHT_M / 2.0])),
        control_hz=20.0,
        latency_s=0.0,
        origin="made of primitives",
        licence="Apache-2.0",
    )
