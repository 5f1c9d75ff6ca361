from __future__ import annotations

import numpy as np
import pytest

from cousins.segment.surfaces.surface import Surface, edge_pixels, flying_pixels, merge_layers, smallest_axis
from cousins.segment.surfaces.voxel_map import touching_voxels


def test_the_smallest_axis_is_the_normal_of_a_plane() -> None:
    rng = np.random.default_rng(1)
    normal = np.array([1.0, 2.0, -0.5]) / np.linalg.norm([1.0, 2.0, -0.5])
    points = rng.normal(size=(500, 3))
    points -= np.outer(points @ normal, normal)
    xx, xy, xz, _, yy, yz, _, _, zz = np.cov(points.T).ravel()
    axis = np.array(smallest_axis(np.array([xx, xy, xz, yy, yz, zz])))
    assert abs(axis @ normal) == pytest.approx(1.0, abs=1e-9)


def test_a_mixed_pixel_flies_and_the_true_sides_of_a_step_do_not() -> None:
    depth = np.full((9, 9), 1.0, dtype=np.float32)
    depth[:, 5:] = 0.6
    depth[:, 4] = 0.8
    assert flying_pixels(depth)[:, 4].all()
    assert not flying_pixels(depth)[:, [0, 1, 2, 3, 5, 6, 7, 8]].any()
    assert edge_pixels(depth)[:, 3:6].all()


def _flat(layers_m: float) -> Surface:
    cells = np.array([[i, j, 0] for i in range(20) for j in range(20)])
    points = cells * 0.01
    points[:, 2] = np.where(cells.sum(axis=1) % 2 == 0, 0.0, layers_m)
    return Surface(
        points=points,
        normals=np.tile([0.0, 0.0, 1.0], (len(cells), 1)),
        colors=np.full((len(cells), 3), np.nan),
        edges=touching_voxels(cells),
        spacing_m=0.01 / 3.0,
        sigma_m=0.002,
    )


def test_layers_of_one_face_are_merged() -> None:
    assert np.ptp(merge_layers(_flat(0.008), steps=3).points[:, 2]) < 0.002
