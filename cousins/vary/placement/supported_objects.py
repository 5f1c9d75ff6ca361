"""Placement of objects on or in another object: they follow it and are lowered onto its collision pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cousins.geometry import Array, invert, rigid, rotation_about
from cousins.scene.layout.collision_bodies import CollisionBody, clearance_below, find_overlaps
from cousins.scene.layout.repair import CONTACT_GAP_M, CONTACT_TOLERANCE_M
from cousins.vary.cousins import Library
from cousins.vary.placement.layout_plan import LayoutPlan
from cousins.vary.recipes import LayoutRange

MAX_TRIES: Final = 8
"""Most tries to place an object on or in its carrier; each is sampled closer to the pose in the twin."""
START_HEIGHT_M: Final = 0.005
"""Height above the highest point of the carrier from which an object is lowered [m]."""


def place_supported_objects(
    plan: LayoutPlan,
    library: Library,
    variant_keys: Mapping[str, str],
    poses: Mapping[str, Array],
    ranges: LayoutRange,
    amount: float,
    rng: np.random.Generator,
) -> dict[str, Array] | None:
    """Return `world_from_asset` [4, 4] by name of the objects that are not in `poses`; None where one cannot be placed.

    Fixed objects and the objects that they support keep their poses, but for fixed ones with a pose in `poses`.
    """
    new_poses: dict[str, Array] = {}
    bodies: dict[str, CollisionBody] = {}
    for name, placed in plan.objects.items():
        if name not in variant_keys or name in poses:
            continue
        carrier = plan.carriers.get(name, ("", ""))[1]
        is_carried = carrier in variant_keys and (carrier in poses or not plan.objects[carrier].fixed)
        if placed.fixed or not is_carried:
            new_poses[name] = placed.world_from_asset
            continue
        all_poses = dict(poses) | new_poses
        for other in all_poses.keys() - bodies.keys():
            bodies[other] = plan.bodies[variant_keys[other]].transformed(all_poses[other])
        start = _carried_pose(plan, library, name, variant_keys, all_poses[carrier])
        pose = _lower_onto(plan.bodies[variant_keys[name]], start, carrier, bodies, ranges, amount, rng)
        if pose is None:
            return None
        new_poses[name] = pose
    return new_poses


def _carried_pose(
    plan: LayoutPlan, library: Library, name: str, variant_keys: Mapping[str, str], world_from_carrier: Array
) -> Array:
    """Return the pose [4, 4] of an object that keeps its place on its carrier, relative to the carrier's size."""
    carrier = plan.carriers[name][1]
    twin_carrier = plan.objects[carrier]
    carrier_from_object = invert(twin_carrier.world_from_asset) @ plan.objects[name].world_from_asset
    ratio = library.variants[variant_keys[carrier]].asset.size_m / np.maximum(twin_carrier.asset.size_m, 1e-6)
    carrier_from_object[:3, 3] *= ratio
    pose = world_from_carrier @ carrier_from_object
    yaw = float(np.arctan2(pose[1, 0], pose[0, 0]))
    turn = rotation_about(np.array([0.0, 0.0, 1.0]), yaw)
    return rigid(turn @ plan.rest_orientations[variant_keys[name]].tilt, pose[:3, 3])


def _lower_onto(
    asset_body: CollisionBody,
    start: Array,
    carrier: str,
    bodies: Mapping[str, CollisionBody],
    ranges: LayoutRange,
    amount: float,
    rng: np.random.Generator,
) -> Array | None:
    """Return the pose [4, 4] of a body lowered onto its carrier, free of all other bodies; None after `MAX_TRIES`."""
    for attempt in range(MAX_TRIES):
        reach = amount * (1.0 - attempt / (MAX_TRIES - 1))
        pose = start.copy()
        pose[:2, 3] += [reach * ranges.jitter_m.at_quantile(rng.uniform()) for _ in range(2)]
        turn = rotation_about(np.array([0.0, 0.0, 1.0]), reach * ranges.yaw_rad.at_quantile(rng.uniform()))
        pose[:3, :3] = turn @ pose[:3, :3]
        body = asset_body.transformed(pose)
        rise = float(bodies[carrier].box.high[2]) + START_HEIGHT_M - float(body.box.low[2])
        body = body.transformed(rigid(translation=np.array([0.0, 0.0, rise])))
        drop_m = clearance_below(body, bodies[carrier])
        if not np.isfinite(drop_m):
            continue
        lowering = rigid(translation=np.array([0.0, 0.0, CONTACT_GAP_M - drop_m]))
        body = body.transformed(lowering)
        if not any(find_overlaps(body, other, tolerance_m=CONTACT_TOLERANCE_M) for other in bodies.values()):
            pose[2, 3] += rise + CONTACT_GAP_M - drop_m
            return pose
    return None
