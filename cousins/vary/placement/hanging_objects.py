"""Placement of what hangs: it slides along its wall or ceiling, whole and clear of everything else, or stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cousins.geometry import Array, rigid
from cousins.scene.layout.attachment import Attachment, find_attachments
from cousins.vary.cousins import Library
from cousins.vary.placement.footprints import have_clearance
from cousins.vary.placement.layout_plan import CLEARANCE_M, LayoutPlan
from cousins.vary.recipes import LayoutRange

MAX_TRIES: Final = 8
"""Most tries to slide an object, each closer to its pose in the twin, where it ends if none is free."""
MAX_BACKING_LOSS: Final = 1e-6
"""Largest part of an object that may lose its wall or ceiling when it slides: none but for rounding."""


def place_hanging_objects(
    plan: LayoutPlan,
    library: Library,
    variant_keys: Mapping[str, str],
    poses: Mapping[str, Array],
    ranges: LayoutRange,
    amount: float,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Return `world_from_asset` [4, 4] by name of the hanging objects that may slide; `poses` are those of the others.

    Under a ceiling they move as objects on a support do; along a wall as far sideways, and up or down by the jitter.
    """
    structures = {structure.name: structure for structure in library.scene.structures}
    names = [name for name in plan.sliding if name in variant_keys]
    fixed = {name: placed.world_from_asset for name, placed in plan.objects.items() if placed.fixed}
    all_poses = {**fixed, **poses}
    for name in names:
        support = structures[plan.sliding[name]]
        twin_pose = plan.objects[name].world_from_asset
        body = plan.bodies[variant_keys[name]]
        attachments = find_attachments(body.transformed(twin_pose), [support])
        if not attachments:
            continue
        for attempt in range(MAX_TRIES - 1):
            reach = amount * (1.0 - attempt / (MAX_TRIES - 1))
            pose = rigid(translation=_slide(attachments[0], ranges, reach, rng)) @ twin_pose
            moved = find_attachments(body.transformed(pose), [support])
            is_backed = moved and moved[0].backed_fraction >= attachments[0].backed_fraction - MAX_BACKING_LOSS
            if is_backed and _is_clear(plan, name, pose, variant_keys, all_poses):
                all_poses[name] = pose
                break
    return {name: all_poses[name] for name in names}


def _slide(attachment: Attachment, ranges: LayoutRange, reach: float, rng: np.random.Generator) -> Array:
    """Return a translation [3] within the plane of the wall or ceiling [m]."""
    distance_m = reach * ranges.shift_m.at_quantile(rng.uniform())
    heading = rng.uniform(-np.pi, np.pi)
    if attachment.kind == "ceiling":
        step = distance_m * np.array([np.cos(heading), np.sin(heading), 0.0])
        return np.asarray(step - (step @ attachment.outward) * attachment.outward)
    along = np.cross(np.array([0.0, 0.0, 1.0]), attachment.outward)
    along /= np.linalg.norm(along)
    rise_m = reach * ranges.jitter_m.at_quantile(rng.uniform())
    return np.asarray(distance_m * np.cos(heading) * along + rise_m * np.cross(attachment.outward, along))


def _is_clear(
    plan: LayoutPlan, name: str, pose: Array, variant_keys: Mapping[str, str], poses: Mapping[str, Array]
) -> bool:
    """Return whether an object at a pose [4, 4] is clear of all structure but its own support, and of all objects."""
    footprint = plan.rest_orientations[variant_keys[name]].footprint_at_matrix(pose)
    obstacles = [shape for key, shape in plan.structure_footprints.items() if key != plan.sliding[name]]
    obstacles += [
        plan.rest_orientations[variant_keys[key]].footprint_at_matrix(other_pose)
        for key, other_pose in poses.items()
        if key != name and key in variant_keys
    ]
    return all(have_clearance(footprint, shape, gap_m=CLEARANCE_M) for shape in obstacles)
