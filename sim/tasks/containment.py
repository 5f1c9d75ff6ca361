"""What putting into a container asks: which container, and when something is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.affordances import Cavity
from cousins.geometry import Array, transform
from cousins.scene.scenes import Placed
from sim.tasks.affordance_queries import in_reach
from sim.tasks.batch_rotations import length, turned
from sim.tasks.episode_batch import Rows
from sim.tasks.grasp_tasks import Held, half_height
from sim.tasks.task import Known
from sim.tasks.task_view import View

HIGHEST_M: Final = 0.3
"""Highest rim over what the robot stands on [m]."""
ROOM_M: Final = 0.01
"""Air between the object and the opening [m]."""
DEEP: Final = 0.25
"""Share of the hollow's depth by which the lowest point must be below the rim."""
UPRIGHT: Final = 0.95
"""A container stands whose own z axis points up by this cosine."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Container:
    """An object with a hollow that is open upwards."""

    placed: Placed
    """The object."""
    cavity: Cavity
    """Its hollow."""


def containers_of(known: Known) -> list[Container]:
    """Return the empty containers in reach, the widest first."""
    carriers = {relation.object for relation in known.cousin.relations if relation.kind in ("on", "inside")}
    found = []
    for placed in known.scene.objects:
        cavity = known.signatures[placed.asset.name].cavity
        if cavity is None or placed.asset.name in carriers or placed.world_from_asset[2, 2] < UPRIGHT:
            continue
        rim = transform(placed.world_from_asset, np.array(cavity.center_m))
        if in_reach(known, rim) and rim[2] - known.cousin.task.robot_base_m[2] <= HIGHEST_M:
            found.append(Container(placed=placed, cavity=cavity))
    return sorted(found, key=lambda one: (-one.cavity.opening_m, one.placed.asset.name))


def fits(held: Held, container: Container, known: Known) -> bool:
    """Tell whether an object passes the opening as it hangs in the hand."""
    if held.placed.asset.name == container.placed.asset.name:
        return False
    size = np.array(known.signatures[held.placed.asset.name].size_m)
    across = np.abs(held.placed.world_from_asset[:3, :3]) @ size
    return float(np.hypot(across[0], across[1])) + ROOM_M <= container.cavity.opening_m


def inside(rows: Rows, view: View) -> Array:
    """Tell whether the target's middle is within the opening and its lowest point well below the rim, bool [n]."""
    local = in_place(rows, view)
    foot = local[:, 2] - half_height(view.target_rotation, view.size_m)
    within = length(local[:, :2]) < rows.goal_radius_m
    return np.asarray(within & (foot < -DEEP * rows.depth_m) & (local[:, 2] > -rows.depth_m - 0.02))


def in_place(rows: Rows, view: View) -> Array:
    """Return the target from the middle of the opening, along the container's own axes [n, 3]."""
    away = view.target_m - view.goal_m
    world = turned(rows.world_from_base, away)
    return turned(np.swapaxes(view.place_rotation, 1, 2), world)
