"""Clutter: objects added to the twin, and objects of the twin that are removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from cousins.affordances.comparison import missing_affordances
from cousins.geometry import Array
from cousins.vary.cousins import GoalSpec, Library
from cousins.vary.placement.layout import sample_free_pose
from cousins.vary.placement.layout_plan import LayoutPlan
from cousins.vary.recipes import ClutterRange, Recipe

MIN_COMPARABLE_SIZE_SHARE: Final = 0.6
"""Smallest ratio of two sizes that count as comparable."""


def max_clutter_count(recipe: Recipe) -> int:
    """Return the largest number of objects that a recipe adds to a cousin."""
    return round(recipe.distance["clutter"] * recipe.clutter.add.bounds[1])


def sample_removals(
    library: Library, plan: LayoutPlan, ranges: ClutterRange, task: GoalSpec, amount: float, rng: np.random.Generator
) -> set[str]:
    """Return the names of removed objects, which another object can replace.

    Supporting objects, the target of the task, and an object that is much larger than all others (a chair with flower
    pots behind it) are never removed.
    """
    count = round(amount * ranges.remove.at_quantile(rng.uniform()))
    names = [name for name, placed in plan.objects.items() if not placed.fixed]
    protected = {*(carrier for _, carrier in plan.carriers.values()), task.target, _dominant_object(plan, names)}
    removable = [name for name in names if name not in protected]
    order = rng.permutation(len(removable))
    removed: set[str] = set()
    for name in (removable[index] for index in order):
        if len(removed) == count:
            break
        if any(other not in removed | {name} and _can_replace(library, name, other) for other in names):
            removed.add(name)
    return removed


def sample_clutter(
    library: Library,
    plan: LayoutPlan,
    ranges: ClutterRange,
    variant_keys: Mapping[str, str],
    poses: Mapping[str, Array],
    amount: float,
    rng: np.random.Generator,
) -> dict[str, tuple[str, Array]]:
    """Return variant key and pose [4, 4] by name of the clutter for which free space was found."""
    count = round(amount * ranges.add.at_quantile(rng.uniform()))
    clutter_keys = [
        variant_key
        for variant_key, variant in library.variants.items()
        if variant.kind == "clutter" and not variant.held_out
    ]
    structure_names = sorted(
        {
            carrier
            for name, (_, carrier) in plan.carriers.items()
            if name in poses and carrier in plan.structure_footprints
        }
    )
    if not clutter_keys or not structure_names:
        return {}
    footprints = {
        name: plan.rest_orientations[variant_keys[name]].footprint_at_matrix(pose) for name, pose in poses.items()
    }
    placements: dict[str, tuple[str, Array]] = {}
    for number in range(count):
        variant_key = clutter_keys[int(rng.integers(len(clutter_keys)))]
        structure = structure_names[int(rng.integers(len(structure_names)))]
        yaw_pose = sample_free_pose(plan, variant_key, structure, footprints, rng)
        if yaw_pose is not None:
            name = f"clutter_{number}"
            placements[name] = variant_key, plan.rest_orientations[variant_key].pose_matrix(yaw_pose)
            footprints[name] = plan.rest_orientations[variant_key].footprint_at(yaw_pose)
    return placements


def _dominant_object(plan: LayoutPlan, names: Sequence[str]) -> str:
    """Return the object that is much larger than all others; empty where there is none."""
    sizes_m = sorted((float(np.cbrt(np.prod(plan.objects[name].asset.size_m))), name) for name in names)
    if not sizes_m or (len(sizes_m) > 1 and sizes_m[-2][0] >= MIN_COMPARABLE_SIZE_SHARE * sizes_m[-1][0]):
        return ""
    return sizes_m[-1][1]


def _can_replace(library: Library, name: str, other: str) -> bool:
    """Return whether another object of the twin has all affordances of this one."""
    return not missing_affordances(library.variants[name].signature, library.variants[other].signature)
