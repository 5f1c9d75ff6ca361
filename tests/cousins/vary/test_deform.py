"""Bending a shape: what the maths says about volume, mass and inertia, and what must stay as it is."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from cousins.geometry import transform
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset, Piece
from cousins.scene.layout.collision_bodies import piece_hull
from cousins.vary.library.deform import Deformation, deform
from sim.physics.simple_assets import hull_piece, rigid_asset
from tests.cousins.scene.scenes_for_tests import (
    asset_of,
    ball_asset,
    bowl_asset,
    box_asset,
    cabinet_asset,
    can_asset,
    link_of,
)
from tests.cousins.scene.scenes_for_tests import (
    hull_piece as points_hull,
)

DEFORMATIONS = {
    "stretch": Deformation(stretch=(1.2, 0.8, 1.1)),
    "taper": Deformation(taper=0.3),
    "twist": Deformation(twist_rad=0.5),
    "bow": Deformation(bow=(0.1, -0.05)),
    "all": Deformation(stretch=(1.1, 0.9, 1.2), taper=-0.2, twist_rad=-0.4, bow=(0.08, 0.1)),
}
SINGLE_LINK_ASSETS = {"box": box_asset, "can": can_asset, "ball": ball_asset, "bowl": bowl_asset}


def fine_block(size: tuple[float, float, float] = (0.08, 0.06, 0.12)) -> Asset:
    """A block whose looks are so fine that a bent face is close to the curved one."""
    fine = trimesh.creation.box(extents=size)
    for _ in range(4):
        fine = fine.subdivide()
    piece = points_hull(trimesh.creation.box(extents=size).vertices)
    link = link_of("body", Mesh.from_trimesh(fine), (piece,))
    return asset_of("block", "block", (link,), (), np.array(size))


def solid(asset: Asset) -> trimesh.Trimesh:
    visual = asset.links[0].visual
    mesh = trimesh.Trimesh(visual.vertices, visual.faces, process=True)
    mesh.density = asset.links[0].mass_kg.value / mesh.volume
    return mesh


@pytest.mark.parametrize("make", SINGLE_LINK_ASSETS.values(), ids=SINGLE_LINK_ASSETS)
def test_no_bend_changes_nothing(make: type[Asset]) -> None:
    asset = make()
    same = deform(asset, Deformation(), name=asset.name)
    assert same.name == asset.name
    np.testing.assert_allclose(same.size_m, asset.size_m, atol=1e-9)
    link, original_link = same.links[0], asset.links[0]
    np.testing.assert_allclose(link.visual.vertices, original_link.visual.vertices, atol=1e-12)
    assert link.mass_kg.value == pytest.approx(original_link.mass_kg.value, rel=1e-9)
    np.testing.assert_allclose(link.center_of_mass_m, original_link.center_of_mass_m, atol=1e-12)
    np.testing.assert_allclose(link.inertia_kg_m2, original_link.inertia_kg_m2, rtol=1e-9, atol=1e-15)
    for piece, before in zip(link.pieces, original_link.pieces, strict=True):
        assert piece.kind == before.kind
        np.testing.assert_allclose(piece.link_from_piece, before.link_from_piece, atol=1e-12)
        np.testing.assert_allclose(piece.size_m, before.size_m, atol=1e-9)


@pytest.mark.parametrize("name", DEFORMATIONS)
def test_mass_follows_the_volume(name: str) -> None:
    block = fine_block()
    changed = deform(block, DEFORMATIONS[name], name="block")
    ratio = solid(changed).volume / solid(block).volume
    mass, before = changed.links[0].mass_kg, block.links[0].mass_kg
    assert mass.value == pytest.approx(before.value * ratio, rel=1e-6)
    assert (mass.low / mass.value, mass.high / mass.value) == pytest.approx(
        (before.low / before.value, before.high / before.value)
    )
    assert mass.source == before.source


@pytest.mark.parametrize(
    ("name", "share"), [("stretch", 1e-6), ("twist", 0.05), ("taper", 0.1), ("bow", 0.1), ("all", 0.25)]
)
def test_the_centre_of_mass_and_the_inertia_are_those_of_the_bent_solid(name: str, share: float) -> None:
    """Stretching is exact; what bends keeps the stretched inertia, so it is right to a share of it."""
    changed = deform(fine_block(), DEFORMATIONS[name], name="block")
    mesh = solid(changed)
    link = changed.links[0]
    np.testing.assert_allclose(link.center_of_mass_m, mesh.center_mass, atol=1e-6)
    truth = np.asarray(mesh.moment_inertia)
    np.testing.assert_allclose(link.inertia_kg_m2, truth, atol=share * float(np.trace(truth)) / 3.0)


@pytest.mark.parametrize("name", DEFORMATIONS)
@pytest.mark.parametrize("make", SINGLE_LINK_ASSETS.values(), ids=SINGLE_LINK_ASSETS)
def test_inertia_can_belong_to_a_body(make: type[Asset], name: str) -> None:
    inertia = deform(make(), DEFORMATIONS[name], name="x").links[0].inertia_kg_m2
    np.testing.assert_allclose(inertia, inertia.T)
    a, b, c = np.linalg.eigvalsh(inertia)
    assert a > 0.0
    assert a + b >= c * (1.0 - 1e-9)


@pytest.mark.parametrize("name", DEFORMATIONS)
@pytest.mark.parametrize("make", [box_asset, can_asset, bowl_asset])
def test_a_level_foot_stays_level_and_the_box_stays_in_the_middle(make: type[Asset], name: str) -> None:
    asset = make()
    changed = deform(asset, DEFORMATIONS[name], name="x")
    for before, after in (
        (asset.links[0].visual.vertices, changed.links[0].visual.vertices),
        *(
            (original.mesh.vertices, deformed_piece.mesh.vertices)
            for original, deformed_piece in zip(asset.links[0].pieces, changed.links[0].pieces, strict=True)
            if original.kind == deformed_piece.kind == "mesh"
            and len(original.mesh.vertices) == len(deformed_piece.mesh.vertices)
        ),
    ):
        foot = before[:, 2] < before[:, 2].min() + 1e-9
        assert np.ptp(after[foot, 2]) < 1e-12
    points = changed.links[0].visual.vertices
    np.testing.assert_allclose(points.min(axis=0) + points.max(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(changed.size_m, np.ptp(points, axis=0))
    lowest = min(hull.low[2] for hull in (piece_hull(piece) for piece in changed.links[0].pieces))
    assert lowest == pytest.approx(points[:, 2].min(), abs=1e-4)


def convex(piece: Piece) -> bool:
    hull = piece_hull(piece)
    inside = piece.mesh.vertices @ hull.normals.T - (hull.points @ hull.normals.T).max(axis=0)
    return bool((inside <= 1e-9).all()) and piece.mesh.to_trimesh().is_convex


@pytest.mark.parametrize("name", DEFORMATIONS)
@pytest.mark.parametrize("make", SINGLE_LINK_ASSETS.values(), ids=SINGLE_LINK_ASSETS)
def test_pieces_stay_convex_and_hug_the_looks(make: type[Asset], name: str) -> None:
    asset = make()
    changed = deform(asset, DEFORMATIONS[name], name="x")
    assert len(changed.links[0].pieces) == len(asset.links[0].pieces)
    assert all(convex(piece) for piece in changed.links[0].pieces)
    for points, count in ((changed.links[0].visual.vertices, 200),):
        some = points[:: max(1, len(points) // count)]
        outside = np.min(
            [
                np.max(some @ hull.normals.T - (hull.points @ hull.normals.T).max(axis=0), axis=1)
                for hull in (piece_hull(piece) for piece in changed.links[0].pieces)
            ],
            axis=0,
        )
        assert outside.max() < 0.004


@pytest.mark.parametrize(
    ("make", "deformation", "kinds"),
    [
        (box_asset, Deformation(stretch=(1.1, 0.9, 1.2)), {"box"}),
        (can_asset, Deformation(stretch=(1.1, 1.1, 0.9)), {"cylinder"}),
        (can_asset, Deformation(stretch=(1.1, 0.9, 1.0)), {"mesh"}),
        (ball_asset, Deformation(stretch=(1.1, 1.1, 1.1)), {"sphere"}),
        (ball_asset, Deformation(stretch=(1.1, 1.1, 1.0)), {"mesh"}),
        (box_asset, Deformation(taper=0.1), {"mesh"}),
    ],
)
def test_primitives_stay_what_they_are_where_they_can(
    make: type[Asset], deformation: Deformation, kinds: set[str]
) -> None:
    changed = deform(make(), deformation, name="x")
    assert {piece.kind for piece in changed.links[0].pieces} == kinds


def test_an_asset_with_joints_is_only_stretched_and_alike_along_all_axes() -> None:
    cabinet = cabinet_asset()
    changed = deform(cabinet, DEFORMATIONS["all"], name="cabinet")
    factor = float(np.prod(DEFORMATIONS["all"].stretch)) ** (1.0 / 3.0)
    np.testing.assert_allclose(changed.size_m, cabinet.size_m * factor, rtol=1e-6)
    for link, before in zip(changed.links, cabinet.links, strict=True):
        np.testing.assert_allclose(link.visual.vertices, before.visual.vertices * factor, atol=1e-12)
        assert link.mass_kg.value == pytest.approx(before.mass_kg.value * factor**3, rel=1e-6)
        np.testing.assert_allclose(link.inertia_kg_m2, before.inertia_kg_m2 * factor**5, rtol=1e-6, atol=1e-12)
        assert [piece.kind for piece in link.pieces] == [piece.kind for piece in before.pieces]
    for joint, home in zip(changed.joints, cabinet.joints, strict=True):
        np.testing.assert_allclose(joint.parent_from_child[:3, 3], home.parent_from_child[:3, 3] * factor)
        scale = factor if home.kind == "prismatic" else 1.0
        assert (joint.lower, joint.upper) == pytest.approx((home.lower * scale, home.upper * scale))


def test_a_leaning_piece_is_stretched_where_it_lies() -> None:
    points = trimesh.creation.box(extents=(0.1, 0.02, 0.02)).vertices
    turn = trimesh.transformations.rotation_matrix(0.6, [0, 1, 0])
    lean = rigid_asset("lean", [hull_piece(transform(turn, points))])
    changed = deform(lean, Deformation(stretch=(2.0, 1.0, 1.0)), name="lean")
    np.testing.assert_allclose(changed.size_m, lean.size_m * [2.0, 1.0, 1.0], rtol=1e-9)


@pytest.mark.parametrize(
    ("deformation", "text"),
    [
        (Deformation(), "stretch 1.00×1.00×1.00"),
        (Deformation(stretch=(1.2, 0.8, 1.0), taper=-0.25), "stretch 1.20×0.80×1.00, taper -0.25"),
        (Deformation(twist_rad=0.5, bow=(0.06, 0.08)), "stretch 1.00×1.00×1.00, twist +29°, bow 10 %"),
    ],
)
def test_a_deformation_is_described_in_words(deformation: Deformation, text: str) -> None:
    assert deformation.describe() == text
