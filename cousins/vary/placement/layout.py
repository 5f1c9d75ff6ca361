"""Sample layouts: poses of the objects on structure under the relations of the twin, tested on footprints.

Objects on or in another object follow it. Objects that are next to or against each other form a group. The members of
a group are first sampled separately; if no sample keeps all relations, the group is moved as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from cousins.vary.placement.footprints import Footprint, covers, distance_m, have_clearance
from cousins.vary.placement.layout_plan import CLEARANCE_M, LayoutPlan, YawPose
from cousins.vary.recipes import LayoutRange

MAX_TRIES: Final = 40
"""Most tries to place a group."""
REST_GAP_M: Final = 1e-5
"""Gap below placed objects [m]: that of the layout repair of a scan."""
CLOSE_GAP_M: Final = 0.0005
"""Gap kept between changed shapes of objects that are closer than `CLEARANCE_M` in the twin [m]."""


def sample_layout(
    plan: LayoutPlan, variant_keys: Mapping[str, str], ranges: LayoutRange, amount: float, rng: np.random.Generator
) -> dict[str, YawPose] | None:
    """Return position and yaw of each object on structure; None where no free layout was found.

    `variant_keys` are the keys of the variants to place, by object; `amount` goes from 0 (as the twin) to 1.
    """
    poses: dict[str, YawPose] = {}
    footprints: dict[str, Footprint] = {}
    for group in plan.groups:
        members = [name for name in group if name in variant_keys]
        group_poses = _place_group(plan, members, variant_keys, ranges, amount, rng, footprints) if members else {}
        if group_poses is None:
            return None
        for name, yaw_pose in group_poses.items():
            poses[name] = yaw_pose
            footprints[name] = plan.rest_orientations[variant_keys[name]].footprint_at(yaw_pose)
    return poses


def sample_free_pose(
    plan: LayoutPlan, variant_key: str, structure: str, footprints: Mapping[str, Footprint], rng: np.random.Generator
) -> YawPose | None:
    """Return a free position and yaw of a variant on a structure, near some footprint; None where none is found."""
    if not footprints:
        return None
    centers = np.array([neighbor.points.mean(axis=0) for neighbor in footprints.values()])
    for _ in range(MAX_TRIES):
        center = centers[rng.integers(len(centers))]
        x, y = center + rng.uniform(-0.3, 0.3, 2)
        yaw_pose = _pose_on(plan, variant_key, float(x), float(y), float(rng.uniform(-np.pi, np.pi)), structure)
        footprint = plan.rest_orientations[variant_key].footprint_at(yaw_pose)
        if _is_supported(plan, footprint, structure) and all(
            have_clearance(footprint, other, gap_m=CLEARANCE_M) for other in footprints.values()
        ):
            return yaw_pose
    return None


def _place_group(
    plan: LayoutPlan,
    members: list[str],
    variant_keys: Mapping[str, str],
    ranges: LayoutRange,
    amount: float,
    rng: np.random.Generator,
    footprints: Mapping[str, Footprint],
) -> dict[str, YawPose] | None:
    for attempt in range(MAX_TRIES):
        as_whole = len(members) == 1 or attempt >= MAX_TRIES // 2
        poses = _sample_group_poses(plan, members, variant_keys, ranges, amount, rng, as_whole=as_whole)
        group_footprints: dict[str, Footprint] = {}
        for name, yaw_pose in poses.items():
            footprint = plan.rest_orientations[variant_keys[name]].footprint_at(yaw_pose)
            is_unmoved = name == variant_keys[name] and yaw_pose == plan.twin_poses[name]
            if not is_unmoved and not _is_supported(plan, footprint, plan.carriers[name][1]):
                break
            if not _keeps_clear(plan, name, footprint, variant_keys, {**footprints, **group_footprints}):
                break
            group_footprints[name] = footprint
        else:
            if _keeps_relations(plan, group_footprints):
                return poses
    return None


def _keeps_clear(
    plan: LayoutPlan,
    name: str,
    footprint: Footprint,
    variant_keys: Mapping[str, str],
    obstacles: Mapping[str, Footprint],
) -> bool:
    """Return whether an object is clear of obstacles; unchanged close neighbours, which move with it, are exempt."""
    for other, shape in obstacles.items():
        close = other in plan.close_neighbors[name]
        if close and variant_keys[other] == other and variant_keys[name] == name:
            continue
        if not have_clearance(footprint, shape, gap_m=CLOSE_GAP_M if close else CLEARANCE_M):
            return False
    return True


def _sample_group_poses(
    plan: LayoutPlan,
    members: list[str],
    variant_keys: Mapping[str, str],
    ranges: LayoutRange,
    amount: float,
    rng: np.random.Generator,
    *,
    as_whole: bool,
) -> dict[str, YawPose]:
    """Return positions and yaws of the members of a group after a common motion and individual jitter."""
    center_x = sum(plan.twin_poses[name].x_m for name in members) / len(members)
    center_y = sum(plan.twin_poses[name].y_m for name in members) / len(members)
    wall_direction = next((plan.wall_directions[name] for name in members if name in plan.wall_directions), None)
    distance_m = amount * ranges.shift_m.at_quantile(rng.uniform())
    heading = rng.uniform(-math.pi, math.pi)
    shift_x, shift_y = distance_m * math.cos(heading), distance_m * math.sin(heading)
    yaw = amount * ranges.yaw_rad.at_quantile(rng.uniform())
    if wall_direction is not None:
        shift_x, shift_y = ((np.array([shift_x, shift_y]) @ wall_direction) * wall_direction).tolist()
        yaw = 0.0
    c, s = math.cos(yaw), math.sin(yaw)
    poses = {}
    for name in members:
        twin_pose = plan.twin_poses[name]
        jitter_x, jitter_y, turn = 0.0, 0.0, 0.0
        if len(members) > 1 and not plan.close_neighbors[name] and name not in plan.wall_directions:
            reach = amount * (1.0 if as_whole else 3.0)
            jitter_x, jitter_y = (reach * ranges.jitter_m.at_quantile(rng.uniform()) for _ in range(2))
            turn = amount * ranges.yaw_rad.at_quantile(rng.uniform())
        offset_x, offset_y = twin_pose.x_m - center_x, twin_pose.y_m - center_y
        x = twin_pose.x_m + shift_x + jitter_x + (c - 1.0) * offset_x - s * offset_y
        y = twin_pose.y_m + shift_y + jitter_y + s * offset_x + (c - 1.0) * offset_y
        poses[name] = _pose_on(
            plan, variant_keys[name], x, y, twin_pose.yaw_rad + yaw + turn, plan.carriers[name][1], twin_name=name
        )
    return poses


def _pose_on(
    plan: LayoutPlan, variant_key: str, x: float, y: float, yaw: float, structure: str, *, twin_name: str = ""
) -> YawPose:
    """Return the position and yaw of a variant on a structure; the object of the twin itself keeps its height."""
    if variant_key == twin_name:
        return YawPose(x_m=x, y_m=y, z_m=plan.twin_poses[twin_name].z_m, yaw_rad=yaw)
    top = plan.structure_footprints[structure].top_m
    return YawPose(
        x_m=x, y_m=y, z_m=top - plan.rest_orientations[variant_key].footprint.bottom_m + REST_GAP_M, yaw_rad=yaw
    )


def _is_supported(plan: LayoutPlan, footprint: Footprint, structure: str) -> bool:
    """Return whether a footprint lies wholly on a structure, clear of other structures and of fixed objects."""
    if not covers(plan.structure_footprints[structure], footprint):
        return False
    if any(
        not have_clearance(footprint, other, gap_m=0.0)
        for name, other in plan.structure_footprints.items()
        if name != structure
    ):
        return False
    return all(have_clearance(footprint, other, gap_m=CLEARANCE_M) for other in plan.fixed_footprints)


def _keeps_relations(plan: LayoutPlan, footprints: Mapping[str, Footprint]) -> bool:
    return all(
        distance_m(footprints[relation.subject], footprints[relation.object]) <= reach_m
        for relation, reach_m in plan.proximity_limits
        if relation.subject in footprints and relation.object in footprints
    )
