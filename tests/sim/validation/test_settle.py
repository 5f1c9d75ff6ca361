"""Settling brings a scan to rest near its poses, and reports the objects that it had to fix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.codec import decode, encode
from cousins.geometry import rotation_about
from cousins.scene.scenes import Relation, Scene
from sim.physics.simple_assets import box_piece, cylinder_piece, hull_piece, make_scene, place, rigid_asset
from sim.validation.gates import GateConfig, run_gates
from sim.validation.settle import SettleConfig, SettleResult, settle
from sim.validation.stability import StabilityConfig

TILT = rotation_about(np.array([1.0, 0.4, 0.0]), np.deg2rad(2.0))
SHORT = GateConfig(stability=StabilityConfig(escape_s=4.0))


def noisy_stack() -> Scene:
    """Return a hull, a box and a cylinder on each other, disturbed as by a scan: gaps, overlaps, tilts."""
    base = rigid_asset("base", [hull_piece(box_piece([0.2, 0.2, 0.1]).mesh.vertices)], mass_kg=0.8)
    middle = rigid_asset("middle", [box_piece([0.12, 0.12, 0.06])], mass_kg=0.3)
    top = rigid_asset("top", [cylinder_piece(0.04, 0.08)], mass_kg=0.2)
    scene = make_scene(
        place(base, 0.0, 0.0, 0.053, rotation=TILT),
        place(middle, 0.01, 0.0, 0.128),
        place(top, 0.0, 0.01, 0.203, rotation=TILT.T),
    )
    pairs = [("base", "floor"), ("middle", "base"), ("top", "middle")]
    return replace(scene, relations=tuple(Relation(kind="on", subject=a, object=b) for a, b in pairs))


@pytest.mark.parametrize("engine", ["pybullet", "mujoco"])
def test_a_noisy_stack_comes_to_rest_close_to_its_scan_without_overlap(engine: str) -> None:
    settled = settle(noisy_stack(), engine=engine)
    assert settled.max_depth_m < 1e-6
    assert all(rest.kept_support and not rest.fallen for rest in settled.rests)
    assert max(settled.moved_m.values()) < 0.012
    assert [rest.supports for rest in settled.rests] == [("floor",), ("base",), ("middle",)]
    assert settled.scene.warnings == ()
    report = run_gates(settled.scene, config=SHORT)
    assert report.failures == ()
    assert all(summary.max_penetration_mm < 0.1 and summary.max_settle_mm < 1.0 for summary in report.engines)


def test_what_comes_to_rest_in_no_engine_is_fixed_where_it_was_scanned() -> None:
    scene = noisy_stack()
    settled = settle(scene, config=SettleConfig(max_drift_m=0.0, max_drift_rad=0.0))
    assert all(placed.fixed for placed in settled.scene.objects)
    for placed, scanned in zip(settled.scene.objects, scene.objects, strict=True):
        np.testing.assert_array_equal(placed.world_from_asset, scanned.world_from_asset)


def test_settling_what_is_at_rest_changes_nothing_to_speak_of() -> None:
    once = settle(noisy_stack())
    twice = settle(once.scene)
    assert max(twice.moved_m.values()) < 2e-4


def test_settling_twice_gives_the_same_bits() -> None:
    first, second = (settle(noisy_stack()) for _ in range(2))
    for placed, other in zip(first.scene.objects, second.scene.objects, strict=True):
        assert placed.world_from_asset.tobytes() == other.world_from_asset.tobytes()


def test_what_cannot_stand_is_fixed_at_its_scanned_pose_and_named() -> None:
    pole = rigid_asset("pole", [box_piece([0.02, 0.02, 0.4])], mass_kg=0.2)
    brick = rigid_asset("brick", [box_piece([0.1, 0.1, 0.1])], mass_kg=0.5)
    leaning = rotation_about(np.array([0.0, 1.0, 0.0]), np.deg2rad(12.0))
    scene = make_scene(place(pole, 0.0, 0.0, 0.2, rotation=leaning), place(brick, 0.5, 0.0, 0.052))
    settled = settle(scene)
    rests = {rest.name: rest for rest in settled.rests}
    assert rests["pole"].fallen
    assert rests["pole"].rotated_rad > 1.0
    assert not rests["brick"].fallen
    assert np.array_equal(settled.scene.objects[0].world_from_asset, scene.objects[0].world_from_asset)
    assert [placed.fixed for placed in settled.scene.objects] == [True, False]
    (fallback,) = settled.scene.fallbacks
    assert fallback.startswith("pole cannot stand by itself: fixed in place")
    report = run_gates(settled.scene, config=SHORT)
    assert report.passed
    assert report.to_json()["fixed"] == ["pole"]
    assert {result.subject for result in report.results} == {"brick"}


def test_what_stands_on_a_fixed_thing_rests_there() -> None:
    table = rigid_asset("table", [box_piece([0.02, 0.02, 0.3]), box_piece([0.3, 0.1, 0.02], center_m=(0.1, 0.0, 0.16))])
    cup = rigid_asset("cup", [box_piece([0.05, 0.05, 0.05])], mass_kg=0.2)
    settled = settle(make_scene(place(table, 0.0, 0.0, 0.15), place(cup, 0.15, 0.0, 0.346)))
    assert [placed.fixed for placed in settled.scene.objects] == [True, False]
    assert settled.rests[1].supports == ("table",)
    assert run_gates(settled.scene, config=SHORT).passed


def test_what_cannot_be_parted_is_fixed() -> None:
    pair = [rigid_asset(name, [box_piece([0.1, 0.1, 0.1])]) for name in ("left", "right")]
    settled = settle(make_scene(place(pair[0], 0.0, 0.0, 0.05), place(pair[1], 0.02, 0.0, 0.05)))
    assert any(placed.fixed for placed in settled.scene.objects)
    assert run_gates(settled.scene, config=SHORT).passed


def test_an_object_that_lost_its_support_is_reported() -> None:
    shelf = rigid_asset("shelf", [box_piece([0.1, 0.1, 0.01])], mass_kg=0.3)
    item = rigid_asset("item", [box_piece([0.03, 0.03, 0.02])], mass_kg=0.1)
    scene = make_scene(place(shelf, 0.0, 0.0, 0.005), place(item, 0.075, 0.0, 0.02))
    scene = replace(scene, relations=(Relation(kind="on", subject="item", object="shelf"),))
    settled = settle(scene)
    assert {rest.name: rest.kept_support for rest in settled.rests} == {"shelf": True, "item": False}
    assert any(warning.startswith("item ") for warning in settled.scene.warnings)


def test_an_empty_scene_settles() -> None:
    assert settle(make_scene()).rests == ()


def test_a_settled_scene_can_be_stored_and_read_back() -> None:
    settled = settle(noisy_stack())
    again = decode(SettleResult, encode(settled))
    assert again.rests == settled.rests
    assert again.moved_m == settled.moved_m
