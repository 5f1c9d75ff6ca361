"""A free gripper: two fingers on rails along x, y and z that also turn about z; cheap to learn to grasp with."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import rigid, rotation_about
from cousins.reconstruct.assets import Joint
from sim.bodies.body import Body, Drive
from sim.bodies.parts import body_asset, ghost, slide
from sim.physics.simple_assets import box_piece, link

PAD_M: Final = (0.02, 0.012, 0.05)
"""Finger: width, thickness, length [m]."""
BELOW_M: Final = 0.01
"""How far the fingertips reach below the tip, the middle of a grasp [m]."""
OPENING_M: Final = 0.045
"""Way of each finger [m]."""
PALM_M: Final = (0.04, 0.126, 0.03)
"""Palm above the fingers [m]."""
X_M: Final = (-0.1, 1.0)
"""Way ahead of the base [m]."""
Y_M: Final = (-0.7, 0.7)
"""Way to the sides [m]."""
Z_M: Final = (BELOW_M + 0.002, 0.6)
"""Height of the tip over the base plane: the fingertips stay 2 mm above it [m]."""
MOST_M_S: Final = 0.15
"""Largest speed along a rail [m/s]: so slow that what hangs in the hand can be held still."""
SMOOTHING_S: Final = 0.1
"""Time constant of its controller [s]: the hand sways less when what it goes by is seen with noise."""
HOME_M: Final = (0.25, 0.0, 0.3)
"""Place of the tip at the start [m]."""


def gripper() -> Body:
    """Return the gripper, open above the table."""
    middle_m = PAD_M[2] / 2.0 - BELOW_M
    palm_m = PAD_M[2] - BELOW_M + PALM_M[2] / 2.0 + 0.001
    hand = link("hand", [box_piece(PALM_M, center_m=(0.0, 0.0, palm_m))], mass_kg=0.8)
    fingers = [link(name, [box_piece(PAD_M)], mass_kg=0.1) for name in ("left", "right")]
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
        slide("x", "base", "bridge", (1.0, 0.0, 0.0), span_m=X_M),
        slide("y", "bridge", "trolley", (0.0, 1.0, 0.0), span_m=Y_M),
        slide("z", "trolley", "lift", (0.0, 0.0, 1.0), span_m=Z_M),
        yaw,
        *(
            slide(
                f"{one.name}_finger",
                "hand",
                one.name,
                (0.0, side, 0.0),
                span_m=(0.0, OPENING_M),
                at=np.array([0.0, side * PAD_M[1] / 2.0, middle_m]),
            )
            for one, side in zip(fingers, (1.0, -1.0), strict=True)
        ),
    )
    rails = [ghost(name, mass_kg=1.0) for name in ("base", "bridge", "trolley", "lift")]
    drives = (
        *(
            Drive(joint=name, most_force=40.0, most_speed=MOST_M_S, home=home)
            for name, home in zip("xyz", HOME_M, strict=True)
        ),
        Drive(joint="yaw", most_force=4.0, most_speed=2.0, home=0.0, armature=0.01),
        *(
            Drive(joint=f"{one.name}_finger", most_force=20.0, most_speed=0.1, home=OPENING_M, armature=1.0)
            for one in fingers
        ),
    )
    return Body(
        name="gripper",
        asset=body_asset("gripper", [*rails, hand, *fingers], joints),
        drives=drives,
        fingers=("left_finger", "right_finger"),
        fingers_linked=True,
        tip="hand",
        link_from_tip=rigid(rotation_about(np.array([1.0, 0.0, 0.0]), np.pi)),
        control_hz=20.0,
        latency_s=0.0,
        smoothing_s=SMOOTHING_S,
        origin="made of primitives",
        licence="Apache-2.0",
    )
