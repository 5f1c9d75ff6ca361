"""Draws: each axis moves what is its own, inside what the twin recorded, and the distances say how far."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.geometry import Intrinsics
from cousins.quantities import Quantity
from cousins.scene.layout.relations import find_relations
from cousins.scene.looks import Light, Look
from cousins.vary.cousin_sampler import Drawer, Refusal, draw, make_drawer
from cousins.vary.cousins import AXES, Cousin, Library, realise
from cousins.vary.coverage import coverage, dispersion, even_numbers, farthest_first
from cousins.vary.distance import distances, shape_distance, vector
from cousins.vary.distributions import Constant
from cousins.vary.look_sampling import draw_look
from cousins.vary.placement.clutter import most_clutter
from cousins.vary.recipes import Clutter, Recipe
from sim.physics.simple_assets import place, scene_of, slab
from tests.cousins.scene.scenes_for_tests import box_asset, cabinet_asset
from tests.cousins.vary.tables_for_tests import FULL, GAP, TOP, drawer_at, recipe_at, table_library, variant


def drawn(drawer: Drawer, count: int, *, split: str = "train") -> list[Cousin]:
    found = [draw(drawer, split, (2, 1, 0, number), FULL) for number in range(count)]
    return [
        replace(one, distances=distances(one, drawer.library, drawer.twin))
        for one in found
        if not isinstance(one, Refusal)
    ]


def test_a_draw_depends_on_its_key_and_the_seed_alone() -> None:
    one, same = (drawn(drawer_at(0.7), 6) for _ in range(2))
    assert one == same
    backwards = [draw(drawer_at(0.7), "train", (2, 1, 0, number), FULL) for number in reversed(range(6))]
    assert [replace(item, distances={}) for item in one] == [
        replace(item, distances={}) for item in reversed(backwards) if isinstance(item, Cousin)
    ]
    assert drawn(drawer_at(0.7, seed=1), 1) != one[:1]


def test_distances_lie_between_0_and_1_and_grow_with_what_is_asked() -> None:
    near, far = (np.array([vector(one.distances) for one in drawn(drawer_at(amount), 25)]) for amount in (0.2, 1.0))
    for values in (near, far):
        assert values.min() >= 0.0
        assert values.max() <= 1.0
    there = [index for index, axis in enumerate(AXES) if axis != "joints"]
    assert (near.mean(axis=0)[there] < far.mean(axis=0)[there]).all()


@pytest.mark.parametrize("axis", AXES)
def test_an_axis_at_0_leaves_its_distance_0(axis: str) -> None:
    for cousin in drawn(drawer_at(1.0, **{axis: 0.0}), 8):
        assert cousin.distances[axis] == 0.0


@pytest.mark.parametrize("axis", [axis for axis in AXES if axis != "joints"])
def test_an_axis_alone_moves_its_own_distance_and_no_other(axis: str) -> None:
    found = drawn(drawer_at(0.0, **{axis: 1.0}), 12)
    assert max(one.distances[axis] for one in found) > 0.02
    for one in found:
        assert {name for name, value in one.distances.items() if value} <= {axis}


def test_the_twin_is_at_distance_0_and_is_the_scene() -> None:
    drawer = drawer_at(0.9)
    assert set(distances(drawer.twin, drawer.library, drawer.twin).values()) == {0.0}
    scene, home = realise(drawer.twin, drawer.library), drawer.library.scene
    assert [placed.asset.name for placed in scene.objects] == [placed.asset.name for placed in home.objects]
    for placed, twin in zip(scene.objects, home.objects, strict=True):
        np.testing.assert_allclose(placed.world_from_asset, twin.world_from_asset, atol=1e-6)
        assert [link.mass_kg for link in placed.asset.links] == [link.mass_kg for link in twin.asset.links]


def test_masses_frictions_and_restitutions_stay_in_the_intervals_of_the_twin() -> None:
    def inside(value: float, quantity: Quantity) -> bool:
        room = 1e-5 * quantity.high
        return quantity.low - room <= value <= quantity.high + room

    drawer = drawer_at(1.0)
    seen = []
    for cousin in drawn(drawer, 20):
        for stand in cousin.stands:
            asset = drawer.library.variants[stand.variant].asset
            assert all(inside(mass, link.mass_kg) for mass, link in zip(stand.mass_kg, asset.links, strict=True))
            assert inside(stand.friction, asset.friction)
            assert inside(stand.restitution, asset.restitution)
            assert (np.abs(stand.com_shift_m) <= 0.08 * asset.size_m + 1e-6).all()
            if stand.name == "box":
                seen.append(stand.friction)
        for ground, twin in zip(cousin.grounds, drawer.library.scene.structures, strict=True):
            assert inside(ground.friction, twin.friction)
    assert np.ptp(seen) > 0.5 * (0.7 - 0.3)


def test_heldout_far_shows_a_held_out_shape_and_the_others_never_do() -> None:
    drawer = drawer_at(1.0)
    variants = drawer.library.variants
    for split, shown in (("train", False), ("heldout_near", False), ("heldout_far", True)):
        for cousin in drawn(drawer, 15, split=split):
            assert cousin.split == split
            assert any(variants[stand.variant].held_out for stand in cousin.stands) == shown


def names_of(cousin: Cousin) -> set[str]:
    return {stand.name for stand in cousin.stands}


def test_what_is_added_and_removed_is_counted() -> None:
    recipe = replace(recipe_at(0.0, clutter=1.0), clutter=Clutter(add=Constant(value=2), remove=Constant(value=1)))
    drawer = make_drawer(table_library(), recipe, seed=0)
    assert most_clutter(recipe) == 2
    home = {stand.name for stand in drawer.twin.stands}
    for cousin in drawn(drawer, 10):
        names = {stand.name for stand in cousin.stands}
        assert len(home - names) == 1
        assert names - home == {"clutter_0", "clutter_1"}
        assert cousin.distances["clutter"] == pytest.approx(3 / 5)
        (gone,) = home - names
        assert gone not in ("board", "bowl", drawer.twin.task.target)
        assert all(gone not in (one.subject, one.object) for one in cousin.relations)


def test_what_the_scene_is_about_is_never_removed() -> None:
    recipe = replace(recipe_at(0.0, clutter=1.0), clutter=Clutter(add=Constant(value=0), remove=Constant(value=100)))
    library = table_library()
    free = [one for one in library.scene.objects if not one.fixed]
    drawer = make_drawer(library, recipe, seed=0)
    gone = {name for cousin in drawn(drawer, 5) for name in {one.asset.name for one in free} - names_of(cousin)}
    name = min(gone)
    large = tuple(
        replace(one, asset=replace(one.asset, size_m=10.0 * one.asset.size_m)) if one.asset.name == name else one
        for one in library.scene.objects
    )
    changed = replace(library, scene=replace(library.scene, objects=large))
    assert all(name in names_of(cousin) for cousin in drawn(make_drawer(changed, recipe, seed=0), 5))


def test_something_is_always_left() -> None:
    recipe = replace(recipe_at(0.0, clutter=1.0), clutter=Clutter(add=Constant(value=0), remove=Constant(value=100)))
    for cousin in drawn(make_drawer(table_library(), recipe, seed=0), 5):
        assert len(cousin.stands) >= 2


def test_without_held_out_shapes_a_far_cousin_is_refused_by_name() -> None:
    home = {key: one for key, one in table_library().variants.items() if one.kind == "twin"}
    drawer = make_drawer(Library(scene=table_library().scene, variants=home), recipe_at(0.5), seed=0)
    refusal = draw(drawer, "heldout_far", (2, 3, 0, 0), FULL)
    assert refusal == Refusal(axis="swap", reason="no held-out shape in the library")


def test_what_cannot_be_reached_is_refused_by_name() -> None:
    recipe = replace(Recipe().at(0.0), task=replace(Recipe().task, reach_m=Constant(value=0.8)))
    drawer = make_drawer(table_library(), recipe, seed=0)
    far = replace(drawer.twin.task, robot_base_m=(5.0, 0.0, TOP))
    drawer = replace(drawer, twin=replace(drawer.twin, task=far))
    assert draw(drawer, "train", (2, 1, 0, 0), FULL) == Refusal(axis="task", reason="out of the robot's reach")


def test_every_task_lies_in_reach_on_its_ground_and_away_from_all_else() -> None:
    drawer = drawer_at(0.8)
    for cousin in drawn(drawer, 20):
        task = cousin.task
        stands = {stand.name: stand for stand in cousin.stands}
        goal, start = np.array(task.goal_m), np.array(stands[task.target].position_m)
        base = np.array(task.robot_base_m)
        assert max(np.linalg.norm((goal - base)[:2]), np.linalg.norm((start - base)[:2])) <= 0.75 + 1e-6
        assert 0.1 - 1e-6 <= np.linalg.norm((goal - start)[:2]) <= 0.3 + 1e-6
        assert goal[2] == pytest.approx(TOP)
        assert (np.abs(goal[:2]) < 0.6).all()
        others = [np.array(stand.position_m) for name, stand in stands.items() if name != task.target]
        assert min(np.linalg.norm((goal - other)[:2]) for other in others) > 0.02


def test_joints_change_inside_the_recipe_and_never_beyond_the_twins_limits() -> None:
    floor = slab("floor", size_m=(3.0, 3.0, 0.1), top_m=0.0)
    cabinet, box = cabinet_asset(), box_asset("box", (0.06, 0.06, 0.05))
    scene = scene_of(place(cabinet, 0.0, 0.0, 0.25 + GAP), place(box, 0.6, 0.0, 0.025 + GAP), structures=(floor,))
    scene = replace(scene, relations=find_relations(scene))
    variants = {one.name: variant(one.name, one, one, "twin") for one in (cabinet, box)}
    drawer = make_drawer(Library(scene=scene, variants=variants), recipe_at(0.0, joints=1.0), seed=0)
    for cousin in drawn(drawer, 10):
        (stand,) = (one for one in cousin.stands if one.name == "cabinet")
        assert 0.0 < cousin.distances["joints"] <= 1.0
        for change, joint in zip(stand.joints, cabinet.joints, strict=True):
            assert change.name == joint.name
            assert joint.lower <= change.lower <= change.upper <= joint.upper
            assert change.upper >= 0.75 * joint.upper - 1e-6
            assert change.damping == pytest.approx(joint.damping, rel=1.6)
        changed = realise(cousin, drawer.library).objects[0].asset
        assert [joint.upper for joint in changed.joints] == [change.upper for change in stand.joints]


LOOKS = {
    "plain": Look(),
    "two lights": Look(
        lights=(
            Light(direction=(0.0, 0.0, -1.0), color=(1.0, 0.9, 0.8), intensity=0.5),
            Light(direction=(0.6, 0.0, -0.8), color=(0.5, 0.9, 1.0), intensity=0.3),
        ),
        exposure=0.8,
    ),
    "camera": Look(
        camera=Intrinsics(width=64, height=48, fx=60.0, fy=60.0, cx=31.5, cy=23.5),
        world_from_camera=tuple(tuple(row) for row in np.eye(4).tolist()),
    ),
}


@pytest.mark.parametrize("home", LOOKS.values(), ids=LOOKS)
def test_a_look_at_amount_0_is_the_twins(home: Look) -> None:
    same = draw_look(home, Recipe().look, 0.0, np.random.default_rng(0))
    for light, twin in zip(same.lights, home.lights, strict=True):
        unit = np.array(twin.direction) / np.linalg.norm(twin.direction)
        np.testing.assert_allclose(light.direction, unit, atol=1e-6)
        assert (light.color, light.intensity) == (twin.color, twin.intensity)
    assert replace(same, lights=home.lights) == home


@pytest.mark.parametrize("home", LOOKS.values(), ids=LOOKS)
def test_a_look_stays_in_its_ranges(home: Look) -> None:
    for seed in range(30):
        look = draw_look(home, Recipe().look, 1.0, np.random.default_rng(seed))
        assert 1 <= len(look.lights) <= 3
        assert 0.2 <= look.ambient <= 0.6
        for light in look.lights:
            assert np.linalg.norm(light.direction) == pytest.approx(1.0, abs=1e-5)
            assert light.direction[2] < 0.0
            assert all(0.0 <= value <= 1.0 for value in light.color)
        if home.camera is not None:
            pose = np.array(look.world_from_camera)
            np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-6)
            assert np.abs(pose[:3, 3]).max() <= 0.08 + 1e-6
            assert look.camera is not None
            assert 0.9 <= look.camera.fx / 60.0 <= 1.1


def test_a_shape_is_at_distance_0_from_itself_and_farther_the_more_it_differs() -> None:
    box = box_asset("box", (0.1, 0.1, 0.1))
    assert shape_distance(box, box) == 0.0
    near, far = (shape_distance(box, box_asset("b", (0.1, 0.1, height))) for height in (0.08, 0.05))
    assert near == pytest.approx(0.2, abs=0.06)
    assert far == pytest.approx(0.5, abs=0.06)
    assert shape_distance(box_asset("b", (0.1, 0.1, 0.05)), box) == pytest.approx(far, abs=1e-9)


def test_even_numbers_do_not_change_when_more_are_asked_for() -> None:
    many = even_numbers(100, dimensions=8, start=0, seed=3)
    np.testing.assert_array_equal(many[40:50], even_numbers(10, dimensions=8, start=40, seed=3))
    assert many.min() >= 0.0
    assert many.max() < 1.0
    assert all(coverage(many[:, axis]) >= 0.9 for axis in range(8))


def test_farthest_first_covers_more_than_the_order_of_drawing() -> None:
    vectors = np.random.default_rng(0).uniform(size=(200, 3)) ** 3
    order = farthest_first(vectors)
    assert sorted(order) == list(range(200))
    assert order[0] == int(np.argmax(np.linalg.norm(vectors, axis=1)))
    assert dispersion(vectors[order[:30]]) < dispersion(vectors[:30])
    assert farthest_first(vectors[:5], given=vectors[[2]])[-1] == 2


def test_of_two_alike_the_first_comes_first() -> None:
    assert farthest_first(np.ones((4, 2))) == [0, 1, 2, 3]
    assert farthest_first(np.zeros((0, 2))) == []
