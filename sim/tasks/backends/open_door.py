"""Open a door by its handle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sim.tasks.episode import Episode
from sim.tasks.episode_batch import Rows
from sim.tasks.joint_tasks import episode_of, find_handle, hinge_features, joint_still, left_m, share_open
from sim.tasks.opening_tasks import judge_opening
from sim.tasks.task import Judged, Known, Refused, Task
from sim.tasks.task_view import View

ROBOSUITE_RAD: Final = 0.3
"""Door: turned by more [rad]."""
LIBERO_RAD: Final = 1.3
"""Microwave: turned by more [rad]."""
METAWORLD_M: Final = 0.08
"""door-open: handle to where it shall be [m]."""
ROBOCASA: Final = 0.90
"""Share of the joint's range."""
STILL_RAD_S: Final = 0.1
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

    def afford(known: Known, body: str) -> Episode | Refused:
        found = find_handle(known, body, revolute=True)
        if found is None:
            return Refused(reason="no door whose handle is free and before which a robot finds room")
        handle, standing = found
        closed, opened = handle.hinge.closed, handle.hinge.opened
        low, high = sorted((closed, closed + config.start_share * (opened - closed)))
        proof = (
            f"a door of {handle.placed.asset.label} turns by {np.rad2deg(handle.travel):.0f}° towards a robot; "
            "its handle and the room before it are free"
        )
        return replace(episode_of(handle, standing, proof), joint_range=(low, high))

    def judge(rows: Rows, view: View) -> Judged:
        opened = share_open(rows, view)
        turned = np.abs(view.joint - rows.closed)
        others = [
            turned > LIBERO_RAD,
            turned > ROBOSUITE_RAD,
            left_m(rows, view, rows.opened) <= METAWORLD_M,
            opened >= ROBOCASA,
        ]
        still = joint_still(view, most=STILL_RAD_S)
        return judge_opening(rows, view, share=config.share, still=still, others=others)

    return Task(
        name="open_door",
        bodies=("gripper", "panda", "so101"),
        horizon_s=config.horizon_s,
        profiles=("ours", "libero", "robosuite", "metaworld", "robocasa"),
        config=config,
        afford=afford,
        observe=hinge_features,
        judge=judge,
        moves_base=True,
    )
