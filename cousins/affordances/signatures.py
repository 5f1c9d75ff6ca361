"""The affordance signature: what can be done with an asset, in numbers that any two assets can be compared by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Grasp:
    """A place where a parallel gripper closes on opposite faces."""

    width_m: float
    """Opening between the faces [m]."""
    center_m: tuple[float, float, float]
    """Middle between the faces, in the asset's frame [m]."""
    axis: tuple[float, float, float]
    """Unit direction from finger to finger, in the asset's frame."""
    approach: tuple[float, float, float]
    """Unit direction in which the gripper comes, in the asset's frame; nothing of the asset is in its way."""


@dataclass(frozen=True, kw_only=True)
class Cavity:
    """A hollow that is open upwards and holds what is put into it."""

    volume_m3: float
    """What it holds up to its rim [m³]."""
    opening_m: float
    """Diameter of the largest ball that passes its opening [m]."""
    depth_m: float
    """Rim to bottom [m]."""
    center_m: tuple[float, float, float]
    """Middle of the opening, in the asset's frame [m]."""


@dataclass(frozen=True, kw_only=True)
class Support:
    """A level top that others can stand on."""

    radius_m: float
    """Radius of the largest disc that fits on it [m]."""
    center_m: tuple[float, float, float]
    """Middle of that disc, in the asset's frame [m]."""


@dataclass(frozen=True, kw_only=True)
class JointAffordance:
    """A joint that can be moved by hand."""

    name: str
    """Name of the joint."""
    kind: Literal["revolute", "prismatic"]
    """Type of motion."""
    axis: tuple[float, float, float]
    """Unit axis in the asset's frame, joints at 0."""
    range: float
    """Upper minus lower limit [rad] or [m]."""
    handle_m: tuple[float, float, float] | None
    """Where a hand takes hold of the child link, in the asset's frame; None where nothing can be gripped or pushed."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """All that an asset affords."""

    size_m: tuple[float, float, float]
    """Extents along the asset's axes [m]."""
    grasps: tuple[Grasp, ...] = ()
    """Grasps within a gripper's opening, best first; empty for what is too wide."""
    cavity: Cavity | None = None
    """Its largest hollow; None for a solid."""
    support: Support | None = None
    """Its widest level top; None where nothing would stand."""
    joints: tuple[JointAffordance, ...] = ()
    """Its joints."""
