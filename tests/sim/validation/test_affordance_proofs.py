"""Affordance tests report what an asset fails to do: stand, hold a ball, move its joints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from cousins.geometry import rotation_about
from cousins.reconstruct.assets import Asset
from cousins.vary.library.variants import lowest_point_m
from sim.physics.simple_assets import box_piece, cylinder_piece, place, rigid_asset
from sim.validation.affordance_proofs import AffordanceProver
from tests.cousins.scene.scenes_for_tests import bowl_asset, box_asset, cabinet_asset, hull_piece


@pytest.fixture(scope="module")
def prove() -> Iterator[AffordanceProver]:
    with AffordanceProver(["mujoco"]) as prover:
        yield prover


def filled(bowl: Asset) -> Asset:
    """Return a bowl whose collision pieces fill its hollow, as one hull does."""
    (link,) = bowl.links
    points = np.concatenate([piece.mesh.vertices for piece in link.pieces])
    return replace(bowl, links=(replace(link, pieces=(hull_piece(points),)),))


@pytest.mark.parametrize("asset", [box_asset(), bowl_asset(), cabinet_asset()], ids=lambda asset: asset.name)
def test_what_does_what_it_should_passes(prove: AffordanceProver, asset: Asset) -> None:
    assert prove(asset) == ()


def test_a_bowl_whose_hollow_is_filled_takes_no_ball_in(prove: AffordanceProver) -> None:
    assert prove(filled(bowl_asset())) == ("its hollow takes no ball in",)


def test_a_pole_on_its_end_does_not_stand(prove: AffordanceProver) -> None:
    pole = rigid_asset(
        "pole", [box_piece([0.002, 0.002, 0.4]), box_piece([0.05, 0.05, 0.05], center_m=(0.03, 0.0, 0.2))]
    )
    assert prove(pole) == ("does not stand",)


def test_a_pole_that_lies_in_the_twin_is_proven_lying(prove: AffordanceProver) -> None:
    pole = rigid_asset("pole", [cylinder_piece(0.01, 0.4), box_piece([0.04, 0.04, 0.02], center_m=(0.0, 0.0, 0.2))])
    down = rotation_about(np.array([1.0, 0.0, 0.0]), np.pi / 2.0)
    assert lowest_point_m(pole, down) == pytest.approx(-0.02, abs=1e-6)
    stick = rigid_asset("stick", [box_piece([0.03, 0.01, 0.3])])
    assert prove(stick, down) == ()


def test_a_ball_on_a_point_does_not_stand(prove: AffordanceProver) -> None:
    lean = rotation_about(np.array([1.0, 0.0, 0.0]), 0.5)
    assert prove(box_asset(), lean) == ("does not stand",)


def test_the_lowest_point_is_that_of_the_turned_pieces() -> None:
    box = box_asset("box", (0.2, 0.1, 0.06))
    assert lowest_point_m(box) == pytest.approx(-0.03)
    turn = rotation_about(np.array([0.0, 1.0, 0.0]), np.pi / 4.0)
    assert lowest_point_m(box, turn) == pytest.approx(-(0.1 + 0.03) / np.sqrt(2.0))
    assert place(box, 0.0, 0.0, 0.1).world_from_asset[2, 3] == 0.1
