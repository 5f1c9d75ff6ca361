"""Pull an object over its ground towards the robot, into a round region that is free."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.scene.scenes import PlacedAsset
from sim.bodies.capabilities import BodyCapabilities, BodyNeeds
from sim.tasks.affordance_queries import base_of, ground_of, has_room, outline, outlines, part_of, starts_of, target_of
from sim.tasks.episode import Episode
from sim.tasks.sliding_tasks import SLIDE_COLUMNS, judge_slide, slide_features
from sim.tasks.task import Refused, Task, TaskContext

PULL_DISTANCES_M: Final = (0.15, 0.12, 0.1, 0.18)
"""How far, best first [m]."""
PULL_HEADINGS_RAD: Final = (0.0, 0.3, -0.3, 0.6, -0.6)
"""Headings against the straight way to the robot, best first [rad]."""
CHECKED_FRACTIONS: Final = (0.35, 0.7, 1.0)
"""Where on its way an object must find room."""
MIN_BASE_DISTANCE_M: Final = 0.18
"""So near to its base a robot does not work [m]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How an object is pulled."""

    horizon_s: float = 8.0
    """Duration of an episode [s]."""
    goal_radius_m: float = 0.05
    """Radius of the goal [m]."""
    start_shift_m: float = 0.01
    """Largest move of the object's start along x and y [m]."""
    start_turn_rad: float = 0.1
    """Largest turn of it about z [rad]."""


def build(config: Config) -> Task:
    """Return the task."""

    def afford(context: TaskContext, body: BodyCapabilities) -> Episode | Refused:
        del body
        placed = target_of(context)
        if isinstance(placed, Refused):
            return placed
        ground = ground_of(context, placed.asset.name)
        if ground is None:
            return Refused(reason="the object does not stand on a structure that it could slide over")
        move = _free_move(context, placed)
        if move is None:
            return Refused(reason="no free way towards the robot")
        x, y, z = (float(value) for value in placed.world_from_asset[:3, 3] + move)
        far_cm = 100.0 * float(np.hypot(move[0], move[1]))
        return Episode(
            proof=f"{placed.asset.label} stands free on {ground.name}; {far_cm:.0f} cm towards the robot are free",
            parts=(part_of(placed, context.signatures[placed.asset.name]),),
            goal_m=(x, y, z),
            goal_radius_m=config.goal_radius_m,
            ground_friction=ground.friction.value,
            starts=starts_of(
                context, [placed.asset.name], shift_m=config.start_shift_m, turn_rad=config.start_turn_rad
            ),
            **base_of(context.cousin),
        )

    return Task(
        name="pull",
        needs=BodyNeeds(moves=("x", "y")),
        horizon_s=config.horizon_s,
        profiles=("ours", "maniskill", "metaworld"),
        config=config,
        afford=afford,
        observe=slide_features,
        columns=SLIDE_COLUMNS,
        judge=judge_slide,
    )


def _free_move(context: TaskContext, placed: PlacedAsset) -> Array | None:
    """Return a level move [3] towards the robot whose whole way is free; None where there is none."""
    to_base = np.array(context.cousin.task.robot_base_m[:2]) - placed.world_from_asset[:2, 3]
    far_m, heading = float(np.hypot(*to_base)), float(np.arctan2(to_base[1], to_base[0]))
    obstacles = outlines(context, but=[placed.asset.name])
    ground = ground_of(context, placed.asset.name)
    for length_m, turn in itertools.product(PULL_DISTANCES_M, PULL_HEADINGS_RAD):
        if far_m - length_m < MIN_BASE_DISTANCE_M:
            continue
        move = length_m * np.array([np.cos(heading + turn), np.sin(heading + turn), 0.0])
        moved_outlines = [outline(context, placed.asset.name, move_m=share * move) for share in CHECKED_FRACTIONS]
        if all(has_room(shape, obstacles, ground) for shape in moved_outlines):
            return move
    return None
