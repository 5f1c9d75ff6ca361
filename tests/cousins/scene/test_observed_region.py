"""Grids of structure and remainder: cells are covered exactly once, points are never far apart."""

from __future__ import annotations

import numpy as np
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.scene.layout.observed_region import merged_rectangles
from cousins.scene.layout.remainder import (
    RemainderConfig,
    coarse_boxes_note,
    find_remainder,
    merged_boxes,
    surface_points,
)
from sim.physics.simple_assets import slab


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
    points = surface_points(box, 0.01)
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
