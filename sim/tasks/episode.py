"""Episodes: the numbers of a task in one cousin, taken once from its scene and its signatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array, rotation_about
from cousins.vary.placement.footprints import Footprint, have_clearance

START_CLEARANCE_M: Final = 0.002
"""Air that a drawn start leaves around an object, if there is as much at home [m]."""
MAX_START_TRIES: Final = 8
"""Most tries to draw a free start; then the object stays at home."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EpisodeObject:
    """An object that is handled, and where a hand takes hold of it, in the frame of its root link."""

    name: str
    """Name of the object."""
    size_m: tuple[float, float, float]
    """Extents along its own axes [m]."""
    hold_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Middle of a grasp, or the handle with its joint at 0 [m]."""
    axis: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """From finger to finger, unit; zero where no hand closes on it."""
    width_m: float = 0.0
    """Opening that the hand needs [m]."""
    mass_kg: float = 0.0
    """Mass of all its links [kg]."""
    friction: float = 0.0
    """Its friction coefficient."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EpisodeJoint:
    """A joint that is to be moved, in the frame of the root link."""

    number: int
    """Number among the object's movable joints, parents first."""
    revolute: bool
    """True for a door, False for a drawer."""
    axis: tuple[float, float, float]
    """Unit axis."""
    pivot_m: tuple[float, float, float]
    """A point on the axis [m]."""
    closed: float
    """Position when closed [rad or m]."""
    opened: float
    """Position at the far limit [rad or m]."""
    damping: float
    """Viscous damping."""
    friction: float
    """Dry friction."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StartRegion:
    """Region in which the start pose of an object is drawn, around its home."""

    name: str
    """Name of the object."""
    home: Array
    """`world_from_object` in the scene [4, 4]."""
    shape: Footprint
    """The object from above, about its origin, turned as it stands."""
    obstacles: Sequence[Footprint]
    """What it must not overlap."""
    shift_m: float
    """Largest move along x and along y [m]."""
    turn_rad: float
    """Largest turn about z [rad]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Episode:
    """Target, goal and robot base of a task in one cousin, in the world frame."""

    proof: str
    """Why the cousin affords it, in words."""
    parts: tuple[EpisodeObject, ...]
    """What is handled; the first is the target."""
    base_m: tuple[float, float, float]
    """Where the robot stands [m]."""
    base_yaw_rad: float
    """Where it faces [rad]."""
    goal_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the target shall get to; in the frame of `place` where there is one [m]."""
    goal_radius_m: float = 0.0
    """How far from there is near enough [m]."""
    place: str = ""
    """Object into or onto which it shall get; empty for none."""
    depth_m: float = 0.0
    """Depth of that object's hollow [m]."""
    hinge: EpisodeJoint | None = None
    """Joint of the target that is to be moved."""
    place_friction: float = 0.0
    """Friction coefficient of that object."""
    ground_friction: float = 0.0
    """Friction coefficient of what the target stands on."""
    starts: tuple[StartRegion, ...] = ()
    """Objects whose start is drawn."""
    bystanders: tuple[str, ...] = ()
    """Objects that may move but shall stay as they stand."""
    joint_range: tuple[float, float] | None = None
    """Between which the joint's start is drawn; None for where the scene has it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EpisodeStart:
    """Start of an episode where it differs from the scene."""

    placements: tuple[tuple[str, Array], ...]
    """Objects by name with `world_from_object` [4, 4]."""
    joint: float | None
    """Where the joint starts; None for where the scene has it."""


def sample_start(episode: Episode, rng: np.random.Generator) -> EpisodeStart:
    """Return a random start of an episode: poses of its objects and a position of its joint."""
    placements = tuple((start.name, _sample_pose(start, rng)) for start in episode.starts)
    joint = None if episode.joint_range is None else float(rng.uniform(*episode.joint_range))
    return EpisodeStart(placements=placements, joint=joint)


def _sample_pose(start: StartRegion, rng: np.random.Generator) -> Array:
    for _ in range(MAX_START_TRIES):
        x, y = start.home[:2, 3] + rng.uniform(-start.shift_m, start.shift_m, 2)
        turn = float(rng.uniform(-start.turn_rad, start.turn_rad))
        moved = start.shape.transformed(float(x), float(y), turn, float(start.home[2, 3]))
        if all(have_clearance(moved, other, gap_m=START_CLEARANCE_M) for other in start.obstacles):
            pose = start.home.copy()
            pose[:3, :3] = rotation_about(np.array([0.0, 0.0, 1.0]), turn) @ start.home[:3, :3]
            pose[:2, 3] = x, y
            return pose
    return start.home
