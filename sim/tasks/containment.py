"""Containers: which ones an object fits into, and whether it is inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.affordances import Cavity
from cousins.geometry import Array, transform
from cousins.scene.scenes import PlacedAsset
from sim.tasks.affordance_queries import in_reach
from sim.tasks.batch_rotations import norms, rotate
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.grasp_tasks import GraspTarget, half_height
from sim.tasks.task import TaskContext
from sim.tasks.task_view import TaskView

MAX_RIM_HEIGHT_M: Final = 0.3
"""Highest rim over what the robot stands on [m]."""
OPENING_CLEARANCE_M: Final = 0.01
"""Air between the object and the opening [m]."""
MIN_DEPTH_FRACTION: Final = 0.25
"""Share of the hollow's depth by which the lowest point must be below the rim."""
MIN_UPRIGHT_COSINE: Final = 0.95
"""A container stands whose own z axis points up by this cosine."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Container:
    """An object with a hollow that is open upwards."""

    placed: PlacedAsset
    """The object."""
    cavity: Cavity
    """Its hollow."""


def containers_in_reach(context: TaskContext) -> list[Container]:
    """Return the empty containers in reach, the widest first."""
    carriers = {relation.object for relation in context.cousin.relations if relation.kind in ("on", "inside")}
    containers = []
    for placed in context.scene.objects:
        cavity = context.signatures[placed.asset.name].cavity
        if cavity is None or placed.asset.name in carriers or placed.world_from_asset[2, 2] < MIN_UPRIGHT_COSINE:
            continue
        rim = transform(placed.world_from_asset, np.array(cavity.center_m))
        if in_reach(context, rim) and rim[2] - context.cousin.task.robot_base_m[2] <= MAX_RIM_HEIGHT_M:
            containers.append(Container(placed=placed, cavity=cavity))
    return sorted(containers, key=lambda container: (-container.cavity.opening_m, container.placed.asset.name))


def fits_opening(target: GraspTarget, container: Container, context: TaskContext) -> bool:
    """Return whether an object passes the opening of a container as it hangs in the hand."""
    if target.placed.asset.name == container.placed.asset.name:
        return False
    size = np.array(context.signatures[target.placed.asset.name].size_m)
    across = np.abs(target.placed.world_from_asset[:3, :3]) @ size
    return float(np.hypot(across[0], across[1])) + OPENING_CLEARANCE_M <= container.cavity.opening_m


def is_inside(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return whether the target's middle is within the opening and its lowest point well below the rim, bool [n]."""
    local = position_in_place(batch, view)
    foot = local[:, 2] - half_height(view.target_rotation, view.size_m)
    within = norms(local[:, :2]) < batch.goal_radius_m
    return np.asarray(within & (foot < -MIN_DEPTH_FRACTION * batch.depth_m) & (local[:, 2] > -batch.depth_m - 0.02))


def position_in_place(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return the target from the middle of the opening, along the container's own axes [n, 3]."""
    away = view.target_m - view.goal_m
    world = rotate(batch.world_from_base, away)
    return rotate(np.swapaxes(view.place_rotation, 1, 2), world)
