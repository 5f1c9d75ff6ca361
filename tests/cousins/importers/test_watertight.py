"""Solids of foreign meshes: what is inside out is turned, what is ground is cut away, what is made up is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh

from cousins.errors import StageError
from cousins.importers.ground_patch import cut_from_ground
from cousins.importers.meshes import read_mesh, scene_of_mesh, solid_thing
from cousins.importers.watertight import WatertightMesh, watertight_mesh
from cousins.meshes import Mesh
from cousins.reconstruct.collision.solids import solid_of


def mesh_of(*parts: trimesh.Trimesh) -> Mesh:
    return Mesh.from_trimesh(trimesh.util.concatenate(parts))


def inverted(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    copy = mesh.copy()
    copy.invert()
    return copy


def box(size: tuple[float, float, float], center: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> trimesh.Trimesh:
    return trimesh.creation.box(size).apply_translation(center)


def hemisphere(radius: float) -> trimesh.Trimesh:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return trimesh.Trimesh(ball.vertices, ball.faces[ball.triangles_center[:, 2] < 0.0], process=False)


def volume_m3(closed: WatertightMesh) -> float:
    assert closed.solid.to_trimesh().is_watertight
    return float(closed.solid.to_trimesh().volume)


def test_an_array_that_cannot_be_written_or_is_turned_around_becomes_a_solid() -> None:
    cube = box((0.1, 0.1, 0.1))
    vertices, faces = np.array(cube.vertices), np.array(cube.faces)[:, ::-1][:, ::-1]
    vertices.flags.writeable = False
    faces.flags.writeable = False
    assert solid_of(Mesh(vertices=vertices, faces=faces)).volume() == pytest.approx(1e-3)


def test_a_part_that_is_inside_out_is_turned_round_and_reported() -> None:
    closed = watertight_mesh(mesh_of(box((0.2, 0.2, 0.2)), inverted(box((0.05, 0.05, 0.05), (0.3, 0.0, 0.0)))))
    assert volume_m3(closed) == pytest.approx(8e-3 + 1.25e-4)
    assert closed.notes == ("1 of its 2 parts was inside out: turned round",)
    assert closed.surface.to_trimesh().volume == pytest.approx(8e-3 + 1.25e-4)


def test_an_open_box_with_an_inside_out_knob_stays_a_box() -> None:
    open_box = box((0.2, 0.15, 0.12))
    open_box.update_faces(open_box.triangles_center[:, 2] < 0.05)
    knob = inverted(trimesh.creation.cylinder(0.02, 0.03)).apply_translation([0.14, 0.0, 0.0])
    closed = watertight_mesh(mesh_of(open_box, knob))
    assert volume_m3(closed) == pytest.approx(0.2 * 0.15 * 0.12 + np.pi * 0.02**2 * 0.03, rel=0.03)
    assert closed.notes[0] == "1 of its 2 parts was inside out: turned round"


def test_the_wall_of_a_cavity_is_not_turned() -> None:
    ball, cavity = trimesh.creation.icosphere(radius=0.1), inverted(trimesh.creation.icosphere(radius=0.08))
    closed = watertight_mesh(mesh_of(ball, cavity))
    assert volume_m3(closed) == pytest.approx(ball.volume + cavity.volume)
    assert closed.notes == ()


@pytest.mark.parametrize("inside_out", [False, True])
def test_a_bowl_of_two_open_shells_keeps_its_inside(*, inside_out: bool) -> None:
    shells = [hemisphere(0.1), inverted(hemisphere(0.08))]
    closed = watertight_mesh(mesh_of(*(map(inverted, shells) if inside_out else shells)))
    assert volume_m3(closed) == pytest.approx(2.0 / 3.0 * np.pi * (0.1**3 - 0.08**3), rel=0.08)
    assert ("2 of its 2 parts were inside out: turned round" in closed.notes) == inside_out


def test_faces_against_their_neighbours_are_turned_and_a_closed_mesh_stays_exact() -> None:
    ball = trimesh.creation.icosphere(radius=0.1)
    faces = np.array(ball.faces)
    faces[::7] = faces[::7, ::-1]
    closed = watertight_mesh(Mesh(vertices=np.asarray(ball.vertices), faces=faces))
    assert volume_m3(closed) == pytest.approx(ball.volume)
    assert closed.added_area_m2 == 0.0
    assert closed.notes == (
        f"{len(faces[::7])} of its {len(faces)} faces were inside out beside their neighbours: turned round",
    )


def test_a_set_of_sheets_with_one_closed_screw_is_refused_rather_than_reduced_to_the_screw() -> None:
    sheet = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    with pytest.raises(StageError, match="100% of the surface encloses nothing"):
        watertight_mesh(mesh_of(sheet, box((0.02, 0.02, 0.02))))


def test_closed_surface_that_no_file_contained_is_not_called_seen(tmp_path: Path) -> None:
    tub = box((0.2, 0.15, 0.12))
    tub.update_faces(tub.triangles_center[:, 2] > -0.05)
    tub.export(tmp_path / "bottomless.ply")
    (placed,) = scene_of_mesh(tmp_path / "bottomless.ply", "tub", digest="0" * 64).objects
    total = 2.0 * (0.2 * 0.15 + 0.2 * 0.12 + 0.15 * 0.12)
    assert placed.asset.observed_fraction == pytest.approx(1.0 - 0.2 * 0.15 / total, abs=0.04)
    assert "closed openings" in placed.asset.completions


def on_ground(body: trimesh.Trimesh, *, side_m: float, ripple_m: float) -> Mesh:
    """Return the top surface of a thing and of the ground around it as one sheet, as phone apps export it."""
    grid = np.linspace(-side_m / 2.0, side_m / 2.0, 121)
    x, y = np.meshgrid(grid, grid, indexing="ij")
    low, high = body.bounds
    inside = (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])
    ripples = ripple_m * np.sin(40.0 * x) * np.cos(50.0 * y)
    z = np.where(inside, high[2], ripples)
    index = np.arange(x.size).reshape(x.shape)
    a, b, c, d = index[:-1, :-1].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel(), index[:-1, 1:].ravel()
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]).astype(np.int32)
    return Mesh(vertices=np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1), faces=faces)


def test_a_thing_is_cut_free_of_its_patch_of_rippled_ground_and_its_underside_is_not_called_seen() -> None:
    mesh = on_ground(box((0.12, 0.28, 0.1), (0.0, 0.0, 0.05)), side_m=0.5, ripple_m=0.003)
    closed = solid_thing(mesh)
    size = np.ptp(closed.solid.vertices, axis=0)
    np.testing.assert_allclose(size, [0.12, 0.28, 0.1], atol=0.012)
    assert "of ground, which was cut away" in closed.notes[0]
    assert closed.added_area_m2 == pytest.approx(0.12 * 0.28, rel=0.35)


def test_what_has_no_ground_keeps_everything() -> None:
    dome = Mesh.from_trimesh(hemisphere(0.1))
    assert cut_from_ground(dome) is None
    assert cut_from_ground(Mesh.from_trimesh(box((0.1, 0.1, 0.1)))) is None
    sheet = on_ground(box((0.1, 0.1, 0.0)), side_m=0.5, ripple_m=0.002)
    assert cut_from_ground(sheet) is None


@pytest.mark.parametrize(("name", "volume_cm3"), [("thing_on_sheet", 1380.0), ("hollow_thing_on_sheet", 485.0)])
def test_things_on_a_sheet_have_their_volume(shared_data: Callable[[str], Path], name: str, volume_cm3: float) -> None:
    imported = read_mesh(shared_data("cases") / "thing_on_sheet" / f"{name}.glb", up="y")
    closed = solid_thing(imported.mesh)
    assert 1e6 * volume_m3(closed) == pytest.approx(volume_cm3, rel=0.12)


def test_the_case_of_an_inside_out_knob_is_a_box(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("cases") / "one_part_inside_out" / "open_box_with_inverted_knob.obj"
    closed = solid_thing(read_mesh(path, up="z").mesh)
    assert 1e6 * volume_m3(closed) == pytest.approx(0.2 * 0.15 * 0.12 * 1e6, rel=0.1)
    assert "1 of its 2 parts was inside out: turned round" in closed.notes
