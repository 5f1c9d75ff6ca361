"""Finished meshes: axes, units, open surfaces, hostile files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from cousins.errors import CaptureError, StageError
from cousins.importers.meshes import read_mesh, scene_of_mesh
from cousins.importers.watertight import watertight_mesh
from cousins.meshes import Mesh


def test_a_glb_is_turned_from_y_up_and_keeps_its_texture(tmp_path: Path) -> None:
    box = trimesh.creation.box((0.1, 0.3, 0.2))
    image = Image.fromarray(np.full((8, 8, 3), (200, 10, 10), dtype=np.uint8))
    box.visual = trimesh.visual.TextureVisuals(uv=np.random.default_rng(0).random((8, 2)), image=image)
    box.export(tmp_path / "box.glb")
    finished = read_mesh(tmp_path / "box.glb")
    np.testing.assert_allclose(np.ptp(finished.mesh.vertices, axis=0), [0.1, 0.2, 0.3], atol=1e-6)
    assert finished.notes == ()
    assert finished.mesh.texture is not None
    np.testing.assert_allclose(finished.mesh.texture[4, 4], (200, 10, 10), atol=3)


def test_unit_and_up_axis_of_an_obj_are_assumed_and_noted(tmp_path: Path) -> None:
    trimesh.creation.box((0.1, 0.3, 0.2)).export(tmp_path / "box.obj")
    finished = read_mesh(tmp_path / "box.obj")
    np.testing.assert_allclose(np.ptp(finished.mesh.vertices, axis=0), [0.1, 0.2, 0.3], atol=1e-6)
    assert finished.notes == (
        "the up axis of the mesh was taken to be y: --up tells another",
        "the unit of the mesh was taken to be the metre: --unit tells another",
    )
    upright = read_mesh(tmp_path / "box.obj", up="z")
    np.testing.assert_allclose(np.ptp(upright.mesh.vertices, axis=0), [0.1, 0.3, 0.2], atol=1e-6)


def test_a_mesh_in_millimetres_is_refused(tmp_path: Path) -> None:
    trimesh.creation.box((100.0, 300.0, 200.0)).export(tmp_path / "box.stl")
    with pytest.raises(
        CaptureError, match=r"box.stl, 300 m long; expected a thing of 0.005 to 20 m. .*--unit mm makes it 30 cm"
    ):
        read_mesh(tmp_path / "box.stl")
    in_mm = read_mesh(tmp_path / "box.stl", unit="mm")
    np.testing.assert_allclose(np.ptp(in_mm.mesh.vertices, axis=0), [0.1, 0.3, 0.2], atol=1e-6)


@pytest.mark.parametrize("name", ["box.glb", "box.ply", "box.obj", "box.stl", "box.usdz"])
def test_files_that_are_no_meshes_are_refused_with_our_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"glTF\x02\x00\x00\x00 no mesh at all \xff\xfe")
    with pytest.raises(CaptureError, match=f"{name} that cannot be read as a mesh"):
        read_mesh(tmp_path / name)


def test_a_closed_mesh_stays_as_it_is_and_an_open_one_gets_a_skin() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.1)
    exact = watertight_mesh(Mesh.from_trimesh(ball))
    assert exact.notes == ()
    assert exact.added_area_m2 == 0.0
    assert exact.solid.to_trimesh().volume == pytest.approx(ball.volume, rel=1e-6)
    torn = Mesh(vertices=np.asarray(ball.vertices), faces=np.asarray(ball.faces[:-20], dtype=np.int32))
    wrapped = watertight_mesh(torn)
    assert wrapped.notes == ("the surface is open: a skin was laid around it with cells of 2.8 mm",)
    assert wrapped.solid.to_trimesh().is_watertight
    assert wrapped.solid.to_trimesh().volume == pytest.approx(ball.volume, rel=0.03)


def test_a_flat_sheet_encloses_nothing() -> None:
    corners = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    with pytest.raises(StageError, match="the surface encloses nothing"):
        watertight_mesh(Mesh(vertices=corners, faces=np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)))


def test_a_finished_mesh_stands_on_a_floor(tmp_path: Path) -> None:
    trimesh.creation.cylinder(radius=0.04, height=0.12).export(tmp_path / "can.ply")
    scene = scene_of_mesh(tmp_path / "can.ply", "can", digest="0" * 64)
    (placed,) = scene.objects
    np.testing.assert_allclose(placed.asset.size_m, [0.08, 0.08, 0.12], atol=1e-3)
    assert [(relation.kind, relation.subject, relation.object) for relation in scene.relations] == [
        ("on", "object_0", "floor")
    ]
