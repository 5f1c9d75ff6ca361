"""Height of what lies on a support, averaged over all frames on a grid finer than a depth pixel.

A depth pixel of a phone is uncertain by 5 mm, the mean of a hundred by half a millimetre, if the slow errors of each
frame (range bias, drift and tilt of its pose) are taken out first: they are fitted to the support itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import ndimage

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.segment.structure.planes import FittedPlane, heights_above_plane, inside_outline, plane_basis
from cousins.segment.surfaces.surface import noise_m, world_points
from cousins.segment.surfaces.voxel_map import confident_pixels

MIN_FRAME_PIXELS = 500
"""Fewest pixels of a support in a frame from which the frame's slow errors are fitted."""
FIT_PIXELS = 4000
"""Largest number of pixels of a frame to which they are fitted."""
FIT_GATE_M = 0.02
"""Largest distance from the plane of pixels that may belong to the support [m]: pose drift of phones is below 1 cm."""
MAX_CORRECTION_M = 0.015
"""Largest slow error of a frame that is taken out [m]; more is another surface."""
BELOW_M = -0.03
"""Pixels further below the support than this look past it [m]."""
MIN_EVIDENCE_SHARE = 0.1
"""Least evidence of a measured cell as a share of the median cell's."""
MIN_TALL_SHARE = 0.15
"""Share of a cell's evidence that lies high above it from which something tall stands there; less are wild pixels."""
COARSE_CELL_M = 0.008
"""Edge of the cells on which the slow shape of a support is averaged [m]."""
BASELINE_SIGMAS_M = (0.10, 0.06, 0.04, 0.04)
"""Widths of the averages that approach the slow shape [m]: things up to about 12 cm wide stand out of the first."""
MIN_SIGMA_M = 0.0001
"""Least standard deviation of a mean height [m]: millimetre steps of stored depth do not average out to less."""
MIN_BASELINE_GATE_M = 0.001
"""Least height over the slow shape from which a cell takes no part in it [m]."""


@dataclass(frozen=True, kw_only=True)
class ReliefMapConfig:
    """Resolution and reach of height maps."""

    cell_pixels: float = 0.5
    """Edge of a cell in depth pixels at the median range."""
    min_cell_m: float = 0.0015
    """Smallest edge of a cell [m]."""
    max_pixel_m: float = 0.008
    """Largest depth pixel on the support [m]: of coarser ones a pen of 8 mm is never covered by more than one."""
    max_cells: int = 2_000_000
    """Largest number of cells."""
    max_frames: int = 120
    """Largest number of frames used, evenly spaced."""
    max_range_m: float = 3.0
    """Largest depth that is used [m]."""
    tall_m: float = 0.02
    """Height from which something is tall [m]: it is an object without this map."""
    margin_m: float = 0.01
    """Margin within the outline of the support that is left out, and around what is tall [m]: flying pixels."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReliefMap:
    """Heights over a support on a grid in its plane; all arrays are [rows, columns]."""

    fitted: FittedPlane
    """The support."""
    corner: Array
    """World position of the corner of cell (0, 0) on the plane [m], float64 [3]."""
    axes: Array
    """Unit vectors of the columns and of the rows in the world, float64 [2, 3]."""
    cell_m: float
    """Edge of a cell [m]."""
    pixel_m: float
    """Typical size of a depth pixel on the support [m]."""
    blur_m: float
    """Standard deviation of the average over neighbouring cells [m]."""
    relief_m: Array
    """Height over the slow shape of the support, averaged over neighbours [m]; 0 where not measured."""
    sigma_m: Array
    """Standard deviation of `relief_m` [m], from the support's own residuals; infinite where not measured."""
    baseline_m: Array
    """Slow shape of the support: height over its plane [m]."""
    is_tall: Array
    """Cells where something tall stands, or beside it."""

    @property
    def is_measured(self) -> Array:
        """Cells of the support, or of low things on it, that were measured, bool [rows, columns]."""
        return np.isfinite(self.sigma_m)

    def world_points(self, rows: Array, columns: Array, height_m: Array) -> Array:
        """Return the world points [n, 3] over the centres of cells at heights over the plane [n] [m]."""
        flat = (np.stack([columns, rows], axis=1) + 0.5) * self.cell_m
        return np.asarray(self.corner + flat @ self.axes + np.outer(height_m, self.fitted.plane.normal))

    def cells_of(self, points: Array) -> tuple[Array, Array]:
        """Return row and column of the cell under each point [n, 3]; they may lie outside the map."""
        flat = (points - self.corner) @ self.axes.T
        columns, rows = np.floor(flat / self.cell_m).astype(np.int64).T
        return rows, columns


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Sums:
    """Sums over frames on the grid of one support."""

    fitted: FittedPlane
    """The support."""
    axes: Array
    """Unit vectors of the columns and of the rows in the world, float64 [2, 3]."""
    low: Array
    """Coordinates of the corner of cell (0, 0) along the axes [m], float64 [2]."""
    cell_m: float
    """Edge of a cell [m]."""
    pixel_m: float
    """Typical size of a depth pixel on the support [m]."""
    weight: Array
    """Evidence on the support or low above it, float64 [rows, columns]."""
    moment: Array
    """Evidence times height [m], float64 [rows, columns]."""
    tall: Array
    """Evidence high above the support, float64 [rows, columns]."""


def build_relief_maps(
    frames: Sequence[Frame], supports: Sequence[FittedPlane], *, config: ReliefMapConfig | None = None
) -> tuple[ReliefMap, ...]:
    """Return a map of each support that enough frames are near enough to, in the order of the supports."""
    config = ReliefMapConfig() if config is None else config
    frames = frames[:: max(1, -(-len(frames) // config.max_frames))]
    grids = [sums for fitted in supports if (sums := _empty_sums(frames, fitted, config)) is not None]
    if not grids:
        return ()
    for frame in frames:
        is_used = confident_pixels(frame, max_range_m=config.max_range_m)
        points = world_points(frame)[is_used]
        for sums in grids:
            _add_frame(sums, frame, points, frame.confidence[is_used], config.tall_m)
    return tuple(_from_sums(sums, config) for sums in grids)


def _empty_sums(frames: Sequence[Frame], fitted: FittedPlane, config: ReliefMapConfig) -> _Sums | None:
    """Return the grid of a support without evidence; None where no frame is near enough to it."""
    pixel_m = _pixel_on_plane_m(frames, fitted)
    if pixel_m is None or pixel_m > config.max_pixel_m:
        return None
    axes = plane_basis(fitted.plane.normal)
    flat = fitted.plane.outline @ axes.T
    low, size = flat.min(axis=0), np.ptp(flat, axis=0)
    cell_m = max(config.cell_pixels * pixel_m, config.min_cell_m, float(np.sqrt(np.prod(size) / config.max_cells)))
    shape = (int(size[1] / cell_m) + 1, int(size[0] / cell_m) + 1)
    weight, moment, tall = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    return _Sums(
        fitted=fitted, axes=axes, low=low, cell_m=cell_m, pixel_m=pixel_m, weight=weight, moment=moment, tall=tall
    )


def _from_sums(sums: _Sums, config: ReliefMapConfig) -> ReliefMap:
    fitted, axes, cell_m, pixel_m = sums.fitted, sums.axes, sums.cell_m, sums.pixel_m
    corner = sums.low @ axes + fitted.plane.offset_m * fitted.plane.normal
    blur_m = max(cell_m, 0.4 * pixel_m)
    blur = blur_m / cell_m
    weight, tall = ndimage.gaussian_filter(sums.weight, blur), ndimage.gaussian_filter(sums.tall, blur)
    rows, columns = np.indices(weight.shape).reshape(2, -1)
    centers = corner + (np.stack([columns, rows], axis=1) + 0.5) * cell_m @ axes
    is_inside = inside_outline(fitted.plane, centers, margin_m=-config.margin_m).reshape(weight.shape)
    is_hit = is_inside & (weight > 0.0)
    least = MIN_EVIDENCE_SHARE * float(np.median(weight[is_hit])) if is_hit.any() else np.inf
    reach = round((config.margin_m + pixel_m) / cell_m)
    is_obstructed = (tall > MIN_TALL_SHARE * (tall + weight)) & (tall + weight > least)
    is_tall = ndimage.distance_transform_edt(~is_obstructed) <= reach
    baseline = _baseline(sums, is_tall, cell_m)
    moment = ndimage.gaussian_filter(sums.moment - sums.weight * baseline, blur)
    is_measured = is_inside & ~is_tall & (weight > least)
    relief = np.where(is_measured, moment / np.maximum(weight, 1e-12), 0.0)
    return ReliefMap(
        fitted=fitted,
        corner=corner,
        axes=axes,
        cell_m=cell_m,
        pixel_m=pixel_m,
        blur_m=blur_m,
        relief_m=relief,
        sigma_m=_sigmas(relief, _effective_weight(sums.weight, weight, blur), is_measured),
        baseline_m=baseline,
        is_tall=is_tall,
    )


def _effective_weight(evidence: Array, weight: Array, blur: float) -> Array:
    """Return the evidence that a weighted mean over neighbours is worth, [rows, columns].

    A mean with kernel k of cells with evidence w has the variance Σ k² w / (Σ k w)² of a unit's. The square of a
    Gaussian is a narrower one. Cells that a few views fill sparsely are thereby worth less than their `weight`.
    """
    squares = ndimage.gaussian_filter(evidence, blur / np.sqrt(2.0))
    return np.asarray(np.square(weight) / np.maximum(squares, 1e-12))


def _sigmas(relief: Array, weight: Array, is_measured: Array) -> Array:
    """Return the standard deviation of each cell's relief [m]: it falls with the root of the evidence there.

    Its size comes from all cells' own scatter, robustly: most of a support carries nothing. Sensors that average to a
    rougher surface, and rippled cloth, are thereby more uncertain.
    """
    if not is_measured.any():
        return np.full(relief.shape, np.inf)
    unit = 1.4826 * float(np.median(np.abs(relief[is_measured]) * np.sqrt(weight[is_measured])))
    return np.where(is_measured, np.maximum(unit / np.sqrt(np.maximum(weight, 1e-12)), MIN_SIGMA_M), np.inf)


def _pixel_on_plane_m(frames: Sequence[Frame], fitted: FittedPlane) -> float | None:
    """Return the median size of a depth pixel on a support [m] over frames; None where no frame shows enough of it."""
    sizes = []
    for frame in frames:
        points = world_points(frame)[::4, ::4]
        z = frame.depth_m[::4, ::4]
        on_plane = (z > 0.0) & (np.abs(heights_above_plane(fitted, points)) < FIT_GATE_M)
        on_plane &= inside_outline(fitted.plane, points)
        if 16 * on_plane.sum() >= MIN_FRAME_PIXELS:
            sizes.append(float(np.median(z[on_plane])) / frame.depth_camera.fx)
    return float(np.median(sizes)) if sizes else None


def _add_frame(sums: _Sums, frame: Frame, points: Array, confidence: Array, tall_m: float) -> None:
    """Add one frame's pixels, as world points [n, 3] with confidence [n], with its slow errors taken out."""
    fitted = sums.fitted
    height = heights_above_plane(fitted, points)
    is_over = height > BELOW_M
    is_over[is_over] = inside_outline(fitted.plane, points[is_over])
    points, height = points[is_over], height[is_over]
    flat = points @ sums.axes.T
    near = np.flatnonzero(np.abs(height) < FIT_GATE_M)
    if len(near) < MIN_FRAME_PIXELS:
        return
    height = height - _slow_errors(flat, height, near)
    toward = frame.world_from_camera[:3, 3] - points
    range_m = np.linalg.norm(toward, axis=1)
    facing = np.abs(toward @ fitted.plane.normal) / range_m
    trust = np.where(confidence[is_over] >= 2, 1.0, 0.25)
    weight = facing * trust * np.square(0.005 / noise_m(range_m))
    cells = np.floor((flat - sums.low) / sums.cell_m).astype(np.int64)
    _accumulate(cells, height, weight, tall_m, sums.weight, sums.moment, sums.tall)


def _slow_errors(flat: Array, height: Array, near: Array) -> Array:
    """Return a frame's slow height error [n] at plane coordinates [n, 2]: a quadratic, reweighted (Tukey)."""
    sample = near[:: max(1, len(near) // FIT_PIXELS)]
    center = flat[sample].mean(axis=0)
    size = max(float(np.abs(flat[sample] - center).max()), 1e-6)

    def terms(positions: Array) -> Array:
        x, y = (np.clip((positions - center) / size, -1.0, 1.0)).T
        return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)

    design, target = terms(flat[sample]), height[sample]
    weights: Array = np.ones(len(sample))
    fit = np.zeros(6)
    for _ in range(8):
        scaled = design * weights[:, None]
        fit = np.linalg.solve(scaled.T @ design + 1e-6 * len(sample) * np.eye(6), scaled.T @ target)
        rest = target - design @ fit
        scale = 4.685 * 1.4826 * max(float(np.median(np.abs(rest))), 2e-4)
        weights = np.square(np.clip(1.0 - np.square(rest / scale), 0.0, None))
    return np.asarray(np.clip(terms(flat) @ fit, -MAX_CORRECTION_M, MAX_CORRECTION_M))


def _baseline(sums: _Sums, is_tall: Array, cell_m: float) -> Array:
    """Return the slow shape of a support [m] by cell: averages over ever smaller areas, without what stands out."""
    step = max(1, round(COARSE_CELL_M / cell_m))
    weight, moment = (
        _block_sums(np.where(is_tall, 0.0, sums.weight), step),
        _block_sums(np.where(is_tall, 0.0, sums.moment), step),
    )
    is_measured = weight > 0.05 * np.median(weight[weight > 0.0], axis=None) if (weight > 0.0).any() else weight > 0.0
    if not is_measured.any():
        return np.zeros(sums.weight.shape)
    mean = np.where(is_measured, moment / np.maximum(weight, 1e-12), 0.0)
    level = np.full(mean.shape, float(np.median(mean[is_measured])))
    for sigma_m in BASELINE_SIGMAS_M:
        off = np.abs(mean - level)
        gate = max(3.0 * 1.4826 * float(np.median(off[is_measured])), MIN_BASELINE_GATE_M)
        stands_out = ndimage.binary_dilation(is_measured & (off > gate))
        share = np.where(is_measured & ~stands_out, 1.0, 0.0)
        blur = sigma_m / (step * cell_m)
        total = ndimage.gaussian_filter(share, blur, mode="constant")
        level = np.where(total > 1e-3, ndimage.gaussian_filter(share * mean, blur, mode="constant"), level * total)
        level = level / np.maximum(total, 1e-12)
    rows, columns = ((np.arange(extent) + 0.5) / step - 0.5 for extent in sums.weight.shape)
    grid = np.meshgrid(rows, columns, indexing="ij")
    return np.asarray(ndimage.map_coordinates(level, grid, order=1, mode="nearest"))


def _block_sums(values: Array, step: int) -> Array:
    """Return the sums of blocks of `step` by `step` cells; the last ones may be smaller."""
    starts = (np.arange(0, extent, step) for extent in values.shape)
    rows, columns = starts
    return np.asarray(np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1))


@njit(cache=True)
def _accumulate(cells, height, weight, tall_m, sum_weight, sum_moment, sum_tall):  # type: ignore[no-untyped-def]
    rows, columns = sum_weight.shape
    for k in range(height.size):
        c, r = cells[k, 0], cells[k, 1]
        if c < 0 or r < 0 or c >= columns or r >= rows:
            continue
        if height[k] > tall_m:
            sum_tall[r, c] += weight[k]
        else:
            sum_weight[r, c] += weight[k]
            sum_moment[r, c] += weight[k] * height[k]
