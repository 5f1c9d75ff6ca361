"""Fixed planes of places with more than one table or wall, from frames rendered of known rectangles."""

from __future__ import annotations

import numpy as np
import trimesh

from cousins.capture.captures import Capture
from cousins.geometry import Array, Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.segment.backend_choice import segment_capture
from cousins.segment.structure.coplanar import join_coplanar
from cousins.segment.structure.detection import find_planes
from cousins.segment.structure.plane_fitting import PlaneFit, PlanePatch
from cousins.segment.structure.planes import FixedStructure, is_over_support
from tests.cousins.rendered_captures import rendered_capture

CAMERA = Intrinsics(width=160, height=120, fx=110.0, fy=110.0, cx=79.5, cy=59.5)


def rectangle(corner: tuple[float, float, float], first: tuple[float, ...], second: tuple[float, ...]) -> Mesh:
    origin, a, b = np.array(corner), np.array(first), np.array(second)
    return Mesh(
        vertices=np.stack([origin, origin + a, origin + a + b, origin + b]),
        faces=np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32),
    )


def filmed(meshes: list[Mesh], eyes: list[tuple[float, float, float]], target: Array, *, gravity: bool) -> Capture:
    poses = [look_at(np.array(eye), target) for eye in eyes]
    return rendered_capture(meshes, CAMERA, poses, gravity_known=gravity)


def planes_of(capture: Capture) -> FixedStructure:
    return find_planes(capture, rng=np.random.default_rng(0))


def test_a_panel_that_is_larger_than_the_table_does_not_become_the_table() -> None:
    table = rectangle((-0.5, -0.3, 0.0), (1.0, 0.0, 0.0), (0.0, 0.6, 0.0))
    panel = rectangle((-0.9, 0.3, -0.2), (1.8, 0.0, 0.0), (0.0, 0.0, 1.3))
    eyes = [(x, -1.5, 0.8) for x in np.linspace(-0.5, 0.5, 6)]
    structure = planes_of(filmed([table, panel], eyes, np.array([0.0, 0.2, 0.2]), gravity=False))
    np.testing.assert_allclose(structure.up, [0.0, 0.0, 1.0], atol=0.01)
    support = structure.planes[0].plane
    assert support.kind == "table"
    assert abs(support.offset_m) < 0.005
    assert any(fitted.plane.kind == "wall" for fitted in structure.planes)


def test_two_tables_of_one_height_are_two() -> None:
    tables = [rectangle((x, -0.4, 0.0), (0.8, 0.0, 0.0), (0.0, 0.8, 0.0)) for x in (-1.2, 0.4)]
    eyes = [(x, -1.4, 0.8) for x in np.linspace(-1.0, 1.0, 8)]
    structure = planes_of(filmed(tables, eyes, np.zeros(3), gravity=True))
    outlines = [fitted.plane.outline for fitted in structure.planes]
    assert [fitted.plane.kind for fitted in structure.planes] == ["table", "table"]
    assert sorted(round(float(outline[:, 0].mean()), 0) for outline in outlines) == [-1.0, 1.0]
    assert all(np.ptp(outline[:, 0]) < 0.9 for outline in outlines)


def test_a_wall_beside_a_deeper_niche_is_a_wall() -> None:
    near = rectangle((-1.5, 1.0, -0.5), (1.5, 0.0, 0.0), (0.0, 0.0, 1.6))
    niche = rectangle((0.0, 2.0, -0.5), (1.5, 0.0, 0.0), (0.0, 0.0, 1.6))
    eyes = [(x, -1.0, 0.4) for x in np.linspace(-0.6, 0.6, 8)]
    structure = planes_of(filmed([near, niche], eyes, np.array([0.0, 1.2, 0.3]), gravity=True))
    depths = sorted(abs(fitted.plane.offset_m) for fitted in structure.planes if fitted.plane.kind == "wall")
    np.testing.assert_allclose(depths, [1.0, 2.0], atol=0.02)


def box(center: tuple[float, float, float], size: tuple[float, float, float]) -> Mesh:
    mesh = trimesh.creation.box(extents=size)
    mesh.apply_translation(center)
    return Mesh.from_trimesh(mesh)


def heights_of(structure: FixedStructure, kind: str) -> list[float]:
    return sorted(round(float(f.plane.offset_m), 1) for f in structure.planes if f.plane.kind == kind)


def test_the_boards_of_a_shelf_and_its_sides_are_structure_and_what_stands_on_them_is_not() -> None:
    heights = (0.3, 0.7, 1.1)
    boards = [rectangle((-0.4, 0.0, z), (0.8, 0.0, 0.0), (0.0, 0.3, 0.0)) for z in heights]
    back = rectangle((-0.4, 0.3, 0.2), (0.8, 0.0, 0.0), (0.0, 0.0, 1.2))
    sides = [rectangle((x, 0.0, 0.2), (0.0, 0.3, 0.0), (0.0, 0.0, 1.2)) for x in (-0.4, 0.4)]
    boxes = [box((x, 0.15, z + 0.07), (0.12, 0.1, 0.14)) for z in heights for x in (-0.2, 0.2)]
    eyes = [(x, -1.0, z) for z in (0.6, 1.0, 1.8) for x in np.linspace(-0.7, 0.7, 5)]
    structure = planes_of(filmed([*boards, back, *sides, *boxes], eyes, np.array([0.0, 0.15, 0.7]), gravity=True))
    assert heights_of(structure, "table") == [0.3, 0.7, 1.1]
    upright = [fitted.plane for fitted in structure.planes if fitted.plane.kind == "wall"]
    walls = [wall for wall in upright if abs(wall.normal[2]) < 0.1]
    assert sorted(tuple(wall.normal.round().astype(int)) for wall in walls) == [(-1, 0, 0), (0, -1, 0), (1, 0, 0)]
    np.testing.assert_allclose(sorted(abs(wall.offset_m) for wall in walls), [0.3, 0.4, 0.4], atol=0.01)


def test_things_on_a_lower_board_are_not_taken_for_what_lies_below_the_upper_board() -> None:
    boards = [rectangle((-0.4, 0.0, z), (0.8, 0.0, 0.0), (0.0, 0.3, 0.0)) for z in (0.3, 0.7)]
    eyes = [(x, -1.0, z) for z in (0.6, 1.1) for x in np.linspace(-0.5, 0.5, 5)]
    structure = planes_of(filmed(boards, eyes, np.array([0.0, 0.15, 0.5]), gravity=True))
    on_lower_board, below_it = np.array([[0.0, 0.15, 0.4], [0.0, 0.15, 0.1]])
    assert is_over_support(structure, on_lower_board, ("table",))
    assert not is_over_support(structure, below_it, ("table",))


def test_the_faces_of_a_box_in_the_corner_of_a_room_are_no_walls() -> None:
    room = [
        rectangle((0.0, 0.0, 0.0), (3.0, 0.0, 0.0), (0.0, 3.0, 0.0)),
        rectangle((0.0, 0.0, 0.0), (3.0, 0.0, 0.0), (0.0, 0.0, 2.0)),
        rectangle((0.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 2.0)),
    ]
    eyes = [(2.0 * np.cos(a), 2.0 * np.sin(a), z) for z in (1.2, 1.6) for a in np.linspace(0.3, 1.2, 6)]
    carton = box((0.25, 0.25, 0.25), (0.5, 0.5, 0.5))
    structure = planes_of(filmed([*room, carton], eyes, np.array([0.2, 0.2, 0.4]), gravity=True))
    walls = [fitted.plane for fitted in structure.planes if fitted.plane.kind == "wall"]
    np.testing.assert_allclose([wall.offset_m for wall in walls], [0.0, 0.0], atol=0.01)


def test_a_wall_between_two_rooms_has_both_faces_and_its_stretches_are_one_wall() -> None:
    walls = [
        rectangle((-2.0, 0.0, 0.0), (4.0, 0.0, 0.0), (0.0, 0.0, 2.0)),
        rectangle((-2.0, 2.0, 0.0), (4.0, 0.0, 0.0), (0.0, 0.0, 2.0)),
        rectangle((-2.0, -2.0, 0.0), (4.0, 0.0, 0.0), (0.0, 0.0, 2.0)),
    ]
    eyes = [(x, side, 1.2) for side in (-1.2, 1.2) for x in np.linspace(-1.4, 1.4, 6)]
    poses = [look_at(np.array(eye), np.array([eye[0], aim, 1.0])) for eye in eyes for aim in (0.0, 2.0 * eye[1])]
    structure = planes_of(rendered_capture(walls, CAMERA, poses, gravity_known=True))
    middle = [fitted.plane for fitted in structure.planes if abs(fitted.plane.offset_m) < 0.05]
    assert sorted(round(float(plane.normal[1])) for plane in middle) == [-1, 1]
    assert all(np.ptp(plane.outline[:, 0]) > 3.0 for plane in middle)


def stretches_of_a_wall() -> list[PlanePatch]:
    patches = []
    for left_m in (-1.5, 0.5):
        x, z = np.meshgrid(np.arange(left_m, left_m + 1.0, 0.04), np.arange(0.0, 1.5, 0.04))
        points = np.stack([x.ravel(), np.zeros(x.size), z.ravel()], axis=1)
        fit = PlaneFit(
            normal=np.array([0.0, -1.0, 0.0]), offset_m=0.0, scatter_m=0.003, inliers=np.ones(len(points), dtype=bool)
        )
        patches.append(PlanePatch(fit=fit, points=points, area_m2=1.5, sigma_m=0.01))
    return patches


def test_stretches_of_a_wall_are_joined_where_frames_measured_it_between_them_and_not_over_a_doorway() -> None:
    closed = [rectangle((-1.5, 0.0, 0.0), (3.0, 0.0, 0.0), (0.0, 0.0, 1.5))]
    doorway = [rectangle((left, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.5)) for left in (-1.5, 0.5)]
    next_room = rectangle((-3.0, 2.0, -1.0), (6.0, 0.0, 0.0), (0.0, 0.0, 4.0))
    eyes = [(x, -2.0, 0.8) for x in (-0.5, 0.0, 0.5)]
    for walls, count in ((closed, 1), (doorway, 2)):
        capture = filmed([*walls, next_room], eyes, np.array([0.0, 0.0, 0.8]), gravity=True)
        assert len(join_coplanar(stretches_of_a_wall(), capture.frames)) == count


def test_things_between_the_panels_of_a_shelf_and_under_its_lowest_board_are_objects() -> None:
    floor = rectangle((-2.0, -2.0, 0.0), (4.0, 0.0, 0.0), (0.0, 2.5, 0.0))
    panels = [box((x, 0.15, 0.5), (0.02, 0.3, 1.0)) for x in (-0.41, 0.41)]
    boards = [box((0.0, 0.15, z), (0.8, 0.3, 0.02)) for z in (0.4, 0.8)]
    cartons = [box((x, 0.15, z), (0.12, 0.1, 0.14)) for z in (0.07, 0.48) for x in (-0.25, 0.25)]
    eyes = [(x, -1.0, z) for z in (0.5, 1.0, 1.5) for x in (-1.3, -0.7, -0.3, 0.3, 0.7, 1.3)]
    capture = filmed([floor, *panels, *boards, *cartons], eyes, np.array([0.0, 0.15, 0.35]), gravity=True)
    segmentation = segment_capture(capture, seed=0)
    middles = sorted(
        tuple(((segment.points.min(axis=0) + segment.points.max(axis=0)) / 2.0).round(2)[[0, 2]])
        for segment in segmentation.segments
    )
    np.testing.assert_allclose(middles, [(-0.25, 0.07), (-0.25, 0.48), (0.25, 0.07), (0.25, 0.48)], atol=0.05)


def test_the_legs_of_a_table_are_no_objects_and_a_box_under_it_is_one() -> None:
    floor = rectangle((-2.0, -2.0, 0.0), (4.0, 0.0, 0.0), (0.0, 4.0, 0.0))
    top = box((0.0, 0.0, 0.69), (1.2, 0.7, 0.02))
    legs = [box((x, y, 0.34), (0.05, 0.05, 0.68)) for x in (-0.55, 0.55) for y in (-0.3, 0.3)]
    carton = box((0.1, 0.0, 0.15), (0.3, 0.25, 0.3))
    angles = np.linspace(0.0, 2.0 * np.pi, 14, endpoint=False)
    eyes = [(1.6 * np.cos(a), 1.6 * np.sin(a), z) for a in angles for z in (0.5, 1.1)]
    capture = filmed([floor, top, *legs, carton], eyes, np.array([0.0, 0.0, 0.35]), gravity=True)
    (segment,) = segment_capture(capture, seed=0).segments
    np.testing.assert_allclose(segment.points.mean(axis=0)[:2], [0.1, 0.0], atol=0.06)
    assert segment.points[:, 2].max() < 0.33
