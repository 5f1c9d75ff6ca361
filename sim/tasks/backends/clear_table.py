"""Put everything that a hand can take into a container, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.geometry import Array
from sim.tasks.affordance_queries import base_of, part_of, starts_of
from sim.tasks.backends.place import judge_place, place_features
from sim.tasks.containment import containers_of, fits, inside
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import Rows
from sim.tasks.grasp_tasks import Held, takeable
from sim.tasks.task import Judged, Known, Refused, Task
from sim.tasks.task_view import View, see
from sim.worlds.worlds import State

MOST: Final = 8
"""Most objects that are cleared."""
LEAST: Final = 2
"""Fewer are no table to clear."""
FULL: Final = 0.6
"""Share of a container's volume that the objects' boxes may take."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How a table is cleared."""

    horizon_s: float = 40.0
    """Duration of an episode [s]."""
    start_shift_m: float = 0.01
    """Largest move of each object's start along x and y [m]."""
    start_turn_rad: float = 0.1
    """Largest turn of it about z [rad]."""


def build(config: Config) -> Task:
    """Return the task."""

    def afford(known: Known, body: str) -> Episode | Refused:
        del body
        takes = takeable(known)
        if isinstance(takes, Refused):
            return takes
        for container in containers_of(known):
            helds = _fill([held for held in takes if fits(held, container, known)], known, container.cavity.volume_m3)
            if len(helds) < LEAST:
                continue
            names = [held.placed.asset.name for held in helds]
            return Episode(
                proof=f"{len(helds)} objects have free grasps from above and pass the opening of "
                f"{container.placed.asset.label}, {1e3 * container.cavity.opening_m:.0f} mm wide",
                parts=tuple(part_of(one.placed, known.signatures[one.placed.asset.name], one.grasp) for one in helds),
                place=container.placed.asset.name,
                goal_m=container.cavity.center_m,
                goal_radius_m=container.cavity.opening_m / 2.0,
                depth_m=container.cavity.depth_m,
                starts=starts_of(known, names, shift_m=config.start_shift_m, turn_rad=config.start_turn_rad),
                **base_of(known.cousin),
            )
        return Refused(reason="no empty container in reach that takes two objects which a hand takes from above")

    return Task(
        name="clear_table",
        bodies=("gripper", "panda", "so101"),
        horizon_s=config.horizon_s,
        profiles=("ours",),
        config=config,
        afford=afford,
        observe=_observe,
        judge=_judge,
        choose=_next,
        most_parts=MOST,
    )


def _fill(helds: list[Held], known: Known, volume_m3: float) -> list[Held]:
    """Return the objects, first come first, whose boxes take no more of a container than they may."""
    found, left = [], FULL * volume_m3
    for held in helds[:MOST]:
        box = float(np.prod(known.signatures[held.placed.asset.name].size_m))
        if box <= left:
            found.append(held)
            left -= box
    return found


def _within(rows: Rows, state: State) -> Array:
    """Tell which parts are in the container, bool [n, m]; a part that a row does not have is."""
    m = rows.part.shape[1]
    table = [inside(rows, see(rows, state, current=np.full(len(rows.index), number))) for number in range(m)]
    return np.asarray(np.stack(table, axis=1) | (np.arange(m) >= rows.count[:, None]))


def _next(rows: Rows, state: State) -> Array:
    """Return the first part that is not yet in the container [n]; the last where all are."""
    there = _within(rows, state)
    return np.where(there.all(axis=1), rows.count - 1, np.argmin(there, axis=1))


def _observe(rows: Rows, view: View) -> Array:
    done = view.current / rows.count
    return np.concatenate([place_features(rows, view), done[:, None]], axis=1)


def _judge(rows: Rows, view: View) -> Judged:
    there = _within(rows, view.state)
    missing = np.arange(rows.part.shape[1]) < rows.count[:, None]
    share = (there & missing).sum(axis=1) / rows.count
    one = judge_place(rows, view)
    ours = there.all(axis=1) & one.successes[:, 0]
    reward = np.where(there.all(axis=1), 0.9, share * 0.9 + one.reward * 0.9 / rows.count)
    lost = view.state.position_m[rows.index[:, None], rows.part][:, :, 2] < rows.start_m[:, :, 2] - 0.05
    return replace(
        one,
        reward=np.where(ours, 1.0, np.clip(reward, 0.0, 0.99)),
        progress=np.where(ours, 1.0, np.clip(share + (one.progress / rows.count) * (share < 1.0), 0.0, 0.99)),
        successes=ours[:, None],
        failed=np.asarray((lost & missing & ~there).any(axis=1)),
    )
