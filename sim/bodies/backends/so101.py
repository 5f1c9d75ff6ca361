"""TheRobotStudio's SO-101 from a URDF of one's own; the project ships none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cousins.errors import CaptureError
from sim.bodies.body import Body
from sim.bodies.capabilities import BodyCapabilities
from sim.bodies.files.robot_file import RobotFileConfig, body_from_file

PREFERENCE: Final = 40
"""Tasks take the suitable body of the lowest preference first."""
CAPABILITIES: Final = BodyCapabilities(
    name="so101", arm_joints=5, moves=("x", "y", "z"), can_turn=True, fingers=1, opening_m=0.13, reach_m=0.47
)
"""What it can do, for tasks that list bodies without having its URDF; a test compares it with the URDF."""
HOME: Final = {
    "shoulder_pan": 0.0,
    "shoulder_lift": -0.6,
    "elbow_flex": 0.3,
    "wrist_flex": 1.2,
    "wrist_roll": 0.0,
    "gripper": 1.0,
}
"""Above the table, the hand pointing down and open [rad]."""
MAX_TORQUE_N_M: Final = 3.35
"""Torque of an STS3215 as its maker's MuJoCo model has it; the URDF declares a placeholder [N·m]."""
MAX_SPEED_RAD_S: Final = 4.7
"""Its speed without load at 12 V, 45 turns a minute; the URDF declares a placeholder [rad/s]."""
ARMATURE_KG_M2: Final = 0.028
"""Inertia of its motor behind the gears, from the same model [kg·m²]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which file of the SO-101."""

    path: Path | None = None
    """Its URDF, such as `so101_new_calib.urdf`."""
    looks: bool = False
    """Whether visual meshes are read too."""


def build(config: Config) -> Body:
    """Return the SO-101 of a URDF; raises `CaptureError` without one."""
    if config.path is None or not config.path.is_file():
        raise CaptureError(
            "no URDF of 'so101'" if config.path is None else f"no file {config.path.name[:80]!r}",
            expected="the URDF of the robot, its meshes beside it",
            hint="Give its path: the project ships none.",
        )
    return body_from_file(
        config.path,
        RobotFileConfig(
            name="so101",
            tip="gripper_frame_link",
            home=HOME,
            fingers=("gripper",),
            armature=ARMATURE_KG_M2,
            finger_armature=ARMATURE_KG_M2,
            max_force=dict.fromkeys(HOME, MAX_TORQUE_N_M),
            max_speed=dict.fromkeys(HOME, MAX_SPEED_RAD_S),
            control_hz=30.0,
            latency_s=0.02,
            origin=f"TheRobotStudio/SO-ARM100, {config.path.name}",
            licence="Apache-2.0",
            looks=config.looks,
        ),
    )
