"""Grids of structure and remainder: cells are covered exactly once, points are never far apart."""

from __future__ import annotations

import numpy as np
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cousins.capture.captures import Frame
from cousins.geometry import Array, Intrinsics, rigid
from cousins.meshes import Mesh
from cousins.scene.layout.observed_region import merged_rectangles
from cousins.scene.layout.remainder import (
    RemainderConfig,
    coarse_boxes_note,
    find_remainder,
    merged_boxes,
)
from cousins.scene.layout.structures import structure_from_plane
from cousins.segment.segments import Plane
from sim.physics.simple_assets import slab
from tests.cousins.rendered_captures import rendered_capture


@settings(max_examples=150, deadline=None)
@given(cells=arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_rectangles_cover_every_cell_once_and_no_other(cells: Array) -> None:
    covered = np.zeros(cells.shape, dtype=int)
    for (x, y), (right, top) in merged_rectangles(cells).astype(int):
        covered[y:top, x:right] += 1
    np.testing.assert_array_equal(covered, cells.astype(int))


@settings(max_examples=100, deadline=None)
@given(
    cells=arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))), shift=st.integers(-9, 9)
)
def test_boxes_cover_every_cell_once_and_no_other(cells: Array, shift: int) -> None:
    covered = np.zeros(cells.shape, dtype=int)
    for low, high in merged_boxes(np.argwhere(cells) + shift) - shift:
        covered[low[0] : high[0], low[1] : high[1], low[2] : high[2]] += 1
    np.testing.assert_array_equal(covered, cells.astype(int))


def test_points_on_a_mesh_are_no_further_apart_than_asked_for() -> None:
    box = Mesh.from_trimesh(trimesh.creation.box(extents=(0.3, 0.2, 0.1)))
    points = box.surface_points(0.01)
    samples, _ = trimesh.sample.sample_surface(box.to_trimesh(), 2000, seed=0)
    nearest = np.sqrt(((samples[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)).min(axis=1)
    assert nearest.max() < 0.01
    assert len(points) < 8000


def test_coarse_boxes_are_a_fallback_with_their_size() -> None:
    fine, coarse = (slab("remainder", size_m=(1.0, 1.0, edge_m)).pieces for edge_m in (0.02, 0.05))
    assert coarse_boxes_note(fine) == []
    (note,) = coarse_boxes_note(coarse)
    assert "5.0 cm coarse instead of 2.0 cm" in note


def test_without_frames_there_is_no_remainder() -> None:
    assert find_remainder([], [], [], [], config=RemainderConfig()) is None


def floor_filmed_around(blocks: Mesh) -> list[Frame]:
    """Return views from above of a floor of 6 m, on which stands what hides its middle of 2 x 2 m."""
    half = 3.0
    floor = Mesh(
        vertices=np.array([[-half, -half, 0.0], [half, -half, 0.0], [half, half, 0.0], [-half, half, 0.0]]),
        faces=np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32),
    )
    camera = Intrinsics(width=160, height=160, fx=90.0, fy=90.0, cx=79.5, cy=79.5)
    down = rigid(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 3.4]))
    return list(rendered_capture([floor, blocks], camera, [down, down]).frames)


def floor_plane() -> Plane:
    corners = np.array([[-2.5, -2.5, 0.0], [2.5, -2.5, 0.0], [2.5, 2.5, 0.0], [-2.5, 2.5, 0.0]])
    return Plane(name="floor", kind="floor", normal=np.array([0.0, 0.0, 1.0]), offset_m=0.0, outline=corners)


def test_a_floor_goes_on_under_a_table_but_not_behind_walls() -> None:
    block = Mesh.from_trimesh(trimesh.creation.box(extents=(2.0, 2.0, 0.1))).transformed(
        rigid(translation=np.array([0.0, 0.0, 0.05]))
    )
    frames = floor_filmed_around(block)
    under_table = structure_from_plane(floor_plane(), [], frames).visual
    np.testing.assert_allclose(under_table.triangle_areas_m2().sum(), 25.0, rtol=0.01)
    walls = []
    for x, y in ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)):
        along = np.array([-y, x, 0.0])
        ends = [np.array([x, y, z]) + sign * along for z in (0.0, 0.8) for sign in (-1.0, 1.0)]
        walls.append(
            Plane(name="wall", kind="wall", normal=np.array([x, y, 0.0]), offset_m=1.0, outline=np.array(ends))
        )
    ring = structure_from_plane(floor_plane(), [], frames, walls=walls).visual
    assert 20.5 < ring.triangle_areas_m2().sum() < 23.0
