"""TheRobotStudio's SO-101 from a URDF of one's own; the project ships none."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sim.bodies.body import Body
from sim.bodies.urdf import UrdfConfig, from_urdf

HOME: Final = {
    "shoulder_pan": 0.0,
    "shoulder_lift": -0.6,
    "elbow_flex": 0.3,
    "wrist_flex": 1.2,
    "wrist_roll": 0.0,
    "gripper": 1.0,
}
"""Above the table, the hand pointing down and open [rad]."""
MOST_N_M: Final = 3.35
"""Torque of an STS3215 as its maker's MuJoCo model has it; the URDF declares a placeholder [N·m]."""
MOST_RAD_S: Final = 4.7
"""Its speed without load at 12 V, 45 turns a minute; the URDF declares a placeholder [rad/s]."""
ARMATURE_KG_M2: Final = 0.028
"""Inertia of its motor behind the gears, from the same model [kg·m²]."""


def so101(path: Path, *, looks: bool = False) -> Body:
    """Return the SO-101 of a URDF such as `so101_new_calib.urdf`; raises `CaptureError`."""
    config = UrdfConfig(
        name="so101",
        tip="gripper_frame_link",
        home=HOME,
        fingers=("gripper",),
        armature=ARMATURE_KG_M2,
        finger_armature=ARMATURE_KG_M2,
        most_force=dict.fromkeys(HOME, MOST_N_M),
        most_speed=dict.fromkeys(HOME, MOST_RAD_S),
        control_hz=30.0,
        latency_s=0.02,
        origin=f"TheRobotStudio/SO-ARM100, {path.name}",
        licence="Apache-2.0",
        looks=looks,
    )
    return from_urdf(path, config)
