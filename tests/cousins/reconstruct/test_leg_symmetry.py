from __future__ import annotations

import numpy as np

from cousins.reconstruct.surface.leg_symmetry import mirror_legs

SHAPE = (70, 50, 60)
VOXEL_M = 0.005


def bench_on_three_legs() -> np.ndarray:
    """A seat of 25 × 15 cm at 20 cm, turned nowhere, with three legs of 2 cm."""
    field = np.full(SHAPE, 0.02, dtype=np.float32)
    field[10:60, 10:40, 40:44] = -0.01
    for i, j in ((10, 10), (56, 10), (10, 36)):
        field[i : i + 4, j : j + 4, :42] = -0.01
    return field


def test_a_leg_that_no_view_measured_is_taken_from_the_other_side():
    field = bench_on_three_legs()
    mended, added = mirror_legs(field, field < 0.0, np.zeros(SHAPE, dtype=np.float32), voxel_m=VOXEL_M)
    assert added == 1
    assert (mended[57:59, 37:39, :42] < 0.0).all()
    assert np.count_nonzero((mended < 0.0) & (field > 0.0)) < 5 * 5 * 42


def test_no_leg_is_added_where_the_views_look_through():
    field = bench_on_three_legs()
    looks = np.full(SHAPE, 20.0, dtype=np.float32)
    mended, added = mirror_legs(field, field < 0.0, looks, voxel_m=VOXEL_M)
    assert added == 0
    assert (mended == field).all()


def test_a_body_that_is_like_no_mirror_image_is_left_alone():
    field = np.full(SHAPE, 0.02, dtype=np.float32)
    field[5:65, 5:11, 40:44] = field[5:11, 5:45, 40:44] = field[5:9, 5:9, :42] = -0.01
    field[30:34, 5:9, :42] = -0.01
    mended, added = mirror_legs(field, field < 0.0, np.zeros(SHAPE, dtype=np.float32), voxel_m=VOXEL_M)
    assert added == 0
    assert (mended == field).all()
