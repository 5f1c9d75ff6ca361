"""Sources of cousins for each task: boxes on a table, a bowl, a drawer unit, a cabinet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cousins.families.family import load_family
from cousins.geometry import rigid, rotation_about
from cousins.reconstruct.assets import Asset
from cousins.scene.layout.relations import find_relations
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.vary.cousins import GoalSpec
from cousins.vary.placement.goals import NO_GOAL
from sim.physics.simple_assets import make_scene, place, slab
from tests.cousins.scene.scenes_for_tests import box_asset
from tests.sim.worlds_for_tests import TOP_M, TinySource, box_scene, push_task


def family_asset(name: str, **values: float) -> Asset:
    """Return an instance of a family."""
    asset_family, rng = load_family(name), np.random.default_rng(0)
    return asset_family.build({**asset_family.sample(rng), **values}, name=name, rng=rng, texture_px=0)


def table_source(*, more: tuple[PlacedAsset, ...] = ()) -> TinySource:
    """Return one cousin: a cube of 5 cm on a table, and more."""
    scene = box_scene(0.05, more=more)
    return TinySource(scenes={0: scene}, tasks={0: push_task()})


def bowl_source(*, boxes: int = 1) -> TinySource:
    """Return one cousin: cubes and a bowl on a table."""
    bowl = family_asset("bowl", diameter_m=0.2, height_m=0.09)
    more = [place(bowl, 0.05, 0.22, TOP_M + 0.5 * float(bowl.size_m[2]) + 1e-4)]
    for number in range(1, boxes):
        cube = box_asset(f"cube_{number}", (0.04, 0.04, 0.04))
        more.append(place(cube, 0.0, -0.12 * number, TOP_M + 0.02001))
    return table_source(more=tuple(more))


def stack_source() -> TinySource:
    """Return one cousin: a cube and a wide brick on a table."""
    return table_source(more=(place(box_asset("brick", (0.12, 0.12, 0.04)), 0.02, 0.2, TOP_M + 0.02001),))


def furniture_source(asset: Asset, *, task: GoalSpec = NO_GOAL) -> TinySource:
    """Return one cousin: furniture that stands on the floor, its front to -x, fixed."""
    pose = rigid(
        rotation_about(np.array([0.0, 0.0, 1.0]), -np.pi / 2.0), np.array([0.0, 0.0, 0.5 * float(asset.size_m[2])])
    )
    scene: Scene = make_scene(
        PlacedAsset(asset=asset, world_from_asset=pose, fixed=True),
        structures=(slab("floor", size_m=(4.0, 4.0, 0.05), top_m=0.0),),
        name="room",
    )
    return TinySource(scenes={0: replace(scene, relations=find_relations(scene))}, tasks={0: task})


def drawer_source() -> TinySource:
    values = {"length_m": 0.45, "width_m": 0.45, "height_m": 0.6, "drawers": 3.0, "travel": 0.7, "wall_m": 0.015}
    return furniture_source(family_asset("drawer_unit", **values))


def cabinet_source() -> TinySource:
    values = {"length_m": 0.4, "width_m": 0.4, "height_m": 0.6, "doors": 1.0, "left": 1.0, "wall_m": 0.016}
    return furniture_source(family_asset("cabinet", **values))
