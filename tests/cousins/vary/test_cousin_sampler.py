"""Sampled cousins: each axis changes its own parameters, within the intervals of the twin, and distances measure it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.geometry import Intrinsics
from cousins.quantities import Quantity
from cousins.scene.layout.relations import find_relations
from cousins.scene.looks import Light, Look
from cousins.vary.cousin_sampler import CousinSampler, Rejection, make_cousin_sampler, sample_cousin
from cousins.vary.cousins import AXES, Cousin, Library, build_scene
from cousins.vary.coverage import coverage, dispersion, farthest_point_order, low_discrepancy_points
from cousins.vary.distance import distance_vector, distances, shape_distance
from cousins.vary.distributions import Constant
from cousins.vary.look_sampling import sample_look
from cousins.vary.placement.clutter import max_clutter_count
from cousins.vary.recipes import ClutterRange, Recipe
from sim.physics.simple_assets import make_scene, place, slab
from tests.cousins.scene.scenes_for_tests import box_asset, cabinet_asset
from tests.cousins.vary.tables_for_tests import FULL_SCALES, GAP_M, TOP_M, recipe_at, sampler_at, table_library, variant


def sample_cousins(sampler: CousinSampler, count: int, *, split: str = "train") -> list[Cousin]:
    samples = [sample_cousin(sampler, split, (2, 1, 0, number), FULL_SCALES) for number in range(count)]
    return [
        replace(sample, distances=distances(sample, sampler.library, sampler.twin))
        for sample in samples
        if not isinstance(sample, Rejection)
    ]


def test_a_sample_depends_on_its_spawn_key_and_the_seed_alone() -> None:
    cousins, same = (sample_cousins(sampler_at(0.7), 6) for _ in range(2))
    assert cousins == same
    backwards = [
        sample_cousin(sampler_at(0.7), "train", (2, 1, 0, number), FULL_SCALES) for number in reversed(range(6))
    ]
    assert [replace(cousin, distances={}) for cousin in cousins] == [
        replace(cousin, distances={}) for cousin in reversed(backwards) if isinstance(cousin, Cousin)
    ]
    assert sample_cousins(sampler_at(0.7, seed=1), 1) != cousins[:1]


def test_distances_lie_between_0_and_1_and_grow_with_the_recipes_distance() -> None:
    near, far = (
        np.array([distance_vector(cousin.distances) for cousin in sample_cousins(sampler_at(amount), 25)])
        for amount in (0.2, 1.0)
    )
    for values in (near, far):
        assert values.min() >= 0.0
        assert values.max() <= 1.0
    axes = [index for index, axis in enumerate(AXES) if axis != "joints"]
    assert (near.mean(axis=0)[axes] < far.mean(axis=0)[axes]).all()


@pytest.mark.parametrize("axis", AXES)
def test_an_axis_at_0_leaves_its_distance_0(axis: str) -> None:
    for cousin in sample_cousins(sampler_at(1.0, **{axis: 0.0}), 8):
        assert cousin.distances[axis] == 0.0


@pytest.mark.parametrize("axis", [axis for axis in AXES if axis != "joints"])
def test_an_axis_alone_moves_its_own_distance_and_no_other(axis: str) -> None:
    cousins = sample_cousins(sampler_at(0.0, **{axis: 1.0}), 12)
    assert max(cousin.distances[axis] for cousin in cousins) > 0.02
    for cousin in cousins:
        assert {name for name, value in cousin.distances.items() if value} <= {axis}


def test_the_twin_is_at_distance_0_and_is_the_scene() -> None:
    sampler = sampler_at(0.9)
    assert set(distances(sampler.twin, sampler.library, sampler.twin).values()) == {0.0}
    scene, twin_scene = build_scene(sampler.twin, sampler.library), sampler.library.scene
    assert [placed.asset.name for placed in scene.objects] == [placed.asset.name for placed in twin_scene.objects]
    for placed, twin in zip(scene.objects, twin_scene.objects, strict=True):
        np.testing.assert_allclose(placed.world_from_asset, twin.world_from_asset, atol=1e-6)
        assert [link.mass_kg for link in placed.asset.links] == [link.mass_kg for link in twin.asset.links]


def test_masses_frictions_and_restitutions_stay_in_the_intervals_of_the_twin() -> None:
    def inside(value: float, quantity: Quantity) -> bool:
        room = 1e-5 * quantity.high
        return quantity.low - room <= value <= quantity.high + room

    sampler = sampler_at(1.0)
    frictions = []
    for cousin in sample_cousins(sampler, 20):
        for instance in cousin.objects:
            asset = sampler.library.variants[instance.variant].asset
            assert all(inside(mass, link.mass_kg) for mass, link in zip(instance.mass_kg, asset.links, strict=True))
            assert inside(instance.friction, asset.friction)
            assert inside(instance.restitution, asset.restitution)
            assert (np.abs(instance.com_shift_m) <= 0.08 * asset.size_m + 1e-6).all()
            if instance.name == "box":
                frictions.append(instance.friction)
        for change, twin in zip(cousin.structures, sampler.library.scene.structures, strict=True):
            assert inside(change.friction, twin.friction)
    assert np.ptp(frictions) > 0.5 * (0.7 - 0.3)


def test_heldout_far_shows_a_held_out_shape_and_the_others_never_do() -> None:
    sampler = sampler_at(1.0)
    variants = sampler.library.variants
    for split, is_present in (("train", False), ("heldout_near", False), ("heldout_far", True)):
        for cousin in sample_cousins(sampler, 15, split=split):
            assert cousin.split == split
            assert any(variants[instance.variant].held_out for instance in cousin.objects) == is_present


def names_of(cousin: Cousin) -> set[str]:
    return {instance.name for instance in cousin.objects}


def test_what_is_added_and_removed_is_counted() -> None:
    recipe = replace(recipe_at(0.0, clutter=1.0), clutter=ClutterRange(add=Constant(value=2), remove=Constant(value=1)))
    sampler = make_cousin_sampler(table_library(), recipe, seed=0)
    assert max_clutter_count(recipe) == 2
    twin_names = {instance.name for instance in sampler.twin.objects}
    for cousin in sample_cousins(sampler, 10):
        names = {instance.name for instance in cousin.objects}
        assert len(twin_names - names) == 1
        assert names - twin_names == {"clutter_0", "clutter_1"}
        assert cousin.distances["clutter"] == pytest.approx(3 / 5)
        (removed,) = twin_names - names
        assert removed not in ("board", "bowl", sampler.twin.task.target)
        assert all(removed not in (relation.subject, relation.object) for relation in cousin.relations)


def test_the_dominant_object_is_never_removed() -> None:
    recipe = replace(
        recipe_at(0.0, clutter=1.0), clutter=ClutterRange(add=Constant(value=0), remove=Constant(value=100))
    )
    library = table_library()
    free = [placed for placed in library.scene.objects if not placed.fixed]
    sampler = make_cousin_sampler(library, recipe, seed=0)
    removed = {
        name
        for cousin in sample_cousins(sampler, 5)
        for name in {placed.asset.name for placed in free} - names_of(cousin)
    }
    name = min(removed)
    large = tuple(
        replace(placed, asset=replace(placed.asset, size_m=10.0 * placed.asset.size_m))
        if placed.asset.name == name
        else placed
        for placed in library.scene.objects
    )
    changed = replace(library, scene=replace(library.scene, objects=large))
    assert all(name in names_of(cousin) for cousin in sample_cousins(make_cousin_sampler(changed, recipe, seed=0), 5))


def test_at_least_two_objects_remain() -> None:
    recipe = replace(
        recipe_at(0.0, clutter=1.0), clutter=ClutterRange(add=Constant(value=0), remove=Constant(value=100))
    )
    for cousin in sample_cousins(make_cousin_sampler(table_library(), recipe, seed=0), 5):
        assert len(cousin.objects) >= 2


def test_without_held_out_shapes_a_far_cousin_is_rejected_with_a_reason() -> None:
    twin_variants = {key: entry for key, entry in table_library().variants.items() if entry.kind == "twin"}
    sampler = make_cousin_sampler(Library(scene=table_library().scene, variants=twin_variants), recipe_at(0.5), seed=0)
    rejection = sample_cousin(sampler, "heldout_far", (2, 3, 0, 0), FULL_SCALES)
    assert rejection == Rejection(axis="swap", reason="no held-out shape in the library")


def test_a_target_out_of_reach_is_rejected_with_a_reason() -> None:
    recipe = replace(Recipe().at_distance(0.0), task=replace(Recipe().task, reach_m=Constant(value=0.8)))
    sampler = make_cousin_sampler(table_library(), recipe, seed=0)
    far = replace(sampler.twin.task, robot_base_m=(5.0, 0.0, TOP_M))
    sampler = replace(sampler, twin=replace(sampler.twin, task=far))
    assert sample_cousin(sampler, "train", (2, 1, 0, 0), FULL_SCALES) == Rejection(
        axis="task", reason="out of the robot's reach"
    )


def test_every_goal_lies_in_reach_on_its_structure_and_away_from_other_objects() -> None:
    sampler = sampler_at(0.8)
    for cousin in sample_cousins(sampler, 20):
        task = cousin.task
        instances = {instance.name: instance for instance in cousin.objects}
        goal, start = np.array(task.goal_m), np.array(instances[task.target].position_m)
        base = np.array(task.robot_base_m)
        assert max(np.linalg.norm((goal - base)[:2]), np.linalg.norm((start - base)[:2])) <= 0.75 + 1e-6
        assert 0.1 - 1e-6 <= np.linalg.norm((goal - start)[:2]) <= 0.3 + 1e-6
        assert goal[2] == pytest.approx(TOP_M)
        assert (np.abs(goal[:2]) < 0.6).all()
        other_positions = [np.array(instance.position_m) for name, instance in instances.items() if name != task.target]
        assert min(np.linalg.norm((goal - other)[:2]) for other in other_positions) > 0.02


def test_joints_change_inside_the_recipe_and_never_beyond_the_twins_limits() -> None:
    floor = slab("floor", size_m=(3.0, 3.0, 0.1), top_m=0.0)
    cabinet, box = cabinet_asset(), box_asset("box", (0.06, 0.06, 0.05))
    scene = make_scene(place(cabinet, 0.0, 0.0, 0.25 + GAP_M), place(box, 0.6, 0.0, 0.025 + GAP_M), structures=(floor,))
    scene = replace(scene, relations=find_relations(scene))
    variants = {asset.name: variant(asset.name, asset, asset, "twin") for asset in (cabinet, box)}
    sampler = make_cousin_sampler(Library(scene=scene, variants=variants), recipe_at(0.0, joints=1.0), seed=0)
    for cousin in sample_cousins(sampler, 10):
        (instance,) = (asset for asset in cousin.objects if asset.name == "cabinet")
        assert 0.0 < cousin.distances["joints"] <= 1.0
        for change, joint in zip(instance.joints, cabinet.joints, strict=True):
            assert change.name == joint.name
            assert joint.lower <= change.lower <= change.upper <= joint.upper
            assert change.upper >= 0.75 * joint.upper - 1e-6
            assert change.damping == pytest.approx(joint.damping, rel=1.6)
        changed = build_scene(cousin, sampler.library).objects[0].asset
        assert [joint.upper for joint in changed.joints] == [change.upper for change in instance.joints]


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
    same = sample_look(home, Recipe().look, 0.0, np.random.default_rng(0))
    for light, twin in zip(same.lights, home.lights, strict=True):
        unit = np.array(twin.direction) / np.linalg.norm(twin.direction)
        np.testing.assert_allclose(light.direction, unit, atol=1e-6)
        assert (light.color, light.intensity) == (twin.color, twin.intensity)
    assert replace(same, lights=home.lights) == home


@pytest.mark.parametrize("home", LOOKS.values(), ids=LOOKS)
def test_a_look_stays_in_its_ranges(home: Look) -> None:
    for seed in range(30):
        look = sample_look(home, Recipe().look, 1.0, np.random.default_rng(seed))
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


def test_low_discrepancy_points_do_not_depend_on_their_number() -> None:
    points = low_discrepancy_points(100, dimensions=8, start=0, seed=3)
    np.testing.assert_array_equal(points[40:50], low_discrepancy_points(10, dimensions=8, start=40, seed=3))
    assert points.min() >= 0.0
    assert points.max() < 1.0
    assert all(coverage(points[:, axis]) >= 0.9 for axis in range(8))


def test_farthest_point_order_covers_more_than_the_order_of_sampling() -> None:
    vectors = np.random.default_rng(0).uniform(size=(200, 3)) ** 3
    order = farthest_point_order(vectors)
    assert sorted(order) == list(range(200))
    assert order[0] == int(np.argmax(np.linalg.norm(vectors, axis=1)))
    assert dispersion(vectors[order[:30]]) < dispersion(vectors[:30])
    assert farthest_point_order(vectors[:5], selected=vectors[[2]])[-1] == 2


def test_ties_go_to_the_lower_index() -> None:
    assert farthest_point_order(np.ones((4, 2))) == [0, 1, 2, 3]
    assert farthest_point_order(np.zeros((0, 2))) == []
