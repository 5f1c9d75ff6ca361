"""What is to be done in a cousin: which object, whereto, and from where a robot can do it; proven on geometry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cousins.affordances import Grasp
from cousins.geometry import Array, transform
from cousins.vary.cousins import Library, Task
from cousins.vary.footprints import Footprint, covers, free, rectangle
from cousins.vary.plans import GAP_M, Plan
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
TRIES: Final = 12
"""Most tries to find a free goal."""


def home_task(library: Library, plan: Plan) -> Task:
    """Return the twin's own task: the best graspable free object, a goal beside it, a base in front."""
    names = [name for name in plan.spots if _may_be_handled(library, plan, name)]
    if not names:
        return Task(
            target="", goal_m=(0.0, 0.0, 0.0), goal_radius_m=0.0, robot_base_m=(0.0, 0.0, 0.0), robot_yaw_rad=0.0
        )
    target = names[0]
    base, yaw = _base(plan, names)
    spot = plan.spots[target]
    top = plan.grounds[plan.carriers[target][1]].top_m
    goal = np.array([spot.x_m, spot.y_m]) + 0.15 * np.array([np.cos(yaw), np.sin(yaw)])
    return Task(
        target=target,
        goal_m=_three(np.array([goal[0], goal[1], top])),
        goal_radius_m=0.05,
        robot_base_m=_three(np.array([base[0], base[1], top])),
        robot_yaw_rad=round(yaw, 6),
    )


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
    """Return the task of a cousin with its proof done, or in words why there is none."""
    if not home.target:
        return home
    names = [name for name in variants if name in plan.spots and _may_be_handled(library, plan, name)]
    target = home.target
    if rng.uniform() < amount and names:
        target = names[int(rng.integers(len(names)))]
    shown = {name: plan.resting[variants[name]].seen(pose) for name, pose in poses.items()}
    base = np.array(home.robot_base_m)
    if np.linalg.norm(poses[target][:2, 3] - base[:2]) > ranges.reach_m.at(0.5):
        return "out of the robot's reach"
    others = [shape for name, shape in shown.items() if name != target]
    if not any(
        grasp_is_free(grasp, poses[target], others) for grasp in library.variants[variants[target]].signature.grasps
    ):
        return "no free grasp"
    ground = plan.grounds[plan.carriers[target][1]]
    goal = _goal(poses[target], shown[target], others, ground, ranges, amount, rng, base)
    if goal is None:
        return "no free goal within reach"
    return Task(
        target=target,
        goal_m=_three(np.array([goal[0], goal[1], ground.top_m])),
        goal_radius_m=round(ranges.goal_radius_m.at(rng.uniform()), 6),
        robot_base_m=home.robot_base_m,
        robot_yaw_rad=home.robot_yaw_rad,
    )


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


def _goal(
    pose: Array,
    shape: Footprint,
    others: list[Footprint],
    ground: Footprint,
    ranges: TaskRange,
    amount: float,
    rng: np.random.Generator,
    base: Array,
) -> Array | None:
    low = ranges.goal_distance_m.ends[0]
    for attempt in range(TRIES):
        far = low + max(amount, attempt / TRIES) * (ranges.goal_distance_m.at(rng.uniform()) - low)
        heading = rng.uniform(-np.pi, np.pi)
        move = far * np.array([np.cos(heading), np.sin(heading)])
        goal = pose[:2, 3] + move
        if np.linalg.norm(goal - base[:2]) > ranges.reach_m.at(0.5):
            continue
        moved = shape.placed(float(move[0]), float(move[1]), 0.0, 0.0)
        if covers(ground, moved) and all(free(moved, other, gap_m=GAP_M) for other in others):
            return goal
    return None


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


def _three(values: Array) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 6) + 0.0 for value in values)
    return x, y, z
