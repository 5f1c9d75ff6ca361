"""Depth of few views: noise goes, edges and curves stay."""

from __future__ import annotations

import numpy as np

from cousins.reconstruct.surface.depth_smoothing import refine_depth, small_holes, smooth_depth

FOCAL_PX = 200.0
NOISE_M = 0.006


def noisy(depth_m: np.ndarray, seed: int = 1) -> np.ndarray:
    return depth_m + np.random.default_rng(seed).normal(0.0, NOISE_M, depth_m.shape)


def tilted_plane(shape: tuple[int, int] = (40, 50)) -> np.ndarray:
    rows, columns = np.indices(shape)
    return 1.0 / (1.0 + 0.002 * columns - 0.001 * rows)


def test_a_plane_loses_most_of_its_noise_and_what_is_around_it_stays() -> None:
    depth = tilted_plane()
    is_object = np.zeros(depth.shape, dtype=bool)
    is_object[5:35, 8:42] = True
    measured = noisy(depth)
    smoothed = smooth_depth(measured, is_object, FOCAL_PX, max_noise_m=0.007)
    assert np.std((smoothed - depth)[is_object]) < 0.35 * NOISE_M
    assert np.array_equal(smoothed[~is_object], measured[~is_object])


def test_a_step_between_two_surfaces_stays_a_step() -> None:
    depth = np.full((40, 50), 1.0)
    depth[:, 25:] = 1.06
    smoothed = smooth_depth(noisy(depth), np.ones(depth.shape, dtype=bool), FOCAL_PX, max_noise_m=0.007)
    error = np.abs(smoothed - depth)[3:-3, 22:28]
    assert np.median(error) < 0.5 * NOISE_M
    assert error.max() < 0.03


def test_a_bottle_keeps_its_curve() -> None:
    columns = np.arange(41)
    across_m = (columns - 20) / FOCAL_PX
    depth = np.tile(1.0 - np.sqrt(np.maximum(0.13**2 - across_m**2, 0.0)), (60, 1))
    smoothed = smooth_depth(noisy(depth), np.ones(depth.shape, dtype=bool), FOCAL_PX, max_noise_m=0.007)
    profile = (smoothed - depth)[10:-10].mean(axis=0)
    assert np.abs(profile[5:-5]).max() < 0.6 * NOISE_M
    assert np.std((smoothed - depth)[10:-10, 8:-8]) < 0.6 * NOISE_M


def test_the_noise_of_the_image_counts_and_not_the_sensors_where_it_is_smaller() -> None:
    depth = np.tile(1.0 + 0.004 * np.sin(0.9 * np.arange(50)), (40, 1))
    ripples = smooth_depth(depth, np.ones(depth.shape, dtype=bool), FOCAL_PX, max_noise_m=0.02)
    assert np.std(ripples - depth) < 0.0015


def test_refined_depth_is_the_plane_between_the_pixels() -> None:
    depth = tilted_plane()
    is_object = np.zeros(depth.shape, dtype=bool)
    is_object[4:20, 6:30] = True
    fine, fine_object = refine_depth(depth, is_object, 3)
    rows, columns = np.indices(fine.shape)
    expected = 1.0 / (1.0 + 0.002 * ((columns + 0.5) / 3 - 0.5) - 0.001 * ((rows + 0.5) / 3 - 0.5))
    inner = np.s_[14:58, 20:88]
    assert fine_object[inner].all()
    assert np.abs(fine - expected)[inner].max() < 1e-9
    assert abs(np.count_nonzero(fine_object) - 9 * np.count_nonzero(is_object)) < 12
    assert np.array_equal(fine[fine_object == 0][:50], depth.repeat(3, axis=0).repeat(3, axis=1)[fine_object == 0][:50])


def test_specks_in_a_mask_are_holes_and_a_handle_is_none() -> None:
    mask = np.zeros((30, 30), dtype=bool)
    mask[4:26, 4:26] = True
    mask[10, 10] = mask[15:17, 7] = False
    mask[18:23, 18:23] = False
    holes = small_holes(mask)
    assert holes[10, 10]
    assert holes[15:17, 7].all()
    assert np.count_nonzero(holes) == 3
