import numpy as np
import pytest
import trimesh
from manifold3d import Manifold

from cousins.meshes import Mesh
from cousins.reconstruct.collision.decimate import decimate_mesh
from cousins.reconstruct.collision.solids import mesh_of, solid_of


def rough_torus() -> Mesh:
    torus = trimesh.creation.torus(0.1, 0.03, major_sections=160, minor_sections=80)
    rng = np.random.default_rng(0)
    torus.vertices += 0.00005 * rng.normal(size=torus.vertices.shape)
    return Mesh.from_trimesh(torus)


def test_a_lighter_mesh_is_watertight_and_keeps_volume_and_surface() -> None:
    mesh = rough_torus()
    light = decimate_mesh(mesh, faces=3000)
    before, after = mesh.to_trimesh(), light.to_trimesh()
    assert len(light.faces) <= 3000
    assert after.is_watertight
    assert after.is_winding_consistent
    assert after.volume == pytest.approx(before.volume, rel=0.01)
    ring = np.hypot(light.vertices[:, 0], light.vertices[:, 1]) - 0.1
    assert np.abs(np.hypot(ring, light.vertices[:, 2]) - 0.03).max() < 0.0006


def test_a_light_mesh_stays_as_it_is() -> None:
    mesh = Mesh.from_trimesh(trimesh.creation.box(extents=(0.1, 0.2, 0.3)))
    assert decimate_mesh(mesh) is mesh


def test_a_mesh_that_would_lose_its_volume_stays_as_it_is() -> None:
    mesh = rough_torus()
    assert decimate_mesh(mesh, faces=8) is mesh


def test_a_thin_leg_is_not_pinched_off() -> None:
    seat = Manifold.cube((0.4, 0.4, 0.02), center=True).refine_to_length(0.01)
    legs = Manifold()
    for x in (-0.19, 0.19):
        for y in (-0.19, 0.19):
            leg = Manifold.cylinder(0.4, 0.006, 0.006, 24).refine_to_length(0.004)
            legs = legs + leg.translate((x, y, -0.4))
    exported = (seat + legs).to_mesh64()
    rng = np.random.default_rng(1)
    vertices = np.asarray(exported.vert_properties)[:, :3] + 0.0004 * rng.normal(
        size=(exported.vert_properties.shape[0], 3)
    )
    mesh = Mesh(vertices=vertices, faces=np.asarray(exported.tri_verts, dtype=np.int32))
    light = decimate_mesh(mesh, faces=300, max_volume_change=0.05)
    feet = light.vertices[light.vertices[:, 2] < -0.395]
    assert len({(x > 0.0, y > 0.0) for x, y, _ in feet}) == 4


def test_a_needle_is_not_swallowed_by_the_block_that_it_stands_on() -> None:
    block = Manifold.cube((0.2, 0.2, 0.2), center=True).refine_to_length(0.01)
    needle = Manifold.cylinder(0.1, 0.003, 0.003, 16).refine_to_length(0.004).translate((0.0, 0.0, 0.09))
    exported = (block + needle).to_mesh64()
    corners = np.asarray(exported.vert_properties)[:, :3]
    mesh = Mesh(
        vertices=corners + 0.0004 * np.random.default_rng(1).normal(size=corners.shape),
        faces=np.asarray(exported.tri_verts, dtype=np.int32),
    )
    light = decimate_mesh(mesh, faces=40, max_volume_change=0.05)
    assert len(light.faces) < 200
    assert light.vertices[:, 2].max() > 0.185


def test_two_parts_on_a_wire_stay_together() -> None:
    wire = Manifold.cylinder(0.2, 0.0008, circular_segments=6).refine_to_length(0.004)
    tied = mesh_of(Manifold.sphere(0.05, 400) + wire + Manifold.sphere(0.03, 200).translate((0.0, 0.0, 0.2)))
    assert len(solid_of(decimate_mesh(tied, faces=60)).decompose()) == 1
