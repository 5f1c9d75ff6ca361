"""Fragments: what was seen in part and cannot stand; never what stands, nor what was seen from all around."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cousins.geometry import rotation_about
from cousins.scene.scenes import PlacedAsset
from sim.physics.simple_assets import box_piece, make_scene, place, rigid_asset
from sim.validation.fragments import find_fragments

LEANING = rotation_about(np.array([0.0, 1.0, 0.0]), np.deg2rad(12.0))


def observed(placed: PlacedAsset, share: float) -> PlacedAsset:
    return replace(placed, asset=replace(placed.asset, observed_area_m2=share, completed_area_m2=1.0 - share))


def pole(name: str, x_m: float) -> PlacedAsset:
    return place(rigid_asset(name, [box_piece([0.02, 0.02, 0.4])], mass_kg=0.2), x_m, 0.0, 0.2, rotation=LEANING)


def brick(x_m: float) -> PlacedAsset:
    return place(rigid_asset("brick", [box_piece([0.1, 0.1, 0.1])], mass_kg=0.5), x_m, 0.0, 0.052)


def test_only_what_falls_and_was_seen_in_part_is_a_fragment() -> None:
    scene = make_scene(
        observed(pole("seen_in_part", 0.0), 0.3), observed(pole("seen_all_around", 0.6), 0.7), observed(brick(1.2), 0.2)
    )
    assert find_fragments(scene).names == ("seen_in_part",)


def test_what_is_fixed_already_is_no_fragment() -> None:
    scene = make_scene(replace(observed(pole("on_the_wall", 0.0), 0.2), fixed=True), observed(brick(0.5), 0.2))
    assert find_fragments(scene).names == ()


def test_what_a_falling_fragment_knocks_over_is_kept() -> None:
    tower = place(rigid_asset("tower", [box_piece([0.03, 0.03, 0.2])], mass_kg=0.1), 0.06, 0.0, 0.102)
    heavy = place(rigid_asset("heavy", [box_piece([0.02, 0.02, 0.4])], mass_kg=2.0), 0.0, 0.0, 0.2, rotation=LEANING)
    scene = make_scene(observed(heavy, 0.2), observed(tower, 0.3))
    assert find_fragments(scene).names == ("heavy",)
