"""Fixed planes of places with more than one table or wall, from frames rendered of known rectangles."""

from __future__ import annotations

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Array, Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.segment.structure.detection import find_planes
from cousins.segment.structure.planes import FixedStructure
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
