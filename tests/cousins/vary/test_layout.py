"""Layouts: nothing overlaps, what the twin's things are to each other they stay, and amount 0 is the twin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cousins.geometry import rigid, rotation_about, rotation_angle_rad
from cousins.scene.layout.collision_bodies import find_overlaps, scene_bodies
from cousins.scene.layout.relations import find_relations
from cousins.scene.scenes import PlacedAsset, Scene, Structure
from cousins.vary.cousin_sampler import CousinSampler, Rejection, make_cousin_sampler, sample_cousin
from cousins.vary.cousins import Cousin, Library, build_scene
from cousins.vary.placement.layout_plan import make_layout_plan
from sim.physics.simple_assets import box_piece, make_scene, place, slab
from tests.cousins.scene.scenes_for_tests import bowl_asset, box_asset
from tests.cousins.vary.tables_for_tests import (
    FULL_SCALES,
    GAP_M,
    TOP_M,
    laid_table,
    recipe_at,
    sampler_at,
    table_library,
    variant,
)

TABLE = slab("table", size_m=(1.2, 1.2, 0.05), top_m=TOP_M)
BOX_CENTER_Z_M = TOP_M + 0.025 + GAP_M


def sample_cousins(sampler: CousinSampler, count: int) -> list[Cousin]:
    samples = [sample_cousin(sampler, "train", (2, 1, 0, number), FULL_SCALES) for number in range(count)]
    cousins = [sample for sample in samples if not isinstance(sample, Rejection)]
    assert len(cousins) >= 0.8 * count, Counter(sample.reason for sample in samples if isinstance(sample, Rejection))
    return cousins


def twins_only(scene: Scene) -> Library:
    assets = [placed.asset for placed in scene.objects]
    return Library(scene=scene, variants={asset.name: variant(asset.name, asset, asset, "twin") for asset in assets})


def sampler_of(
    objects: Sequence[PlacedAsset], *, layout: float, structures: Sequence[Structure] = (TABLE,)
) -> CousinSampler:
    scene = make_scene(*objects, structures=structures)
    scene = replace(scene, relations=find_relations(scene))
    return make_cousin_sampler(twins_only(scene), recipe_at(0.0, layout=layout), seed=0)


def brick(name: str) -> PlacedAsset:
    return place(box_asset(name, (0.06, 0.06, 0.05)), 0.0, 0.0, BOX_CENTER_Z_M)


def test_no_two_bodies_overlap_in_any_of_thirty_drawn_layouts() -> None:
    for cousin in sample_cousins(sampler_at(0.8), 30):
        bodies = list(scene_bodies(build_scene(cousin, table_library())).values())
        for index, body in enumerate(bodies):
            for other in bodies[:index]:
                assert find_overlaps(body, other, tolerance_m=2e-6) == [], (body.name, other.name)


def test_relations_are_kept_in_thirty_layouts() -> None:
    library = table_library()
    for cousin in sample_cousins(sampler_at(0.0, layout=1.0), 30):
        scene = build_scene(cousin, library)
        assert set(cousin.relations) == set(laid_table().relations)
        assert set(cousin.relations) <= set(find_relations(scene))


def test_support_relations_are_kept_with_other_shapes() -> None:
    library = table_library()
    for cousin in sample_cousins(sampler_at(0.8, clutter=0.0), 30):
        scene = build_scene(cousin, library)
        carried = {relation for relation in cousin.relations if relation.kind in ("on", "inside")}
        assert {relation.subject for relation in carried} == {"box", "can", "board", "cube", "bowl", "die", "brick"}
        assert carried <= set(find_relations(scene))


def test_no_distance_is_the_twin_to_the_last_digit() -> None:
    sampler = sampler_at(0.0)
    for cousin in sample_cousins(sampler, 5):
        assert cousin.objects == sampler.twin.objects
        assert cousin.relations == sampler.twin.relations
        assert cousin.task == sampler.twin.task


def test_layouts_reach_as_far_as_the_recipe_allows() -> None:
    near, far = (mean_displacement_m(sampler_at(0.0, layout=amount)) for amount in (0.2, 1.0))
    assert 0.02 < near < 0.06
    assert 0.12 < far < 0.3


def mean_displacement_m(sampler: CousinSampler) -> float:
    twin_positions = {instance.name: np.array(instance.position_m) for instance in sampler.twin.objects}
    instances = [instance for cousin in sample_cousins(sampler, 20) for instance in cousin.objects]
    return float(
        np.mean([np.linalg.norm(instance.position_m - twin_positions[instance.name]) for instance in instances])
    )


@pytest.mark.parametrize("gap_m", [1e-5, 0.001, 0.004])
@pytest.mark.parametrize("layout", [0.0, 0.8])
def test_objects_that_touch_in_the_twin_move_as_one(gap_m: float, layout: float) -> None:
    second = replace(brick("second"), world_from_asset=rigid(translation=np.array([0.06 + gap_m, 0.0, BOX_CENTER_Z_M])))
    third = replace(brick("third"), world_from_asset=rigid(translation=np.array([0.3, 0.1, BOX_CENTER_Z_M])))
    sampler = sampler_of([brick("first"), second, third], layout=layout)
    assert [relation.kind for relation in sampler.twin.relations].count("against") == 1
    for cousin in sample_cousins(sampler, 10):
        poses = {placed.asset.name: placed.world_from_asset for placed in build_scene(cousin, sampler.library).objects}
        between = np.linalg.inv(poses["first"]) @ poses["second"]
        np.testing.assert_allclose(between, rigid(translation=np.array([0.06 + gap_m, 0.0, 0.0])), atol=3e-6)
        assert set(cousin.relations) <= set(find_relations(build_scene(cousin, sampler.library)))


def test_a_twin_at_the_edge_or_at_the_end_of_a_reach_still_has_itself_as_a_cousin() -> None:
    over = replace(brick("over"), world_from_asset=rigid(translation=np.array([0.59, 0.0, BOX_CENTER_Z_M])))
    first = replace(brick("first"), world_from_asset=rigid(translation=np.array([-0.1, 0.0, BOX_CENTER_Z_M])))
    far = replace(
        brick("far"), world_from_asset=rigid(translation=np.array([-0.1 - 0.06 - 0.0995, 0.0, BOX_CENTER_Z_M]))
    )
    sampler = sampler_of([over, first, far], layout=0.0)
    assert [relation.kind for relation in sampler.twin.relations] == ["on", "on", "on", "next to"]
    assert sample_cousins(sampler, 5)[0].objects == sampler.twin.objects


def test_an_object_against_a_wall_stays_against_it() -> None:
    piece = box_piece((1.2, 0.05, 0.5), center_m=(0.0, 0.625, TOP_M + 0.25))
    wall = replace(TABLE, name="wall", kind="wall", visual=piece.mesh, pieces=(piece,))
    at_wall = replace(brick("box"), world_from_asset=rigid(translation=np.array([0.0, 0.569, BOX_CENTER_Z_M])))
    sampler = sampler_of([at_wall], layout=1.0, structures=(TABLE, wall))
    cousins = sample_cousins(sampler, 20)
    places = np.array([cousin.objects[0].position_m for cousin in cousins])
    assert np.ptp(places[:, 1]) < 1e-5
    assert np.ptp(places[:, 0]) > 0.2
    for cousin in cousins:
        assert ("against", "box", "wall") in {
            (relation.kind, relation.subject, relation.object)
            for relation in find_relations(build_scene(cousin, sampler.library))
        }


def test_a_fixed_object_and_what_stands_on_it_stay_and_others_keep_away() -> None:
    stove = replace(place(box_asset("stove", (0.3, 0.3, 0.05)), 0.0, 0.0, BOX_CENTER_Z_M), fixed=True)
    pot = place(box_asset("pot", (0.06, 0.06, 0.05)), 0.05, 0.0, BOX_CENTER_Z_M + 0.05 + GAP_M)
    lone = place(box_asset("lone", (0.06, 0.06, 0.05)), 0.3, 0.3, BOX_CENTER_Z_M)
    sampler = sampler_of([stove, pot, lone], layout=1.0)
    for cousin in sample_cousins(sampler, 15):
        instances = {instance.name: instance for instance in cousin.objects}
        home = {instance.name: instance for instance in sampler.twin.objects}
        assert (instances["stove"], instances["pot"]) == (home["stove"], home["pot"])
        bodies = scene_bodies(build_scene(cousin, sampler.library))
        assert not find_overlaps(bodies["lone"], bodies["stove"], tolerance_m=1e-6)


def test_a_tilted_object_keeps_its_tilt_after_a_yaw() -> None:
    tilt = rotation_about(np.array([1.0, 0.0, 0.0]), np.pi / 2.0)
    lying = place(box_asset("lying", (0.06, 0.05, 0.08)), 0.0, 0.0, BOX_CENTER_Z_M, rotation=tilt)
    sampler = sampler_of([lying], layout=1.0)
    for cousin in sample_cousins(sampler, 10):
        (placed,) = build_scene(cousin, sampler.library).objects
        down = placed.world_from_asset[:3, :3].T @ [0.0, 0.0, -1.0]
        assert np.allclose(down, tilt.T @ [0.0, 0.0, -1.0], atol=1e-6)
        assert placed.world_from_asset[2, 3] == pytest.approx(BOX_CENTER_Z_M, abs=1e-6)


def test_supported_objects_follow_their_carrier() -> None:
    sampler = sampler_at(0.0, layout=1.0)
    for cousin in sample_cousins(sampler, 10):
        poses = {placed.asset.name: placed.world_from_asset for placed in build_scene(cousin, table_library()).objects}
        for supported, carrier, most_m in (("cube", "board", 0.03), ("die", "bowl", 0.03)):
            assert np.linalg.norm((poses[supported] - poses[carrier])[:2, 3]) < most_m


def test_a_layout_plan_holds_carriers_and_groups() -> None:
    plan = make_layout_plan(table_library())
    assert plan.carriers["die"] == ("inside", "bowl")
    assert plan.carriers["cube"] == ("on", "board")
    assert ("box", "can") in plan.groups
    assert {"die", "cube"}.isdisjoint(name for group in plan.groups for name in group)


def test_a_bowl_over_a_low_box_may_move_though_their_outlines_meet() -> None:
    low = place(box_asset("low", (0.04, 0.04, 0.01)), 0.075, 0.0, TOP_M + 0.005 + GAP_M)
    sampler = sampler_of([place(bowl_asset("bowl"), 0.0, 0.0, TOP_M + 0.035 + GAP_M), low], layout=0.7)
    for cousin in sample_cousins(sampler, 5):
        bodies = scene_bodies(build_scene(cousin, sampler.library))
        assert not find_overlaps(bodies["bowl"], bodies["low"], tolerance_m=1e-6)


def test_angles_between_members_of_a_group_are_small_changes() -> None:
    sampler = sampler_at(0.0, layout=0.1)
    for cousin in sample_cousins(sampler, 10):
        poses = {placed.asset.name: placed.world_from_asset for placed in build_scene(cousin, table_library()).objects}
        turn = rotation_angle_rad(poses["box"][:3, :3].T @ poses["can"][:3, :3])
        assert turn <= 2.0 * 0.1 * 3.1416 + 1e-6
