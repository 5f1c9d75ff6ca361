"""Signatures are measured: against known shapes, exact booleans and a ball that falls in a physics engine."""

from __future__ import annotations

import time
from dataclasses import replace

import manifold3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cousins.affordances import Signature, measure_affordances, missing_affordances
from cousins.affordances.grasps import FINGER_SIZE_M, HAND_SIZE_M, MAX_OPENING_M, OPEN_GAP_M, TIP_DEPTH_M
from cousins.affordances.hulls import hulls_of
from cousins.plugins import load_backend
from cousins.reconstruct.assets import Asset
from sim.physics.simple_assets import box_piece, make_scene, place, rigid_asset, sphere_piece
from tests.cousins.affordances.shapes import (
    CUP_BOTTOM_M,
    CUP_HEIGHT_M,
    CUP_RADIUS_M,
    CUP_WALL_M,
    box,
    cabinet,
    cup,
    table,
)


def cavity_volume_m3() -> float:
    """Return the exact volume of the cup's hollow: a prism over a polygon of 16 corners."""
    inner = CUP_RADIUS_M - CUP_WALL_M
    return 0.5 * 16 * inner**2 * np.sin(2 * np.pi / 16) * (CUP_HEIGHT_M - CUP_BOTTOM_M)


def sinks(asset: Asset, diameter_m: float, engine_name: str) -> bool:
    """Return whether a ball let go over the opening comes to rest below half of the hollow's depth."""
    cavity = measure_affordances(asset).cavity
    assert cavity is not None
    ball = rigid_asset("ball", [sphere_piece(diameter_m / 2)], mass_kg=0.02)
    x, y, rim = cavity.center_m
    half = asset.size_m[2] / 2
    module = load_backend("sim.physics.backends", engine_name, kind="engine")
    with module.build(module.Config()) as engine:
        engine.load(make_scene(place(asset, 0.0, 0.0, half), place(ball, x, y, half + rim + diameter_m / 2 + 0.003)))
        engine.step(round(1.0 / engine.timestep_s))
        poses = engine.poses()
    fell = (np.linalg.inv(poses["cup"]) @ poses["ball"])[2, 3] - diameter_m / 2
    return bool(fell <= rim - 0.5 * cavity.depth_m)


def test_the_hollow_of_a_cup_has_its_exact_volume_opening_and_depth() -> None:
    cavity = measure_affordances(cup()).cavity
    assert cavity is not None
    assert cavity.volume_m3 == pytest.approx(cavity_volume_m3(), rel=0.04)
    assert cavity.depth_m == pytest.approx(CUP_HEIGHT_M - CUP_BOTTOM_M, abs=1e-6)
    assert cavity.opening_m == pytest.approx(2 * (CUP_RADIUS_M - CUP_WALL_M) * np.cos(np.pi / 16), abs=0.002)
    assert cavity.center_m == pytest.approx((0.0, 0.0, CUP_HEIGHT_M / 2), abs=0.001)


@pytest.mark.parametrize("engine", ["mujoco", "pybullet"])
def test_a_ball_of_the_opening_sinks_in_and_a_larger_one_does_not(engine: str) -> None:
    cavity = measure_affordances(cup()).cavity
    assert cavity is not None
    assert sinks(cup(), 0.97 * cavity.opening_m, engine)
    assert not sinks(cup(), 1.08 * cavity.opening_m, engine)


def test_a_slit_between_two_pieces_lets_nothing_out_but_a_missing_wall_does() -> None:
    a_cup = cup()
    link = a_cup.links[0]
    narrow = [replace(piece, mesh=replace(piece.mesh, vertices=0.995 * piece.mesh.vertices)) for piece in link.pieces]
    slit = replace(a_cup, links=(replace(link, pieces=tuple(narrow)),))
    assert measure_affordances(slit).cavity is not None
    broken = replace(a_cup, links=(replace(link, pieces=link.pieces[1:]),))
    assert measure_affordances(broken).cavity is None


def test_a_solid_has_no_hollow_and_its_whole_top_carries() -> None:
    signature = measure_affordances(box(0.3, 0.2, 0.1))
    assert signature.cavity is None
    assert signature.support is not None
    assert signature.support.radius_m == pytest.approx(0.1, abs=0.003)
    assert signature.support.center_m[2] == pytest.approx(0.05)
    assert measure_affordances(rigid_asset("ball", [sphere_piece(0.035)])).support is None


@pytest.mark.parametrize("width_m", [0.06, 0.0755])
def test_a_box_is_gripped_when_it_is_narrower_than_the_gripper_and_its_room(width_m: float) -> None:
    signature = measure_affordances(box(width_m, 0.2, 0.12))
    assert signature.grasps
    assert measure_affordances(box(0.018 + width_m, 0.2, 0.12)).grasps == () or width_m < 0.07
    for grasp in signature.grasps:
        assert grasp.width_m == pytest.approx(width_m, abs=1e-6)
        assert abs(grasp.axis[0]) == pytest.approx(1.0)


def test_a_flat_book_on_the_floor_cannot_be_gripped_but_a_standing_one_can() -> None:
    assert measure_affordances(box(0.23, 0.16, 0.03)).grasps == ()
    kinds = {grasp.approach[2] < -0.5 for grasp in measure_affordances(box(0.03, 0.16, 0.23)).grasps}
    assert kinds == {True, False}


def gripper(grasp_axis: np.ndarray, approach: np.ndarray, center: np.ndarray, width: float, tip: float) -> list:
    """Return fingers and hand of a gripper at a grasp as solids, opened as it comes."""
    frame = np.stack([grasp_axis, np.cross(approach, grasp_axis), approach], axis=1)
    thick, wide, long = FINGER_SIZE_M
    gap = min(OPEN_GAP_M, (MAX_OPENING_M - width) / 2)
    aside = width / 2 + gap + thick / 2
    parts = [((thick, wide, long), (sign * aside, 0.0, tip - long / 2)) for sign in (-1.0, 1.0)]
    parts.append(((HAND_SIZE_M[0], HAND_SIZE_M[1], 0.06), (0.0, 0.0, tip - long - 0.03)))
    solids = []
    for size, middle in parts:
        pose = np.column_stack([frame, center + frame @ np.array(middle)])
        solids.append(manifold3d.Manifold.cube(size, center=True).transform(pose))
    return solids


@pytest.mark.parametrize("asset", [cup(), box(0.05, 0.1, 0.08), table()], ids=["cup", "box", "table"])
def test_the_gripper_meets_nothing_of_the_asset_at_any_grasp(asset: Asset) -> None:
    signature = measure_affordances(asset)
    assert 1 <= len(signature.grasps) <= 8
    hulls = [manifold3d.Manifold.hull_points(points) for points in hulls_of(asset).points]
    floor = hulls_of(asset).low[2]
    for grasp in signature.grasps:
        center, approach = np.array(grasp.center_m), np.array(grasp.approach)
        tip = min(TIP_DEPTH_M, center[2] - floor) if approach[2] < -0.5 else TIP_DEPTH_M
        for solid in gripper(np.array(grasp.axis), approach, center, grasp.width_m, tip):
            assert all((solid ^ hull).volume() < 1e-12 for hull in hulls)


def test_the_hand_takes_a_door_at_its_handle_far_from_the_hinge() -> None:
    (hinge,) = measure_affordances(cabinet()).joints
    assert (hinge.kind, hinge.axis, hinge.range) == ("revolute", (0.0, 0.0, -1.0), 1.6)
    assert hinge.handle_m is not None
    assert hinge.handle_m == pytest.approx((0.17, -0.205, 0.0), abs=0.06)


def test_the_best_grasp_is_above_the_center_of_volume() -> None:
    handle = rigid_asset("pot", [box_piece([0.1, 0.1, 0.1]), box_piece([0.02, 0.02, 0.1], center_m=(0.0, 0.0, 0.1))])
    best = measure_affordances(handle).grasps[0]
    assert best.center_m[2] > 0.05
    assert best.width_m == pytest.approx(0.02)


def test_a_shade_that_is_open_below_holds_nothing() -> None:
    a_cup = cup()
    link = a_cup.links[0]
    stem = box_piece([0.02, 0.02, 0.2], center_m=(0.0, 0.0, -0.12))
    spokes = box_piece([2 * CUP_RADIUS_M, 0.004, 0.004])
    shade = replace(a_cup, links=(replace(link, pieces=(*link.pieces[:-1], stem, spokes)),))
    assert measure_affordances(shade).cavity is None


def test_a_door_that_only_opens_towards_the_hand_and_has_no_handle_cannot_be_moved() -> None:
    (hinge,) = measure_affordances(cabinet(handle=False)).joints
    assert hinge.handle_m is None


def test_an_asset_lacks_nothing_of_itself_and_missing_affordances_are_described() -> None:
    a_cup, door = measure_affordances(cup()), measure_affordances(cabinet())
    assert missing_affordances(a_cup, a_cup) == ()
    assert missing_affordances(door, door) == ()
    assert missing_affordances(a_cup, measure_affordances(box(0.06, 0.06, 0.1))) == ("holds nothing",)
    assert missing_affordances(door, measure_affordances(box(0.3, 0.3, 0.5))) == ("no joint in place of hinge",)
    assert missing_affordances(measure_affordances(table()), measure_affordances(box(0.6, 0.4, 0.5))) == (
        "no grasp for a gripper of 80 mm",
    )
    assert missing_affordances(door, measure_affordances(cabinet(upper=1.0))) == ("hinge: range 1 instead of 1.6",)
    small = replace(a_cup, cavity=replace(a_cup.cavity, volume_m3=1e-4, opening_m=0.03))
    assert missing_affordances(a_cup, small) == (
        "opening of 30 mm instead of 60 mm",
        "holds 0.100 l instead of 0.265 l",
    )
    assert missing_affordances(measure_affordances(box(0.3, 0.2, 0.1)), Signature(size_m=(0.1, 0.1, 0.1))) == (
        "level top of radius 0 mm instead of 100 mm",
    )


BOTH = replace(measure_affordances(cabinet()), cavity=measure_affordances(cup()).cavity)
"""A cabinet that holds what a cup does."""


@settings(max_examples=20, deadline=None)
@given(st.floats(0.6, 1.0), st.floats(0.7, 1.0))
def test_what_keeps_its_shares_loses_nothing(share: float, range_share: float) -> None:
    both = BOTH
    less = replace(
        both,
        cavity=replace(both.cavity, volume_m3=share * both.cavity.volume_m3, opening_m=share * both.cavity.opening_m),
        support=replace(both.support, radius_m=share * both.support.radius_m),
        joints=(replace(both.joints[0], range=range_share * both.joints[0].range),),
    )
    assert missing_affordances(both, less) == ()


def test_the_signature_is_the_same_each_time_and_quick() -> None:
    asset = cabinet()
    first = measure_affordances(asset)
    start = time.process_time()
    assert measure_affordances(asset) == first
    assert time.process_time() - start < 0.6
