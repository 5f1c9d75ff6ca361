"""Push a drawer shut.

A robot never stands exactly before a drawer: each cousin has it somewhat aside and askew, so that driving straight on
does not do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sim.bodies.capabilities import BodyCapabilities, BodyNeeds
from sim.tasks.batch_rotations import nearness
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.joint_tasks import (
    JOINT_COLUMNS,
    episode_of,
    find_handle,
    handle_distance,
    has_fallen,
    is_standing,
    joint_at_rest,
    joint_features,
    open_fraction,
    open_start_regions,
)
from sim.tasks.shared_observations import tip_to_handle
from sim.tasks.task import Refused, StepOutcome, Task, TaskContext
from sim.tasks.task_view import TaskView, knocked_over

LIBERO_M: Final = 0.005
"""Cabinets: out by no more [m]."""
METAWORLD_M: Final = 0.065
"""drawer-close: handle to where it shall be, as its code has it [m]."""
ROBOCASA_FRACTION: Final = 0.05
"""Share of the joint's range."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How a drawer is closed."""

    horizon_s: float = 6.0
    """Duration of an episode [s]."""
    share: float = 0.05
    """Largest share of the drawer's way by which a shut one is out."""
    start_share: tuple[float, float] = (0.4, 0.9)
    """Between which shares of its way it is out at the start."""
    start_shift_m: float = 0.01
    """Largest move of furniture that stands free along x and y at the start [m]."""
    start_turn_rad: float = 0.1
    """Largest turn of it about z [rad]."""
    off_m: float = 0.15
    """Farthest that a robot stands from straight before the handle, along and across [m]."""
    askew_rad: float = 0.4
    """Farthest that it is turned away from the drawer [rad]."""


def build(config: Config) -> Task:
    """Return the task."""

    def afford(context: TaskContext, body: BodyCapabilities) -> Episode | Refused:
        match = find_handle(context, body, revolute=False, off_m=config.off_m, askew_rad=config.askew_rad)
        if match is None:
            return Refused(reason="no drawer whose handle is free and before which a robot finds room")
        handle, base_fields = match
        hinge, (low, high) = handle.hinge, config.start_share
        span = hinge.opened - hinge.closed
        starts = sorted((hinge.closed + low * span, hinge.closed + high * span))
        proof = (
            f"a drawer of {handle.placed.asset.label} that is out slides back by up to {100 * handle.travel:.0f} cm; "
            "its handle and the room before it are free"
        )
        return replace(
            episode_of(handle, base_fields, proof),
            joint_range=(starts[0], starts[1]),
            starts=open_start_regions(handle, context, shift_m=config.start_shift_m, turn_rad=config.start_turn_rad),
        )

    def judge(batch: EpisodeBatch, view: TaskView) -> StepOutcome:
        out, begun = open_fraction(batch, view), (batch.start_joint - batch.closed) / (batch.opened - batch.closed)
        success = (
            (out <= config.share) & joint_at_rest(view) & is_standing(batch, view) & ~knocked_over(batch, view.state)
        )
        left = handle_distance(batch, view, batch.closed)
        near = nearness(tip_to_handle(view))
        closed_fraction = np.clip((begun - out) / np.maximum(begun - config.share, 1e-3), 0.0, 1.0)
        return StepOutcome(
            reward=np.where(success, 1.0, 0.25 * near + 0.6 * closed_fraction),
            progress=np.where(success, 1.0, 0.99 * closed_fraction),
            successes=np.stack([success, left <= LIBERO_M, left <= METAWORLD_M, out <= ROBOCASA_FRACTION], axis=1),
            failed=has_fallen(view),
        )

    return Task(
        name="close_drawer",
        needs=BodyNeeds(moves=("x", "y")),
        horizon_s=config.horizon_s,
        profiles=("ours", "libero", "metaworld", "robocasa"),
        config=config,
        afford=afford,
        observe=joint_features,
        columns=JOINT_COLUMNS,
        judge=judge,
        moves_base=True,
    )
