"""The affordance signature: numbers that describe the affordances of an asset and are comparable between assets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Grasp:
    """A grasp of a parallel gripper on opposite faces."""

    width_m: float
    """Distance between the faces [m]."""
    center_m: tuple[float, float, float]
    """Midpoint between the faces, in the asset's frame [m]."""
    axis: tuple[float, float, float]
    """Unit direction from finger to finger, in the asset's frame."""
    approach: tuple[float, float, float]
    """Unit direction of a collision-free approach of the gripper, in the asset's frame."""


@dataclass(frozen=True, kw_only=True)
class Cavity:
    """A cavity that is open upwards and holds objects that are put into it."""

    volume_m3: float
    """Volume up to its rim [m³]."""
    opening_m: float
    """Diameter of the largest ball that passes through its opening [m]."""
    depth_m: float
    """Depth from rim to bottom [m]."""
    center_m: tuple[float, float, float]
    """Centre of the opening, in the asset's frame [m]."""


@dataclass(frozen=True, kw_only=True)
class Support:
    """A level surface that supports other objects."""

    radius_m: float
    """Radius of the largest disc that fits on it [m]."""
    center_m: tuple[float, float, float]
    """Centre of that disc, in the asset's frame [m]."""


@dataclass(frozen=True, kw_only=True)
class JointAffordance:
    """A movable joint, with a point to grasp or push."""

    name: str
    """Name of the joint."""
    kind: Literal["revolute", "prismatic"]
    """Type of motion."""
    axis: tuple[float, float, float]
    """Unit axis in the asset's frame, joints at 0."""
    range: float
    """Upper minus lower limit [rad] or [m]."""
    handle_m: tuple[float, float, float] | None
    """Point at which the child link is grasped or pushed, in the asset's frame [m]; None where there is none."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The affordances of an asset."""

    size_m: tuple[float, float, float]
    """Extents along the asset's axes [m]."""
    grasps: tuple[Grasp, ...] = ()
    """Grasps of the root link, best first; empty where it is too wide for the gripper."""
    cavity: Cavity | None = None
    """Largest cavity; None for a solid."""
    support: Support | None = None
    """Largest support surface; None where there is none."""
    joints: tuple[JointAffordance, ...] = ()
    """Movable joints."""
