"""Pull a drawer open by its handle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sim.tasks.episode import Episode
from sim.tasks.episode_batch import Rows
from sim.tasks.joint_tasks import episode_of, find_handle, hinge_features, joint_still, left_m, share_open
from sim.tasks.opening_tasks import judge_opening
from sim.tasks.task import Judged, Known, Refused, Task
from sim.tasks.task_view import View

MANISKILL: Final = 0.75
"""OpenCabinetDrawer: share of the joint's range, as its code has it."""
MANISKILL_M_S: Final = 0.1
"""OpenCabinetDrawer: slower than this [m/s]."""
LIBERO_M: Final = 0.14
"""Cabinets: pulled out by more [m]."""
METAWORLD_M: Final = 0.03
"""drawer-open: handle to where it shall be [m]."""
ROBOCASA: Final = 0.95
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

    def afford(known: Known, body: str) -> Episode | Refused:
        found = find_handle(known, body, revolute=False)
        if found is None:
            return Refused(reason="no drawer whose handle is free and before which a robot finds room")
        handle, standing = found
        closed, opened = handle.hinge.closed, handle.hinge.opened
        low, high = sorted((closed, closed + config.start_share * (opened - closed)))
        proof = (
            f"a drawer of {handle.placed.asset.label} slides {100 * handle.travel:.0f} cm towards a robot; "
            "its handle and the room before it are free"
        )
        return replace(episode_of(handle, standing, proof), joint_range=(low, high))

    def judge(rows: Rows, view: View) -> Judged:
        opened = share_open(rows, view)
        others = [
            (opened >= MANISKILL) & joint_still(view, most=MANISKILL_M_S),
            left_m(rows, view, rows.closed) > LIBERO_M,
            left_m(rows, view, rows.opened) <= METAWORLD_M,
            opened >= ROBOCASA,
        ]
        return judge_opening(rows, view, share=config.share, still=joint_still(view), others=others)

    return Task(
        name="open_drawer",
        bodies=("gripper", "panda", "so101"),
        horizon_s=config.horizon_s,
        profiles=("ours", "maniskill", "libero", "metaworld", "robocasa"),
        config=config,
        afford=afford,
        observe=hinge_features,
        judge=judge,
        moves_base=True,
    )
