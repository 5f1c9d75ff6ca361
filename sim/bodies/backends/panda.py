"""Franka Emika's Panda with its hand, from MuJoCo Menagerie's model, which ships with the project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sim.bodies.body import Body
from sim.bodies.files.robot_file import RobotFileConfig, body_from_file

PREFERENCE: Final = 30
"""Tasks take the suitable body of the lowest preference first."""
MODEL: Final = Path(__file__).parents[1] / "models/panda/panda.xml"
"""The model: links, inertias, limits and collision meshes as published."""
HOME: Final = {
    "joint1": 0.0,
    "joint2": -np.pi / 4.0,
    "joint3": 0.0,
    "joint4": -3.0 * np.pi / 4.0,
    "joint5": 0.0,
    "joint6": np.pi / 2.0,
    "joint7": np.pi / 4.0,
    "finger_joint1": 0.04,
    "finger_joint2": 0.04,
}
"""Franka's own ready pose, the hand open [rad] and [m]."""
FINGERS: Final = ("finger_joint1", "finger_joint2")
"""Joints that open the hand."""
MAX_FORCE: Final = dict.fromkeys(FINGERS, 20.0)
"""Force of a finger as Franka's URDF has it [N]; the arm's torques are those of the model."""
MAX_SPEED: Final = (
    dict.fromkeys(list(HOME)[:4], 2.175) | dict.fromkeys(list(HOME)[4:7], 2.61) | dict.fromkeys(FINGERS, 0.2)
)
"""Speeds of Franka's data sheet, which MJCF cannot hold [rad/s] and [m/s]."""
FINGER_ARMATURE_KG: Final = 1.0
"""Inertia of the hand's one motor behind its gears, shared by both fingers: default [kg]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which model of the Panda."""

    model: Path = MODEL
    """MJCF with the link and joint names of Menagerie's."""
    looks: bool = False
    """Whether visual meshes are read too, where the model has them; the shipped one has none."""
    tip_m: float = 0.105
    """Distance of the tip from the hand's flange, the middle of the finger pads [m]."""


def build(config: Config) -> Body:
    """Return the Panda; raises `CaptureError` for a broken model."""
    return body_from_file(
        config.model,
        RobotFileConfig(
            name="panda",
            tip="hand",
            tip_offset_m=config.tip_m,
            home=HOME,
            fingers=FINGERS,
            fingers_linked=True,
            finger_armature=FINGER_ARMATURE_KG,
            max_force=MAX_FORCE,
            max_speed=MAX_SPEED,
            control_hz=20.0,
            latency_s=0.01,
            origin="MuJoCo Menagerie, franka_emika_panda",
            licence="Apache-2.0",
            looks=config.looks,
        ),
    )
