"""What opening and closing share: a joint with a handle, and a robot that stands before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.affordances import JointAffordance, Signature
from cousins.geometry import Array, transform
from cousins.reconstruct.assets import Joint, Link
from cousins.scene.kinematics import asset_from_links, joints_in_order
from cousins.scene.scenes import Placed
from cousins.vary.placement.footprints import Footprint, footprint_of_asset, footprint_of_structure, free, rectangle
from sim.tasks.affordance_queries import outlines
from sim.tasks.batch_rotations import crossed, length
from sim.tasks.episode import Episode, Hinge, Part, Start
from sim.tasks.episode_batch import Rows
from sim.tasks.task import Known
from sim.tasks.task_view import KNOCKED, View

LEAST_DRAWER_M: Final = 0.08
"""Least way of a drawer [m]."""
LEAST_DOOR_RAD: Final = 0.6
"""Least turn of a door [rad]."""
LEAST_LEVER_M: Final = 0.05
"""A handle that is nearer to its door's axis moves nothing [m]."""
UPRIGHT: Final = 3.0
"""A handle so many times higher than wide is a bar that a hand from above takes at its top."""
FOOT_M: Final = 0.03
"""A place so near to a bar is on its feet, if not on the bar [m]."""
TOP_M: Final = 0.02
"""How far below the top [m]: the palm stays clear of it."""
LEVEL: Final = 0.5
"""A handle moves level if its way climbs by less than this sine."""
AWAY_M: Final = 0.35
"""From the robot's base to where a drawer's handle gets to, and to a door's handle beyond its lever [m]."""
FARTHEST_M: Final = 0.7
"""Farthest from the base to the handle [m]."""
HAND_M: Final = (0.10, 0.02, 0.15)
"""Room for a hand at the handle: half its width, below and above [m]."""
STICK_M: Final = {"pusher": 0.05}
"""How far a body reaches below a handle, where that is more than a hand does [m]."""
MOUNT_M: Final = {"pusher": 0.055, "gripper": 0.15}
"""Height of a handle over the base by body; what is not listed has its base this far below: `MOUNT_ELSE_M` [m]."""
MOUNT_ELSE_M: Final = 0.25
"""The same for arms [m]."""
STILL_M_S: Final = 0.02
"""Slower than this furniture is at rest [m/s]."""
FALLEN_M: Final = 0.05
"""What sank by more than this has left its ground [m]."""
STANDING: Final = 17
"""Seed of where robots stand; a cousin's own random numbers go on from it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Handle:
    """A joint that a hand moves by its handle."""

    placed: Placed
    """The furniture."""
    part: Part
    """The same as a part, held at the handle."""
    hinge: Hinge
    """The joint."""
    place_m: Array
    """Where the handle is when closed, world [3]."""
    way: Array
    """Unit direction in which it moves as it opens, world [3]."""
    travel: float
    """From closed to open [rad or m]."""
    lever_m: float
    """From the axis to the handle [m]; 0 for a drawer."""


def handles_of(known: Known, *, revolute: bool) -> list[Handle]:
    """Return the joints of a kind whose handle moves level as it opens, the highest handle first."""
    found = []
    for placed in known.scene.objects:
        if not placed.asset.joints:
            continue
        moving = [joint for joint in joints_in_order(placed.asset) if joint.kind != "fixed"]
        signature = known.signatures[placed.asset.name]
        told = {joint.name: joint for joint in signature.joints}
        for number, joint in enumerate(moving):
            if joint.name in told and (joint.kind == "revolute") is revolute:
                handle = _handle(placed, signature, number, joint, told[joint.name])
                found += [] if handle is None else [handle]
    return sorted(found, key=lambda one: (-round(float(one.place_m[2]), 3), one.part.name, one.hinge.number))


def _handle(placed: Placed, signature: Signature, number: int, joint: Joint, affords: JointAffordance) -> Handle | None:
    """Return a joint by its handle; None where it has none, moves too little, or not on the level."""
    revolute, closed = joint.kind == "revolute", float(np.clip(0.0, joint.lower, joint.upper))
    opened = float(joint.upper if joint.upper - closed >= closed - joint.lower else joint.lower)
    if affords.handle_m is None or abs(opened - closed) < (LEAST_DOOR_RAD if revolute else LEAST_DRAWER_M):
        return None
    asset_from_child = asset_from_links(placed.asset)[joint.child]
    axis, pivot = np.array(affords.axis), asset_from_child[:3, 3]
    arm = np.cross(axis, np.array(affords.handle_m) - pivot) if revolute else axis
    lever_m = float(np.linalg.norm(arm))
    if lever_m < LEAST_LEVER_M:
        return None
    way = placed.world_from_asset[:3, :3] @ (np.sign(opened - closed) * arm / lever_m)
    if abs(way[2]) > LEVEL:
        return None
    child = next(link for link in placed.asset.links if link.name == joint.child)
    hold = _from_above(child, asset_from_child, np.array(affords.handle_m))
    return Handle(
        placed=placed,
        part=Part(name=placed.asset.name, size_m=signature.size_m, hold_m=_three(hold)),
        hinge=Hinge(
            number=number,
            revolute=revolute,
            axis=_three(axis),
            pivot_m=_three(pivot),
            closed=closed,
            opened=opened,
            damping=joint.damping,
            friction=joint.friction,
        ),
        place_m=transform(placed.world_from_asset, hold),
        way=way,
        travel=abs(opened - closed),
        lever_m=lever_m if revolute else 0.0,
    )


def _from_above(child: Link, asset_from_child: Array, handle_m: Array) -> Array:
    """Return where a hand from above takes a handle, in the asset's frame [3]: an upright bar near its top."""
    for piece in child.pieces:
        points = transform(asset_from_child, piece.mesh.vertices)
        low, high = points.min(axis=0), points.max(axis=0)
        wide, tall = float((high - low)[:2].max()), float(high[2] - low[2])
        if tall >= UPRIGHT * wide and np.all((low - FOOT_M <= handle_m) & (handle_m <= high + FOOT_M)):
            return np.append(0.5 * (low + high)[:2], high[2] - TOP_M)
    return handle_m


def stance(
    handle: Handle, known: Known, body: str, *, off_m: float = 0.0, askew_rad: float = 0.0
) -> dict[str, tuple[float, float, float] | float] | None:
    """Return where a robot stands before a handle, as fields of an episode; None where something is in its way.

    It stands straight before it, or up to `off_m` from there along and across and turned by up to `askew_rad`: where
    exactly is drawn by the cousin's own random numbers, the same for every body and policy.
    """
    rng = np.random.default_rng(np.random.SeedSequence(STANDING, spawn_key=known.cousin.draw))
    along_m, across_m, turn_rad = rng.uniform(-1.0, 1.0, 3) * (off_m, off_m, askew_rad)
    level = handle.way[:2] / np.linalg.norm(handle.way[:2])
    reach = min(AWAY_M + (handle.lever_m if handle.hinge.revolute else handle.travel), FARTHEST_M)
    base = handle.place_m[:2] + (reach + along_m) * level + across_m * np.array([-level[1], level[0]])
    z = float(handle.place_m[2])
    middle, way = 0.5 * (handle.place_m[:2] + base), base - handle.place_m[:2]
    half, below, above = HAND_M
    corridor = rectangle(
        (float(middle[0]), float(middle[1])),
        (0.5 * float(np.linalg.norm(way)), half),
        float(np.arctan2(way[1], way[0])),
        (z - STICK_M.get(body, below), z + above),
    )
    objects = outlines(known, but=[handle.part.name])
    structures = [footprint_of_structure(one) for one in known.scene.structures]
    if not all(free(corridor, other, gap_m=0.0) for other in (*objects, *structures)):
        return None
    if not handle.hinge.revolute and _meets_opening(handle, known, objects):
        return None
    ground_m = handle.placed.world_from_asset[2, 3] - 0.5 * handle.part.size_m[2]
    base_z = max(z - MOUNT_M.get(body, MOUNT_ELSE_M), float(ground_m))
    return {
        "base_m": (float(base[0]), float(base[1]), base_z),
        "base_yaw_rad": float(np.arctan2(-level[1], -level[0])) + turn_rad,
    }


def find_handle(
    known: Known,
    body: str,
    *,
    revolute: bool,
    fits: Callable[[Handle], bool] = lambda _: True,
    off_m: float = 0.0,
    askew_rad: float = 0.0,
) -> tuple[Handle, dict[str, tuple[float, float, float] | float]] | None:
    """Return the highest handle before which a robot finds room, and where it stands; None where there is none."""
    for handle in handles_of(known, revolute=revolute):
        standing = stance(handle, known, body, off_m=off_m, askew_rad=askew_rad) if fits(handle) else None
        if standing is not None:
            return handle, standing
    return None


def starts_open(handle: Handle, known: Known, *, shift_m: float, turn_rad: float) -> tuple[Start, ...]:
    """Return where furniture that stands free, its joint open, may start around its place; none for what is fixed.

    Nor for what carries another object, which would stay behind.
    """
    placed, name = handle.placed, handle.part.name
    carries = any(one.object == name and one.kind in ("on", "inside") for one in known.scene.relations)
    if placed.fixed or carries or (shift_m == 0.0 and turn_rad == 0.0):
        return ()
    return (
        Start(
            name=name,
            home=placed.world_from_asset,
            shape=_open_shape(handle),
            others=outlines(known, but=[name]),
            shift_m=shift_m,
            turn_rad=turn_rad,
        ),
    )


def _meets_opening(handle: Handle, known: Known, objects: Sequence[Footprint]) -> bool:
    """Tell whether furniture meets an object with its joint open that it does not touch with it closed."""
    x, y, z = (float(value) for value in handle.placed.world_from_asset[:3, 3])
    shut, drawn_out = known.outlines[handle.part.name], _open_shape(handle).placed(x, y, 0.0, z)
    return any(free(shut, other, gap_m=0.0) and not free(drawn_out, other, gap_m=0.0) for other in objects)


def _open_shape(handle: Handle) -> Footprint:
    """Return furniture from above with its joint open, about its origin, turned as it stands."""
    placed = handle.placed
    joint = [one for one in joints_in_order(placed.asset) if one.kind != "fixed"][handle.hinge.number]
    return footprint_of_asset(placed.asset, placed.world_from_asset[:3, :3], joints={joint.name: handle.hinge.opened})


def share_open(rows: Rows, view: View) -> Array:
    """Return how far the joint is open, 0 closed to 1 at its far limit [n]."""
    return np.asarray((view.joint - rows.closed) / (rows.opened - rows.closed))


def left_m(rows: Rows, view: View, target: Array) -> Array:
    """Return how far the handle is from where it is with the joint at `target` [n], along its way [n] [m]."""
    lever = np.where(rows.revolute, length(crossed(rows.axis, rows.hold_m[:, 0] - rows.pivot_m)), 1.0)
    return np.abs(view.joint - target) * lever


def hinge_features(rows: Rows, view: View) -> Array:
    """Return what a policy sees of a joint: the way to the handle, where the handle moves, how far it is [n, 21]."""
    return np.concatenate(
        [
            view.hold_m - view.tip_m,
            view.way,
            view.finger_axis,
            view.size_m,
            view.target_m - view.hold_m,
            share_open(rows, view)[:, None],
            view.joint_speed[:, None],
            np.abs(rows.opened - rows.closed)[:, None],
            left_m(rows, view, rows.opened)[:, None],
            left_m(rows, view, rows.closed)[:, None],
            rows.revolute[:, None],
        ],
        axis=1,
    )


def joint_still(view: View, *, most: float = 0.02) -> Array:
    """Tell whether the joint is slower than this [m/s or rad/s], bool [n]; a door may turn five times as fast."""
    return np.asarray(np.abs(view.joint_speed) < most)


def fallen(view: View) -> Array:
    """Tell whether the furniture has left its ground, bool [n]."""
    return np.asarray(view.start_m[:, 2] - view.target_m[:, 2] > FALLEN_M)


def stands(rows: Rows, view: View) -> Array:
    """Tell whether the furniture stands where it stood or was shifted to, upright and at rest, bool [n]."""
    up = rows.start_up[rows.index, rows.part[rows.index, view.current]]
    upright = (view.target_rotation[:, 2] * up).sum(axis=1) >= KNOCKED
    return np.asarray(upright & ~fallen(view) & (length(view.velocity_m_s) < STILL_M_S))


def episode_of(handle: Handle, standing: dict[str, tuple[float, float, float] | float], proof: str) -> Episode:
    """Return the episode of a handle."""
    base, yaw = standing["base_m"], standing["base_yaw_rad"]
    assert isinstance(base, tuple)
    assert isinstance(yaw, float)
    return Episode(proof=proof, parts=(handle.part,), hinge=handle.hinge, base_m=base, base_yaw_rad=yaw)


def _three(values: Array) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
