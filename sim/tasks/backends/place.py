"""Take an object and put it into a container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array, transform
from sim.tasks.affordance_queries import part_of, starts_of
from sim.tasks.batch_rotations import length, nearness
from sim.tasks.containment import containers_of, fits, in_place, inside
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import Rows
from sim.tasks.gantry_placement import over
from sim.tasks.grasp_tasks import (
    STILL_M_S,
    grasp_features,
    grip_of,
    half_height,
    off_ground,
    sunk_m,
    takeable,
)
from sim.tasks.task import Judged, Known, Refused, Task
from sim.tasks.task_view import View, knocked

OVER_M: Final = 0.03
"""Air under what is carried over a rim [m]."""
ROBOSUITE_M: Final = 0.042
"""PickPlace: the gripper is away where 1 - tanh(10 d) < 0.6 [m]."""
ROBOCASA: Final = 0.7
"""Share of the receptacle's radius within which the middle lies."""
ROBOCASA_M: Final = 0.25
"""The gripper is farther away [m]."""
METAWORLD_M: Final = 0.07
"""pick-place: distance to the goal [m]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How an object is put into a container."""

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
        for container in containers_of(known):
            held = next((one for one in takes if fits(one, container, known)), None)
            if held is None:
                continue
            asset, cavity = held.placed.asset, container.cavity
            rim_m = transform(container.placed.world_from_asset, np.array(cavity.center_m))
            return Episode(
                proof=f"{asset.label} has a free grasp from above and passes the opening of "
                f"{container.placed.asset.label}, {1e3 * cavity.opening_m:.0f} mm wide",
                parts=(part_of(held.placed, known.signatures[asset.name], held.grasp),),
                place=container.placed.asset.name,
                goal_m=cavity.center_m,
                goal_radius_m=cavity.opening_m / 2.0,
                depth_m=cavity.depth_m,
                starts=starts_of(known, [asset.name], shift_m=config.start_shift_m, turn_rad=config.start_turn_rad),
                **over(known.cousin, body, hold_m=held.at_m[:2], axis=held.across[:2], carried_to_m=rim_m[:2]),
            )
        return Refused(reason="no empty container in reach whose opening an object passes that a hand takes from above")

    return Task(
        name="place",
        bodies=("gripper", "panda", "so101"),
        horizon_s=config.horizon_s,
        profiles=("ours", "libero", "robosuite", "metaworld", "robocasa"),
        config=config,
        afford=afford,
        observe=place_features,
        judge=judge_place,
        moves_base=True,
    )


def place_features(rows: Rows, view: View) -> Array:
    """Return what a policy sees of an object and of the opening that it shall pass."""
    return np.concatenate(
        [
            grasp_features(rows, view),
            view.goal_m - view.target_m,
            view.goal_m - view.tip_m,
            rows.goal_radius_m[:, None],
            rows.depth_m[:, None],
        ],
        axis=1,
    )


def judge_place(rows: Rows, view: View) -> Judged:
    """Tell how far an object got; that it touches the container is taken from its rest inside."""
    grip, local, within = grip_of(rows, view), in_place(rows, view), inside(rows, view)
    still = length(view.velocity_m_s) < STILL_M_S
    flat = length(local[:, :2])
    ours = within & still & grip.released & ~knocked(rows, view.state)
    centre = (flat < rows.goal_radius_m) & (local[:, 2] < 0.0) & (local[:, 2] > -rows.depth_m)
    successes = [
        ours,
        centre & still,
        within & (grip.away_m > ROBOSUITE_M),
        length(local) <= METAWORLD_M,
        within & still & (flat < ROBOCASA * rows.goal_radius_m) & (grip.away_m > ROBOCASA_M),
    ]
    aim = view.goal_m.copy()
    aim[:, 2] += half_height(view.target_rotation, view.size_m) + OVER_M
    near = nearness(length(aim - view.target_m))
    above = flat < 0.5 * rows.goal_radius_m
    carried = 0.2 + 0.1 * off_ground(view) + 0.3 * near
    staged = np.where(grip.gripped, np.where(above, np.maximum(carried, 0.6), carried), 0.2 * grip.ready)
    left = 0.75 + 0.2 * np.clip(grip.away_m / 0.1, 0.0, 1.0) * ~view.touched
    progress = np.where(within, 0.9, np.where(grip.gripped, 0.3 + 0.5 * near, 0.2 * grip.ready))
    return Judged(
        reward=np.where(ours, 1.0, np.where(within, left, staged)),
        progress=np.where(ours, 1.0, progress),
        successes=np.stack(successes, axis=1),
        failed=sunk_m(view) > 0.05,
    )
