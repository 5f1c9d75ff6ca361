"""Pull a drawer open by its handle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

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

MANISKILL_FRACTION: Final = 0.75
"""OpenCabinetDrawer: share of the joint's range, as its code has it."""
MANISKILL_M_S: Final = 0.1
"""OpenCabinetDrawer: slower than this [m/s]."""
LIBERO_M: Final = 0.14
"""Cabinets: pulled out by more [m]."""
METAWORLD_M: Final = 0.03
"""drawer-open: handle to where it shall be [m]."""
ROBOCASA_FRACTION: Final = 0.95
"""Share of the joint's range."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How a drawer is opened."""

    horizon_s: float = 8.0
    """Duration of an episode [s]."""
    share: float = 0.75
    """Share of the drawer's way that counts as open."""
    start_share: float = 0.05
    """Largest share of its way by which it is open at the start."""


def build(config: Config) -> Task:
    """Return the task."""

    def afford(context: TaskContext, body: BodyCapabilities) -> Episode | Refused:
        match = find_handle(context, body, revolute=False)
        if match is None:
            return Refused(reason="no drawer whose handle is free and before which a robot finds room")
        handle, base_fields = match
        closed, opened = handle.hinge.closed, handle.hinge.opened
        low, high = sorted((closed, closed + config.start_share * (opened - closed)))
        proof = (
            f"a drawer of {handle.placed.asset.label} slides {100 * handle.travel:.0f} cm towards a robot; "
            "its handle and the room before it are free"
        )
        return replace(episode_of(handle, base_fields, proof), joint_range=(low, high))

    def judge(batch: EpisodeBatch, view: TaskView) -> StepOutcome:
        opened = open_fraction(batch, view)
        benchmark_successes = [
            (opened >= MANISKILL_FRACTION) & joint_at_rest(view, max_speed=MANISKILL_M_S),
            handle_distance(batch, view, batch.closed) > LIBERO_M,
            handle_distance(batch, view, batch.opened) <= METAWORLD_M,
            opened >= ROBOCASA_FRACTION,
        ]
        return judge_opening(
            batch, view, share=config.share, still=joint_at_rest(view), benchmark_successes=benchmark_successes
        )

    return Task(
        name="open_drawer",
        needs=HAND_FROM_ABOVE,
        horizon_s=config.horizon_s,
        profiles=("ours", "maniskill", "libero", "metaworld", "robocasa"),
        config=config,
        afford=afford,
        observe=joint_features,
        columns=JOINT_COLUMNS,
        judge=judge,
        moves_base=True,
    )
