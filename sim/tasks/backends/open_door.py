"""Open a door by its handle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sim.bodies.capabilities import BodyCapabilities
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.grasp_tasks import HAND_FROM_ABOVE
from sim.tasks.joint_tasks import (
    JOINT_COLUMNS,
    episode_of,
    find_handle,
    handle_distance,
    joint_at_rest,
    joint_features,
    open_fraction,
)
from sim.tasks.opening_tasks import judge_opening
from sim.tasks.task import Refused, StepOutcome, Task, TaskContext
from sim.tasks.task_view import TaskView

ROBOSUITE_RAD: Final = 0.3
"""Door: turned by more [rad]."""
LIBERO_RAD: Final = 1.3
"""Microwave: turned by more [rad]."""
METAWORLD_M: Final = 0.08
"""door-open: handle to where it shall be [m]."""
ROBOCASA_FRACTION: Final = 0.90
"""Share of the joint's range."""
MAX_REST_SPEED_RAD_S: Final = 0.1
"""Slower than this a door is at rest [rad/s]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How a door is opened."""

    horizon_s: float = 15.0
    """Duration of an episode [s]."""
    share: float = 0.75
    """Share of the door's turn that counts as open."""
    start_share: float = 0.05
    """Largest share of its turn by which it is open at the start."""


def build(config: Config) -> Task:
    """Return the task."""

    def afford(context: TaskContext, body: BodyCapabilities) -> Episode | Refused:
        match = find_handle(context, body, revolute=True)
        if match is None:
            return Refused(reason="no door whose handle is free and before which a robot finds room")
        handle, base_fields = match
        closed, opened = handle.hinge.closed, handle.hinge.opened
        low, high = sorted((closed, closed + config.start_share * (opened - closed)))
        proof = (
            f"a door of {handle.placed.asset.label} turns by {np.rad2deg(handle.travel):.0f}° towards a robot; "
            "its handle and the room before it are free"
        )
        return replace(episode_of(handle, base_fields, proof), joint_range=(low, high))

    def judge(batch: EpisodeBatch, view: TaskView) -> StepOutcome:
        opened = open_fraction(batch, view)
        turned = np.abs(view.joint - batch.closed)
        benchmark_successes = [
            turned > LIBERO_RAD,
            turned > ROBOSUITE_RAD,
            handle_distance(batch, view, batch.opened) <= METAWORLD_M,
            opened >= ROBOCASA_FRACTION,
        ]
        still = joint_at_rest(view, max_speed=MAX_REST_SPEED_RAD_S)
        return judge_opening(batch, view, share=config.share, still=still, benchmark_successes=benchmark_successes)

    return Task(
        name="open_door",
        needs=HAND_FROM_ABOVE,
        horizon_s=config.horizon_s,
        profiles=("ours", "libero", "robosuite", "metaworld", "robocasa"),
        config=config,
        afford=afford,
        observe=joint_features,
        columns=JOINT_COLUMNS,
        judge=judge,
        moves_base=True,
    )
