from __future__ import annotations

import numpy as np
import pytest

from cousins.reconstruct.surface.distance_field import MeasuredField, fill_unseen
from cousins.reconstruct.surface.rotational_symmetry import find_axis, symmetrize
from cousins.reconstruct.surface.vessel import find_vessel, wall_share
from cousins.reconstruct.surface.view_evidence import VoxelGrid

GRID = VoxelGrid(origin=np.array([-0.06, -0.06, -0.006]), voxel_m=0.002, shape=(61, 61, 45))
TRUNCATION_M = 0.015


def centers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, z = np.meshgrid(*(GRID.centers_m(axis) for axis in range(3)), indexing="ij")
    return x, y, z


def cup(*, floor_m: float, middle: tuple[float, float] = (0.0, 0.0), noise_m: float = 0.0) -> MeasuredField:
    """A cup of radius 4 cm and 7 cm height with a wall of 4 mm, measured but for what is below its floor."""
    x, y, z = centers()
    radius = np.hypot(x - middle[0], y - middle[1])
    outside = np.maximum(radius - 0.04, z - 0.07)
    inside = np.maximum(radius - 0.036, floor_m - z)
    distance = np.maximum(outside, -inside) + noise_m * np.random.default_rng(0).normal(size=GRID.shape)
    hidden = (radius < 0.036) & (z < floor_m - 0.008) | (z < 0.0)
    return MeasuredField(
        distance_m=np.clip(distance, -TRUNCATION_M, TRUNCATION_M).astype(np.float32),
        trust=np.where(hidden, 0.0, 1.0).astype(np.float32),
    )


def box() -> MeasuredField:
    x, y, z = centers()
    distance = np.maximum(np.maximum(np.abs(x) - 0.04, np.abs(y) - 0.04), z - 0.07)
    return MeasuredField(
        distance_m=np.clip(distance, -TRUNCATION_M, TRUNCATION_M).astype(np.float32),
        trust=(z > 0.0).astype(np.float32),
    )


def test_the_axis_of_a_round_object_is_found_within_half_a_millimetre():
    axis = find_axis(cup(floor_m=0.01, middle=(0.004, -0.003), noise_m=0.001), GRID, base_m=0.0, tolerance_m=0.003)
    assert axis is not None
    assert axis.center_xy == pytest.approx([0.004, -0.003], abs=0.0005)
    assert np.abs(axis.lean).max() < 0.01


def test_a_square_box_is_not_round():
    assert find_axis(box(), GRID, base_m=0.0, tolerance_m=0.003) is None


def test_averaging_over_the_turn_removes_most_noise_and_keeps_a_handle():
    clean, noisy = cup(floor_m=0.01), cup(floor_m=0.01, noise_m=0.001)
    x, y, z = centers()
    handle = (np.abs(y) < 0.006) & (x > 0.04) & (x < 0.056) & (z > 0.03) & (z < 0.05)
    noisy = MeasuredField(distance_m=np.where(handle, -0.004, noisy.distance_m).astype(np.float32), trust=noisy.trust)
    axis = find_axis(noisy, GRID, base_m=0.0, tolerance_m=0.003)
    assert axis is not None
    smooth, attached = symmetrize(noisy, GRID, axis, tolerance_m=0.003, truncation_m=TRUNCATION_M)
    near = (np.abs(clean.distance_m) < 0.003) & (clean.trust > 0.0) & (np.abs(y) > 0.015)
    before = np.abs(noisy.distance_m - clean.distance_m)[near].mean()
    after = np.abs(smooth.distance_m - clean.distance_m)[near].mean()
    assert after < 0.5 * before
    assert (smooth.distance_m[handle] < 0.0).mean() > 0.9
    assert attached[handle].mean() > 0.8


def test_an_empty_cup_has_its_measured_wall_below_its_floor_and_stands_on_a_ring():
    measured = cup(floor_m=0.014)
    nothing_else = np.ones(GRID.shape, dtype=np.float32)
    vessel = find_vessel(measured, nothing_else, GRID, base_m=0.0)
    assert vessel is not None
    assert vessel.wall_m == pytest.approx(0.004, abs=0.001)
    share = wall_share(vessel, GRID, base_m=0.0, truncation_m=TRUNCATION_M)
    solid = fill_unseen(measured, share, wall_m=vessel.wall_m, truncation_m=TRUNCATION_M).distance_m < 0.0
    x, y, z = centers()
    middle = np.hypot(x, y) < 0.02
    assert solid[middle & (z > 0.0105) & (z < 0.0135)].all()
    assert not solid[middle & (z > 0.001) & (z < 0.007)].any()
    assert solid[(np.abs(np.hypot(x, y) - 0.034) < 0.001) & (z > 0.001) & (z < 0.01)].all()


def test_a_full_cup_is_no_vessel():
    assert find_vessel(cup(floor_m=0.05), np.ones(GRID.shape, dtype=np.float32), GRID, base_m=0.0) is None


def test_a_cup_into_which_no_frame_looked_down_to_the_floor_is_no_vessel():
    measured = cup(floor_m=0.014)
    x, y, z = centers()
    deep = (np.hypot(x, y) < 0.036) & (z < 0.03)
    unseen = MeasuredField(distance_m=measured.distance_m, trust=np.where(deep, 0.0, measured.trust).astype(np.float32))
    assert find_vessel(unseen, np.ones(GRID.shape, dtype=np.float32), GRID, base_m=0.0) is None
