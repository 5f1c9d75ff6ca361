"""Push an object over its ground into a round region that the cousin itself names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.tasks.affording import base_of, ground_of, part_of, starts_of, target_of
from sim.tasks.episode import Episode
from sim.tasks.sliding import judge_slide, slide_features
from sim.tasks.task import Known, Refused, Task


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

    def afford(known: Known, body: str) -> Episode | Refused:
        del body
        placed = target_of(known)
        if isinstance(placed, Refused):
            return placed
        task, ground = known.cousin.task, ground_of(known, placed.asset.name)
        if ground is None:
            return Refused(reason="the object does not stand on a structure that it could slide over")
        far_m = float(np.linalg.norm(np.array(task.goal_m[:2]) - placed.world_from_asset[:2, 3]))
        if far_m <= task.goal_radius_m:
            return Refused(reason="the object starts within its goal")
        return Episode(
            proof=f"{placed.asset.label} stands free on {ground.name}; its goal, {100 * far_m:.0f} cm away, is free",
            parts=(part_of(placed, known.signatures[placed.asset.name]),),
            goal_m=(task.goal_m[0], task.goal_m[1], float(placed.world_from_asset[2, 3])),
            goal_radius_m=task.goal_radius_m,
            ground_friction=ground.friction.value,
            starts=starts_of(known, [placed.asset.name], shift_m=config.start_shift_m, turn_rad=config.start_turn_rad),
            **base_of(known.cousin),
        )

    return Task(
        name="push",
        bodies=("pusher", "gripper", "panda", "so101"),
        horizon_s=config.horizon_s,
        profiles=("ours", "maniskill", "metaworld"),
        config=config,
        afford=afford,
        observe=slide_features,
        judge=judge_slide,
    )
