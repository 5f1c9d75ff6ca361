"""Objects that stand on or in another object: they go along with it and are put down onto its pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cousins.geometry import Array, invert, rigid, rotation_about
from cousins.scene.layout.collision_bodies import Body, clearance_below, overlaps
from cousins.scene.layout.repair import CONTACT_GAP_M, TOUCH_M
from cousins.vary.cousins import Library
from cousins.vary.placement.layout_plan import Plan
from cousins.vary.recipes import Layout

TRIES: Final = 8
"""Most tries to put an object onto or into its carrier; each is drawn nearer to the twin's place."""
LIFT_M: Final = 0.005
"""Height above the carrier's highest point from which it is let down [m]."""


def put_down(
    plan: Plan,
    library: Library,
    variants: Mapping[str, str],
    poses: Mapping[str, Array],
    ranges: Layout,
    amount: float,
    rng: np.random.Generator,
) -> dict[str, Array] | None:
    """Return `world_from_asset` by name of what no layout from above has placed; None where one finds no place.

    Fixed objects stay where they are, and so does what stands on them.
    """
    found: dict[str, Array] = {}
    bodies: dict[str, Body] = {}
    for name, placed in plan.objects.items():
        if name not in variants or name in poses:
            continue
        carrier = plan.carriers.get(name, ("", ""))[1]
        if placed.fixed or carrier not in variants or plan.objects[carrier].fixed:
            found[name] = placed.world_from_asset
            continue
        known = dict(poses) | found
        for other in known.keys() - bodies.keys():
            bodies[other] = plan.bodies[variants[other]].moved(known[other])
        start = _start(plan, library, name, variants, known[carrier])
        pose = _let_down(plan.bodies[variants[name]], start, carrier, bodies, ranges, amount, rng)
        if pose is None:
            return None
        found[name] = pose
    return found


def _start(plan: Plan, library: Library, name: str, variants: Mapping[str, str], world_from_carrier: Array) -> Array:
    """Return the pose that a rider has if it keeps its place on its carrier, as a share of the carrier's size."""
    carrier = plan.carriers[name][1]
    home = plan.objects[carrier]
    carrier_from_rider = invert(home.world_from_asset) @ plan.objects[name].world_from_asset
    ratio = library.variants[variants[carrier]].asset.size_m / np.maximum(home.asset.size_m, 1e-6)
    carrier_from_rider[:3, 3] *= ratio
    pose = world_from_carrier @ carrier_from_rider
    yaw = float(np.arctan2(pose[1, 0], pose[0, 0]))
    turn = rotation_about(np.array([0.0, 0.0, 1.0]), yaw)
    return rigid(turn @ plan.resting[variants[name]].tilt, pose[:3, 3])


def _let_down(
    own: Body,
    start: Array,
    carrier: str,
    bodies: Mapping[str, Body],
    ranges: Layout,
    amount: float,
    rng: np.random.Generator,
) -> Array | None:
    """Return the pose of a body let down from above its carrier, free of all others; None after `TRIES`."""
    for attempt in range(TRIES):
        reach = amount * (1.0 - attempt / (TRIES - 1))
        pose = start.copy()
        pose[:2, 3] += [reach * ranges.jitter_m.at(rng.uniform()) for _ in range(2)]
        turn = rotation_about(np.array([0.0, 0.0, 1.0]), reach * ranges.yaw_rad.at(rng.uniform()))
        pose[:3, :3] = turn @ pose[:3, :3]
        body = own.moved(pose)
        rise = float(bodies[carrier].box.high[2]) + LIFT_M - float(body.box.low[2])
        body = body.moved(rigid(translation=np.array([0.0, 0.0, rise])))
        way = clearance_below(body, bodies[carrier])
        if not np.isfinite(way):
            continue
        drop = rigid(translation=np.array([0.0, 0.0, CONTACT_GAP_M - way]))
        body = body.moved(drop)
        if not any(overlaps(body, other, tolerance_m=TOUCH_M) for other in bodies.values()):
            pose[2, 3] += rise + CONTACT_GAP_M - way
            return pose
    return None
