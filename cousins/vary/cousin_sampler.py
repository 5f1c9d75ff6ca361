"""Draw a cousin: choose who stands where and with which numbers, and refuse what geometry already forbids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.vary.cousins import AXES, Cousin, Ground, Library, Split, Stand, Task
from cousins.vary.look_sampling import draw_look, look_of
from cousins.vary.object_instances import between, drawn, drawn_joints, stand_of, three
from cousins.vary.placement.clutter import added_to, removed_from
from cousins.vary.placement.goals import draw_task, home_task
from cousins.vary.placement.layout import draw_layout
from cousins.vary.placement.layout_plan import Plan, make_plan
from cousins.vary.placement.supported_objects import put_down
from cousins.vary.recipes import Recipe

MATERIALS: Final = ("wood", "metal", "plastic", "ceramic", "fabric", "cardboard")
"""Materials made by program that may cover an object."""


ARRANGEMENTS: Final = 4
"""Arrangements that are tried for a draw before it is refused: places cost little beside physics."""
STEADY: Final = 0.5
"""Share of the way from the centre of mass to the edge of its foot that a level shift may take."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A draw that came to nothing."""

    axis: str
    """Axis that is to blame."""
    reason: str
    """Why, in words without numbers."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drawer:
    """All that draws need, made once."""

    library: Library
    """What cousins are put together from."""
    recipe: Recipe
    """What may vary."""
    seed: int
    """Seed of the pack."""
    plan: Plan
    """What layouts keep."""
    twin: Cousin
    """The twin as a cousin."""


def make_drawer(library: Library, recipe: Recipe, *, seed: int) -> Drawer:
    """Return what draws the cousins of a pack."""
    plan = make_plan(library)
    return Drawer(
        library=library,
        recipe=recipe,
        seed=seed,
        plan=plan,
        twin=twin_cousin(library, plan, reach_m=recipe.task.reach_m.at(0.5)),
    )


def twin_cousin(library: Library, plan: Plan, *, reach_m: float) -> Cousin:
    """Return the twin as cousin 0."""
    scene = library.scene
    stands = tuple(
        stand_of(placed.asset.name, placed.asset.name, placed.asset, placed.world_from_asset, fixed=placed.fixed)
        for placed in scene.objects
    )
    return Cousin(
        index=0,
        split="twin",
        stands=stands,
        grounds=tuple(
            Ground(name=one.name, friction=one.friction.value, restitution=one.restitution.value)
            for one in scene.structures
        ),
        relations=scene.relations,
        look=look_of(scene),
        task=home_task(library, plan, reach_m=reach_m),
        distances=dict.fromkeys(AXES, 0.0),
    )


def draw(drawer: Drawer, split: Split, key: tuple[int, ...], spread: Array) -> Cousin | Refusal:
    """Return a cousin as drawn, not yet tested in physics, or why it was refused.

    `key` is the spawn key of its random numbers, and `spread` [8] says how far each axis goes, 0 to 1, as a share of
    the recipe's distance.
    """
    amounts = {axis: float(share) * drawer.recipe.distance[axis] for axis, share in zip(AXES, spread, strict=True)}
    rngs = {
        axis: np.random.default_rng(np.random.SeedSequence(drawer.seed, spawn_key=(*key, index)))
        for index, axis in enumerate(AXES)
    }
    cast = _cast(drawer, split, amounts, rngs)
    if cast is None:
        return Refusal(axis="swap", reason="no held-out shape in the library")
    for _ in range(ARRANGEMENTS):
        arranged = _arranged(drawer, cast, amounts, rngs)
        if not isinstance(arranged, Refusal):
            break
    if isinstance(arranged, Refusal):
        return arranged
    variants, poses, task = arranged
    stands = tuple(
        _changed(name, variants[name], poses[name], drawer, amounts, rngs) for name in variants if name in poses
    )
    known = set(poses) | set(drawer.plan.grounds)
    home = drawer.library.scene.relations
    relations = tuple(one for one in home if one.subject in known and one.object in known)
    return Cousin(
        index=-1,
        split=split,
        stands=stands,
        grounds=_grounds(drawer, amounts, rngs),
        relations=relations,
        look=draw_look(drawer.twin.look, drawer.recipe.look, amounts["look"], rngs["look"]),
        task=task,
        distances=dict.fromkeys(AXES, 0.0),
        draw=key,
    )


def _arranged(
    drawer: Drawer,
    cast: Mapping[str, str],
    amounts: Mapping[str, float],
    rngs: Mapping[str, np.random.Generator],
) -> tuple[dict[str, str], dict[str, Array], Task] | Refusal:
    """Return who stands where, clutter included, and the task that can be done there; or why not."""
    plan, library, ranges = drawer.plan, drawer.library, drawer.recipe.layout
    spots = draw_layout(plan, cast, ranges, amounts["layout"], rngs["layout"])
    if spots is None:
        return Refusal(axis="layout", reason="no free place under the relations")
    poses = {name: plan.resting[cast[name]].pose(spot) for name, spot in spots.items()}
    carried = put_down(plan, library, cast, poses, ranges, amounts["layout"], rngs["layout"])
    if carried is None:
        return Refusal(axis="layout", reason="no place on or in its carrier")
    poses |= carried
    added = added_to(drawer.library, plan, drawer.recipe.clutter, cast, poses, amounts["clutter"], rngs["clutter"])
    variants = dict(cast) | {name: key for name, (key, _) in added.items()}
    poses |= {name: pose for name, (_, pose) in added.items()}
    task = draw_task(
        library, plan, variants, poses, drawer.recipe.task, amounts["task"], rngs["task"], drawer.twin.task
    )
    if isinstance(task, str):
        return Refusal(axis="task", reason=task)
    return variants, poses, task


def _cast(
    drawer: Drawer, split: Split, amounts: Mapping[str, float], rngs: Mapping[str, np.random.Generator]
) -> dict[str, str] | None:
    """Return by object the variant that stands for it; what is removed is missing."""
    far = split == "heldout_far"
    names = [name for name, placed in drawer.plan.objects.items() if not placed.fixed]
    removed = removed_from(
        drawer.library, drawer.plan, drawer.recipe.clutter, drawer.twin.task, amounts["clutter"], rngs["clutter"]
    )
    chosen: dict[str, str] = {}
    held: list[str] = []
    for name in drawer.plan.objects:
        if name in removed:
            continue
        chosen[name] = name
        if name not in names:
            continue
        for axis, kinds in (("swap", ("family", "library")), ("shape", ("shape",))):
            keys = _keys(drawer.library, name, kinds, held_out=False)
            if rngs[axis].uniform() < amounts[axis] and keys:
                chosen[name] = keys[int(rngs[axis].integers(len(keys)))]
                break
        if _keys(drawer.library, name, ("shape", "family", "library"), held_out=True):
            held.append(name)
    if not far:
        return chosen
    if not held:
        return None
    count = int(rngs["swap"].integers(1, len(held) + 1))
    for index in rngs["swap"].permutation(len(held))[:count]:
        keys = _keys(drawer.library, held[index], ("shape", "family", "library"), held_out=True)
        chosen[held[index]] = keys[int(rngs["swap"].integers(len(keys)))]
    return chosen


def _keys(library: Library, name: str, kinds: tuple[str, ...], *, held_out: bool) -> list[str]:
    return [
        key
        for key, variant in library.variants.items()
        if variant.of == name and variant.kind in kinds and variant.held_out == held_out
    ]


def _changed(
    name: str,
    key: str,
    pose: Array,
    drawer: Drawer,
    amounts: Mapping[str, float],
    rngs: Mapping[str, np.random.Generator],
) -> Stand:
    asset = drawer.library.variants[key].asset
    placed = drawer.plan.objects.get(name)
    joints = drawn_joints(asset, drawer.recipe.joints, amounts["joints"], rngs["joints"])
    if placed is not None and placed.fixed:
        return stand_of(name, key, asset, pose, fixed=True, joints=joints)
    ranges, amount, rng = drawer.recipe.dynamics, amounts["dynamics"], rngs["dynamics"]
    shift = amount * np.array([ranges.com_shift.at(rng.uniform()) for _ in range(3)]) * asset.size_m
    level = float(np.hypot(shift[0], shift[1]))
    shift[:2] *= min(1.0, STEADY * drawer.plan.resting[key].margin_m / max(level, 1e-9))
    material = _cover(drawer, amounts["look"], rngs["look"])
    mass_at = ranges.mass.at(rng.uniform())
    return stand_of(
        name,
        key,
        asset,
        pose,
        fixed=False,
        mass_kg=tuple(between(link.mass_kg, mass_at, amount) for link in asset.links),
        com_shift_m=three(shift),
        friction=drawn(asset.friction, ranges, "friction", amount, rng),
        restitution=drawn(asset.restitution, ranges, "restitution", amount, rng),
        joints=joints,
        material=material,
    )


def _grounds(
    drawer: Drawer, amounts: Mapping[str, float], rngs: Mapping[str, np.random.Generator]
) -> tuple[Ground, ...]:
    amount, rng = amounts["dynamics"], rngs["dynamics"]
    return tuple(
        Ground(
            name=one.name,
            friction=drawn(one.friction, drawer.recipe.dynamics, "friction", amount, rng),
            restitution=drawn(one.restitution, drawer.recipe.dynamics, "restitution", amount, rng),
            material=_cover(drawer, amounts["look"], rngs["look"]),
        )
        for one in drawer.library.scene.structures
    )


def _cover(drawer: Drawer, amount: float, rng: np.random.Generator) -> str:
    """Return the name of a material that covers something, or nothing."""
    wanted = rng.uniform() < amount * drawer.recipe.look.materials.at(rng.uniform())
    material = MATERIALS[int(rng.integers(len(MATERIALS)))]
    return material if wanted else ""
