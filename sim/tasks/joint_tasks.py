"""Joints with handles, shared by opening and closing: where a robot stands, observations and progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.affordances import JointAffordance, Signature
from cousins.geometry import Array, transform
from cousins.reconstruct.assets import Joint, Link
from cousins.reconstruct.kinematics import asset_from_links, joints_in_order
from cousins.scene.scenes import PlacedAsset
from cousins.vary.placement.footprints import (
    Footprint,
    footprint_of_asset,
    footprint_of_structure,
    have_clearance,
    rectangle_footprint,
)
from sim.bodies.capabilities import BodyCapabilities
from sim.bodies.columns import scalar, vector
from sim.tasks.affordance_queries import outlines
from sim.tasks.batch_rotations import cross, norms
from sim.tasks.episode import Episode, EpisodeJoint, EpisodeObject, StartRegion
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.task import TaskContext
from sim.tasks.task_view import UPRIGHT_COSINE, TaskView

MIN_DRAWER_TRAVEL_M: Final = 0.08
"""Least travel of a drawer [m]."""
MIN_DOOR_TRAVEL_RAD: Final = 0.6
"""Least turn of a door [rad]."""
MIN_LEVER_M: Final = 0.05
"""A handle that is nearer to its door's axis moves nothing [m]."""
MIN_BAR_ASPECT: Final = 3.0
"""A handle so many times higher than wide is a bar that a hand from above takes at its top."""
BAR_MARGIN_M: Final = 0.03
"""A place so near to a bar is on its feet, if not on the bar [m]."""
GRASP_BELOW_TOP_M: Final = 0.02
"""How far below the top [m]: the palm stays clear of it."""
MAX_CLIMB_SINE: Final = 0.5
"""A handle moves level if its way climbs by less than this sine."""
BASE_DISTANCE_M: Final = 0.35
"""From the robot's base to where a drawer's handle gets to, and to a door's handle beyond its lever [m]."""
MAX_BASE_DISTANCE_M: Final = 0.7
"""Farthest from the base to the handle [m]."""
HAND_CLEARANCE_M: Final = (0.10, 0.15)
"""Room for a hand at the handle: half its width, and above [m]; below is the body's own [m]."""
MAX_REST_SPEED_M_S: Final = 0.02
"""Slower than this furniture is at rest [m/s]."""
MAX_SINK_M: Final = 0.05
"""What sank by more than this has left its ground [m]."""
BASE_SEED: Final = 17
"""Seed of where robots stand; a cousin's own random numbers go on from it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Handle:
    """A joint that a hand moves by its handle."""

    placed: PlacedAsset
    """The furniture."""
    part: EpisodeObject
    """The same as a part, held at the handle."""
    hinge: EpisodeJoint
    """The joint."""
    place_m: Array
    """Where the handle is when closed, world [3]."""
    opening_direction: Array
    """Unit direction in which it moves as it opens, world [3]."""
    travel: float
    """From closed to open [rad or m]."""
    lever_m: float
    """From the axis to the handle [m]; 0 for a drawer."""


def movable_handles(context: TaskContext, *, revolute: bool) -> list[Handle]:
    """Return the joints of a kind whose handle moves level as it opens, the highest handle first."""
    handles = []
    for placed in context.scene.objects:
        if not placed.asset.joints:
            continue
        moving = [joint for joint in joints_in_order(placed.asset) if joint.kind != "fixed"]
        signature = context.signatures[placed.asset.name]
        affordances = {joint.name: joint for joint in signature.joints}
        for number, joint in enumerate(moving):
            if joint.name in affordances and (joint.kind == "revolute") is revolute:
                handle = _handle(placed, signature, number, joint, affordances[joint.name])
                handles += [] if handle is None else [handle]
    return sorted(
        handles, key=lambda handle: (-round(float(handle.place_m[2]), 3), handle.part.name, handle.hinge.number)
    )


def _handle(
    placed: PlacedAsset, signature: Signature, number: int, joint: Joint, affords: JointAffordance
) -> Handle | None:
    """Return a joint by its handle; None where it has none, moves too little, or not on the level."""
    revolute, closed = joint.kind == "revolute", float(np.clip(0.0, joint.lower, joint.upper))
    opened = float(joint.upper if joint.upper - closed >= closed - joint.lower else joint.lower)
    if affords.handle_m is None or abs(opened - closed) < (MIN_DOOR_TRAVEL_RAD if revolute else MIN_DRAWER_TRAVEL_M):
        return None
    asset_from_child = asset_from_links(placed.asset)[joint.child]
    axis, pivot = np.array(affords.axis), asset_from_child[:3, 3]
    arm = np.cross(axis, np.array(affords.handle_m) - pivot) if revolute else axis
    lever_m = float(np.linalg.norm(arm))
    if lever_m < MIN_LEVER_M:
        return None
    opening_direction = placed.world_from_asset[:3, :3] @ (np.sign(opened - closed) * arm / lever_m)
    if abs(opening_direction[2]) > MAX_CLIMB_SINE:
        return None
    child = next(link for link in placed.asset.links if link.name == joint.child)
    hold = _grasp_from_above(child, asset_from_child, np.array(affords.handle_m))
    return Handle(
        placed=placed,
        part=EpisodeObject(name=placed.asset.name, size_m=signature.size_m, hold_m=_triple(hold)),
        hinge=EpisodeJoint(
            number=number,
            revolute=revolute,
            axis=_triple(axis),
            pivot_m=_triple(pivot),
            closed=closed,
            opened=opened,
            damping=joint.damping,
            friction=joint.friction,
        ),
        place_m=transform(placed.world_from_asset, hold),
        opening_direction=opening_direction,
        travel=abs(opened - closed),
        lever_m=lever_m if revolute else 0.0,
    )


def _grasp_from_above(child: Link, asset_from_child: Array, handle_m: Array) -> Array:
    """Return where a hand from above takes a handle, in the asset's frame [3]: an upright bar near its top."""
    for piece in child.pieces:
        points = transform(asset_from_child, piece.mesh.vertices)
        low, high = points.min(axis=0), points.max(axis=0)
        wide, tall = float((high - low)[:2].max()), float(high[2] - low[2])
        if tall >= MIN_BAR_ASPECT * wide and np.all(
            (low - BAR_MARGIN_M <= handle_m) & (handle_m <= high + BAR_MARGIN_M)
        ):
            return np.append(0.5 * (low + high)[:2], high[2] - GRASP_BELOW_TOP_M)
    return handle_m


def base_pose_before(
    handle: Handle, context: TaskContext, body: BodyCapabilities, *, off_m: float = 0.0, askew_rad: float = 0.0
) -> dict[str, tuple[float, float, float] | float] | None:
    """Return the base pose of a robot before a handle, as fields of an episode; None where an object is in its way.

    It stands straight before it, or up to `off_m` from there along and across and turned by up to `askew_rad`: where
    exactly is drawn by the cousin's own random numbers, the same for every body and policy.
    """
    rng = np.random.default_rng(np.random.SeedSequence(BASE_SEED, spawn_key=context.cousin.spawn_key))
    along_m, across_m, turn_rad = rng.uniform(-1.0, 1.0, 3) * (off_m, off_m, askew_rad)
    level = handle.opening_direction[:2] / np.linalg.norm(handle.opening_direction[:2])
    reach = min(BASE_DISTANCE_M + (handle.lever_m if handle.hinge.revolute else handle.travel), MAX_BASE_DISTANCE_M)
    base = handle.place_m[:2] + (reach + along_m) * level + across_m * np.array([-level[1], level[0]])
    z = float(handle.place_m[2])
    middle, to_base = 0.5 * (handle.place_m[:2] + base), base - handle.place_m[:2]
    half, above = HAND_CLEARANCE_M
    corridor = rectangle_footprint(
        (float(middle[0]), float(middle[1])),
        (0.5 * float(np.linalg.norm(to_base)), half),
        float(np.arctan2(to_base[1], to_base[0])),
        (z - body.below_handle_m, z + above),
    )
    objects = outlines(context, but=[handle.part.name])
    structures = [footprint_of_structure(structure) for structure in context.scene.structures]
    if not all(have_clearance(corridor, other, gap_m=0.0) for other in (*objects, *structures)):
        return None
    if not handle.hinge.revolute and _blocks_opening(handle, context, objects):
        return None
    ground_m = handle.placed.world_from_asset[2, 3] - 0.5 * handle.part.size_m[2]
    base_z = max(z - body.handle_height_m, float(ground_m))
    return {
        "base_m": (float(base[0]), float(base[1]), base_z),
        "base_yaw_rad": float(np.arctan2(-level[1], -level[0])) + turn_rad,
    }


def find_handle(
    context: TaskContext,
    body: BodyCapabilities,
    *,
    revolute: bool,
    fits: Callable[[Handle], bool] = lambda _: True,
    off_m: float = 0.0,
    askew_rad: float = 0.0,
) -> tuple[Handle, dict[str, tuple[float, float, float] | float]] | None:
    """Return the highest handle before which a robot finds room, and where it stands; None where there is none."""
    for handle in movable_handles(context, revolute=revolute):
        base_fields = (
            base_pose_before(handle, context, body, off_m=off_m, askew_rad=askew_rad) if fits(handle) else None
        )
        if base_fields is not None:
            return handle, base_fields
    return None


def open_start_regions(
    handle: Handle, context: TaskContext, *, shift_m: float, turn_rad: float
) -> tuple[StartRegion, ...]:
    """Return where furniture that stands free, its joint open, may start around its place; none for what is fixed.

    Nor for what carries another object, which would stay behind.
    """
    placed, name = handle.placed, handle.part.name
    carries = any(relation.object == name and relation.kind in ("on", "inside") for relation in context.scene.relations)
    if placed.fixed or carries or (shift_m == 0.0 and turn_rad == 0.0):
        return ()
    return (
        StartRegion(
            name=name,
            home=placed.world_from_asset,
            shape=_open_footprint(handle),
            obstacles=outlines(context, but=[name]),
            shift_m=shift_m,
            turn_rad=turn_rad,
        ),
    )


def _blocks_opening(handle: Handle, context: TaskContext, objects: Sequence[Footprint]) -> bool:
    """Return whether opening the joint makes the furniture overlap an object that it is clear of when closed."""
    x, y, z = (float(value) for value in handle.placed.world_from_asset[:3, 3])
    shut, drawn_out = context.outlines[handle.part.name], _open_footprint(handle).transformed(x, y, 0.0, z)
    return any(
        have_clearance(shut, other, gap_m=0.0) and not have_clearance(drawn_out, other, gap_m=0.0) for other in objects
    )


def _open_footprint(handle: Handle) -> Footprint:
    """Return furniture from above with its joint open, about its origin, turned as it stands."""
    placed = handle.placed
    joint = [joint for joint in joints_in_order(placed.asset) if joint.kind != "fixed"][handle.hinge.number]
    return footprint_of_asset(placed.asset, placed.world_from_asset[:3, :3], joints={joint.name: handle.hinge.opened})


def open_fraction(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return how far the joint is open, 0 closed to 1 at its far limit [n]."""
    return np.asarray((view.joint - batch.closed) / (batch.opened - batch.closed))


def handle_distance(batch: EpisodeBatch, view: TaskView, target: Array) -> Array:
    """Return how far the handle is from where it is with the joint at `target` [n], along its way [n] [m]."""
    lever = np.where(batch.revolute, norms(cross(batch.axis, batch.hold_m[:, 0] - batch.pivot_m)), 1.0)
    return np.abs(view.joint - target) * lever


JOINT_COLUMNS: Final = (
    *vector("handle_from_tip", "m", "object_pose", "joint", "proprio"),
    *vector("opening_direction", "1", "object_pose", "joint"),
    *vector("finger_axis", "1", "proprio"),
    *vector("furniture_size", "m", "object_size", frame="furniture"),
    *vector("furniture_from_handle", "m", "object_pose", "joint"),
    *scalar("open_fraction", "1", "joint"),
    *scalar("joint_speed", "m/s or rad/s", "joint"),
    *scalar("joint_travel", "m or rad", "joint"),
    *scalar("handle_to_open", "m", "joint"),
    *scalar("handle_to_closed", "m", "joint"),
    *scalar("is_door", "1", "joint"),
)
"""What `joint_features` returns, in order."""


def joint_features(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return what a policy sees of a joint: the way to the handle, where the handle moves, how far it is [n, 21]."""
    return np.concatenate(
        [
            view.hold_m - view.tip_m,
            view.opening_direction,
            view.finger_axis,
            view.size_m,
            view.target_m - view.hold_m,
            open_fraction(batch, view)[:, None],
            view.joint_speed[:, None],
            np.abs(batch.opened - batch.closed)[:, None],
            handle_distance(batch, view, batch.opened)[:, None],
            handle_distance(batch, view, batch.closed)[:, None],
            batch.revolute[:, None],
        ],
        axis=1,
    )


def joint_at_rest(view: TaskView, *, max_speed: float = 0.02) -> Array:
    """Return whether the joint is slower than `max_speed` [m/s or rad/s], bool [n]."""
    return np.asarray(np.abs(view.joint_speed) < max_speed)


def has_fallen(view: TaskView) -> Array:
    """Return whether the furniture has left its ground, bool [n]."""
    return np.asarray(view.start_m[:, 2] - view.target_m[:, 2] > MAX_SINK_M)


def is_standing(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return whether the furniture is upright, on its ground and at rest, bool [n]."""
    up = batch.start_up[batch.index, batch.part[batch.index, view.current]]
    upright = (view.target_rotation[:, 2] * up).sum(axis=1) >= UPRIGHT_COSINE
    return np.asarray(upright & ~has_fallen(view) & (norms(view.velocity_m_s) < MAX_REST_SPEED_M_S))


def episode_of(handle: Handle, base_fields: dict[str, tuple[float, float, float] | float], proof: str) -> Episode:
    """Return the episode of a handle."""
    base, yaw = base_fields["base_m"], base_fields["base_yaw_rad"]
    assert isinstance(base, tuple)
    assert isinstance(yaw, float)
    return Episode(proof=proof, parts=(handle.part,), hinge=handle.hinge, base_m=base, base_yaw_rad=yaw)


def _triple(values: Array) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
