"""Put everything that a hand can take into a container, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.geometry import Array
from sim.bodies.capabilities import BodyCapabilities
from sim.bodies.columns import scalar
from sim.tasks.affordance_queries import base_of, part_of, starts_of
from sim.tasks.backends.place import PLACE_COLUMNS, judge_place, place_features
from sim.tasks.containment import containers_in_reach, fits_opening, is_inside
from sim.tasks.episode import Episode
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.grasp_tasks import HAND_FROM_ABOVE, GraspTarget, graspable_objects
from sim.tasks.task import Refused, StepOutcome, Task, TaskContext
from sim.tasks.task_view import TaskView, task_view
from sim.worlds.worlds import State

MAX_OBJECTS: Final = 8
"""Most objects that are cleared."""
MIN_OBJECTS: Final = 2
"""Fewer are no table to clear."""
MAX_FILL_FRACTION: Final = 0.6
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

    def afford(context: TaskContext, body: BodyCapabilities) -> Episode | Refused:
        targets = graspable_objects(context, opening_m=body.opening_m)
        if isinstance(targets, Refused):
            return targets
        for container in containers_in_reach(context):
            cleared = _fill(
                [target for target in targets if fits_opening(target, container, context)],
                context,
                container.cavity.volume_m3,
            )
            if len(cleared) < MIN_OBJECTS:
                continue
            names = [target.placed.asset.name for target in cleared]
            return Episode(
                proof=f"{len(cleared)} objects have free grasps from above and pass the opening of "
                f"{container.placed.asset.label}, {1e3 * container.cavity.opening_m:.0f} mm wide",
                parts=tuple(
                    part_of(outcome.placed, context.signatures[outcome.placed.asset.name], outcome.grasp)
                    for outcome in cleared
                ),
                place=container.placed.asset.name,
                goal_m=container.cavity.center_m,
                goal_radius_m=container.cavity.opening_m / 2.0,
                depth_m=container.cavity.depth_m,
                starts=starts_of(context, names, shift_m=config.start_shift_m, turn_rad=config.start_turn_rad),
                **base_of(context.cousin),
            )
        return Refused(reason="no empty container in reach that takes two objects which a hand takes from above")

    return Task(
        name="clear_table",
        needs=HAND_FROM_ABOVE,
        horizon_s=config.horizon_s,
        profiles=("ours",),
        config=config,
        afford=afford,
        observe=_observe,
        columns=(*PLACE_COLUMNS, *scalar("part_number_fraction", "1", "goal", "object_pose")),
        judge=_judge,
        choose=_next_part,
        max_parts=MAX_OBJECTS,
    )


def _fill(cleared: list[GraspTarget], context: TaskContext, volume_m3: float) -> list[GraspTarget]:
    """Return the objects, first come first, whose boxes take no more of a container than they may."""
    chosen_targets, left = [], MAX_FILL_FRACTION * volume_m3
    for target in cleared[:MAX_OBJECTS]:
        box = float(np.prod(context.signatures[target.placed.asset.name].size_m))
        if box <= left:
            chosen_targets.append(target)
            left -= box
    return chosen_targets


def _parts_inside(batch: EpisodeBatch, state: State) -> Array:
    """Return which parts are in the container, bool [n, m]; True for parts that a row does not have."""
    m = batch.part.shape[1]
    table = [
        is_inside(batch, task_view(batch, state, current=np.full(len(batch.index), number))) for number in range(m)
    ]
    return np.asarray(np.stack(table, axis=1) | (np.arange(m) >= batch.count[:, None]))


def _next_part(batch: EpisodeBatch, state: State) -> Array:
    """Return the first part that is not yet in the container [n]; the last where all are."""
    is_inside_part = _parts_inside(batch, state)
    return np.where(is_inside_part.all(axis=1), batch.count - 1, np.argmin(is_inside_part, axis=1))


def _observe(batch: EpisodeBatch, view: TaskView) -> Array:
    done_fraction = view.current / batch.count
    return np.concatenate([place_features(batch, view), done_fraction[:, None]], axis=1)


def _judge(batch: EpisodeBatch, view: TaskView) -> StepOutcome:
    is_inside_part = _parts_inside(batch, view.state)
    is_part = np.arange(batch.part.shape[1]) < batch.count[:, None]
    share = (is_inside_part & is_part).sum(axis=1) / batch.count
    outcome = judge_place(batch, view)
    success = is_inside_part.all(axis=1) & outcome.successes[:, 0]
    reward = np.where(is_inside_part.all(axis=1), 0.9, share * 0.9 + outcome.reward * 0.9 / batch.count)
    lost = view.state.position_m[batch.index[:, None], batch.part][:, :, 2] < batch.start_m[:, :, 2] - 0.05
    return replace(
        outcome,
        reward=np.where(success, 1.0, np.clip(reward, 0.0, 0.99)),
        progress=np.where(success, 1.0, np.clip(share + (outcome.progress / batch.count) * (share < 1.0), 0.0, 0.99)),
        successes=success[:, None],
        failed=np.asarray((lost & is_part & ~is_inside_part).any(axis=1)),
    )
