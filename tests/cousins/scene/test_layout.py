"""Repair and relations: monotone, gentle, exact at contacts."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cousins.capture.captures import Scale
from cousins.geometry import Array, rigid, rotation_about
from cousins.meshes import concatenate
from cousins.reconstruct.assets import Asset
from cousins.scene.layout.collision_bodies import clearance_below, find_overlaps, scene_bodies
from cousins.scene.layout.minkowski import convex_hull, minkowski_difference
from cousins.scene.layout.relations import find_relations
from cousins.scene.layout.repair import repair
from cousins.scene.scenes import PlacedAsset, Relation, Scene
from tests.cousins.scene.scenes_for_tests import (
    asset_of,
    ball_asset,
    bowl_asset,
    box_asset,
    box_piece,
    can_asset,
    hull_piece,
    link_of,
    slab,
    table_scene,
    with_pose,
)

Z = np.array([0.0, 0.0, 1.0])


def scene_of(*objects: tuple[Asset, Array]) -> Scene:
    return Scene(
        name="small",
        structures=(slab("table", "table", (2.0, 2.0), 0.0, (0.0, 0.0)),),
        objects=tuple(PlacedAsset(asset=asset, world_from_asset=pose) for asset, pose in objects),
        relations=(),
        scale=Scale(source="lidar", error=0.01),
    )


def pose_at(x: float, y: float, z: float, *, turn: float = 0.0, tilt: float = 0.0) -> Array:
    return rigid(rotation_about(np.array([1.0, 0.4, 0.0]), tilt) @ rotation_about(Z, turn), np.array([x, y, z]))


def chair_asset(leg_errors_m: tuple[float, float, float, float]) -> Asset:
    """A seat on four legs whose feet end at slightly different heights."""
    seat = box_piece((0.4, 0.4, 0.03), (0.0, 0.0, 0.2))
    legs = tuple(
        box_piece((0.03, 0.03, 0.4 + error), (0.18 * x, 0.18 * y, 0.185 - (0.4 + error) / 2))
        for error, (x, y) in zip(leg_errors_m, ((-1, -1), (1, -1), (1, 1), (-1, 1)), strict=True)
    )
    back = box_piece((0.03, 0.4, 0.4), (-0.185, 0.0, 0.415))
    pieces = (seat, *legs, back)
    link = link_of("body", concatenate([piece.mesh for piece in pieces]), pieces)
    return asset_of("chair", "chair", (link,), (), np.array([0.4, 0.4, 0.83]))


def assert_in_contact_and_free(scene: Scene) -> None:
    bodies = scene_bodies(scene)
    for placed in scene.objects:
        body = bodies[placed.asset.name]
        other_bodies = [other for name, other in bodies.items() if name != body.name]
        assert not any(find_overlaps(body, other, tolerance_m=1e-6) for other in other_bodies)
        assert 0.0 <= min(clearance_below(body, other) for other in other_bodies) <= 5e-4


def test_a_scene_that_is_right_is_left_alone() -> None:
    scene, report = repair(table_scene())
    assert report.status == "converged"
    assert report.pushes == 0
    assert max(report.moved_m.values()) <= 1.1e-5
    again, second = repair(scene)
    assert second.moved_m == {"cabinet": 0.0, "box": 0.0, "bowl": 0.0}
    np.testing.assert_array_equal(again.objects[1].world_from_asset, scene.objects[1].world_from_asset)


def test_a_tilted_sunk_box_ends_level_on_the_table() -> None:
    scene, report = repair(scene_of((box_asset(), pose_at(0.1, 0.2, 0.018, turn=0.7, tilt=0.03))))
    pose = scene.objects[0].world_from_asset
    np.testing.assert_allclose(pose[:3, 2], Z, atol=1e-6)
    assert pose[2, 3] == pytest.approx(0.025, abs=2e-5)
    np.testing.assert_allclose(pose[:2, 3], [0.1, 0.2], atol=1e-3)
    assert report.turned_rad["box"] == pytest.approx(0.03, abs=1e-6)


def test_a_box_that_lies_steeper_than_noise_is_not_turned() -> None:
    _, report = repair(scene_of((box_asset(), pose_at(0.0, 0.0, 0.06, tilt=0.2))))
    assert report.turned_rad["box"] == 0.0


def test_a_chair_with_uneven_feet_stands_on_three_of_them() -> None:
    scene, report = repair(scene_of((chair_asset((0.0, 0.004, -0.003, 0.002)), pose_at(0.0, 0.0, 0.22))))
    assert report.status == "converged"
    assert 0.0 < report.turned_rad["chair"] < np.deg2rad(2.0)
    body = scene_bodies(scene)["chair"]
    feet = sorted(float(hull.low[2]) for hull in body.hulls[1:5])
    assert feet[2] == pytest.approx(1e-5, abs=2e-6)
    assert feet[3] < 0.01


def test_overlapping_boxes_are_parted_sideways_by_the_least_way() -> None:
    scene, report = repair(
        scene_of((box_asset("left"), pose_at(0.0, 0.0, 0.025)), (box_asset("right"), pose_at(0.0, 0.115, 0.025)))
    )
    assert report.status == "converged"
    assert report.violation_after_m == 0.0
    assert sum(report.moved_m.values()) == pytest.approx(0.005, abs=1e-4)
    assert_in_contact_and_free(scene)


def test_a_box_in_a_wall_is_pushed_out_of_the_wall_not_the_wall_out_of_the_box() -> None:
    scene = scene_of((box_asset(), pose_at(0.0, 0.0, 0.025)))
    wall = replace(slab("wall_0", "wall", (1.0, 0.05), 1.0, (0.0, 0.08)), kind="wall")
    wall = replace(wall, pieces=(box_piece((1.0, 0.05, 1.0), (0.0, 0.08, 0.5)),))
    repaired, report = repair(replace(scene, structures=(*scene.structures, wall)))
    assert report.status == "converged"
    assert repaired.objects[0].world_from_asset[1, 3] == pytest.approx(-0.005, abs=5e-5)
    assert Relation(kind="against", subject="box", object="wall_0") in find_relations(repaired)


def test_a_stack_is_raised_together() -> None:
    scene, report = repair(
        scene_of((box_asset("low"), pose_at(0.0, 0.0, 0.02)), (box_asset("high"), pose_at(0.01, 0.0, 0.07)))
    )
    assert report.status == "converged"
    heights = [placed.world_from_asset[2, 3] for placed in scene.objects]
    np.testing.assert_allclose(heights, [0.025, 0.075], atol=5e-5)
    assert Relation(kind="on", subject="high", object="low") in find_relations(scene)


def test_every_push_lowers_the_total_overlap() -> None:
    rng = np.random.default_rng(3)
    objects = [
        (box_asset(f"box_{i}"), pose_at(*rng.uniform(-0.12, 0.12, 2), 0.023, turn=rng.uniform(0, 3), tilt=0.01))
        for i in range(5)
    ]
    scene, report = repair(scene_of(*objects))
    history = (report.violation_before_m, *report.history_m)
    assert report.status == "converged"
    assert report.violation_after_m == 0.0
    assert all(after < before for before, after in itertools.pairwise(history[1:]))
    assert len(scene.objects) == 5
    assert_in_contact_and_free(scene)


def test_a_ball_dropped_into_a_bowl_rests_inside_it() -> None:
    scene, report = repair(
        scene_of(
            (bowl_asset(), pose_at(0.0, 0.0, 0.033)),
            (ball_asset(), pose_at(0.005, 0.0, 0.05)),
            (can_asset(), pose_at(0.15, 0.0, 0.06)),
        )
    )
    assert report.status == "converged"
    relations = find_relations(scene)
    assert Relation(kind="inside", subject="ball", object="bowl") in relations
    assert Relation(kind="on", subject="bowl", object="table") in relations
    assert Relation(kind="next to", subject="bowl", object="can") in relations
    assert not any(relation.kind == "on" and relation.subject == "ball" for relation in relations)


def test_relations_come_from_pieces_not_from_boxes() -> None:
    """A ball under the overhang of a table-like asset is within its box, yet neither in nor on it."""
    table = chair_asset((0.0, 0.0, 0.0, 0.0))
    scene, _ = repair(scene_of((table, pose_at(0.0, 0.0, 0.215)), (ball_asset(), pose_at(0.0, 0.0, 0.035))))
    kinds = {(relation.kind, relation.subject, relation.object) for relation in find_relations(scene)}
    assert ("on", "ball", "table") in kinds
    assert ("on", "chair", "table") in kinds
    assert ("inside", "ball", "chair") not in kinds
    assert ("on", "chair", "ball") not in kinds


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), offset=st.floats(0.0, 0.15))
def test_the_push_along_a_direction_just_parts_two_hulls(seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    first = convex_hull(rng.normal(size=(12, 3)) * 0.05)
    second = convex_hull(rng.normal(size=(12, 3)) * 0.05 + offset)
    pair = minkowski_difference(first, second)
    if pair.depth_m <= 0.0:
        assert pair.distance_m > 0.0
        return
    direction = pair.horizontal_direction()
    distance = pair.push_distance(direction)
    parted = minkowski_difference(first.transformed(rigid(translation=direction * (distance + 1e-7))), second)
    nearly = minkowski_difference(first.transformed(rigid(translation=direction * (distance - 1e-5))), second)
    assert parted.depth_m <= 0.0 < nearly.depth_m
    assert parted.distance_m < 1e-6


def test_a_locked_heap_ends_with_a_status_and_loses_nothing() -> None:
    walls = []
    for index, x in enumerate((-0.09, 0.09)):
        wall = replace(slab(f"wall_{index}", "wall", (0.1, 1.0), 1.0, (x, 0.0)), kind="wall")
        walls.append(replace(wall, pieces=(box_piece((0.1, 1.0, 3.0), (x * 1.5, 0.0, 0.5)),)))
    scene = scene_of((box_asset(), pose_at(0.0, 0.0, 0.025)))
    scene, report = repair(replace(scene, structures=(*scene.structures, *walls)))
    assert report.status == "nothing movable"
    assert 0.0 < report.violation_after_m <= report.violation_before_m
    assert report.moved_m["box"] < 1e-3
    assert len(scene.objects) == 1


def test_moving_an_object_by_hand_is_seen_in_its_relations() -> None:
    scene = with_pose(table_scene(), "box", pose_at(0.1, 0.05, 0.95))
    assert not any(relation.subject == "box" for relation in find_relations(scene))


def test_a_box_on_a_ramp_is_left_lying_along_the_ramp() -> None:
    ramp = rotation_about(np.array([1.0, 0.0, 0.0]), 0.15)
    scene = scene_of((box_asset(), rigid(ramp, ramp @ np.array([0.0, 0.0, 0.026]))))
    piece = box_piece((1.0, 1.0, 0.05))
    pose = rigid(ramp, ramp @ np.array([0.0, 0.0, -0.025]))
    piece = replace(piece, mesh=piece.mesh.transformed(pose), link_from_piece=pose)
    repaired, report = repair(replace(scene, structures=(replace(scene.structures[0], pieces=(piece,)),)))
    assert report.turned_rad["box"] == 0.0
    assert_in_contact_and_free(repaired)


def rough_book(rng: np.random.Generator) -> Asset:
    """A book of four convex pieces whose tops lie up to 3 mm apart and aslant."""
    pieces = []
    for x in (-0.06, 0.06):
        for y in (-0.04, 0.04):
            corners = np.array(np.meshgrid([-0.06, 0.06], [-0.04, 0.04], [-0.015, 0.015])).reshape(3, -1).T
            corners[corners[:, 2] > 0.0, 2] += rng.uniform(-0.003, 0.003, 4)
            pieces.append(hull_piece(corners + np.array([x, y, 0.0])))
    link = link_of("body", concatenate([piece.mesh for piece in pieces]), tuple(pieces))
    return asset_of("book", "book", (link,), (), np.array([0.24, 0.16, 0.03]))


@pytest.mark.parametrize("seed", range(4))
def test_what_stands_on_a_rough_top_gets_a_flat_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = scene_of(
        (rough_book(rng), pose_at(0.0, 0.0, 0.016)), (box_asset("tin", (0.07, 0.07, 0.06)), pose_at(0.0, 0.0, 0.062))
    )
    repaired, report = repair(scene)
    book, tin = scene_bodies(repaired)["book"], scene_bodies(repaired)["tin"]
    tops = np.array([hull.high[2] for hull in book.hulls])
    assert np.ptp(tops) < 1e-9
    assert repaired.objects[0].asset.completions[-1] == "flat top"
    assert clearance_below(tin, book) == pytest.approx(1e-5, abs=2e-6)
    assert report.status == "converged"
    assert max(report.moved_m.values()) < 0.01


def test_a_top_that_is_no_plane_is_left_as_it_is() -> None:
    scene = scene_of(
        (ball_asset("ball", 0.05), pose_at(0.0, 0.0, 0.05)),
        (box_asset("lid", (0.07, 0.07, 0.01)), pose_at(0, 0, 0.107)),
    )
    assert "flat top" not in repair(scene)[0].objects[0].asset.completions


def test_the_layout_prefers_short_ways() -> None:
    """A box stands 2 cm deep in the side of a tall one: it moves those 2 cm, nothing is lifted onto the other."""
    scene = scene_of(
        (box_asset("tall", (0.1, 0.1, 0.3)), pose_at(0.0, 0.0, 0.15)),
        (box_asset("low", (0.1, 0.1, 0.06)), pose_at(0.08, 0.0, 0.03)),
    )
    _, report = repair(scene)
    assert report.status == "converged"
    assert max(report.moved_m.values()) == pytest.approx(0.02, abs=1e-4)
