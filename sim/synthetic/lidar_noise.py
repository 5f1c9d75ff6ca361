"""A noise model of a phone's LiDAR: noise, bias, flying pixels and confidence.

The sizes of the errors are parameters. Their structure follows phone captures: errors grow with range, those of
neighbouring pixels are correlated, pixels on a depth edge report a value between foreground and background, and
confidence is low there, at grazing incidence and far away. The confidence shares were measured in a 3D Scanner App
capture of a chair (70 frames): along depth edges about 40 % of the pixels have confidence 0 and 50 % have 1, elsewhere
90 % have 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cousins.geometry import Array, Intrinsics

SUBSAMPLES = 3
"""Rays per pixel along each axis; the middle one is the pixel's centre."""


@dataclass(frozen=True, kw_only=True)
class LidarConfig:
    """Sizes of a phone's depth errors."""

    sigma_m: float = 0.002
    """Standard deviation of a pixel's range at range 0 [m]."""
    sigma_per_m: float = 0.005
    """Growth of the standard deviation with range [m/m]."""
    correlated_fraction: float = 0.5
    """Standard deviation of the error shared by neighbours, relative to a pixel's independent error."""
    correlation_px: int = 8
    """Width of the patches that share an error [px]."""
    bias_m: float = 0.004
    """Largest constant range error of a capture [m]; drawn uniformly with both signs."""
    edge_step_m: float = 0.015
    """Depth step that counts as an edge [m]."""
    flying_fraction: float = 0.35
    """Share of flying pixels among the neighbours of a pixel on an edge; pixels on an edge are always flying."""
    max_range_m: float = 5.0
    """No return from farther away [m]."""
    speckle_fraction: float = 0.08
    """Share of ordinary pixels whose confidence is below 2."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrueDepth:
    """A depth image without error, and its edges."""

    depth_m: Array
    """Planar depth at pixel centres [m], float64 [h, w]; 0 where nothing is seen."""
    nearest_m: Array
    """Least depth among a pixel and its neighbours [m]; infinite where nothing is seen."""
    farthest_m: Array
    """Largest depth among a pixel and its neighbours [m]; 0 where nothing is seen."""
    crossed: Array
    """Whether a depth edge crosses the pixel, bool [h, w]."""
    facing: Array
    """Cosine between ray and surface normal, 0 to 1, float64 [h, w]."""


def noiseless_lidar() -> LidarConfig:
    """Return a LiDAR without errors, whose confidence is 2 wherever there is a return."""
    return LidarConfig(
        sigma_m=0.0, sigma_per_m=0.0, bias_m=0.0, edge_step_m=np.inf, flying_fraction=0.0, speckle_fraction=0.0
    )


def true_depth(fine_depth_m: Array, facing: Array, *, config: LidarConfig) -> TrueDepth:
    """Return the error-free depth image from a depth image rendered with SUBSAMPLES rays per pixel and axis.

    `fine_depth_m` is [h·s, w·s]; `facing` [h, w] belongs to the pixel centres.
    """
    s = SUBSAMPLES
    height, width = fine_depth_m.shape[0] // s, fine_depth_m.shape[1] // s
    fine = np.asarray(fine_depth_m, dtype=np.float64)
    blocks = fine.reshape(height, s, width, s)
    near = np.where(blocks > 0.0, blocks, np.inf).min(axis=(1, 3))
    far = blocks.max(axis=(1, 3))
    stepped = _depth_steps(fine, config.edge_step_m).reshape(height, s, width, s).any(axis=(1, 3))
    return TrueDepth(
        depth_m=fine[s // 2 :: s, s // 2 :: s].copy(),
        nearest_m=ndimage.minimum_filter(near, size=3),
        farthest_m=ndimage.maximum_filter(far, size=3),
        crossed=stepped & (far - near > config.edge_step_m),
        facing=facing,
    )


def measure_depth(
    truth: TrueDepth, camera: Intrinsics, *, bias_m: float, config: LidarConfig, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return measured planar depth [m], float32 [h, w], and confidence, uint8 [h, w]."""
    shape = truth.depth_m.shape
    is_valid = truth.depth_m > 0.0
    is_flying, is_edge = _flying_pixels(truth, config, rng)
    nearest_m = np.minimum(truth.nearest_m, truth.farthest_m)
    between = nearest_m + rng.uniform(size=shape) * (truth.farthest_m - nearest_m)
    depth = np.where(is_flying, between, truth.depth_m)
    rays = _ray_lengths(camera)
    range_m = depth * rays
    sigma = config.sigma_m + config.sigma_per_m * range_m
    noise = rng.normal(size=shape) + config.correlated_fraction * _patch_noise(shape, config.correlation_px, rng)
    measured = (range_m + bias_m + sigma * noise) / rays
    is_valid &= (range_m <= config.max_range_m) & (measured > 0.0)
    confidence = _confidence(truth, range_m, is_flying, is_edge, config, rng)
    return np.where(is_valid, measured, 0.0).astype(np.float32), np.where(is_valid, confidence, 0).astype(np.uint8)


def _depth_steps(fine: Array, step_m: float) -> Array:
    """Return a mask of depth steps, bool like `fine`: inverse depth is linear on a plane, so it bends only at steps."""
    inverse = np.where(fine > 0.0, 1.0 / np.maximum(fine, 1e-6), 0.0)
    stepped = np.zeros(fine.shape, dtype=bool)
    down, across = np.zeros(fine.shape), np.zeros(fine.shape)
    down[1:-1] = inverse[2:] - 2.0 * inverse[1:-1] + inverse[:-2]
    across[:, 1:-1] = inverse[:, 2:] - 2.0 * inverse[:, 1:-1] + inverse[:, :-2]
    for bend in (down, across):
        stepped |= np.abs(bend) * fine**2 > step_m
    return stepped


def _flying_pixels(truth: TrueDepth, config: LidarConfig, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return masks of flying pixels and of pixels on or next to an edge; both bool [h, w]."""
    edge = ndimage.binary_dilation(truth.crossed, np.ones((3, 3), dtype=bool))
    return truth.crossed | (edge & (rng.uniform(size=edge.shape) < config.flying_fraction)), edge


def _ray_lengths(camera: Intrinsics) -> Array:
    """Return the ratio of range to planar depth by pixel, [h, w]."""
    u = (np.arange(camera.width) - camera.cx) / camera.fx
    v = (np.arange(camera.height) - camera.cy) / camera.fy
    return np.sqrt(1.0 + u[None, :] ** 2 + v[:, None] ** 2)


def _patch_noise(shape: tuple[int, int], size_px: int, rng: np.random.Generator) -> Array:
    """Return noise of unit variance, correlated over patches of `size_px`: a coarse grid, interpolated to [h, w]."""
    rows, columns = (int(np.ceil(extent / size_px)) + 2 for extent in shape)
    coarse = rng.normal(size=(rows, columns))
    y0, x0 = rng.uniform(0.0, 1.0, size=2)
    y, x = np.arange(shape[0]) / size_px + y0, np.arange(shape[1]) / size_px + x0
    i, j = y.astype(int), x.astype(int)
    a, b = (y - i)[:, None], (x - j)[None, :]
    weights = ((1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b)
    places = ((0, 0), (0, 1), (1, 0), (1, 1))
    total = sum(
        (w * coarse[np.ix_(i + dy, j + dx)] for w, (dy, dx) in zip(weights, places, strict=True)), np.zeros(shape)
    )
    return np.asarray(total / np.sqrt(sum((w**2 for w in weights), np.zeros(shape))))


def _confidence(
    truth: TrueDepth, range_m: Array, is_flying: Array, is_edge: Array, config: LidarConfig, rng: np.random.Generator
) -> Array:
    """Return the confidence that the phone reports, uint8 [h, w]."""
    chance = rng.uniform(size=is_edge.shape)
    ordinary_level = np.where(
        chance < 0.35 * config.speckle_fraction, 0, np.where(chance < config.speckle_fraction, 1, 2)
    )
    edge_level = np.where(chance < 0.3, 0, np.where(chance < 0.8, 1, 2))
    flying_level = np.where(chance < 0.75, 0, 1)
    level = np.where(is_flying, flying_level, np.where(is_edge, edge_level, ordinary_level))
    if config.speckle_fraction > 0.0:
        doubtful = (truth.facing < 0.25) | (range_m > 3.5)
        level = np.where(doubtful, np.minimum(level, 1), level)
        level = np.where((truth.facing < 0.1) | (range_m > 4.5), 0, level)
    return level.astype(np.uint8)
