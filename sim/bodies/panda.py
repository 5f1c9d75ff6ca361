"""Franka Emika's Panda with its hand, from the URDF that ships with PyBullet."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from cousins.errors import CaptureError
from sim.bodies.body import Body
from sim.bodies.urdf import UrdfConfig, from_urdf

HOME: Final = {
    "panda_joint1": 0.0,
    "panda_joint2": -np.pi / 4.0,
    "panda_joint3": 0.0,
    "panda_joint4": -3.0 * np.pi / 4.0,
    "panda_joint5": 0.0,
    "panda_joint6": np.pi / 2.0,
    "panda_joint7": np.pi / 4.0,
    "panda_finger_joint1": 0.04,
    "panda_finger_joint2": 0.04,
}
"""Franka's own ready pose, the hand open [rad] and [m]."""
FINGERS: Final = ("panda_finger_joint1", "panda_finger_joint2")
"""Joints that open the hand."""
ARMATURE_KG_M2: Final = 0.1
"""Inertia of a motor behind its gears as MuJoCo Menagerie has it [kg·m²]."""
FINGER_ARMATURE_KG: Final = 1.0
"""The same of the hand's one motor, shared by both fingers: default [kg]."""


def panda(*, looks: bool = False) -> Body:
    """Return the Panda; raises `CaptureError` where PyBullet's data are not installed."""
    found = find_spec("pybullet_data")
    path = Path(next(iter((found and found.submodule_search_locations) or [""]))) / "franka_panda/panda.urdf"
    if not path.is_file():
        raise CaptureError(
            "no `franka_panda/panda.urdf`", expected="PyBullet's data", hint="Install the extra `sim`: pybullet."
        )
    config = UrdfConfig(
        name="panda",
        tip="panda_grasptarget",
        home=HOME,
        fingers=FINGERS,
        fingers_linked=True,
        armature=ARMATURE_KG_M2,
        finger_armature=FINGER_ARMATURE_KG,
        control_hz=20.0,
        latency_s=0.01,
        origin="pybullet_data, franka_panda",
        licence="Apache-2.0",
        looks=looks,
    )
    return from_urdf(path, config)
