"""What a body can do, derived from its model, and what a task needs of a body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.reconstruct.kinematics import joints_in_order
from sim.bodies.body import Body
from sim.bodies.kinematics import tip_chain, tip_kinematics

REACH_SAMPLES: Final = 2048
"""Joint positions from which the reach of a body is estimated."""
MIN_SPEED_RATIO: Final = 0.01
"""Speed of the tip [m/s] or [rad/s] for joints at 1 [rad/s] or [m/s] from which it counts as moving along an axis."""
ALIGNED_COSINE: Final = 0.999
"""A rail runs along an axis of the base if its direction has at least this cosine with it."""


@dataclass(frozen=True, kw_only=True)
class Gantry:
    """Rails along x and y of the base that carry the tip, so that the base may be put up where the work is."""

    home_m: tuple[float, float]
    """Position of the tip at the start, in the base frame [m]."""
    x_m: tuple[float, float]
    """Range of the tip along x of the base [m]."""
    y_m: tuple[float, float]
    """Range of the tip along y of the base [m]."""


@dataclass(frozen=True, kw_only=True)
class BodyCapabilities:
    """What a body can do."""

    name: str
    """Name of the body."""
    arm_joints: int
    """Driven joints that move the tip."""
    moves: tuple[str, ...]
    """Axes of the base, some of `x`, `y`, `z`, along which its joints move the tip."""
    can_turn: bool = False
    """Whether its joints turn the tip about the vertical."""
    fingers: int = 0
    """Driven joints that open the hand; 0 without a hand."""
    opening_m: float = 0.0
    """Largest opening of the hand [m]; 0 without one."""
    reach_m: float = 0.0
    """Largest level distance from the base to the tip [m]."""
    gantry: Gantry | None = None
    """Rails on which the tip runs; None for an arm."""
    handle_height_m: float = 0.25
    """Height over its base of a handle that it works on [m]."""
    below_handle_m: float = 0.02
    """How far it reaches below such a handle [m]."""


@dataclass(frozen=True, kw_only=True)
class BodyNeeds:
    """What a task needs of a body."""

    moves: tuple[str, ...] = ("x", "y")
    """Axes of the base along which the tip must move."""
    can_turn: bool = False
    """Whether the tip must turn about the vertical."""
    has_fingers: bool = False
    """Whether the body needs a hand that opens and closes."""
    min_opening_m: float = 0.0
    """Least opening of that hand [m]."""
    min_reach_m: float = 0.0
    """Least level distance from the base that the tip must reach [m]."""

    def missing(self, body: BodyCapabilities) -> tuple[str, ...]:
        """Return the capabilities that a body lacks, in words; empty where it suits."""
        lacks = [f"motion of the tip along {axis}" for axis in self.moves if axis not in body.moves]
        if self.can_turn and not body.can_turn:
            lacks.append("a tip that turns about the vertical")
        if self.has_fingers and body.fingers == 0:
            lacks.append("fingers")
        elif body.opening_m < self.min_opening_m:
            lacks.append(f"a hand that opens {1e3 * self.min_opening_m:.0f} mm, not {1e3 * body.opening_m:.0f} mm")
        if body.reach_m < self.min_reach_m:
            lacks.append(f"a reach of {self.min_reach_m:.2f} m, not {body.reach_m:.2f} m")
        return tuple(lacks)


def capabilities_of(body: Body) -> BodyCapabilities:
    """Return what a body can do, derived from its joints, limits, drives and tip."""
    joints = {joint.name: joint for joint in body.asset.joints}
    lower = np.array([joints[drive.joint].lower for drive in body.drives])
    upper = np.array([joints[drive.joint].upper for drive in body.drives])
    home = np.array([[drive.home for drive in body.drives]])
    speeds = np.linalg.norm(tip_kinematics(tip_chain(body), home).jacobian[0], axis=1)
    return BodyCapabilities(
        name=body.name,
        arm_joints=len(body.drives) - len(body.fingers),
        moves=tuple(axis for axis, speed in zip("xyz", speeds, strict=False) if speed > MIN_SPEED_RATIO),
        can_turn=bool(speeds[5] > MIN_SPEED_RATIO),
        fingers=len(body.fingers),
        opening_m=_opening(body),
        reach_m=_reach(body, lower, upper),
        gantry=_gantry(body, lower, upper),
        handle_height_m=body.handle_height_m,
        below_handle_m=body.below_handle_m,
    )


def root_from_links(body: Body) -> dict[str, Array]:
    """Return the pose [4, 4] of each link in the root's frame with all joints at 0."""
    poses = {body.asset.links[0].name: np.eye(4)}
    for joint in joints_in_order(body.asset):
        poses[joint.child] = poses[joint.parent] @ joint.parent_from_child
    return poses


def _opening(body: Body) -> float:
    """Return the largest opening of a hand [m]: the travels of sliding fingers, the chords of turning ones."""
    joints = {joint.name: joint for joint in body.asset.joints}
    poses = root_from_links(body)
    opening_m = 0.0
    for name in body.fingers:
        joint = joints[name]
        travel = joint.upper - joint.lower
        if joint.kind == "revolute":
            link_from_tip = np.linalg.inv(poses[joint.child]) @ poses[body.tip] @ body.link_from_tip
            lever_m = float(np.linalg.norm(np.cross(joint.axis, link_from_tip[:3, 3])))
            travel = 2.0 * lever_m * float(np.sin(0.5 * min(travel, np.pi)))
        opening_m += travel
    return opening_m


def _reach(body: Body, lower: Array, upper: Array) -> float:
    """Return the largest level distance from base to tip [m] over sampled drive positions in limits [drives]."""
    rng = np.random.default_rng(0)
    positions = rng.uniform(lower, upper, (REACH_SAMPLES, len(lower)))
    tips = tip_kinematics(tip_chain(body), positions).base_from_tip[:, :2, 3]
    return float(np.sqrt((tips * tips).sum(axis=1)).max())


def _gantry(body: Body, lower: Array, upper: Array) -> Gantry | None:
    """Return the rails of a body whose tip slides along x and along y of its base; None for any other."""
    home = np.array([drive.home for drive in body.drives])
    tip = tip_kinematics(tip_chain(body), home[None])
    ranges = []
    for axis in range(2):
        along = tip.jacobian[0, axis]
        turning = np.linalg.norm(tip.jacobian[0, 3:], axis=0) > 1e-9
        rails = [drive for drive in np.flatnonzero(np.abs(along) > ALIGNED_COSINE) if not turning[drive]]
        if len(rails) != 1 or along[rails[0]] < 0.0:
            return None
        offset_m = float(tip.base_from_tip[0, axis, 3] - home[rails[0]])
        ranges.append((float(lower[rails[0]]) + offset_m, float(upper[rails[0]]) + offset_m))
    x, y = (float(value) for value in tip.base_from_tip[0, :2, 3])
    return Gantry(home_m=(x, y), x_m=ranges[0], y_m=ranges[1])
