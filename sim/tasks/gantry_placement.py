"""Where bodies on rails are put up: behind what they push, over what they take; arms stay where the cousin has them.

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
from sim.bodies.gripper import HOME_M, X_M, Y_M
from sim.tasks.affordance_queries import base_of, is_free

RAILS: Final = ("pusher", "gripper")
"""Bodies on rails."""
BEHIND_M: Final = (0.02, 0.15)
"""Between these distances a stick starts behind where it shall push from [m]."""
ASIDE_M: Final = 0.1
"""Farthest that it starts to a side, and that a hand starts from over what it takes, along x and along y [m]."""
ASKEW_RAD: Final = 0.4
"""Farthest that rails are turned away [rad]."""
SPARE_M: Final = 0.05
"""So far before the end of the rails lies what an object is carried to [m]."""
TRIES: Final = 16
"""Most tries to find a free start for a stick; then it starts where it shall push from."""
STANDING: Final = 23
"""Seed of where rails stand; a cousin's own random numbers go on from it."""


def behind(
    cousin: Cousin, body: str, *, spot_m: Array, way: Array, room: Footprint, others: Sequence[Footprint]
) -> dict[str, Any]:
    """Return where a robot stands to push along a unit way [2] from a spot [2] [m], as fields of an episode.

    `room` is what a stick takes, about its origin; it starts where that is free of all others. What is free is asked
    for every body alike, so that all stand at the same place.
    """
    if body not in RAILS:
        return base_of(cousin)
    rng = _rng(cousin)
    side = np.array([-way[1], way[0]])
    base = spot_m
    for _ in range(TRIES):
        drawn = spot_m - rng.uniform(*BEHIND_M) * way + rng.uniform(-ASIDE_M, ASIDE_M) * side
        if is_free(room.placed(float(drawn[0]), float(drawn[1]), 0.0, 0.0), others, None):
            base = drawn
            break
    return _standing(cousin, base, float(np.arctan2(way[1], way[0])) + rng.uniform(-ASKEW_RAD, ASKEW_RAD))


def over(cousin: Cousin, body: str, *, hold_m: Array, axis: Array, carried_to_m: Array | None = None) -> dict[str, Any]:
    """Return where a robot stands to take hold at a point [2] [m], as fields of an episode.

    Fingers that open along the base's y are about along the axis [2], the way round that turns the base least from
    where the cousin has it, or from facing where the object is carried to [2] [m]. Rails that would not reach that far
    stay where the cousin has them.
    """
    if body not in RAILS:
        return base_of(cousin)
    rng = _rng(cousin)
    yaw, facing = float(np.arctan2(-axis[0], axis[1])), cousin.task.robot_yaw_rad
    if carried_to_m is not None:
        facing = float(np.arctan2(*(carried_to_m - hold_m)[::-1]))
    yaw += np.pi * round((facing - yaw) / np.pi) + rng.uniform(-ASKEW_RAD, ASKEW_RAD)
    c, s = np.cos(yaw), np.sin(yaw)
    world_from_base = np.array([[c, -s], [s, c]])
    start = np.array(HOME_M[:2]) + rng.uniform(-ASIDE_M, ASIDE_M, 2)
    base = hold_m - world_from_base @ start
    if carried_to_m is not None and not _reaches(world_from_base.T @ (carried_to_m - base)):
        return base_of(cousin)
    return _standing(cousin, base, yaw)


def _reaches(point_m: Array) -> bool:
    """Tell whether the free gripper's rails reach a point [2] of their base's frame [m], with some room."""
    return all(low + SPARE_M <= at <= high - SPARE_M for at, (low, high) in zip(point_m, (X_M, Y_M), strict=True))


def _rng(cousin: Cousin) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(STANDING, spawn_key=cousin.draw))


def _standing(cousin: Cousin, base_m: Array, yaw_rad: float) -> dict[str, Any]:
    place = (float(base_m[0]), float(base_m[1]), cousin.task.robot_base_m[2])
    return {"base_m": place, "base_yaw_rad": float(yaw_rad)}
