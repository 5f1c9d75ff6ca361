"""Task goals: target object, goal region and robot base, checked for reach and free space on footprints."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np

from cousins.affordances import Grasp
from cousins.geometry import Array, transform
from cousins.vary.cousins import GoalSpec, Library
from cousins.vary.placement.footprints import Footprint, covers, have_clearance, rectangle_footprint
from cousins.vary.placement.layout_plan import CLEARANCE_M, LayoutPlan
from cousins.vary.recipes import TaskRange

BASE_DISTANCE_M: Final = 0.45
"""Distance from the centre of the graspable objects to the robot's base [m]."""
FINGER_THICKNESS_M: Final = 0.01
"""Thickness of a finger and the clearance behind it [m]."""
FINGER_WIDTH_M: Final = 0.02
"""Width of a finger [m]."""
FINGERTIP_DEPTH_M: Final = 0.01
"""Depth of the fingertips below the centre of a grasp [m]."""
MAX_APPROACH_Z_FROM_ABOVE: Final = -0.7
"""Largest z component of an approach direction that counts as from above."""
HAND_LENGTH_M: Final = 0.12
"""Length of a hand along its approach, behind the centre of a grasp [m]."""
TWIN_GOAL_DISTANCES_M: Final = (0.15, 0.1, 0.2, 0.3)
"""Distances from the target object to the goal in the twin, in order of preference [m]."""
TWIN_GOAL_TURNS_RAD: Final = tuple(np.pi * turn for turn in (0.0, 0.25, -0.25, 0.5, -0.5, 0.75, -0.75, 1.0))
"""Directions of that goal relative to the heading of the robot, in order of preference [rad]."""
TWIN_GOAL_RADIUS_M: Final = 0.05
"""Radius of that goal [m]."""
NO_GOAL: Final = GoalSpec(
    target="", goal_m=(0.0, 0.0, 0.0), goal_radius_m=0.0, robot_base_m=(0.0, 0.0, 0.0), robot_yaw_rad=0.0
)
"""Goal of a scene without a feasible task."""
MAX_GOAL_TRIES: Final = 12
"""Most tries to find a free goal."""


def twin_goal(library: Library, plan: LayoutPlan, *, reach_m: float) -> GoalSpec:
    """Return the goal in the twin: a graspable free object in reach, a free goal beside it, and a robot base.

    The target is on the structure that supports most graspable objects. `NO_GOAL` where no object qualifies; then no
    cousin has a goal either.
    """
    graspable_names = [name for name in plan.twin_poses if _is_graspable(library, plan, name)]
    if not graspable_names:
        return NO_GOAL
    counts = Counter(plan.carriers[name][1] for name in graspable_names)
    structure = max(counts, key=lambda name: (counts[name], plan.structure_footprints[name].top_m, name))
    names = [name for name in graspable_names if plan.carriers[name][1] == structure]
    base, yaw = _robot_base(plan, names)
    footprints = {
        name: plan.rest_orientations[name].footprint_at(yaw_pose) for name, yaw_pose in plan.twin_poses.items()
    }
    for name in names:
        world_from_asset = plan.objects[name].world_from_asset
        obstacles = [shape for other, shape in footprints.items() if other != name]
        grasps = library.variants[name].signature.grasps
        if not _within_reach(world_from_asset[:2, 3], base, reach_m) or not any(
            grasp_is_free(grasp, world_from_asset, obstacles) for grasp in grasps
        ):
            continue
        for length_m, turn in itertools.product(TWIN_GOAL_DISTANCES_M, TWIN_GOAL_TURNS_RAD):
            move = length_m * np.array([np.cos(yaw + turn), np.sin(yaw + turn)])
            if _within_reach(world_from_asset[:2, 3] + move, base, reach_m) and _is_free_after_move(
                footprints[name], move, obstacles, plan.structure_footprints[structure]
            ):
                return GoalSpec(
                    target=name,
                    goal_m=_three(
                        np.array([*(world_from_asset[:2, 3] + move), plan.structure_footprints[structure].top_m])
                    ),
                    goal_radius_m=TWIN_GOAL_RADIUS_M,
                    robot_base_m=_three(np.array([*base, plan.structure_footprints[structure].top_m])),
                    robot_yaw_rad=round(yaw, 6),
                )
    return NO_GOAL


def sample_goal(
    library: Library,
    plan: LayoutPlan,
    variant_keys: Mapping[str, str],
    poses: Mapping[str, Array],
    ranges: TaskRange,
    amount: float,
    rng: np.random.Generator,
    reference: GoalSpec,
) -> GoalSpec | str:
    """Return a feasible goal for objects at `poses` [4, 4] by name, or the reason why there is none.

    With `amount` 0 target object and goal offset are those of the twin's goal `reference`.
    """
    if not reference.target:
        return reference
    structure_name = plan.carriers[reference.target][1]
    names = [
        name
        for name in variant_keys
        if name in plan.twin_poses and _is_graspable(library, plan, name) and plan.carriers[name][1] == structure_name
    ]
    target = reference.target
    if rng.uniform() < amount and names:
        target = names[int(rng.integers(len(names)))]
    footprints = {
        name: plan.rest_orientations[variant_keys[name]].footprint_at_matrix(pose) for name, pose in poses.items()
    }
    base, start, reach_m = np.array(reference.robot_base_m[:2]), poses[target][:2, 3], ranges.reach_m.at_quantile(0.5)
    if not _within_reach(start, base, reach_m):
        return "out of the robot's reach"
    obstacles = [shape for name, shape in footprints.items() if name != target]
    if not any(
        grasp_is_free(grasp, poses[target], obstacles)
        for grasp in library.variants[variant_keys[target]].signature.grasps
    ):
        return "no free grasp"
    structure = plan.structure_footprints[plan.carriers[target][1]]
    twin_pose = plan.twin_poses[reference.target]
    twin_move = np.array(reference.goal_m[:2]) - [twin_pose.x_m, twin_pose.y_m]
    for _ in range(MAX_GOAL_TRIES if amount > 0.0 else 1):
        move = _sample_move(twin_move, ranges, amount, rng)
        if _within_reach(start + move, base, reach_m) and _is_free_after_move(
            footprints[target], move, obstacles, structure
        ):
            break
    else:
        return "no free goal within reach"
    radius_m = reference.goal_radius_m + amount * (
        ranges.goal_radius_m.at_quantile(rng.uniform()) - reference.goal_radius_m
    )
    return GoalSpec(
        target=target,
        goal_m=_three(np.array([*(start + move), structure.top_m])),
        goal_radius_m=round(radius_m, 6),
        robot_base_m=reference.robot_base_m,
        robot_yaw_rad=reference.robot_yaw_rad,
    )


def _sample_move(twin_move: Array, ranges: TaskRange, amount: float, rng: np.random.Generator) -> Array:
    """Return the vector from an object to its goal [2] [m], from that of the twin (`amount` 0) to any in range (1)."""
    twin_distance_m = float(np.linalg.norm(twin_move))
    distance_m = twin_distance_m + amount * (ranges.goal_distance_m.at_quantile(rng.uniform()) - twin_distance_m)
    turn = amount * rng.uniform(-np.pi, np.pi)
    c, s = np.cos(turn), np.sin(turn)
    x, y = twin_move * (distance_m / twin_distance_m)
    return np.array([c * x - s * y, s * x + c * y])


def _is_free_after_move(shape: Footprint, move: Array, obstacles: list[Footprint], structure: Footprint) -> bool:
    """Return whether a footprint lies on its structure and clear of obstacles after a horizontal move [2] [m]."""
    moved = shape.transformed(float(move[0]), float(move[1]), 0.0, 0.0)
    return covers(structure, moved) and all(have_clearance(moved, other, gap_m=CLEARANCE_M) for other in obstacles)


def grasp_is_free(grasp: Grasp, world_from_asset: Array, obstacles: list[Footprint]) -> bool:
    """Return whether the hand of a grasp, on an object at a pose [4, 4], is clear of the footprints of obstacles."""
    center = transform(world_from_asset, np.array(grasp.center_m))
    axis = world_from_asset[:3, :3] @ np.array(grasp.axis)
    approach = world_from_asset[:3, :3] @ np.array(grasp.approach)
    half = np.array([grasp.width_m / 2.0 + FINGER_THICKNESS_M, FINGER_WIDTH_M / 2.0])
    if approach[2] < MAX_APPROACH_Z_FROM_ABOVE:
        yaw = float(np.arctan2(axis[1], axis[0]))
        hand = rectangle_footprint(
            (center[0], center[1]), (half[0], half[1]), yaw, (center[2] - FINGERTIP_DEPTH_M, center[2] + HAND_LENGTH_M)
        )
        return all(have_clearance(hand, other, gap_m=0.0) for other in obstacles)
    level = approach[:2] / max(float(np.linalg.norm(approach[:2])), 1e-9)
    middle = center[:2] - level * HAND_LENGTH_M / 2.0
    heights = (float(center[2]) - FINGER_WIDTH_M / 2.0, float(center[2]) + FINGER_WIDTH_M / 2.0)
    across = float(half[0]) if abs(axis[2]) < 0.7 else FINGER_WIDTH_M
    hand = rectangle_footprint(
        (middle[0], middle[1]), (HAND_LENGTH_M / 2.0, across), float(np.arctan2(level[1], level[0])), heights
    )
    return all(have_clearance(hand, other, gap_m=0.0) for other in obstacles)


def _is_graspable(library: Library, plan: LayoutPlan, name: str) -> bool:
    placed = plan.objects[name]
    on_structure = plan.carriers.get(name, ("", ""))[1] in plan.structure_footprints
    carries = name in {carrier for _, carrier in plan.carriers.values()}
    return bool(not placed.fixed and on_structure and not carries and library.variants[name].signature.grasps)


def _robot_base(plan: LayoutPlan, names: list[str]) -> tuple[Array, float]:
    """Return position [2] [m] and yaw [rad] of a robot base beside objects, on the side nearest to an edge."""
    center = np.mean([[plan.twin_poses[name].x_m, plan.twin_poses[name].y_m] for name in names], axis=0)
    structure_points = plan.structure_footprints[plan.carriers[names[0]][1]].points
    low, high = structure_points.min(axis=0), structure_points.max(axis=0)
    sides = {
        0.0: center[0] - low[0],
        np.pi: high[0] - center[0],
        np.pi / 2.0: center[1] - low[1],
        -np.pi / 2.0: high[1] - center[1],
    }
    yaw = min(sides, key=lambda angle: sides[angle])
    return center - BASE_DISTANCE_M * np.array([np.cos(yaw), np.sin(yaw)]), float(yaw)


def _within_reach(point: Array, base: Array, reach_m: float) -> bool:
    return float(np.linalg.norm(point - base)) <= reach_m


def _three(values: Array) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 6) + 0.0 for value in values)
    return x, y, z
