"""What opening a drawer and opening a door share: how it is judged."""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array
from sim.tasks.common import tip_to_handle
from sim.tasks.frames import nearness
from sim.tasks.hinging import fallen, share_open, stands
from sim.tasks.rows import Rows
from sim.tasks.task import Judged
from sim.tasks.view import View, knocked


def judge_opening(rows: Rows, view: View, *, share: float, still: Array, others: list[Array]) -> Judged:
    """Tell how far a joint is open; ours wants a share of its range, at rest, all upright, the furniture too."""
    opened = share_open(rows, view)
    ours = (opened >= share) & still & stands(rows, view) & ~knocked(rows, view.state)
    near = nearness(tip_to_handle(view))
    done = np.clip(opened / share, 0.0, 1.0)
    return Judged(
        reward=np.where(ours, 1.0, 0.25 * near + 0.6 * done),
        progress=np.where(ours, 1.0, 0.99 * done),
        successes=np.stack([ours, *others], axis=1),
        failed=fallen(view),
    )
