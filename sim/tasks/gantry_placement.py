"""Base poses of bodies on rails: behind what they push, over what they grasp; arms stay where the cousin has them.

Rails go where the work is, as a gantry does, so that a policy meets the same work from the same side wherever in a
scene it is. They never stand exactly right: how far off and askew is drawn by the cousin's own random numbers, the same
for every policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from cousins.geometry import Array
from cousins.vary.cousins import Cousin
from cousins.vary.placement.footprints import Footprint
from sim.bodies.capabilities import BodyCapabilities, Gantry
from sim.tasks.affordance_queries import base_of, has_room

START_BEHIND_M: Final = (0.02, 0.15)
"""Between these distances a stick starts behind where it shall push from [m]."""
MAX_LATERAL_OFFSET_M: Final = 0.1
"""Farthest that it starts to a side, and that a hand starts from over what it takes, along x and along y [m]."""
MAX_YAW_OFFSET_RAD: Final = 0.4
"""Farthest that rails are turned away [rad]."""
RAIL_END_MARGIN_M: Final = 0.05
"""So far before the end of the rails lies what an object is carried to [m]."""
MAX_START_TRIES: Final = 16
"""Most tries to find a free start for a stick; then it starts where it shall push from."""
BASE_SEED: Final = 23
"""Seed of where rails stand; a cousin's own random numbers go on from it."""


def base_behind(
    cousin: Cousin,
    body: BodyCapabilities,
    *,
    spot_m: Array,
    direction: Array,
    room: Footprint,
    obstacles: Sequence[Footprint],
) -> dict[str, Any]:
    """Return where a robot stands to push along a unit way [2] from a spot [2] [m], as fields of an episode.

    `room` is what a stick takes, about its origin; it starts where that is free of all others. What is free is asked
    for every body alike, so that all stand at the same place.
    """
    if body.gantry is None:
        return base_of(cousin)
    rng = _rng(cousin)
    side = np.array([-direction[1], direction[0]])
    base = spot_m
    for _ in range(MAX_START_TRIES):
        drawn = (
            spot_m
            - rng.uniform(*START_BEHIND_M) * direction
            + rng.uniform(-MAX_LATERAL_OFFSET_M, MAX_LATERAL_OFFSET_M) * side
        )
        if has_room(room.transformed(float(drawn[0]), float(drawn[1]), 0.0, 0.0), obstacles, None):
            base = drawn
            break
    return _base_pose(
        cousin,
        base,
        float(np.arctan2(direction[1], direction[0])) + rng.uniform(-MAX_YAW_OFFSET_RAD, MAX_YAW_OFFSET_RAD),
    )


def base_over(
    cousin: Cousin, body: BodyCapabilities, *, hold_m: Array, axis: Array, carried_to_m: Array | None = None
) -> dict[str, Any]:
    """Return where a robot stands to take hold at a point [2] [m], as fields of an episode.

    Fingers that open along the base's y are about along the axis [2], the way round that turns the base least from
    where the cousin has it, or from facing where the object is carried to [2] [m]. Rails that would not reach that far
    stay where the cousin has them.
    """
    if body.gantry is None:
        return base_of(cousin)
    rng = _rng(cousin)
    yaw, facing = float(np.arctan2(-axis[0], axis[1])), cousin.task.robot_yaw_rad
    if carried_to_m is not None:
        facing = float(np.arctan2(*(carried_to_m - hold_m)[::-1]))
    yaw += np.pi * round((facing - yaw) / np.pi) + rng.uniform(-MAX_YAW_OFFSET_RAD, MAX_YAW_OFFSET_RAD)
    c, s = np.cos(yaw), np.sin(yaw)
    world_from_base = np.array([[c, -s], [s, c]])
    start = np.array(body.gantry.home_m) + rng.uniform(-MAX_LATERAL_OFFSET_M, MAX_LATERAL_OFFSET_M, 2)
    base = hold_m - world_from_base @ start
    if carried_to_m is not None and not _reaches(body.gantry, world_from_base.T @ (carried_to_m - base)):
        return base_of(cousin)
    return _base_pose(cousin, base, yaw)


def _reaches(gantry: Gantry, point_m: Array) -> bool:
    """Return whether rails reach a point [2] of their base's frame [m], with some room."""
    return all(
        low + RAIL_END_MARGIN_M <= value <= high - RAIL_END_MARGIN_M
        for value, (low, high) in zip(point_m, (gantry.x_m, gantry.y_m), strict=True)
    )


def _rng(cousin: Cousin) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(BASE_SEED, spawn_key=cousin.spawn_key))


def _base_pose(cousin: Cousin, base_m: Array, yaw_rad: float) -> dict[str, Any]:
    place = (float(base_m[0]), float(base_m[1]), cousin.task.robot_base_m[2])
    return {"base_m": place, "base_yaw_rad": float(yaw_rad)}
