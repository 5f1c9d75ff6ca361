"""Scores of the program `places` on tiny cases with known values."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import trimesh

from cousins.geometry import Array
from cousins.meshes import Mesh

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SIDE_M = 0.1


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import places

    yield places
    for name in [name for name in sys.modules if name.split(".")[0] in ("places", "scenes", "rows", "program")]:
        del sys.modules[name]


def box(center: tuple[float, float, float], size: tuple[float, float, float] = (SIDE_M,) * 3) -> Mesh:
    return Mesh.from_trimesh(trimesh.creation.box(size).apply_translation(center))


def both(*meshes: Mesh) -> Mesh:
    return Mesh.from_trimesh(trimesh.util.concatenate([mesh.to_trimesh() for mesh in meshes]))


def surface(mesh: Mesh) -> Array:
    return np.asarray(trimesh.sample.sample_surface(mesh.to_trimesh(), 4000, seed=0)[0])


def shape(mesh: Mesh, *, thin: bool = False, visible: float = 0.6, hollow: bool = False):
    from places.objects import TrueShape

    points = surface(mesh)
    return TrueShape(
        mesh=mesh,
        surface=points,
        visible=points[points[:, 2] > points[:, 2].min() + 0.002],
        visible_fraction=visible,
        volume_m3=abs(float(mesh.to_trimesh().volume)),
        hollow=hollow,
        thin=thin,
    )


def two_shapes() -> dict[str, object]:
    return {"left": shape(box((0.0, 0.0, 0.05))), "right": shape(box((0.11, 0.0, 0.05)))}


@pytest.mark.usefixtures("places")
def test_exact_objects_are_found_with_the_right_volume_and_no_distance() -> None:
    from places.objects import score_objects

    rows = score_objects(two_shapes(), [box((0.11, 0.0, 0.05)), box((0.0, 0.0, 0.05))])
    assert [(row["found"], row["merged"], row["split"], row["missed"]) for row in rows] == [
        (True, False, False, False)
    ] * 2
    assert [row["surface"] for row in rows] == [1, 0]
    assert all(row["iou"] == 1.0 and row["volume_error"] < 1e-6 and row["chamfer_mm"] < 2.0 for row in rows)


@pytest.mark.usefixtures("places")
def test_one_surface_over_two_objects_is_a_merger_of_both_and_finds_neither() -> None:
    from places.objects import score_objects

    rows = score_objects(two_shapes(), [box((0.055, 0.0, 0.05), (0.21, 0.1, 0.1))])
    assert [row["merged"] for row in rows] == [True, True]
    assert not any(row["found"] or row["split"] for row in rows)


@pytest.mark.usefixtures("places")
def test_an_object_in_two_halves_is_split() -> None:
    from places.objects import score_objects

    halves = [box((-0.025, 0.0, 0.05), (0.05, 0.1, 0.1)), box((0.025, 0.0, 0.05), (0.05, 0.1, 0.1))]
    (row,) = score_objects({"left": shape(box((0.0, 0.0, 0.05)))}, halves)
    assert row["split"]
    assert not row["merged"]


@pytest.mark.usefixtures("places")
def test_a_missed_object_counts_as_half_its_diagonal_and_its_whole_volume() -> None:
    from places.objects import score_objects

    (row,) = score_objects({"left": shape(box((0.0, 0.0, 0.05)))}, [])
    assert row["missed"]
    assert row["chamfer_mm"] == pytest.approx(500.0 * SIDE_M * np.sqrt(3.0), abs=0.5)
    assert (row["f10mm"], row["volume_error"], row["found"]) == (0.0, 1.0, False)


@pytest.mark.usefixtures("places")
def test_objects_that_hardly_show_do_not_count() -> None:
    from places.objects import score_objects

    assert score_objects({"hidden": shape(box((0.0, 0.0, 0.05)), visible=0.19)}, []) == []


@pytest.mark.usefixtures("places")
def test_a_surface_near_no_object_is_extra() -> None:
    from places.objects import extra_surfaces, hold_points

    holding = hold_points([shape(box((0.0, 0.0, 0.05)))], [box((1.0, 0.0, 0.0)), box((0.0, 0.0, 0.05))])
    assert extra_surfaces(holding) == [0]


@pytest.mark.usefixtures("places")
def test_a_solid_does_not_need_an_underside_and_a_bowl_counts_as_full() -> None:
    from places.solids import iou

    cube = box((0.0, 0.0, 0.05))
    keep = cube.to_trimesh().face_normals[:, 2] > -0.9
    assert iou(cube, Mesh(vertices=cube.vertices, faces=cube.faces[keep]), voxel_m=0.004) == 1.0
    walls = [box((x, 0.0, 0.05), (0.004, 0.1, 0.1)) for x in (-0.048, 0.048)]
    walls += [box((0.0, y, 0.05), (0.1, 0.004, 0.1)) for y in (-0.048, 0.048)]
    assert iou(cube, both(*walls), voxel_m=0.002) == pytest.approx(1.0, abs=0.05)
    assert iou(cube, box((0.05, 0.0, 0.05)), voxel_m=0.002) == pytest.approx(1.0 / 3.0, abs=0.01)


@pytest.mark.usefixtures("places")
def test_half_a_wall_is_half_its_area_and_a_wall_in_mid_air_is_false() -> None:
    from places.structure_areas import FlatSurface, score_structure

    true = box((0.0, 0.05, 1.0), (2.0, 0.1, 2.0))
    points = surface(true)
    front = points[points[:, 1] < 0.001]
    half = FlatSurface(kind="wall", mesh=box((-0.5, 0.0, 1.0), (1.0, 0.002, 2.0)))
    stray = FlatSurface(kind="wall", mesh=box((0.0, -1.0, 0.5), (1.0, 0.002, 1.0)))
    visible = {"wall": (front, 4.0 / len(front)), "floor": (np.zeros((0, 3)), 0.0)}
    result = score_structure([half, stray], visible, points)
    assert result["wall"]["found_m2"] == pytest.approx(2.0, abs=0.2)
    assert result["wall"]["false_m2"] == pytest.approx(1.0, abs=0.05)
    assert result["floor"] == {"true_m2": 0.0, "found_m2": 0.0, "false_m2": 0.0}


@pytest.mark.usefixtures("places")
def test_the_peer_takes_a_table_away_and_leaves_two_separate_things() -> None:
    from places.peer import components, remove_planes

    fine = [
        Mesh.from_trimesh(mesh.to_trimesh().subdivide_to_size(0.02))
        for mesh in (box((0.0, 0.0, -0.01), (0.8, 0.8, 0.02)), box((0.2, 0.0, 0.05)), box((-0.2, 0.0, 0.05)))
    ]
    mesh = both(*fine)
    planes, rest = remove_planes(mesh, voxel_m=0.005)
    assert {round(float(normal[2])) for normal, _ in planes} == {1, -1}
    assert len(components(mesh, rest)) == 2


@pytest.mark.usefixtures("places")
def test_the_peer_removes_a_table_whose_facets_tilt_with_depth_noise() -> None:
    from places.peer import components, remove_planes

    side, step_m = 120, 0.005
    x, y = np.meshgrid(np.arange(side) * step_m, np.arange(side) * step_m)
    z = np.random.default_rng(1).normal(0.0, 0.003, size=x.shape)
    z[40:60, 40:60] += 0.08
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + side], axis=1),
            np.stack([corner + 1, corner + side + 1, corner + side], axis=1),
        ]
    )
    mesh = Mesh(vertices=np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1), faces=faces.astype(np.int32))
    planes, rest = remove_planes(mesh, voxel_m=step_m)
    assert len(planes) == 1
    assert abs(planes[0][0][2]) > 0.999
    pieces = components(mesh, rest)
    largest = max(pieces, key=lambda piece: len(piece.faces))
    assert np.ptp(largest.vertices, axis=0)[:2] == pytest.approx([0.1, 0.1], abs=0.03)
    assert sum(np.ptp(piece.vertices, axis=0)[2] > 0.04 for piece in pieces) == 1


@pytest.mark.usefixtures("places")
def test_totals_count_thin_things_apart_and_accept_a_named_place() -> None:
    from places.totals import totals

    base = {"merged": False, "split": False, "missed": False, "hollow": False, "chamfer_mm": 2.0, "f10mm": 1.0}
    objects = [
        {**base, "object": "box", "thin": False, "found": True, "volume_error": 0.1},
        {**base, "object": "can", "thin": False, "found": False, "volume_error": 0.3, "merged": True},
        {**base, "object": "pen", "thin": True, "found": False, "volume_error": 1.0},
        {**base, "object": "fork", "thin": True, "found": False, "volume_error": 1.0},
    ]
    total = totals([{"kind": "thin", "seed": 0, "objects": objects, "thin_named": ["pen"]}])
    assert (total["objects"], total["found"], total["merged_or_split"], total["thin"]) == (2, 0.5, 0.5, 0.5)
    assert total["volume_error"] == pytest.approx(0.2)


@pytest.mark.usefixtures("places")
def test_the_frame_of_the_cameras_is_found_again() -> None:
    from cousins.capture.captures import Capture, Frame, Scale
    from cousins.geometry import Intrinsics, look_at, rigid, rotation_about
    from places.recording import twin_from_truth
    from sim.synthetic.phone import Truth

    turned = rigid(rotation_about(np.array([1.0, 2.0, 0.5]) / np.sqrt(5.25), 0.8), np.array([1.0, -2.0, 0.5]))
    poses = [look_at(np.array([np.cos(a), np.sin(a), 0.5]), np.zeros(3)) for a in np.linspace(0.0, 3.0, 5)]
    camera = Intrinsics(width=2, height=2, fx=2.0, fy=2.0, cx=0.5, cy=0.5)
    depth = np.ones((2, 2), dtype=np.float32)
    frames = tuple(
        Frame(
            index=number,
            timestamp_s=float(number),
            world_from_camera=turned @ pose,
            depth_camera=camera,
            depth_m=depth,
            confidence=np.full((2, 2), 2, dtype=np.uint8),
        )
        for number, pose in enumerate(poses)
    )
    capture = Capture(name="t", device="t", app="t", frames=frames, scale=Scale(source="lidar", error=0.0))
    truth = Truth(
        masks={}, labels={}, meshes={}, world_from_camera=tuple(poses), depth_m=(depth,) * 5, range_bias_m=0.0
    )
    assert twin_from_truth(capture, truth) == pytest.approx(turned, abs=1e-9)


@pytest.mark.usefixtures("places")
def test_an_estimated_way_up_is_no_doubt_and_a_guess_is() -> None:
    from places.scanning import UNSURE_OF_UP

    assert UNSURE_OF_UP.search("gravity is unknown: up is taken from the largest plane") is None
    assert UNSURE_OF_UP.search("The way up was estimated from how the pictures were held: it may be some 5° off.")
    assert UNSURE_OF_UP.search("The export does not say which way is up: +z is a guess.")


@pytest.mark.usefixtures("places")
def test_a_place_in_a_warning_names_the_thin_thing_there_and_no_other() -> None:
    from places.scanning import _named

    shapes = {
        "pen": shape(box((0.5, 0.2, 0.7), (0.14, 0.008, 0.008)), thin=True),
        "fork": shape(box((-0.5, 0.2, 0.7), (0.18, 0.02, 0.01)), thin=True),
    }
    texts = ["a thin thing of 14 cm lies at (1.50, 0.21, 0.70) m and is no object", "2 of 3 frames at 1.5 m"]
    truth_from_twin = np.eye(4)
    truth_from_twin[0, 3] = -1.0
    assert _named(shapes, texts, truth_from_twin) == {"thin_named": ["pen"]}
