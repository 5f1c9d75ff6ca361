"""Sample a cousin: variants, poses and parameters of its objects, rejecting geometrically infeasible samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.vary.cousins import AXES, Cousin, GoalSpec, Library, ObjectInstance, Split, StructureChange
from cousins.vary.look_sampling import sample_look, scene_look
from cousins.vary.object_instances import (
    interpolate_interval,
    object_instance,
    rounded_vector,
    sample_joint_changes,
    sample_quantity,
)
from cousins.vary.placement.clutter import sample_clutter, sample_removals
from cousins.vary.placement.goals import sample_goal, twin_goal
from cousins.vary.placement.hanging_objects import place_hanging_objects
from cousins.vary.placement.layout import sample_layout
from cousins.vary.placement.layout_plan import LayoutPlan, make_layout_plan
from cousins.vary.placement.supported_objects import place_supported_objects
from cousins.vary.recipes import Recipe

COVER_MATERIALS: Final = ("wood", "metal", "plastic", "ceramic", "fabric", "cardboard")
"""Procedural materials that may cover an object."""

MAX_ARRANGEMENTS: Final = 4
"""Most arrangements tried for one sample before it is rejected; arrangements are cheap compared to physics."""
MAX_COM_SHIFT_SHARE: Final = 0.5
"""Largest horizontal shift of a centre of mass, as a share of its distance to the edge of the support polygon."""


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """A rejected sample."""

    axis: str
    """Axis of variation that made the sample infeasible."""
    reason: str
    """Reason, without numbers, so that reasons can be counted."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CousinSampler:
    """Everything that `sample_cousin` needs, precomputed once for a pack."""

    library: Library
    """Variants that cousins are composed of."""
    recipe: Recipe
    """Ranges of variation."""
    seed: int
    """Seed of the pack."""
    plan: LayoutPlan
    """Constraints on layouts."""
    twin: Cousin
    """The twin as a cousin."""


def make_cousin_sampler(library: Library, recipe: Recipe, *, seed: int) -> CousinSampler:
    """Return the sampler of the cousins of a pack."""
    plan = make_layout_plan(library)
    return CousinSampler(
        library=library,
        recipe=recipe,
        seed=seed,
        plan=plan,
        twin=twin_cousin(library, plan, reach_m=recipe.task.reach_m.at_quantile(0.5)),
    )


def twin_cousin(library: Library, plan: LayoutPlan, *, reach_m: float) -> Cousin:
    """Return the twin as cousin 0."""
    scene = library.scene
    instances = tuple(
        object_instance(placed.asset.name, placed.asset.name, placed.asset, placed.world_from_asset, fixed=placed.fixed)
        for placed in scene.objects
    )
    return Cousin(
        index=0,
        split="twin",
        objects=instances,
        structures=tuple(
            StructureChange(
                name=structure.name, friction=structure.friction.value, restitution=structure.restitution.value
            )
            for structure in scene.structures
        ),
        relations=scene.relations,
        look=scene_look(scene),
        task=twin_goal(library, plan, reach_m=reach_m),
        distances=dict.fromkeys(AXES, 0.0),
    )


def sample_cousin(
    sampler: CousinSampler, split: Split, spawn_key: tuple[int, ...], axis_scales: Array
) -> Cousin | Rejection:
    """Return a sampled cousin that is not yet tested in physics, or the reason of its rejection.

    `spawn_key` is the spawn key of its random numbers under the seed of the pack. `axis_scales` [8] scales the recipe's
    distance on each axis, 0 to 1, in the order of `AXES`.
    """
    amounts = {
        axis: float(share) * sampler.recipe.distance[axis] for axis, share in zip(AXES, axis_scales, strict=True)
    }
    rngs = {
        axis: np.random.default_rng(np.random.SeedSequence(sampler.seed, spawn_key=(*spawn_key, index)))
        for index, axis in enumerate(AXES)
    }
    chosen_keys = _choose_variants(sampler, split, amounts, rngs)
    if chosen_keys is None:
        return Rejection(axis="swap", reason="no held-out shape in the library")
    for _ in range(MAX_ARRANGEMENTS):
        arrangement = _sample_arrangement(sampler, chosen_keys, amounts, rngs)
        if not isinstance(arrangement, Rejection):
            break
    if isinstance(arrangement, Rejection):
        return arrangement
    variant_keys, poses, task = arrangement
    instances = tuple(
        _sample_instance(name, variant_keys[name], poses[name], sampler, amounts, rngs)
        for name in variant_keys
        if name in poses
    )
    present_names = set(poses) | set(sampler.plan.structure_footprints)
    twin_relations = sampler.library.scene.relations
    relations = tuple(
        relation
        for relation in twin_relations
        if relation.subject in present_names and relation.object in present_names
    )
    return Cousin(
        index=-1,
        split=split,
        objects=instances,
        structures=_sample_structures(sampler, amounts, rngs),
        relations=relations,
        look=sample_look(sampler.twin.look, sampler.recipe.look, amounts["look"], rngs["look"]),
        task=task,
        distances=dict.fromkeys(AXES, 0.0),
        spawn_key=spawn_key,
    )


def _sample_arrangement(
    sampler: CousinSampler,
    chosen_keys: Mapping[str, str],
    amounts: Mapping[str, float],
    rngs: Mapping[str, np.random.Generator],
) -> tuple[dict[str, str], dict[str, Array], GoalSpec] | Rejection:
    """Return variant keys and poses [4, 4] by object, clutter included, and a feasible goal; or a rejection."""
    plan, library, ranges = sampler.plan, sampler.library, sampler.recipe.layout
    yaw_poses = sample_layout(plan, chosen_keys, ranges, amounts["layout"], rngs["layout"])
    if yaw_poses is None:
        return Rejection(axis="layout", reason="no free place under the relations")
    poses = {
        name: plan.rest_orientations[chosen_keys[name]].pose_matrix(yaw_pose) for name, yaw_pose in yaw_poses.items()
    }
    poses |= place_hanging_objects(plan, library, chosen_keys, poses, ranges, amounts["layout"], rngs["layout"])
    supported_poses = place_supported_objects(
        plan, library, chosen_keys, poses, ranges, amounts["layout"], rngs["layout"]
    )
    if supported_poses is None:
        return Rejection(axis="layout", reason="no place on or in its carrier")
    poses |= supported_poses
    clutter = sample_clutter(
        sampler.library, plan, sampler.recipe.clutter, chosen_keys, poses, amounts["clutter"], rngs["clutter"]
    )
    variant_keys = dict(chosen_keys) | {name: key for name, (key, _) in clutter.items()}
    poses |= {name: pose for name, (_, pose) in clutter.items()}
    task = sample_goal(
        library, plan, variant_keys, poses, sampler.recipe.task, amounts["task"], rngs["task"], sampler.twin.task
    )
    if isinstance(task, str):
        return Rejection(axis="task", reason=task)
    return variant_keys, poses, task


def _choose_variants(
    sampler: CousinSampler, split: Split, amounts: Mapping[str, float], rngs: Mapping[str, np.random.Generator]
) -> dict[str, str] | None:
    """Return the key of a variant for each object; removed objects are missing. None without a held-out variant."""
    is_far = split == "heldout_far"
    free_names = [name for name, placed in sampler.plan.objects.items() if not placed.fixed]
    removed = sample_removals(
        sampler.library, sampler.plan, sampler.recipe.clutter, sampler.twin.task, amounts["clutter"], rngs["clutter"]
    )
    variant_keys: dict[str, str] = {}
    names_with_held_out: list[str] = []
    for name in sampler.plan.objects:
        if name in removed:
            continue
        variant_keys[name] = name
        if name not in free_names:
            continue
        for axis, kinds in (("swap", ("family", "library")), ("shape", ("shape",))):
            keys = _variant_keys(sampler.library, name, kinds, held_out=False)
            if rngs[axis].uniform() < amounts[axis] and keys:
                variant_keys[name] = keys[int(rngs[axis].integers(len(keys)))]
                break
        if _variant_keys(sampler.library, name, ("shape", "family", "library"), held_out=True):
            names_with_held_out.append(name)
    if not is_far:
        return variant_keys
    if not names_with_held_out:
        return None
    count = int(rngs["swap"].integers(1, len(names_with_held_out) + 1))
    for index in rngs["swap"].permutation(len(names_with_held_out))[:count]:
        keys = _variant_keys(sampler.library, names_with_held_out[index], ("shape", "family", "library"), held_out=True)
        variant_keys[names_with_held_out[index]] = keys[int(rngs["swap"].integers(len(keys)))]
    return variant_keys


def _variant_keys(library: Library, name: str, kinds: tuple[str, ...], *, held_out: bool) -> list[str]:
    return [
        key
        for key, variant in library.variants.items()
        if variant.twin_object == name and variant.kind in kinds and variant.held_out == held_out
    ]


def _sample_instance(
    name: str,
    variant_key: str,
    pose: Array,
    sampler: CousinSampler,
    amounts: Mapping[str, float],
    rngs: Mapping[str, np.random.Generator],
) -> ObjectInstance:
    asset = sampler.library.variants[variant_key].asset
    placed = sampler.plan.objects.get(name)
    joints = sample_joint_changes(asset, sampler.recipe.joints, amounts["joints"], rngs["joints"])
    if placed is not None and placed.fixed:
        return object_instance(name, variant_key, asset, pose, fixed=True, joints=joints)
    ranges, amount, rng = sampler.recipe.dynamics, amounts["dynamics"], rngs["dynamics"]
    shift = amount * np.array([ranges.com_shift.at_quantile(rng.uniform()) for _ in range(3)]) * asset.size_m
    level_shift = float(np.hypot(shift[0], shift[1]))
    shift[:2] *= min(
        1.0, MAX_COM_SHIFT_SHARE * sampler.plan.rest_orientations[variant_key].margin_m / max(level_shift, 1e-9)
    )
    material = _sample_material(sampler, amounts["look"], rngs["look"])
    mass_quantile = ranges.mass.at_quantile(rng.uniform())
    return object_instance(
        name,
        variant_key,
        asset,
        pose,
        fixed=False,
        mass_kg=tuple(interpolate_interval(link.mass_kg, mass_quantile, amount) for link in asset.links),
        com_shift_m=rounded_vector(shift),
        friction=sample_quantity(asset.friction, ranges, "friction", amount, rng),
        restitution=sample_quantity(asset.restitution, ranges, "restitution", amount, rng),
        joints=joints,
        material=material,
    )


def _sample_structures(
    sampler: CousinSampler, amounts: Mapping[str, float], rngs: Mapping[str, np.random.Generator]
) -> tuple[StructureChange, ...]:
    """Return a change for each structure; the remainder, which is many things at once, keeps its look and surface."""
    amount, rng = amounts["dynamics"], rngs["dynamics"]
    return tuple(
        StructureChange(
            name=structure.name,
            friction=sample_quantity(structure.friction, sampler.recipe.dynamics, "friction", amount, rng),
            restitution=sample_quantity(structure.restitution, sampler.recipe.dynamics, "restitution", amount, rng),
            material=_sample_material(sampler, amounts["look"], rngs["look"]),
        )
        if structure.kind != "remainder"
        else StructureChange(
            name=structure.name, friction=structure.friction.value, restitution=structure.restitution.value, material=""
        )
        for structure in sampler.library.scene.structures
    )


def _sample_material(sampler: CousinSampler, amount: float, rng: np.random.Generator) -> str:
    """Return the name of a sampled cover material; empty for none."""
    is_covered = rng.uniform() < amount * sampler.recipe.look.materials.at_quantile(rng.uniform())
    material = COVER_MATERIALS[int(rng.integers(len(COVER_MATERIALS)))]
    return material if is_covered else ""
