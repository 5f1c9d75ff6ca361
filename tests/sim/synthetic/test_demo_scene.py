from itertools import combinations

import manifold3d
import numpy as np
import pytest
import trimesh

from cousins.meshes import Mesh
from sim.synthetic.demo_scene import TABLE_HEIGHT_M, demo_world
from sim.synthetic.phone import PhoneWorld


@pytest.fixture(scope="module")
def desk() -> PhoneWorld:
    return demo_world(np.random.default_rng(0))


def _welded(mesh: Mesh) -> trimesh.Trimesh:
    welded = mesh.to_trimesh()
    welded.merge_vertices(merge_tex=True, merge_norm=True)
    return welded


def _solid(mesh: Mesh) -> manifold3d.Manifold:
    welded = _welded(mesh)
    return manifold3d.Manifold(
        manifold3d.Mesh(welded.vertices.astype(np.float32), np.asarray(welded.faces, dtype=np.uint32))
    )


def test_every_thing_is_a_watertight_solid_with_a_texture(desk: PhoneWorld) -> None:
    assert len(desk.bodies) == 7
    for body in desk.bodies:
        assert _welded(body.mesh).is_watertight, body.name
        assert _welded(body.mesh).is_winding_consistent, body.name
        assert _welded(body.mesh).volume > 5e-5, body.name
        assert body.mesh.texture is not None
        assert body.mesh.uv is not None
        assert 0.0 <= body.mesh.uv.min() <= body.mesh.uv.max() <= 1.0


def test_things_stand_on_the_table_and_the_tin_on_the_book(desk: PhoneWorld) -> None:
    bodies = {body.name: body.world_mesh.vertices for body in desk.bodies}
    for name, vertices in bodies.items():
        base = bodies["book"][:, 2].max() if name == "tin" else TABLE_HEIGHT_M
        assert vertices[:, 2].min() == pytest.approx(base, abs=1e-6), name


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_two_things_overlap(seed: int) -> None:
    bodies = {body.name: _solid(body.world_mesh) for body in demo_world(np.random.default_rng(seed)).bodies}
    for first, second in combinations(bodies, 2):
        assert (bodies[first] ^ bodies[second]).volume() < 1e-10, (first, second)


@pytest.mark.parametrize(("name", "floor_m"), [("mug", 0.006), ("bowl", 0.0105)])
def test_hollow_things_are_open_from_above_down_to_their_inner_floor(
    desk: PhoneWorld, name: str, floor_m: float
) -> None:
    mesh = next(body.mesh for body in desk.bodies if body.name == name)
    solid = _solid(mesh)
    top = float(mesh.vertices[:, 2].max())
    ball = manifold3d.Manifold.sphere(0.01, 24).translate((0.0, 0.0, floor_m + 0.0115))
    assert (solid ^ ball).volume() < 1e-12
    shaft = manifold3d.Manifold.cylinder(top, 0.01).translate((0.0, 0.0, floor_m + 0.0015))
    assert (solid ^ shaft).volume() < 1e-12
    assert (solid ^ ball.translate((0.0, 0.0, -0.006))).volume() > 1e-8


def test_the_mug_has_a_handle_that_one_can_put_a_finger_through(desk: PhoneWorld) -> None:
    mug = next(body.mesh for body in desk.bodies if body.name == "mug")
    assert _welded(mug).euler_number == 0
    finger = manifold3d.Manifold.cylinder(0.1, 0.008, center=True).rotate((90.0, 0.0, 0.0)).translate((0.051, 0, 0.049))
    assert (_solid(mug) ^ finger).volume() < 1e-12


def test_the_same_seed_gives_the_same_desk(desk: PhoneWorld) -> None:
    again = demo_world(np.random.default_rng(0))
    for first, second in zip(desk.bodies, again.bodies, strict=True):
        assert first.world_mesh.vertices.tobytes() == second.world_mesh.vertices.tobytes()
        assert first.mesh.texture is not None
        assert second.mesh.texture is not None
        assert first.mesh.texture.tobytes() == second.mesh.texture.tobytes()
