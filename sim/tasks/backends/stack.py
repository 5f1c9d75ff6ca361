"""Take an object and set it on the level top of another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array, transform
from cousins.scene.scenes import Placed
from sim.tasks.affordance_queries import ground_of, in_reach, part_of, starts_of
from sim.tasks.batch_rotations import length, nearness
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import Rows
from sim.tasks.gantry_placement import over
from sim.tasks.grasp_tasks import STILL_M_S, Held, grasp_features, grip_of, off_ground, sunk_m, takeable
from sim.tasks.task import Judged, Known, Refused, Task
from sim.tasks.task_view import View, knocked

HIGHEST_M: Final = 0.3
"""Highest top over what the robot stands on [m]."""
LEVEL_M: Final = 0.015
"""How far from its height on the top an object may be [m]."""
LIBERO_M: Final = 0.03
"""On: distance in the plane [m]."""
ROBOCASA_M: Final = 0.25
"""The gripper is farther away [m]."""
LEAST_M: Final = 0.015
"""Least radius of a top [m]."""
SHARE: Final = 0.25
"""Least radius of a top over the object's longest level side."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How objects are stacked."""

    horizon_s: float = 15.0
    """Duration of an episode [s]."""
    start_shift_m: float = 0.01
    """Largest move of the object's start along x and y [m]."""
    start_turn_rad: float = 0.1
    """Largest turn of it about z [rad]."""


def build(config: Config) -> Task:
    """Return the task."""

    def afford(known: Known, body: str) -> Episode | Refused:
        takes = takeable(known)
        if isinstance(takes, Refused):
            return takes
        for held in takes:
            ground = ground_of(known, held.placed.asset.name)
            if ground is None:
                continue
            lower = _lower(known, held)
            if lower is None:
                continue
            return _episode(known, body, held, lower, config)
        return Refused(reason="no level top in reach, wide enough for an object that a hand takes from above")

    return Task(
        name="stack",
        bodies=("gripper", "panda", "so101"),
        horizon_s=config.horizon_s,
        profiles=("ours", "libero", "robocasa"),
        config=config,
        afford=afford,
        observe=_observe,
        judge=_judge,
        moves_base=True,
    )


def _lower(known: Known, held: Held) -> Placed | None:
    """Return the object with the widest free top that the held one stands on."""
    carriers = {relation.object for relation in known.cousin.relations if relation.kind in ("on", "inside")}
    side = float(np.max(np.abs(held.placed.world_from_asset[:2, :3]) @ known.signatures[held.placed.asset.name].size_m))
    found = []
    for placed in known.scene.objects:
        support = known.signatures[placed.asset.name].support
        if support is None or placed.asset.name in carriers or placed is held.placed:
            continue
        top = transform(placed.world_from_asset, np.array(support.center_m))
        level = placed.world_from_asset[2, 2] > 0.99
        wide = support.radius_m >= max(LEAST_M, SHARE * side)
        if level and wide and in_reach(known, top) and top[2] - known.cousin.task.robot_base_m[2] <= HIGHEST_M:
            found.append((-support.radius_m, placed.asset.name, placed))
    return min(found, key=lambda one: one[:2])[2] if found else None


def _foot_m(held: Held, known: Known) -> float:
    """Return how high an object's origin is over what it stands on [m]."""
    size = np.array(known.signatures[held.placed.asset.name].size_m)
    return float(0.5 * (np.abs(held.placed.world_from_asset[2, :3]) @ size))


def _episode(known: Known, body: str, held: Held, lower: Placed, config: Config) -> Episode:
    asset = held.placed.asset
    support = known.signatures[lower.asset.name].support
    assert support is not None
    goal_m = np.array(support.center_m) + _foot_m(held, known) * lower.world_from_asset[2, :3]
    x, y, z = (float(value) for value in goal_m)
    carried_to_m = transform(lower.world_from_asset, goal_m)[:2]
    return Episode(
        proof=f"{asset.label} has a free grasp from above; the top of {lower.asset.label} is level over "
        f"{2e3 * support.radius_m:.0f} mm and free",
        parts=(part_of(held.placed, known.signatures[asset.name], held.grasp),),
        place=lower.asset.name,
        goal_m=(x, y, z),
        goal_radius_m=min(support.radius_m, 0.03),
        starts=starts_of(known, [asset.name], shift_m=config.start_shift_m, turn_rad=config.start_turn_rad),
        **over(known.cousin, body, hold_m=held.at_m[:2], axis=held.across[:2], carried_to_m=carried_to_m),
    )


def _observe(rows: Rows, view: View) -> Array:
    return np.concatenate(
        [
            grasp_features(rows, view),
            rows.width_m[:, :1],
            view.goal_m - view.target_m,
            view.goal_m - view.tip_m,
            rows.goal_radius_m[:, None],
        ],
        axis=1,
    )


def _judge(rows: Rows, view: View) -> Judged:
    grip = grip_of(rows, view)
    way = view.goal_m - view.target_m
    flat, level = length(way[:, :2]), np.abs(way[:, 2]) < LEVEL_M
    still = length(view.velocity_m_s) < STILL_M_S
    on = (flat < rows.goal_radius_m) & level
    ours = on & still & grip.released & ~knocked(rows, view.state)
    successes = [ours, level & still & (flat < LIBERO_M), on & still & (grip.away_m > ROBOCASA_M)]
    near = nearness(length(way + np.array([0.0, 0.0, 0.02]) * (flat > rows.goal_radius_m)[:, None]))
    staged = np.where(grip.gripped, 0.2 + 0.1 * off_ground(view) + 0.35 * near, 0.2 * grip.ready)
    left = 0.7 + 0.25 * np.clip(grip.away_m / 0.1, 0.0, 1.0) * ~view.touched
    progress = np.where(on, 0.9, np.where(grip.gripped, 0.3 + 0.5 * near, 0.2 * grip.ready))
    return Judged(
        reward=np.where(ours, 1.0, np.where(on & still, left, staged)),
        progress=np.where(ours, 1.0, progress),
        successes=np.stack(successes, axis=1),
        failed=sunk_m(view) > 0.05,
    )
