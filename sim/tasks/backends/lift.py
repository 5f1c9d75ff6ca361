"""Take an object from above and lift it to a point over its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.tasks.affordance_queries import part_of, starts_of
from sim.tasks.batch_rotations import length
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import Rows
from sim.tasks.gantry_placement import over
from sim.tasks.grasp_tasks import drives_rest, grasp_features, grip_of, off_ground, sunk_m, takeable
from sim.tasks.task import Judged, Known, Refused, Task
from sim.tasks.task_view import View, knocked

STEADY_M_S: Final = 0.05
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

    def afford(known: Known, body: str) -> Episode | Refused:
        takes = takeable(known)
        if isinstance(takes, Refused):
            return takes
        held = takes[0]
        asset = held.placed.asset
        x, y, z = (float(value) for value in held.placed.world_from_asset[:3, 3])
        return Episode(
            proof=f"{asset.label} has a free grasp from above, {1e3 * held.grasp.width_m:.0f} mm wide, "
            "and its weight is held by friction",
            parts=(part_of(held.placed, known.signatures[asset.name], held.grasp),),
            goal_m=(x, y, z + config.goal_m),
            starts=starts_of(known, [asset.name], shift_m=config.start_shift_m, turn_rad=config.start_turn_rad),
            **over(known.cousin, body, hold_m=held.at_m[:2], axis=held.across[:2]),
        )

    def judge(rows: Rows, view: View) -> Judged:
        grip, height = grip_of(rows, view), -sunk_m(view)
        distance = length(view.goal_m - view.target_m)
        slow = length(view.velocity_m_s) < STEADY_M_S
        ours = (height > config.height_m) & view.touched & slow & ~knocked(rows, view.state)
        successes = [
            ours,
            (distance <= MANISKILL_M) & drives_rest(rows, view, most=MANISKILL_SPEED),
            height > ROBOSUITE_M,
            distance <= METAWORLD_M,
        ]
        progress = np.clip(height / config.height_m, 0.0, 1.0) * view.touched
        there, calm = 1.0 - np.tanh(8.0 * distance), 1.0 - np.tanh(4.0 * length(view.velocity_m_s))
        staged = 0.4 * grip.ready + grip.gripped * (0.1 + off_ground(view) * (0.1 + there * (0.1 + 0.25 * calm)))
        return Judged(
            reward=np.where(ours, 1.0, staged),
            progress=progress,
            successes=np.stack(successes, axis=1),
            failed=sunk_m(view) > 0.05,
        )

    def observe(rows: Rows, view: View) -> np.ndarray:
        return np.concatenate([grasp_features(rows, view), view.goal_m - view.target_m], axis=1)

    return Task(
        name="lift",
        bodies=("gripper", "panda", "so101"),
        horizon_s=config.horizon_s,
        profiles=("ours", "maniskill", "robosuite", "metaworld"),
        config=config,
        afford=afford,
        observe=observe,
        judge=judge,
        moves_base=True,
    )
