"""Which variants are held out: the farthest shapes, and whole families, the farthest first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cousins.vary.cousins import Variant
from cousins.vary.library.variants import _with_held_out
from cousins.vary.recipes import Splits
from tests.cousins.scene.scenes_for_tests import box_asset
from tests.cousins.vary.tables_for_tests import variant

ASSET = box_asset("brick", (0.05, 0.1, 0.04))


def library(shapes: list[float], families: dict[str, list[float]]) -> tuple[dict[str, Variant], dict[str, str]]:
    """Return variants of one object with the given distances, and their groups."""
    shape, swap = variant("shape", ASSET, ASSET, "shape"), variant("swap", ASSET, ASSET, "family")
    variants = {f"s{number}": replace(shape, key=f"s{number}", shape_distance=d) for number, d in enumerate(shapes)}
    groups = dict.fromkeys(variants, "shape")
    for family, distances in families.items():
        for number, distance in enumerate(distances):
            key = f"{family}{number}"
            variants[key], groups[key] = replace(swap, key=key, swap_distance=distance), family
    return variants, groups


def held_out(shapes: list[float], families: dict[str, list[float]], share: float) -> set[str]:
    variants, groups = library(shapes, families)
    result = _with_held_out(variants, groups, Splits(far_shapes=share))
    assert list(result) == list(variants)
    return {key for key, entry in result.items() if entry.held_out}


def test_the_farthest_shapes_are_held_out_in_their_share() -> None:
    assert held_out([0.1, 0.4, 0.2, 0.5, 0.3], {}, 0.4) == {"s1", "s3"}
    assert held_out([0.1, 0.4, 0.2, 0.5, 0.3], {}, 0.0) == set()


def test_of_equally_far_shapes_the_first_by_name_is_held_out() -> None:
    assert held_out([0.2, 0.2, 0.2, 0.2], {}, 0.25) == {"s0"}


def test_the_farthest_family_is_held_out_as_a_whole() -> None:
    families = {"mug": [0.2, 0.3], "vase": [0.6, 0.9], "jar": [0.4, 0.5], "can": [0.1, 0.1]}
    assert held_out([], families, 0.2) == {"vase0", "vase1"}


def test_more_families_are_held_out_the_larger_the_share_but_never_more_than_half_of_the_swaps() -> None:
    families = {"mug": [0.2, 0.3], "vase": [0.6, 0.9], "jar": [0.4, 0.5], "can": [0.1, 0.1]}
    assert held_out([], families, 0.25) == {"vase0", "vase1", "jar0", "jar1"}
    assert held_out([], families, 0.5) == {"vase0", "vase1", "jar0", "jar1"}


def test_a_family_too_large_for_the_share_leaves_room_for_a_nearer_one() -> None:
    families = {"vase": [0.8, 0.8, 0.8, 0.8], "mug": [0.2], "can": [0.1, 0.1, 0.1]}
    assert held_out([], families, 0.125) == {"mug0"}


def test_the_mean_of_a_family_decides_and_not_its_farthest_member() -> None:
    assert held_out([], {"mug": [0.0, 0.9], "vase": [0.6, 0.6]}, 0.5) == {"vase0", "vase1"}


@pytest.mark.parametrize("kind", ["twin", "clutter"])
def test_the_objects_themselves_and_clutter_are_never_held_out(kind: str) -> None:
    entry = replace(variant("brick", ASSET, ASSET, kind), twin_object="brick", shape_distance=1.0, swap_distance=1.0)
    assert not _with_held_out({"brick": entry}, {"brick": "x"}, Splits(far_shapes=1.0))["brick"].held_out
