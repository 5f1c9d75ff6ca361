"""The numbers of the episodes that run in a batch, as arrays with a row each; written at reset, read every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array
from cousins.reconstruct.assets import Asset
from cousins.reconstruct.kinematics import joints_in_order
from sim.bodies.body import Body
from sim.bodies.capabilities import root_from_links
from sim.tasks.episode import Episode
from sim.worlds.worlds import Slots, State


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EpisodeBatch:
    """Episodes by row; columns are those of `Slots`, 0 where nothing is meant."""

    index: Array
    """Numbers of the rows [n]."""
    base_m: Array
    """Where the robot stands in the world [n, 3]."""
    world_from_base: Array
    """Its axes in the world [n, 3, 3]."""
    count: Array
    """Number of parts [n]."""
    part: Array
    """Columns of the parts [n, m]."""
    size_m: Array
    """Extents of the parts [n, m, 3]."""
    hold_m: Array
    """Where a hand takes hold, in the part's frame [n, m, 3]."""
    hold_axis: Array
    """From finger to finger, in the part's frame [n, m, 3]."""
    width_m: Array
    """Opening that a hand needs [n, m]."""
    start_m: Array
    """Where the parts start, world [n, m, 3]."""
    mass_kg: Array
    """Mass of the parts [n, m]."""
    friction: Array
    """Friction coefficient of the parts [n, m]."""
    ground_friction: Array
    """Friction coefficient of what they stand on [n]."""
    goal_m: Array
    """World, or in the frame of the place [n, 3]."""
    goal_radius_m: Array
    """[n]."""
    place: Array
    """Column of the object into or onto which it goes; -1 for none [n]."""
    depth_m: Array
    """Depth of its hollow [n]."""
    place_friction: Array
    """Its friction coefficient [n]."""
    joint: Array
    """Column of the joint that is to be moved [n]."""
    revolute: Array
    """Whether it turns, bool [n]."""
    axis: Array
    """Its axis in the target's frame [n, 3]."""
    pivot_m: Array
    """A point on it in the target's frame [n, 3]."""
    closed: Array
    """Position when closed [n]."""
    opened: Array
    """Position at the far limit [n]."""
    resistance: Array
    """Damping and dry friction of the joint [n, 2]."""
    start_joint: Array
    """Where the joint starts [n]."""
    movable: Array
    """Objects that shall stay as they stand, bool [n, objects]."""
    start_up: Array
    """Their own axes that point up at the start, in their own frame [n, objects, 3]."""
    start_tip_m: Array
    """Where the tip starts, in the base frame [n, 3]."""
    finger_axis: Array
    """From finger to finger in the frame of the tip [3]; zero for a body without a hand."""
    home: Array
    """Home of the drives [drives]."""
    fingers: Array
    """Numbers of the drives of the fingers [f]."""
    slides: bool
    """Whether the fingers slide, so that their ways add up to an opening."""
    turns: bool
    """Whether the body can turn its tip."""


def empty_batch(size: int, slots: Slots, body: Body, *, parts: int) -> EpisodeBatch:
    """Return rows without an episode."""
    n, k = size, len(slots.objects)
    by_name = {drive.joint: number for number, drive in enumerate(body.drives)}
    kinds = {joint.name: joint.kind for joint in body.asset.joints}
    return EpisodeBatch(
        index=np.arange(n),
        base_m=np.zeros((n, 3)),
        world_from_base=np.tile(np.eye(3), (n, 1, 1)),
        count=np.ones(n, dtype=np.int64),
        part=np.zeros((n, parts), dtype=np.int64),
        size_m=np.zeros((n, parts, 3)),
        hold_m=np.zeros((n, parts, 3)),
        hold_axis=np.zeros((n, parts, 3)),
        width_m=np.zeros((n, parts)),
        start_m=np.zeros((n, parts, 3)),
        mass_kg=np.zeros((n, parts)),
        friction=np.zeros((n, parts)),
        ground_friction=np.zeros(n),
        goal_m=np.zeros((n, 3)),
        goal_radius_m=np.zeros(n),
        place=np.full(n, -1, dtype=np.int64),
        depth_m=np.zeros(n),
        place_friction=np.zeros(n),
        joint=np.full(n, -1, dtype=np.int64),
        revolute=np.zeros(n, dtype=np.bool_),
        axis=np.tile([0.0, 0.0, 1.0], (n, 1)),
        pivot_m=np.zeros((n, 3)),
        closed=np.zeros(n),
        opened=np.ones(n),
        resistance=np.zeros((n, 2)),
        start_joint=np.zeros(n),
        movable=np.zeros((n, k), dtype=np.bool_),
        start_up=np.tile([0.0, 0.0, 1.0], (n, k, 1)),
        start_tip_m=np.zeros((n, 3)),
        finger_axis=finger_axis(body),
        home=np.array([drive.home for drive in body.drives]),
        fingers=np.array([by_name[name] for name in body.fingers], dtype=np.int64),
        slides=bool(body.fingers) and all(kinds[name] == "prismatic" for name in body.fingers),
        turns=any(kinds[drive.joint] == "revolute" for drive in body.drives),
    )


def put_episode(batch: EpisodeBatch, row: int, episode: Episode, slots: Slots) -> None:
    """Write an episode into a row; what its start decides is written by `put_start`."""
    column = {name: number for number, name in enumerate(slots.objects)}
    c, s = np.cos(episode.base_yaw_rad), np.sin(episode.base_yaw_rad)
    batch.base_m[row] = episode.base_m
    batch.world_from_base[row] = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]
    batch.count[row] = len(episode.parts)
    for number, part in enumerate(episode.parts):
        batch.part[row, number] = column[part.name]
        batch.size_m[row, number] = part.size_m
        batch.hold_m[row, number] = part.hold_m
        batch.hold_axis[row, number] = part.axis
        batch.width_m[row, number] = part.width_m
        batch.mass_kg[row, number] = part.mass_kg
        batch.friction[row, number] = part.friction
    batch.ground_friction[row] = episode.ground_friction
    batch.goal_m[row] = episode.goal_m
    batch.goal_radius_m[row] = episode.goal_radius_m
    batch.place[row] = column[episode.place] if episode.place else -1
    batch.depth_m[row] = episode.depth_m
    batch.place_friction[row] = episode.place_friction
    _put_hinge(batch, row, episode, slots)
    batch.movable[row] = False
    batch.movable[row, [column[name] for name in episode.bystanders]] = True


def _put_hinge(batch: EpisodeBatch, row: int, episode: Episode, slots: Slots) -> None:
    hinge = episode.hinge
    if hinge is None:
        batch.joint[row] = -1
        return
    batch.joint[row] = slots.joints.index((episode.parts[0].name, hinge.number))
    batch.revolute[row] = hinge.revolute
    batch.axis[row] = hinge.axis
    batch.pivot_m[row] = hinge.pivot_m
    batch.closed[row], batch.opened[row] = hinge.closed, hinge.opened
    batch.resistance[row] = hinge.damping, hinge.friction


def put_start(batch: EpisodeBatch, row: int, state: State, up: Array, tip_m: Array) -> None:
    """Write where an episode starts: the state of all rows, own up axes [objects, 3] of the row, and its tip [3]."""
    batch.start_m[row] = state.position_m[row, batch.part[row]]
    batch.start_joint[row] = state.joint_position[row, batch.joint[row]] if batch.joint[row] >= 0 else 0.0
    batch.start_up[row] = up
    batch.start_tip_m[row] = tip_m


def finger_axis(body: Body) -> Array:
    """Return the unit direction from finger to finger in the frame of the tip [3]; zero without a hand."""
    joints = {joint.name: joint for joint in body.asset.joints}
    if not body.fingers:
        return np.zeros(3)
    joint = joints[body.fingers[0]]
    rotation = _root_from_link(body.asset, joint.child)
    axis = rotation @ joint.axis
    if joint.kind == "revolute":
        poses = root_from_links(body)
        tip_m = (poses[body.tip] @ body.link_from_tip)[:3, 3]
        swing = np.cross(axis, tip_m - poses[joint.child][:3, 3])
        axis = swing / max(float(np.linalg.norm(swing)), 1e-9)
    tip = _root_from_link(body.asset, body.tip) @ body.link_from_tip[:3, :3]
    return np.asarray(tip.T @ axis)


def _root_from_link(asset: Asset, name: str) -> Array:
    rotations: Mapping[str, Array] = {asset.links[0].name: np.eye(3)}
    for joint in joints_in_order(asset):
        rotations = {**rotations, joint.child: rotations[joint.parent] @ joint.parent_from_child[:3, :3]}
    return rotations[name]
