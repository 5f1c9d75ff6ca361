"""A planar pusher: an upright stick that two rails move over the base plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import rigid, rotation_about
from sim.bodies.body import Body, Drive
from sim.bodies.parts import body_asset, prismatic_joint, shapeless_link
from sim.physics.simple_assets import cylinder_piece, make_link

PREFERENCE: Final = 10
"""Tasks take the suitable body of the lowest preference first."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How the pusher is made."""

    radius_m: float = 0.015
    """Radius of the stick [m]."""
    height_m: float = 0.1
    """Height of the stick [m]."""
    clearance_m: float = 0.005
    """Height of its lower end over the base plane [m]."""
    x_m: tuple[float, float] = (-0.1, 1.0)
    """Range of the rail along x [m]."""
    y_m: tuple[float, float] = (-0.7, 0.7)
    """Range of the rail along y [m]."""
    max_force_n: float = 10.0
    """Largest force along a rail [N]."""
    max_speed_m_s: float = 0.25
    """Largest speed along a rail [m/s]: 12 mm in one of 20 actions a second, so that a late robot does not sway."""
    mass_kg: float = 1.0
    """Mass of the carriage, and of the stick [kg]."""


def build(config: Config) -> Body:
    """Return the pusher, its stick over the base."""
    stick = make_link("stick", [cylinder_piece(config.radius_m, config.height_m)], mass_kg=config.mass_kg)
    half_m = config.height_m / 2.0
    middle_m = config.clearance_m + half_m
    joints = (
        prismatic_joint("x", "base", "carriage", (1.0, 0.0, 0.0), span_m=config.x_m),
        prismatic_joint(
            "y", "carriage", "stick", (0.0, 1.0, 0.0), span_m=config.y_m, origin_m=np.array([0.0, 0.0, middle_m])
        ),
    )
    rails = [shapeless_link(name, mass_kg=config.mass_kg) for name in ("base", "carriage")]
    return Body(
        name="pusher",
        asset=body_asset("pusher", [*rails, stick], joints),
        drives=tuple(
            Drive(joint=name, max_force=config.max_force_n, max_speed=config.max_speed_m_s, home=0.0)
            for name in ("x", "y")
        ),
        fingers=(),
        tip="stick",
        link_from_tip=rigid(rotation_about(np.array([1.0, 0.0, 0.0]), np.pi), np.array([0.0, 0.0, -half_m])),
        control_hz=20.0,
        latency_s=0.0,
        handle_height_m=middle_m,
        below_handle_m=half_m,
        origin="made of primitives",
        licence="Apache-2.0",
    )
