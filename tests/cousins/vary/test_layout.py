"""Layouts: nothing overlaps, what the twin's things are to each other they stay, and amount 0 is the twin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cousins.geometry import rigid, rotation_about, rotation_angle_rad
from cousins.scene.layout.collision_bodies import bodies_of, overlaps
from cousins.scene.layout.relations import find_relations
from cousins.scene.scenes import Placed, Scene, Structure
from cousins.vary.cousin_sampler import Drawer, Refusal, draw, make_drawer
from cousins.vary.cousins import Cousin, Library, realise
from cousins.vary.placement.layout_plan import make_plan
from sim.physics.simple_assets import box_piece, place, scene_of, slab
from tests.cousins.scene.scenes_for_tests import bowl_asset, box_asset
from tests.cousins.vary.tables_for_tests import FULL, GAP, TOP, drawer_at, laid_table, recipe_at, table_library, variant

TABLE = slab("table", size_m=(1.2, 1.2, 0.05), top_m=TOP)
ON = TOP + 0.025 + GAP


def drawn(drawer: Drawer, count: int) -> list[Cousin]:
    found = [draw(drawer, "train", (2, 1, 0, number), FULL) for number in range(count)]
    cousins = [one for one in found if not isinstance(one, Refusal)]
    assert len(cousins) >= 0.8 * count, Counter(one.reason for one in found if isinstance(one, Refusal))
    return cousins


def twins_only(scene: Scene) -> Library:
    assets = [placed.asset for placed in scene.objects]
    return Library(scene=scene, variants={one.name: variant(one.name, one, one, "twin") for one in assets})


def drawer_of(objects: Sequence[Placed], *, layout: float, structures: Sequence[Structure] = (TABLE,)) -> Drawer:
    scene = scene_of(*objects, structures=structures)
    scene = replace(scene, relations=find_relations(scene))
    return make_drawer(twins_only(scene), recipe_at(0.0, layout=layout), seed=0)


def brick(name: str) -> Placed:
    return place(box_asset(name, (0.06, 0.06, 0.05)), 0.0, 0.0, ON)


def test_no_two_bodies_overlap_in_any_of_thirty_drawn_layouts() -> None:
    for cousin in drawn(drawer_at(0.8), 30):
        bodies = list(bodies_of(realise(cousin, table_library())).values())
        for index, one in enumerate(bodies):
            for other in bodies[:index]:
                assert overlaps(one, other, tolerance_m=2e-6) == [], (one.name, other.name)


def test_what_things_are_to_each_other_stays_in_thirty_layouts() -> None:
    library = table_library()
    for cousin in drawn(drawer_at(0.0, layout=1.0), 30):
        scene = realise(cousin, library)
        assert set(cousin.relations) == set(laid_table().relations)
        assert set(cousin.relations) <= set(find_relations(scene))


def test_with_other_shapes_what_carries_and_holds_still_does() -> None:
    library = table_library()
    for cousin in drawn(drawer_at(0.8, clutter=0.0), 30):
        scene = realise(cousin, library)
        carried = {one for one in cousin.relations if one.kind in ("on", "inside")}
        assert {one.subject for one in carried} == {"box", "can", "board", "cube", "bowl", "die", "brick"}
        assert carried <= set(find_relations(scene))


def test_no_distance_is_the_twin_to_the_last_digit() -> None:
    drawer = drawer_at(0.0)
    for cousin in drawn(drawer, 5):
        assert cousin.stands == drawer.twin.stands
        assert cousin.relations == drawer.twin.relations
        assert cousin.task == drawer.twin.task


def test_layouts_reach_as_far_as_they_are_told() -> None:
    near, far = (mean_way(drawer_at(0.0, layout=amount)) for amount in (0.2, 1.0))
    assert 0.02 < near < 0.06
    assert 0.12 < far < 0.3


def mean_way(drawer: Drawer) -> float:
    home = {stand.name: np.array(stand.position_m) for stand in drawer.twin.stands}
    stands = [stand for cousin in drawn(drawer, 20) for stand in cousin.stands]
    return float(np.mean([np.linalg.norm(stand.position_m - home[stand.name]) for stand in stands]))


@pytest.mark.parametrize("gap_m", [1e-5, 0.001, 0.004])
@pytest.mark.parametrize("layout", [0.0, 0.8])
def test_things_that_touch_in_the_twin_move_as_one(gap_m: float, layout: float) -> None:
    second = replace(brick("second"), world_from_asset=rigid(translation=np.array([0.06 + gap_m, 0.0, ON])))
    third = replace(brick("third"), world_from_asset=rigid(translation=np.array([0.3, 0.1, ON])))
    drawer = drawer_of([brick("first"), second, third], layout=layout)
    assert [one.kind for one in drawer.twin.relations].count("against") == 1
    for cousin in drawn(drawer, 10):
        poses = {placed.asset.name: placed.world_from_asset for placed in realise(cousin, drawer.library).objects}
        between = np.linalg.inv(poses["first"]) @ poses["second"]
        np.testing.assert_allclose(between, rigid(translation=np.array([0.06 + gap_m, 0.0, 0.0])), atol=3e-6)
        assert set(cousin.relations) <= set(find_relations(realise(cousin, drawer.library)))


def test_a_twin_at_the_edge_or_at_the_end_of_a_reach_still_has_itself_as_a_cousin() -> None:
    over = replace(brick("over"), world_from_asset=rigid(translation=np.array([0.59, 0.0, ON])))
    first = replace(brick("first"), world_from_asset=rigid(translation=np.array([-0.1, 0.0, ON])))
    far = replace(brick("far"), world_from_asset=rigid(translation=np.array([-0.1 - 0.06 - 0.0995, 0.0, ON])))
    drawer = drawer_of([over, first, far], layout=0.0)
    assert [one.kind for one in drawer.twin.relations] == ["on", "on", "on", "next to"]
    assert drawn(drawer, 5)[0].stands == drawer.twin.stands


def test_what_stands_at_a_wall_stays_at_the_wall() -> None:
    piece = box_piece((1.2, 0.05, 0.5), center_m=(0.0, 0.625, TOP + 0.25))
    wall = replace(TABLE, name="wall", kind="wall", visual=piece.mesh, pieces=(piece,))
    at_wall = replace(brick("box"), world_from_asset=rigid(translation=np.array([0.0, 0.569, ON])))
    drawer = drawer_of([at_wall], layout=1.0, structures=(TABLE, wall))
    cousins = drawn(drawer, 20)
    places = np.array([cousin.stands[0].position_m for cousin in cousins])
    assert np.ptp(places[:, 1]) < 1e-5
    assert np.ptp(places[:, 0]) > 0.2
    for cousin in cousins:
        assert ("against", "box", "wall") in {
            (one.kind, one.subject, one.object) for one in find_relations(realise(cousin, drawer.library))
        }


def test_a_fixed_object_and_what_stands_on_it_stay_and_others_keep_away() -> None:
    stove = replace(place(box_asset("stove", (0.3, 0.3, 0.05)), 0.0, 0.0, ON), fixed=True)
    pot = place(box_asset("pot", (0.06, 0.06, 0.05)), 0.05, 0.0, ON + 0.05 + GAP)
    lone = place(box_asset("lone", (0.06, 0.06, 0.05)), 0.3, 0.3, ON)
    drawer = drawer_of([stove, pot, lone], layout=1.0)
    for cousin in drawn(drawer, 15):
        stands = {stand.name: stand for stand in cousin.stands}
        home = {stand.name: stand for stand in drawer.twin.stands}
        assert (stands["stove"], stands["pot"]) == (home["stove"], home["pot"])
        bodies = bodies_of(realise(cousin, drawer.library))
        assert not overlaps(bodies["lone"], bodies["stove"], tolerance_m=1e-6)


def test_what_leans_in_the_twin_lies_the_same_way_after_a_turn() -> None:
    tilt = rotation_about(np.array([1.0, 0.0, 0.0]), np.pi / 2.0)
    lying = place(box_asset("lying", (0.06, 0.05, 0.08)), 0.0, 0.0, ON, rotation=tilt)
    drawer = drawer_of([lying], layout=1.0)
    for cousin in drawn(drawer, 10):
        (placed,) = realise(cousin, drawer.library).objects
        down = placed.world_from_asset[:3, :3].T @ [0.0, 0.0, -1.0]
        assert np.allclose(down, tilt.T @ [0.0, 0.0, -1.0], atol=1e-6)
        assert placed.world_from_asset[2, 3] == pytest.approx(ON, abs=1e-6)


def test_riders_go_with_their_carrier() -> None:
    drawer = drawer_at(0.0, layout=1.0)
    for cousin in drawn(drawer, 10):
        poses = {placed.asset.name: placed.world_from_asset for placed in realise(cousin, table_library()).objects}
        for rider, carrier, most_m in (("cube", "board", 0.03), ("die", "bowl", 0.03)):
            assert np.linalg.norm((poses[rider] - poses[carrier])[:2, 3]) < most_m


def test_a_plan_knows_who_stands_by_whom() -> None:
    plan = make_plan(table_library())
    assert plan.carriers["die"] == ("inside", "bowl")
    assert plan.carriers["cube"] == ("on", "board")
    assert ("box", "can") in plan.groups
    assert {"die", "cube"}.isdisjoint(name for group in plan.groups for name in group)


def test_a_bowl_over_a_low_box_may_move_though_their_outlines_meet() -> None:
    low = place(box_asset("low", (0.04, 0.04, 0.01)), 0.075, 0.0, TOP + 0.005 + GAP)
    drawer = drawer_of([place(bowl_asset("bowl"), 0.0, 0.0, TOP + 0.035 + GAP), low], layout=0.7)
    for cousin in drawn(drawer, 5):
        bodies = bodies_of(realise(cousin, drawer.library))
        assert not overlaps(bodies["bowl"], bodies["low"], tolerance_m=1e-6)


def test_angles_between_members_of_a_group_are_small_changes() -> None:
    drawer = drawer_at(0.0, layout=0.1)
    for cousin in drawn(drawer, 10):
        poses = {placed.asset.name: placed.world_from_asset for placed in realise(cousin, table_library()).objects}
        turn = rotation_angle_rad(poses["box"][:3, :3].T @ poses["can"][:3, :3])
        assert turn <= 2.0 * 0.1 * 3.1416 + 1e-6
