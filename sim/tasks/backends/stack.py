"""Take an object and set it on the level top of another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array, transform
from cousins.scene.scenes import PlacedAsset
from sim.bodies.capabilities import BodyCapabilities
from sim.bodies.columns import scalar, vector
from sim.tasks.affordance_queries import ground_of, in_reach, part_of, starts_of
from sim.tasks.batch_rotations import nearness, norms
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.gantry_placement import base_over
from sim.tasks.grasp_tasks import (
    GRASP_COLUMNS,
    HAND_FROM_ABOVE,
    MAX_REST_SPEED_M_S,
    GraspTarget,
    grasp_features,
    grasp_state,
    graspable_objects,
    lift_off_fraction,
    sink_depth,
)
from sim.tasks.task import Refused, StepOutcome, Task, TaskContext
from sim.tasks.task_view import TaskView, knocked_over

MAX_TOP_HEIGHT_M: Final = 0.3
"""Highest top over what the robot stands on [m]."""
HEIGHT_TOLERANCE_M: Final = 0.015
"""How far from its height on the top an object may be [m]."""
LIBERO_M: Final = 0.03
"""On: distance in the plane [m]."""
ROBOCASA_M: Final = 0.25
"""The gripper is farther away [m]."""
MIN_TOP_RADIUS_M: Final = 0.015
"""Least radius of a top [m]."""
MIN_TOP_RADIUS_FRACTION: Final = 0.25
"""Least radius of a top over the object's longest level side."""
STACK_COLUMNS: Final = (
    *GRASP_COLUMNS,
    *scalar("grasp_width_again", "m", "object_size"),
    *vector("goal_from_target", "m", "goal", "object_pose"),
    *vector("goal_from_tip", "m", "goal", "proprio"),
    *scalar("goal_radius", "m", "goal"),
)
"""What a policy sees, in order."""


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

    def afford(context: TaskContext, body: BodyCapabilities) -> Episode | Refused:
        targets = graspable_objects(context, opening_m=body.opening_m)
        if isinstance(targets, Refused):
            return targets
        for target in targets:
            ground = ground_of(context, target.placed.asset.name)
            if ground is None:
                continue
            lower = _support_object(context, target)
            if lower is None:
                continue
            return _episode(context, body, target, lower, config)
        return Refused(reason="no level top in reach, wide enough for an object that a hand takes from above")

    return Task(
        name="stack",
        needs=HAND_FROM_ABOVE,
        horizon_s=config.horizon_s,
        profiles=("ours", "libero", "robocasa"),
        config=config,
        afford=afford,
        observe=_observe,
        columns=STACK_COLUMNS,
        judge=_judge,
        moves_base=True,
    )


def _support_object(context: TaskContext, target: GraspTarget) -> PlacedAsset | None:
    """Return the object with the widest free top that the held one stands on."""
    carriers = {relation.object for relation in context.cousin.relations if relation.kind in ("on", "inside")}
    side = float(
        np.max(np.abs(target.placed.world_from_asset[:2, :3]) @ context.signatures[target.placed.asset.name].size_m)
    )
    candidates = []
    for placed in context.scene.objects:
        support = context.signatures[placed.asset.name].support
        if support is None or placed.asset.name in carriers or placed is target.placed:
            continue
        top = transform(placed.world_from_asset, np.array(support.center_m))
        level = placed.world_from_asset[2, 2] > 0.99
        wide = support.radius_m >= max(MIN_TOP_RADIUS_M, MIN_TOP_RADIUS_FRACTION * side)
        if (
            level
            and wide
            and in_reach(context, top)
            and top[2] - context.cousin.task.robot_base_m[2] <= MAX_TOP_HEIGHT_M
        ):
            candidates.append((-support.radius_m, placed.asset.name, placed))
    return min(candidates, key=lambda candidate: candidate[:2])[2] if candidates else None


def _height_over_foot(target: GraspTarget, context: TaskContext) -> float:
    """Return how high an object's origin is over what it stands on [m]."""
    size = np.array(context.signatures[target.placed.asset.name].size_m)
    return float(0.5 * (np.abs(target.placed.world_from_asset[2, :3]) @ size))


def _episode(
    context: TaskContext, body: BodyCapabilities, target: GraspTarget, lower: PlacedAsset, config: Config
) -> Episode:
    asset = target.placed.asset
    support = context.signatures[lower.asset.name].support
    assert support is not None
    goal_m = np.array(support.center_m) + _height_over_foot(target, context) * lower.world_from_asset[2, :3]
    x, y, z = (float(value) for value in goal_m)
    carried_to_m = transform(lower.world_from_asset, goal_m)[:2]
    return Episode(
        proof=f"{asset.label} has a free grasp from above; the top of {lower.asset.label} is level over "
        f"{2e3 * support.radius_m:.0f} mm and free",
        parts=(part_of(target.placed, context.signatures[asset.name], target.grasp),),
        place=lower.asset.name,
        goal_m=(x, y, z),
        goal_radius_m=min(support.radius_m, 0.03),
        starts=starts_of(context, [asset.name], shift_m=config.start_shift_m, turn_rad=config.start_turn_rad),
        **base_over(context.cousin, body, hold_m=target.at_m[:2], axis=target.across[:2], carried_to_m=carried_to_m),
    )


def _observe(batch: EpisodeBatch, view: TaskView) -> Array:
    return np.concatenate(
        [
            grasp_features(batch, view),
            batch.width_m[:, :1],
            view.goal_m - view.target_m,
            view.goal_m - view.tip_m,
            batch.goal_radius_m[:, None],
        ],
        axis=1,
    )


def _judge(batch: EpisodeBatch, view: TaskView) -> StepOutcome:
    grip = grasp_state(batch, view)
    to_goal = view.goal_m - view.target_m
    flat, level = norms(to_goal[:, :2]), np.abs(to_goal[:, 2]) < HEIGHT_TOLERANCE_M
    still = norms(view.velocity_m_s) < MAX_REST_SPEED_M_S
    on = (flat < batch.goal_radius_m) & level
    success = on & still & grip.released & ~knocked_over(batch, view.state)
    successes = [success, level & still & (flat < LIBERO_M), on & still & (grip.away_m > ROBOCASA_M)]
    near = nearness(norms(to_goal + np.array([0.0, 0.0, 0.02]) * (flat > batch.goal_radius_m)[:, None]))
    staged = np.where(grip.gripped, 0.2 + 0.1 * lift_off_fraction(view) + 0.35 * near, 0.2 * grip.ready)
    left = 0.7 + 0.25 * np.clip(grip.away_m / 0.1, 0.0, 1.0) * ~view.touched
    progress = np.where(on, 0.9, np.where(grip.gripped, 0.3 + 0.5 * near, 0.2 * grip.ready))
    return StepOutcome(
        reward=np.where(success, 1.0, np.where(on & still, left, staged)),
        progress=np.where(success, 1.0, progress),
        successes=np.stack(successes, axis=1),
        failed=sink_depth(view) > 0.05,
    )
