"""Push an object over its ground into a round region that the cousin itself names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cousins.scene.scenes import PlacedAsset
from cousins.vary.placement.footprints import rectangle_footprint
from sim.bodies.capabilities import BodyCapabilities, BodyNeeds
from sim.tasks.affordance_queries import ground_of, has_room, outline, outlines, part_of, starts_of, target_of
from sim.tasks.episode import Episode
from sim.tasks.gantry_placement import base_behind
from sim.tasks.sliding_tasks import PUSHER_RADIUS_M, SLIDE_COLUMNS, judge_slide, slide_features
from sim.tasks.task import Refused, Task, TaskContext

PUSHER_HALF_SIDE_M: Final = PUSHER_RADIUS_M + 0.01
"""Half the side of the room that a stick needs [m]."""
PUSHER_HEIGHT_M: Final = 0.005
"""Height of a stick over the ground [m]."""
CHECKED_FRACTIONS: Final = (0.25, 0.5, 0.75, 1.0)
"""Where on its way an object must find room."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How an object is pushed."""

    horizon_s: float = 6.0
    """Duration of an episode [s]."""
    start_shift_m: float = 0.01
    """Largest move of the object's start along x and y [m]."""
    start_turn_rad: float = 0.1
    """Largest turn of it about z [rad]."""


def build(config: Config) -> Task:
    """Return the task."""

    def afford(context: TaskContext, body: BodyCapabilities) -> Episode | Refused:
        placed = target_of(context)
        if isinstance(placed, Refused):
            return placed
        task, ground = context.cousin.task, ground_of(context, placed.asset.name)
        if ground is None:
            return Refused(reason="the object does not stand on a structure that it could slide over")
        far_m = float(np.linalg.norm(np.array(task.goal_m[:2]) - placed.world_from_asset[:2, 3]))
        if far_m <= task.goal_radius_m:
            return Refused(reason="the object starts within its goal")
        base_fields = _base_fields(context, placed, body)
        if base_fields is None:
            return Refused(reason="something stands on the way to the goal, or where a stick would push from")
        return Episode(
            proof=f"{placed.asset.label} stands free on {ground.name}; its goal, {100 * far_m:.0f} cm away, is free, "
            "so are the way there and the place behind it",
            parts=(part_of(placed, context.signatures[placed.asset.name]),),
            goal_m=(task.goal_m[0], task.goal_m[1], float(placed.world_from_asset[2, 3])),
            goal_radius_m=task.goal_radius_m,
            ground_friction=ground.friction.value,
            starts=starts_of(
                context, [placed.asset.name], shift_m=config.start_shift_m, turn_rad=config.start_turn_rad
            ),
            **base_fields,
        )

    return Task(
        name="push",
        needs=BodyNeeds(moves=("x", "y")),
        horizon_s=config.horizon_s,
        profiles=("ours", "maniskill", "metaworld"),
        config=config,
        afford=afford,
        observe=slide_features,
        columns=SLIDE_COLUMNS,
        judge=judge_slide,
        moves_base=True,
    )


def _base_fields(context: TaskContext, placed: PlacedAsset, body: BodyCapabilities) -> dict[str, Any] | None:
    """Return where a robot stands; None unless an object finds room on its way, and a stick on its far side."""
    name, start = placed.asset.name, placed.world_from_asset
    move = np.array([*context.cousin.task.goal_m[:2], start[2, 3]]) - start[:3, 3]
    direction = move / max(float(np.linalg.norm(move)), 1e-6)
    reach = (
        0.5 * float(np.abs(start[:3, :3].T @ direction) @ np.array(context.signatures[name].size_m))
        + PUSHER_HALF_SIDE_M
    )
    spot, shape = (start[:3, 3] - reach * direction)[:2], outline(context, name)
    room = rectangle_footprint(
        (0.0, 0.0), (PUSHER_HALF_SIDE_M, PUSHER_HALF_SIDE_M), 0.0, (shape.bottom_m + PUSHER_HEIGHT_M, shape.top_m)
    )
    obstacles = outlines(context, but=[name])
    moved = (outline(context, name, move_m=share * move) for share in CHECKED_FRACTIONS)
    stick = room.transformed(float(spot[0]), float(spot[1]), 0.0, 0.0)
    if not has_room(stick, obstacles, None) or not all(
        has_room(outline_moved, obstacles, None) for outline_moved in moved
    ):
        return None
    return base_behind(
        context.cousin, body, spot_m=spot, direction=direction[:2], room=room, obstacles=[*obstacles, shape]
    )
