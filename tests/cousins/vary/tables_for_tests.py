"""A laid table with every relation, what may stand in its objects' places, and what draws its cousins."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from cousins.affordances.measure import measure_affordances
from cousins.reconstruct.assets import Asset
from cousins.scene.layout.relations import find_relations
from cousins.scene.scenes import Scene
from cousins.vary.cousin_sampler import CousinSampler, make_cousin_sampler
from cousins.vary.cousins import AXES, Library, Variant
from cousins.vary.distance import shape_distance
from cousins.vary.library.deform import Deformation, deform
from cousins.vary.recipes import Recipe
from sim.physics.simple_assets import make_scene, place, slab
from tests.cousins.scene.scenes_for_tests import bowl_asset, box_asset, can_asset

GAP_M = 1e-5
TOP_M = 0.7


def laid_table() -> Scene:
    """A box and a can next to each other, a cube on a board, a cube inside a bowl, and a lonely brick, on a table."""
    scene = make_scene(
        place(box_asset("box", (0.07, 0.06, 0.05)), -0.25, 0.0, TOP_M + 0.025 + GAP_M),
        place(can_asset("can"), -0.15, 0.0, TOP_M + 0.055 + GAP_M),
        place(box_asset("board", (0.2, 0.16, 0.02)), 0.15, 0.15, TOP_M + 0.01 + GAP_M),
        place(box_asset("cube", (0.04, 0.04, 0.04)), 0.15, 0.15, TOP_M + 0.04 + 2 * GAP_M),
        place(bowl_asset("bowl"), 0.25, -0.2, TOP_M + 0.035 + GAP_M),
        place(box_asset("die", (0.025, 0.025, 0.025)), 0.25, -0.2, TOP_M + 0.006 + 0.0125 + 2 * GAP_M),
        place(box_asset("brick", (0.05, 0.1, 0.04)), -0.3, 0.35, TOP_M + 0.02 + GAP_M),
        structures=(slab("table", size_m=(1.2, 1.2, 0.05), top_m=TOP_M),),
        name="table",
    )
    return replace(scene, relations=find_relations(scene))


def variant(key: str, asset: Asset, twin: Asset | None, kind: str, *, held_out: bool = False) -> Variant:
    distance = 0.0 if twin is None else round(shape_distance(twin, asset), 6)
    return Variant(
        key=key,
        twin_object="" if twin is None else twin.name,
        kind=kind,
        asset=asset,
        signature=measure_affordances(asset),
        origin=kind,
        shape_distance=distance if kind == "shape" else 0.0,
        swap_distance=distance if kind == "family" else 0.0,
        held_out=held_out,
    )


def library_of(scene: Scene) -> Library:
    """The twin's own objects, two stretched shapes of each rigid one, a swap of the brick, and clutter."""
    variants: dict[str, Variant] = {}
    for placed in scene.objects:
        asset = placed.asset
        variants[asset.name] = variant(asset.name, asset, asset, "twin")
        if placed.fixed:
            continue
        for number, factor in enumerate((0.9, 1.1)):
            key = f"{asset.name}-shape-{number:02d}"
            changed = deform(asset, Deformation(stretch=(factor, 1.0, factor)), name=asset.name)
            variants[key] = variant(key, changed, asset, "shape", held_out=number == 1)
        if asset.name == "brick":
            variants["brick-family-00"] = variant("brick-family-00", can_asset("brick", 0.03, 0.05), asset, "family")
    variants["clutter-00"] = variant("clutter-00", box_asset("clutter", (0.03, 0.04, 0.05)), None, "clutter")
    variants["clutter-01"] = variant("clutter-01", can_asset("clutter", 0.02, 0.06), None, "clutter")
    return Library(scene=scene, variants=variants)


@cache
def table_library() -> Library:
    return library_of(laid_table())


def recipe_at(distance: float, **axes: float) -> Recipe:
    return Recipe().at_distance(distance, axes=axes)


def sampler_at(distance: float, *, seed: int = 0, **axes: float) -> CousinSampler:
    return make_cousin_sampler(table_library(), recipe_at(distance, **axes), seed=seed)


FULL_SCALES = np.ones(len(AXES))
