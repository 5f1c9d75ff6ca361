"""Take an object and put it into a container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array, transform
from sim.bodies.capabilities import BodyCapabilities
from sim.bodies.columns import scalar, vector
from sim.tasks.affordance_queries import part_of, starts_of
from sim.tasks.batch_rotations import nearness, norms
from sim.tasks.containment import containers_in_reach, fits_opening, is_inside, position_in_place
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.gantry_placement import base_over
from sim.tasks.grasp_tasks import (
    GRASP_COLUMNS,
    HAND_FROM_ABOVE,
    MAX_REST_SPEED_M_S,
    grasp_features,
    grasp_state,
    graspable_objects,
    half_height,
    lift_off_fraction,
    sink_depth,
)
from sim.tasks.task import Refused, StepOutcome, Task, TaskContext
from sim.tasks.task_view import TaskView, knocked_over

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

    def afford(context: TaskContext, body: BodyCapabilities) -> Episode | Refused:
        targets = graspable_objects(context, opening_m=body.opening_m)
        if isinstance(targets, Refused):
            return targets
        for container in containers_in_reach(context):
            target = next((candidate for candidate in targets if fits_opening(candidate, container, context)), None)
            if target is None:
                continue
            asset, cavity = target.placed.asset, container.cavity
            rim_m = transform(container.placed.world_from_asset, np.array(cavity.center_m))
            return Episode(
                proof=f"{asset.label} has a free grasp from above and passes the opening of "
                f"{container.placed.asset.label}, {1e3 * cavity.opening_m:.0f} mm wide",
                parts=(part_of(target.placed, context.signatures[asset.name], target.grasp),),
                place=container.placed.asset.name,
                goal_m=cavity.center_m,
                goal_radius_m=cavity.opening_m / 2.0,
                depth_m=cavity.depth_m,
                starts=starts_of(context, [asset.name], shift_m=config.start_shift_m, turn_rad=config.start_turn_rad),
                **base_over(
                    context.cousin, body, hold_m=target.at_m[:2], axis=target.across[:2], carried_to_m=rim_m[:2]
                ),
            )
        return Refused(reason="no empty container in reach whose opening an object passes that a hand takes from above")

    return Task(
        name="place",
        needs=HAND_FROM_ABOVE,
        horizon_s=config.horizon_s,
        profiles=("ours", "libero", "robosuite", "metaworld", "robocasa"),
        config=config,
        afford=afford,
        observe=place_features,
        columns=PLACE_COLUMNS,
        judge=judge_place,
        moves_base=True,
    )


PLACE_COLUMNS: Final = (
    *GRASP_COLUMNS,
    *vector("opening_from_target", "m", "goal", "object_pose"),
    *vector("opening_from_tip", "m", "goal", "proprio"),
    *scalar("opening_radius", "m", "goal"),
    *scalar("hollow_depth", "m", "goal"),
)
"""What `place_features` returns, in order."""


def place_features(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return observations of an object and of the opening that it shall pass [n, 38]."""
    return np.concatenate(
        [
            grasp_features(batch, view),
            view.goal_m - view.target_m,
            view.goal_m - view.tip_m,
            batch.goal_radius_m[:, None],
            batch.depth_m[:, None],
        ],
        axis=1,
    )


def judge_place(batch: EpisodeBatch, view: TaskView) -> StepOutcome:
    """Return the outcome of a step; contact with the container is taken from rest inside it."""
    grip, local, within = grasp_state(batch, view), position_in_place(batch, view), is_inside(batch, view)
    still = norms(view.velocity_m_s) < MAX_REST_SPEED_M_S
    flat = norms(local[:, :2])
    success = within & still & grip.released & ~knocked_over(batch, view.state)
    centre = (flat < batch.goal_radius_m) & (local[:, 2] < 0.0) & (local[:, 2] > -batch.depth_m)
    successes = [
        success,
        centre & still,
        within & (grip.away_m > ROBOSUITE_M),
        norms(local) <= METAWORLD_M,
        within & still & (flat < ROBOCASA * batch.goal_radius_m) & (grip.away_m > ROBOCASA_M),
    ]
    aim = view.goal_m.copy()
    aim[:, 2] += half_height(view.target_rotation, view.size_m) + OVER_M
    near = nearness(norms(aim - view.target_m))
    above = flat < 0.5 * batch.goal_radius_m
    carried = 0.2 + 0.1 * lift_off_fraction(view) + 0.3 * near
    staged = np.where(grip.gripped, np.where(above, np.maximum(carried, 0.6), carried), 0.2 * grip.ready)
    left = 0.75 + 0.2 * np.clip(grip.away_m / 0.1, 0.0, 1.0) * ~view.touched
    progress = np.where(within, 0.9, np.where(grip.gripped, 0.3 + 0.5 * near, 0.2 * grip.ready))
    return StepOutcome(
        reward=np.where(success, 1.0, np.where(within, left, staged)),
        progress=np.where(success, 1.0, progress),
        successes=np.stack(successes, axis=1),
        failed=sink_depth(view) > 0.05,
    )
