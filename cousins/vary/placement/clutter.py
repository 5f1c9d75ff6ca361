"""Clutter: things that a cousin has more than its twin, and things of the twin that it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from cousins.affordances.comparison import lost
from cousins.geometry import Array
from cousins.vary.cousins import Library, Task
from cousins.vary.placement.layout import place_on
from cousins.vary.placement.layout_plan import Plan
from cousins.vary.recipes import Clutter, Recipe

LARGE: Final = 0.6
"""What has at least this share of another's size counts as about as large."""


def most_clutter(recipe: Recipe) -> int:
    """Return how many things a cousin may have more than the twin."""
    return round(recipe.distance["clutter"] * recipe.clutter.add.ends[1])


def removed_from(
    library: Library, plan: Plan, ranges: Clutter, task: Task, amount: float, rng: np.random.Generator
) -> set[str]:
    """Return free objects that are gone: none that carries another, is the task's, or affords what no other does.

    Nor the one that is large beside all others: a scan of a chair with flower pots behind it is about the chair.
    """
    count = round(amount * ranges.remove.at(rng.uniform()))
    names = [name for name, placed in plan.objects.items() if not placed.fixed]
    kept = {*(carrier for _, carrier in plan.carriers.values()), task.target, _subject(plan, names)}
    able = [name for name in names if name not in kept]
    order = rng.permutation(len(able))
    gone: set[str] = set()
    for name in (able[index] for index in order):
        if len(gone) == count:
            break
        if any(other not in gone | {name} and _stands_in(library, name, other) for other in names):
            gone.add(name)
    return gone


def added_to(
    library: Library,
    plan: Plan,
    ranges: Clutter,
    variants: Mapping[str, str],
    poses: Mapping[str, Array],
    amount: float,
    rng: np.random.Generator,
) -> dict[str, tuple[str, Array]]:
    """Return clutter by name, with its variant and pose, where there was room for it."""
    count = round(amount * ranges.add.at(rng.uniform()))
    keys = [key for key, variant in library.variants.items() if variant.kind == "clutter" and not variant.held_out]
    grounds = sorted(
        {carrier for name, (_, carrier) in plan.carriers.items() if name in poses and carrier in plan.grounds}
    )
    if not keys or not grounds:
        return {}
    taken = {name: plan.resting[variants[name]].seen(pose) for name, pose in poses.items()}
    found: dict[str, tuple[str, Array]] = {}
    for number in range(count):
        key = keys[int(rng.integers(len(keys)))]
        ground = grounds[int(rng.integers(len(grounds)))]
        spot = place_on(plan, key, ground, taken, rng)
        if spot is not None:
            name = f"clutter_{number}"
            found[name] = key, plan.resting[key].pose(spot)
            taken[name] = plan.resting[key].at(spot)
    return found


def _subject(plan: Plan, names: Sequence[str]) -> str:
    """Return the one object beside which all others are small; empty where there is none."""
    sizes_m = sorted((float(np.cbrt(np.prod(plan.objects[name].asset.size_m))), name) for name in names)
    if not sizes_m or (len(sizes_m) > 1 and sizes_m[-2][0] >= LARGE * sizes_m[-1][0]):
        return ""
    return sizes_m[-1][1]


def _stands_in(library: Library, name: str, other: str) -> bool:
    """Tell whether another object of the twin affords all that one does."""
    return not lost(library.variants[name].signature, library.variants[other].signature)
