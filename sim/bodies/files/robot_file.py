"""Anyone's URDF or MJCF as a body: one function for both, its hand, tip and home recognised where not given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.reconstruct.assets import Joint
from sim.bodies.body import Body, Drive
from sim.bodies.files.hand_recognition import Hand, recognise_hand
from sim.bodies.files.home_pose import home_pose
from sim.bodies.files.mjcf import read_mjcf_robot
from sim.bodies.files.robot_model import RobotModel, robot_error
from sim.bodies.files.urdf import read_urdf_robot
from sim.bodies.parts import body_asset

SUFFIXES: Final = (".urdf", ".xml", ".mjcf")
"""Endings of robot files."""
MAX_TURN_RAD_S: Final = 2.0
"""Speed limit of a turning joint whose file has none [rad/s]."""
MAX_SLIDE_M_S: Final = 0.25
"""Speed limit of a sliding joint whose file has none [m/s]."""
MAX_TORQUE_N_M: Final = 50.0
"""Torque limit of a turning joint whose MJCF has none [N·m]."""
MAX_FORCE_N: Final = 100.0
"""Force limit of a sliding joint whose MJCF has none [N]."""


@dataclass(frozen=True, kw_only=True)
class RobotFileConfig:
    """What a robot's file does not hold, or holds as a placeholder; what is None is recognised."""

    name: str | None = None
    """Name of the body; the file's own where None."""
    tip: str | None = None
    """Link or site whose frame is the tip, z out of the hand."""
    tip_offset_m: float | None = None
    """Distance from that frame's origin to the tip along its z [m]; given, the frame is taken as it is."""
    home: Mapping[str, float] | None = None
    """Driven joints, in order, with their position at the start [rad] or [m]; those of the fingers last."""
    fingers: tuple[str, ...] | None = None
    """Driven joints that open the hand as they grow."""
    fingers_linked: bool | None = None
    """Whether gears keep all fingers equally open; where None, if there are several."""
    armature: float | None = None
    """Inertia of motor and gears at each joint of the arm [kg·m²]; the file's where None."""
    finger_armature: float | None = None
    """The same at the fingers [kg or kg·m²]."""
    max_force: Mapping[str, float] | None = None
    """Force or torque by joint where the declared one is a placeholder [N] or [N·m]."""
    max_speed: Mapping[str, float] | None = None
    """Speed by joint where the declared one is a placeholder or absent [m/s] or [rad/s]."""
    control_hz: float = 20.0
    """Commands per second that the real controller takes."""
    latency_s: float = 0.0
    """Time until a command acts [s]."""
    origin: str | None = None
    """Where the file comes from."""
    licence: str = ""
    """SPDX name of its licence."""
    looks: bool = False
    """Whether the visual meshes are read too; else hulls are what is seen."""


def body_from_file(path: Path, config: RobotFileConfig | None = None, *, tip: str | None = None) -> Body:
    """Return the body of a URDF or MJCF; `tip` names the link or site of its tip. Raises `CaptureError`."""
    config = config or RobotFileConfig(tip=tip)
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        expected = f"a robot as {', '.join(SUFFIXES)}, its meshes beside it"
        raise robot_error(path, "no robot", expected=expected, hint="Type the path of its file.")
    is_urdf = path.suffix.lower() == ".urdf"
    model = (read_urdf_robot if is_urdf else read_mjcf_robot)(path, looks=config.looks)
    if not any(link.pieces for link in model.links):
        raise robot_error(path, "nothing to touch", expected="collision shapes", hint="Give its links some.")
    hand = _hand(model, path, config)
    model = _with_opening_fingers(model, hand)
    names = tuple(config.home or (*hand.arm, *hand.fingers))
    drives = tuple(_drive(name, model, hand, config, path, required=is_urdf) for name in names)
    name = config.name or re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem)
    body = Body(
        name=name,
        asset=body_asset(name, model.links, model.joints),
        drives=drives,
        fingers=hand.fingers,
        fingers_linked=len(hand.fingers) > 1 if config.fingers_linked is None else config.fingers_linked,
        tip=hand.tip,
        link_from_tip=hand.link_from_tip,
        control_hz=config.control_hz,
        latency_s=config.latency_s,
        origin=config.origin or f"file {path.name}",
        licence=config.licence,
    )
    return _at_home(body, model, hand, config)


def _hand(model: RobotModel, path: Path, config: RobotFileConfig) -> Hand:
    """Return the hand as the config has it; what it leaves open is recognised."""
    if config.fingers is None or config.tip is None:
        return recognise_hand(model, path, tip=config.tip)
    if config.tip not in model.frames:
        hint = "Name one of its links or sites."
        raise robot_error(path, f"no link {config.tip!r}", expected="the tip's", hint=hint, names=model.frames)
    owner, pose = model.frames[config.tip]
    along = np.eye(4)
    along[2, 3] = config.tip_offset_m or 0.0
    arm = tuple(name for name in config.home or {} if name not in config.fingers)
    return Hand(arm=arm, fingers=config.fingers, reversed=frozenset(), tip=owner, link_from_tip=pose @ along)


def _with_opening_fingers(model: RobotModel, hand: Hand) -> RobotModel:
    """Return the robot whose fingers all open as their joints grow: those that close are turned around."""
    joints = tuple(_flipped(joint) if joint.name in hand.reversed else joint for joint in model.joints)
    home = {name: -value if name in hand.reversed else value for name, value in model.home.items()}
    return replace(model, joints=joints, home=home)


def _flipped(joint: Joint) -> Joint:
    return replace(joint, axis=-joint.axis, lower=-joint.upper, upper=-joint.lower)


def _drive(name: str, model: RobotModel, hand: Hand, config: RobotFileConfig, path: Path, *, required: bool) -> Drive:
    """Return the drive of a joint; raises `CaptureError` where a URDF has no effort and velocity for it."""
    joint = next((joint for joint in model.joints if joint.name == name), None)
    force = (config.max_force or {}).get(name, model.max_force.get(name, 0.0))
    speed = (config.max_speed or {}).get(name, model.max_speed.get(name, 0.0))
    if joint is None or (required and not (force > 0.0 and speed > 0.0)):
        raise robot_error(
            path,
            f"no joint {name!r} with effort and velocity",
            expected="joints with limits of force and speed",
            hint="Complete it.",
            names=[joint.name for joint in model.joints],
        )
    turns = joint.kind == "revolute"
    armature = config.finger_armature if name in hand.fingers else config.armature
    home = (config.home or model.home).get(name, joint.upper if name in hand.fingers else 0.0)
    return Drive(
        joint=name,
        max_force=force if force > 0.0 else MAX_TORQUE_N_M if turns else MAX_FORCE_N,
        max_speed=speed if speed > 0.0 else MAX_TURN_RAD_S if turns else MAX_SLIDE_M_S,
        home=float(np.clip(home, joint.lower, joint.upper)),
        armature=model.armature.get(name, 0.0) if armature is None else armature,
    )


def _at_home(body: Body, model: RobotModel, hand: Hand, config: RobotFileConfig) -> Body:
    """Return the body at a home that is found where neither config nor file has one; its hand is open."""
    if config.home is not None or model.home:
        return body
    joints = {joint.name: joint for joint in model.joints}
    lower: Array = np.array([joints[drive.joint].lower for drive in body.drives])
    upper: Array = np.array([joints[drive.joint].upper for drive in body.drives])
    home = home_pose(body, lower, upper)
    drives = tuple(
        drive if drive.joint in hand.fingers else replace(drive, home=float(value))
        for drive, value in zip(body.drives, home, strict=True)
    )
    return replace(body, drives=drives)
