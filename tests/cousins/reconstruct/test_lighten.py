import numpy as np
import pytest
import trimesh

from cousins.meshes import Mesh
from cousins.reconstruct.lighten import lightened


def rough_torus() -> Mesh:
    torus = trimesh.creation.torus(0.1, 0.03, major_sections=160, minor_sections=80)
    rng = np.random.default_rng(0)
    torus.vertices += 0.00005 * rng.normal(size=torus.vertices.shape)
    return Mesh.from_trimesh(torus)


def test_a_lighter_mesh_is_watertight_and_keeps_volume_and_surface() -> None:
    mesh = rough_torus()
    light = lightened(mesh, faces=3000)
    before, after = mesh.to_trimesh(), light.to_trimesh()
    assert len(light.faces) <= 3000
    assert after.is_watertight
    assert after.is_winding_consistent
    assert after.volume == pytest.approx(before.volume, rel=0.01)
    ring = np.hypot(light.vertices[:, 0], light.vertices[:, 1]) - 0.1
    assert np.abs(np.hypot(ring, light.vertices[:, 2]) - 0.03).max() < 0.0006


def test_a_light_mesh_stays_as_it_is() -> None:
    mesh = Mesh.from_trimesh(trimesh.creation.box(extents=(0.1, 0.2, 0.3)))
    assert lightened(mesh) is mesh


def test_a_mesh_that_would_lose_its_volume_stays_as_it_is() -> None:
    mesh = rough_torus()
    assert lightened(mesh, faces=8) is mesh
