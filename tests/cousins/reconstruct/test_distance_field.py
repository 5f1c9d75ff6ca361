from __future__ import annotations

import numpy as np

from cousins.reconstruct.surface.distance_field import trim_fringe

HEIGHTS_M = 0.002 * np.arange(30) - 0.006


def test_a_flat_fringe_around_the_foot_goes_and_the_floor_of_a_bowl_stays():
    field = np.full((40, 40, 30), 0.01, dtype=np.float32)
    field[10:30, 10:30, :25] = -0.01
    field[13:27, 13:27, 5:] = 0.01
    field[30:35, 15:20, :5] = -0.01
    trimmed = trim_fringe(field, HEIGHTS_M, base_m=0.0, low_m=0.005)
    assert (trimmed[31:35, 15:20] > 0.0).all()
    assert (trimmed[10:30, 10:30] == field[10:30, 10:30]).all()


def test_an_object_as_flat_as_a_fringe_is_kept():
    field = np.full((40, 40, 30), 0.01, dtype=np.float32)
    field[10:30, 10:30, :5] = -0.01
    assert (trim_fringe(field, HEIGHTS_M, base_m=0.0, low_m=0.005) == field).all()
