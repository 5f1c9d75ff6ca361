"""A free gripper: two fingers on rails along x, y and z that also turn about z; cheap to learn to grasp with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import rigid, rotation_about
from cousins.reconstruct.assets import Joint
from sim.bodies.body import Body, Drive
from sim.bodies.parts import body_asset, prismatic_joint, shapeless_link
from sim.physics.simple_assets import box_piece, make_link

PREFERENCE: Final = 20
"""Tasks take the suitable body of the lowest preference first."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How the gripper is made."""

    pad_m: tuple[float, float, float] = (0.02, 0.012, 0.05)
    """Finger: width, thickness, length [m]."""
    below_m: float = 0.01
    """How far the fingertips reach below the tip, the middle of a grasp [m]."""
    finger_travel_m: float = 0.045
    """Travel of each finger [m]."""
    palm_m: tuple[float, float, float] = (0.04, 0.126, 0.03)
    """Palm above the fingers [m]."""
    x_m: tuple[float, float] = (-0.1, 1.0)
    """Range of the rail along x [m]."""
    y_m: tuple[float, float] = (-0.7, 0.7)
    """Range of the rail along y [m]."""
    max_z_m: float = 0.6
    """Largest height of the tip over the base plane [m]; at the least the fingertips stay 2 mm above it."""
    max_speed_m_s: float = 0.15
    """Largest speed along a rail [m/s]: so slow that what hangs in the hand can be held still."""
    smoothing_s: float = 0.1
    """Time constant of its controller [s]: the hand sways less when its observations are noisy."""
    home_m: tuple[float, float, float] = (0.25, 0.0, 0.3)
    """Position of the tip at the start [m]."""


def build(config: Config) -> Body:
    """Return the gripper, open above the table."""
    pad_m, palm_m, travel_m = config.pad_m, config.palm_m, config.finger_travel_m
    finger_z_m = pad_m[2] / 2.0 - config.below_m
    palm_z_m = pad_m[2] - config.below_m + palm_m[2] / 2.0 + 0.001
    hand = make_link("hand", [box_piece(palm_m, center_m=(0.0, 0.0, palm_z_m))], mass_kg=0.8)
    fingers = [make_link(name, [box_piece(pad_m)], mass_kg=0.1) for name in ("left", "right")]
    finger_joints = tuple(f"{finger.name}_finger" for finger in fingers)
    yaw = Joint(
        name="yaw",
        kind="revolute",
        parent="lift",
        child="hand",
        parent_from_child=np.eye(4),
        axis=np.array([0.0, 0.0, 1.0]),
        lower=-np.pi,
        upper=np.pi,
    )
    joints = (
        prismatic_joint("x", "base", "bridge", (1.0, 0.0, 0.0), span_m=config.x_m),
        prismatic_joint("y", "bridge", "trolley", (0.0, 1.0, 0.0), span_m=config.y_m),
        prismatic_joint("z", "trolley", "lift", (0.0, 0.0, 1.0), span_m=(config.below_m + 0.002, config.max_z_m)),
        yaw,
        *(
            prismatic_joint(
                name,
                "hand",
                finger.name,
                (0.0, side, 0.0),
                span_m=(0.0, travel_m),
                origin_m=np.array([0.0, side * pad_m[1] / 2.0, finger_z_m]),
            )
            for name, finger, side in zip(finger_joints, fingers, (1.0, -1.0), strict=True)
        ),
    )
    rails = [shapeless_link(name, mass_kg=1.0) for name in ("base", "bridge", "trolley", "lift")]
    drives = (
        *(
            Drive(joint=name, max_force=40.0, max_speed=config.max_speed_m_s, home=home)
            for name, home in zip("xyz", config.home_m, strict=True)
        ),
        Drive(joint="yaw", max_force=4.0, max_speed=2.0, home=0.0, armature=0.01),
        *(Drive(joint=name, max_force=20.0, max_speed=0.1, home=travel_m, armature=1.0) for name in finger_joints),
    )
    return Body(
        name="gripper",
        asset=body_asset("gripper", [*rails, hand, *fingers], joints),
        drives=drives,
        fingers=finger_joints,
        fingers_linked=True,
        tip="hand",
        link_from_tip=rigid(rotation_about(np.array([1.0, 0.0, 0.0]), np.pi)),
        control_hz=20.0,
        latency_s=0.0,
        smoothing_s=config.smoothing_s,
        handle_height_m=0.15,
        origin="made of primitives",
        licence="Apache-2.0",
    )
