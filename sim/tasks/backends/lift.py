"""Take an object from above and lift it to a point over its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.bodies.capabilities import BodyCapabilities
from sim.bodies.columns import vector
from sim.tasks.affordance_queries import part_of, starts_of
from sim.tasks.batch_rotations import norms
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.gantry_placement import base_over
from sim.tasks.grasp_tasks import (
    GRASP_COLUMNS,
    HAND_FROM_ABOVE,
    arm_at_rest,
    grasp_features,
    grasp_state,
    graspable_objects,
    lift_off_fraction,
    sink_depth,
)
from sim.tasks.task import Refused, StepOutcome, Task, TaskContext
from sim.tasks.task_view import TaskView, knocked_over

MAX_HOLD_SPEED_M_S: Final = 0.05
"""Slower than this what hangs in a hand is held still [m/s]."""
ROBOSUITE_M: Final = 0.04
"""Lift: height over the table [m]."""
MANISKILL_M: Final = 0.025
"""PickCube: distance to the goal [m]."""
MANISKILL_SPEED: Final = 0.2
"""PickCube: the robot is static below this speed of each joint."""
METAWORLD_M: Final = 0.07
"""pick-place: distance to the goal [m]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How an object is lifted."""

    horizon_s: float = 6.0
    """Duration of an episode [s]."""
    height_m: float = 0.05
    """Height over its start that counts [m]."""
    goal_m: float = 0.10
    """Height of the goal over its start [m]."""
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
        target = targets[0]
        asset = target.placed.asset
        x, y, z = (float(value) for value in target.placed.world_from_asset[:3, 3])
        return Episode(
            proof=f"{asset.label} has a free grasp from above, {1e3 * target.grasp.width_m:.0f} mm wide, "
            "and its weight is held by friction",
            parts=(part_of(target.placed, context.signatures[asset.name], target.grasp),),
            goal_m=(x, y, z + config.goal_m),
            starts=starts_of(context, [asset.name], shift_m=config.start_shift_m, turn_rad=config.start_turn_rad),
            **base_over(context.cousin, body, hold_m=target.at_m[:2], axis=target.across[:2]),
        )

    def judge(batch: EpisodeBatch, view: TaskView) -> StepOutcome:
        grip, height = grasp_state(batch, view), -sink_depth(view)
        distance = norms(view.goal_m - view.target_m)
        slow = norms(view.velocity_m_s) < MAX_HOLD_SPEED_M_S
        success = (height > config.height_m) & view.touched & slow & ~knocked_over(batch, view.state)
        successes = [
            success,
            (distance <= MANISKILL_M) & arm_at_rest(batch, view, max_speed=MANISKILL_SPEED),
            height > ROBOSUITE_M,
            distance <= METAWORLD_M,
        ]
        progress = np.clip(height / config.height_m, 0.0, 1.0) * view.touched
        goal_nearness, stillness = 1.0 - np.tanh(8.0 * distance), 1.0 - np.tanh(4.0 * norms(view.velocity_m_s))
        staged = 0.4 * grip.ready + grip.gripped * (
            0.1 + lift_off_fraction(view) * (0.1 + goal_nearness * (0.1 + 0.25 * stillness))
        )
        return StepOutcome(
            reward=np.where(success, 1.0, staged),
            progress=progress,
            successes=np.stack(successes, axis=1),
            failed=sink_depth(view) > 0.05,
        )

    def observe(batch: EpisodeBatch, view: TaskView) -> np.ndarray:
        return np.concatenate([grasp_features(batch, view), view.goal_m - view.target_m], axis=1)

    return Task(
        name="lift",
        needs=HAND_FROM_ABOVE,
        horizon_s=config.horizon_s,
        profiles=("ours", "maniskill", "robosuite", "metaworld"),
        config=config,
        afford=afford,
        observe=observe,
        columns=(*GRASP_COLUMNS, *vector("goal_from_target", "m", "goal", "object_pose")),
        judge=judge,
        moves_base=True,
    )
