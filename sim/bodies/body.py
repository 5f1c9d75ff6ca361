"""A body: what observes and acts in a world, as an asset with drives."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.geometry import Array
from cousins.reconstruct.assets import Asset


@dataclass(frozen=True, kw_only=True)
class Drive:
    """A velocity servo with a force limit on one joint."""

    joint: str
    """Name of the joint."""
    max_force: float
    """Largest force [N] or torque [N·m]."""
    max_speed: float
    """Largest speed [m/s] or [rad/s]."""
    home: float
    """Position at the start of an episode [m] or [rad]."""
    armature: float = 0.0
    """Inertia of motor and gears as the joint feels it [kg] or [kg·m²]; an ideal servo needs none."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Body:
    """A robot, simulated or real, whose root stands still; its asset's frame is the base: x forward, z up."""

    name: str
    """Public name, such as `pusher`."""
    asset: Asset
    """Links and joints; the root is joined to the world. A link that touches nothing has no pieces."""
    drives: tuple[Drive, ...]
    """Driven joints in the order of every command; those of the fingers last."""
    fingers: tuple[str, ...]
    """Driven joints that open the hand as they grow; empty without a hand."""
    fingers_linked: bool = False
    """Whether gears keep all fingers equally open, as in most parallel grippers; an engine may leave that out."""
    tip: str
    """Link that the tip sits on."""
    link_from_tip: Array
    """Pose of the tip in that link: z points out of the hand, [4, 4]."""
    control_hz: float
    """Commands per second that the real controller takes."""
    latency_s: float
    """Time until a command acts on the real robot [s]."""
    smoothing_s: float = 0.0
    """Time constant with which its controller smooths the commands to the arm [s]; 0 for none."""
    handle_height_m: float = 0.25
    """Height over its base of a handle that it works on [m]."""
    below_handle_m: float = 0.02
    """How far it reaches below such a handle [m]."""
    origin: str
    """Where it comes from."""
    licence: str
    """SPDX name of the licence of its meshes."""
