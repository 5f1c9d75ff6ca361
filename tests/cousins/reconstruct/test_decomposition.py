import manifold3d
import numpy as np
import pytest
import trimesh
from manifold3d import Manifold

from cousins.errors import StageError
from cousins.meshes import Mesh
from cousins.reconstruct.collision.bisection import bisect_solid
from cousins.reconstruct.collision.decomposition import MIN_PIECE_THICKNESS_M, CollisionConfig, decompose
from cousins.reconstruct.collision.solids import solid_of, thickness_m
from cousins.scene.layout.minkowski import convex_hull


def mesh_of(solid: Manifold) -> Mesh:
    exported = solid.to_mesh()
    return Mesh(
        vertices=np.asarray(exported.vert_properties, dtype=np.float64)[:, :3],
        faces=np.asarray(exported.tri_verts, dtype=np.int32),
    )


def bowl() -> Manifold:
    outer = Manifold.sphere(0.08, 48).trim_by_plane((0, 0, -1), 0.0)
    return outer - Manifold.sphere(0.074, 48)


def test_a_box_a_can_and_a_ball_become_primitives_of_their_size() -> None:
    box = decompose(mesh_of(Manifold.cube((0.1, 0.2, 0.05))))
    can = decompose(mesh_of(Manifold.cylinder(0.12, 0.035, 0.035, 64)))
    ball = decompose(mesh_of(Manifold.sphere(0.03, 64)))
    assert [each.pieces[0].kind for each in (box, can, ball)] == ["box", "cylinder", "sphere"]
    np.testing.assert_allclose(box.pieces[0].size_m, [0.1, 0.2, 0.05], atol=1e-9)
    np.testing.assert_allclose(can.pieces[0].size_m, [0.07, 0.07, 0.12], atol=2e-4)
    np.testing.assert_allclose(ball.pieces[0].size_m, 0.06, atol=2e-4)


def test_a_lying_can_is_a_cylinder_along_its_own_axis() -> None:
    lying = decompose(mesh_of(Manifold.cylinder(0.12, 0.035, 0.035, 64).rotate((0, 90, 0))))
    piece = lying.pieces[0]
    assert piece.kind == "cylinder"
    np.testing.assert_allclose(np.abs(piece.link_from_piece[:3, 2]), [1, 0, 0], atol=1e-9)
    assert piece.size_m[2] == pytest.approx(0.12, abs=1e-6)


def test_a_bowl_stays_hollow_and_every_piece_is_convex() -> None:
    decomposition = decompose(mesh_of(bowl()))
    assert decomposition.method == "coacd"
    assert decomposition.cavity_kept > 0.7
    assert decomposition.volume_lost < 0.05
    assert len(decomposition.pieces) <= CollisionConfig().max_hulls
    for piece in decomposition.pieces:
        assert trimesh.Trimesh(piece.mesh.vertices, piece.mesh.faces).is_convex


def test_decomposition_is_the_same_twice() -> None:
    first, second = decompose(mesh_of(bowl()), seed=3), decompose(mesh_of(bowl()), seed=3)
    for piece, same in zip(first.pieces, second.pieces, strict=True):
        np.testing.assert_array_equal(piece.mesh.vertices, same.mesh.vertices)


def test_too_much_cpu_time_is_reported_and_planes_split_the_mesh_instead() -> None:
    decomposition = decompose(mesh_of(bowl()), config=CollisionConfig(max_cpu_s=1))
    assert decomposition.method == "bisection"
    assert "exceeded" in decomposition.fallbacks[0]
    assert decomposition.volume_lost < 0.02


def test_bisection_covers_the_solid_within_its_budget() -> None:
    hulls = bisect_solid(bowl(), max_pieces=12)
    assert 2 <= len(hulls) <= 12
    cover = Manifold.batch_boolean(hulls, manifold3d.OpType.Add)
    assert (bowl() - cover).volume() < 1e-3 * bowl().volume()


def test_a_mesh_without_volume_is_refused() -> None:
    flat = Mesh(vertices=np.eye(3), faces=np.array([[0, 1, 2]], dtype=np.int32))
    with pytest.raises(StageError, match="encloses no volume"):
        decompose(flat)


def test_a_film_is_refused_by_name_of_what_is_wrong() -> None:
    with pytest.raises(StageError, match="a film, not a body"):
        decompose(mesh_of(Manifold.cube((0.1, 0.1, 5e-5))))


@pytest.mark.parametrize("seed", range(6))
def test_thin_flat_and_tiny_bodies_get_pieces_with_a_thickness_or_our_own_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    solid = Manifold()
    for _ in range(4):
        size = 10.0 ** rng.uniform([-2, -3, -5], [-0.5, -1.5, -3.5])
        part = Manifold.cube(tuple(rng.permutation(size)), center=True).rotate(tuple(rng.uniform(0, 360, 3)))
        solid = solid + part.translate(tuple(rng.uniform(-0.01, 0.01, 3)))
    try:
        decomposition = decompose(mesh_of(max(solid.decompose(), key=lambda part: part.volume())))
    except StageError:
        return
    for piece in decomposition.pieces:
        assert thickness_m(solid_of(piece.mesh)) >= 0.9 * MIN_PIECE_THICKNESS_M
        assert convex_hull(piece.mesh.vertices).normals.shape[0] >= 4


def test_a_small_rough_thing_is_not_cut_into_the_dents_of_the_sensor() -> None:
    rng = np.random.default_rng(0)
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.03)
    ball.vertices *= 1.0 + 0.03 * rng.normal(size=(len(ball.vertices), 1))
    assert len(decompose(Mesh.from_trimesh(ball)).pieces) == 1
