"""What is to be done in a cousin: which object, whereto, and from where a robot can do it; proven on geometry."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np

from cousins.affordances import Grasp
from cousins.geometry import Array, transform
from cousins.vary.cousins import Library, Task
from cousins.vary.placement.footprints import Footprint, covers, free, rectangle
from cousins.vary.placement.layout_plan import GAP_M, Plan
from cousins.vary.recipes import TaskRange

BASE_DISTANCE_M: Final = 0.45
"""From the middle of the free objects to the robot's base [m]."""
FINGER_M: Final = 0.01
"""Thickness of a finger and the air behind it [m]."""
FINGER_WIDTH_M: Final = 0.02
"""Width of a finger [m]."""
BELOW_M: Final = 0.01
"""How far fingertips reach below the middle of a grasp [m]."""
STEEP: Final = -0.7
"""A gripper that comes from above: the third component of its approach."""
HAND_M: Final = 0.12
"""Way behind the middle of a grasp that a hand takes along its approach [m]."""
HOME_GOALS_M: Final = (0.15, 0.1, 0.2, 0.3)
"""From the object that the twin's task is about to its goal, best first [m]."""
HOME_TURNS: Final = tuple(np.pi * turn for turn in (0.0, 0.25, -0.25, 0.5, -0.5, 0.75, -0.75, 1.0))
"""Headings of that goal against the robot's, best first [rad]."""
HOME_RADIUS_M: Final = 0.05
"""Radius of that goal [m]."""
NO_TASK: Final = Task(
    target="", goal_m=(0.0, 0.0, 0.0), goal_radius_m=0.0, robot_base_m=(0.0, 0.0, 0.0), robot_yaw_rad=0.0
)
"""Nothing can be done."""
TRIES: Final = 12
"""Most tries to find a free goal."""


def home_task(library: Library, plan: Plan, *, reach_m: float) -> Task:
    """Return the twin's own task: a graspable free object in reach, a free goal beside it, a base in front.

    It is on the structure that carries most of what can be handled. Where nothing has all of that there is none, and
    no cousin gets one.
    """
    able = [name for name in plan.spots if _may_be_handled(library, plan, name)]
    if not able:
        return NO_TASK
    carried = Counter(plan.carriers[name][1] for name in able)
    ground = max(carried, key=lambda name: (carried[name], plan.grounds[name].top_m, name))
    names = [name for name in able if plan.carriers[name][1] == ground]
    base, yaw = _base(plan, names)
    shown = {name: plan.resting[name].at(spot) for name, spot in plan.spots.items()}
    for name in names:
        start = plan.objects[name].world_from_asset
        others = [shape for other, shape in shown.items() if other != name]
        grasps = library.variants[name].signature.grasps
        if not _near(start[:2, 3], base, reach_m) or not any(grasp_is_free(one, start, others) for one in grasps):
            continue
        for length_m, turn in itertools.product(HOME_GOALS_M, HOME_TURNS):
            move = length_m * np.array([np.cos(yaw + turn), np.sin(yaw + turn)])
            if _near(start[:2, 3] + move, base, reach_m) and _is_free(shown[name], move, others, plan.grounds[ground]):
                return Task(
                    target=name,
                    goal_m=_three(np.array([*(start[:2, 3] + move), plan.grounds[ground].top_m])),
                    goal_radius_m=HOME_RADIUS_M,
                    robot_base_m=_three(np.array([*base, plan.grounds[ground].top_m])),
                    robot_yaw_rad=round(yaw, 6),
                )
    return NO_TASK


def draw_task(
    library: Library,
    plan: Plan,
    variants: Mapping[str, str],
    poses: Mapping[str, Array],
    ranges: TaskRange,
    amount: float,
    rng: np.random.Generator,
    home: Task,
) -> Task | str:
    """Return the task of a cousin with its proof done, or in words why there is none.

    With `amount` 0 it is the twin's: the same object, and a goal that lies from it as in the twin.
    """
    if not home.target:
        return home
    on = plan.carriers[home.target][1]
    names = [
        name
        for name in variants
        if name in plan.spots and _may_be_handled(library, plan, name) and plan.carriers[name][1] == on
    ]
    target = home.target
    if rng.uniform() < amount and names:
        target = names[int(rng.integers(len(names)))]
    shown = {name: plan.resting[variants[name]].seen(pose) for name, pose in poses.items()}
    base, start, reach_m = np.array(home.robot_base_m[:2]), poses[target][:2, 3], ranges.reach_m.at(0.5)
    if not _near(start, base, reach_m):
        return "out of the robot's reach"
    others = [shape for name, shape in shown.items() if name != target]
    if not any(
        grasp_is_free(grasp, poses[target], others) for grasp in library.variants[variants[target]].signature.grasps
    ):
        return "no free grasp"
    ground = plan.grounds[plan.carriers[target][1]]
    spot = plan.spots[home.target]
    home_move = np.array(home.goal_m[:2]) - [spot.x_m, spot.y_m]
    for _ in range(TRIES if amount > 0.0 else 1):
        move = _drawn_move(home_move, ranges, amount, rng)
        if _near(start + move, base, reach_m) and _is_free(shown[target], move, others, ground):
            break
    else:
        return "no free goal within reach"
    radius_m = home.goal_radius_m + amount * (ranges.goal_radius_m.at(rng.uniform()) - home.goal_radius_m)
    return Task(
        target=target,
        goal_m=_three(np.array([*(start + move), ground.top_m])),
        goal_radius_m=round(radius_m, 6),
        robot_base_m=home.robot_base_m,
        robot_yaw_rad=home.robot_yaw_rad,
    )


def _drawn_move(home_move: Array, ranges: TaskRange, amount: float, rng: np.random.Generator) -> Array:
    """Return the way from an object to its goal [2], between the twin's (`amount` 0) and any in range (1)."""
    home_m = float(np.linalg.norm(home_move))
    far_m = home_m + amount * (ranges.goal_distance_m.at(rng.uniform()) - home_m)
    turn = amount * rng.uniform(-np.pi, np.pi)
    c, s = np.cos(turn), np.sin(turn)
    x, y = home_move * (far_m / home_m)
    return np.array([c * x - s * y, s * x + c * y])


def _is_free(shape: Footprint, move: Array, others: list[Footprint], ground: Footprint) -> bool:
    """Tell whether an object would stand on its ground, clear of others, after a level move."""
    moved = shape.placed(float(move[0]), float(move[1]), 0.0, 0.0)
    return covers(ground, moved) and all(free(moved, other, gap_m=GAP_M) for other in others)


def grasp_is_free(grasp: Grasp, world_from_asset: Array, others: list[Footprint]) -> bool:
    """Tell whether a hand finds room for a grasp, from above or from the side, among other bodies."""
    center = transform(world_from_asset, np.array(grasp.center_m))
    axis = world_from_asset[:3, :3] @ np.array(grasp.axis)
    approach = world_from_asset[:3, :3] @ np.array(grasp.approach)
    half = np.array([grasp.width_m / 2.0 + FINGER_M, FINGER_WIDTH_M / 2.0])
    if approach[2] < STEEP:
        yaw = float(np.arctan2(axis[1], axis[0]))
        hand = rectangle((center[0], center[1]), (half[0], half[1]), yaw, (center[2] - BELOW_M, center[2] + HAND_M))
        return all(free(hand, other, gap_m=0.0) for other in others)
    level = approach[:2] / max(float(np.linalg.norm(approach[:2])), 1e-9)
    middle = center[:2] - level * HAND_M / 2.0
    heights = (float(center[2]) - FINGER_WIDTH_M / 2.0, float(center[2]) + FINGER_WIDTH_M / 2.0)
    across = float(half[0]) if abs(axis[2]) < 0.7 else FINGER_WIDTH_M
    hand = rectangle((middle[0], middle[1]), (HAND_M / 2.0, across), float(np.arctan2(level[1], level[0])), heights)
    return all(free(hand, other, gap_m=0.0) for other in others)


def _may_be_handled(library: Library, plan: Plan, name: str) -> bool:
    placed = plan.objects[name]
    on_structure = plan.carriers.get(name, ("", ""))[1] in plan.grounds
    carries = name in {carrier for _, carrier in plan.carriers.values()}
    return bool(not placed.fixed and on_structure and not carries and library.variants[name].signature.grasps)


def _base(plan: Plan, names: list[str]) -> tuple[Array, float]:
    """Return where a robot stands [2] and where it faces: along x or y, on the side that is nearest to an edge."""
    center = np.mean([[plan.spots[name].x_m, plan.spots[name].y_m] for name in names], axis=0)
    ground = plan.grounds[plan.carriers[names[0]][1]].points
    low, high = ground.min(axis=0), ground.max(axis=0)
    sides = {
        0.0: center[0] - low[0],
        np.pi: high[0] - center[0],
        np.pi / 2.0: center[1] - low[1],
        -np.pi / 2.0: high[1] - center[1],
    }
    yaw = min(sides, key=lambda angle: sides[angle])
    return center - BASE_DISTANCE_M * np.array([np.cos(yaw), np.sin(yaw)]), float(yaw)


def _near(point: Array, base: Array, reach_m: float) -> bool:
    return float(np.linalg.norm(point - base)) <= reach_m


def _three(values: Array) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 6) + 0.0 for value in values)
    return x, y, z
