"""Planes fitted to sampled depth: histogram peaks, trimmed least squares, connected patches."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cousins.geometry import Array
from cousins.segment.structure.planes import plane_basis
from cousins.segment.structure.samples import AREA_CELL_M, DepthSamples

MIN_NORMAL_COS = np.cos(np.deg2rad(20.0))
"""Smallest cosine between the normals of a point and of its plane: 20 degrees."""
MIN_PATCH_POINTS = 20
"""Fewest points of a connected patch."""
MAX_BRIDGE_CELLS = 4
"""Largest distance from a point, in cells, that belongs to its patch: floors seen at a grazing angle from far."""
PEAK_SHARE = 0.5
"""Share of the area of a plane that its histogram's peak holds at least: points share their cell's area with noise."""
HISTOGRAM_BIN_M = 0.01
"""Height and offset resolution of the histograms [m]: one to two standard deviations of the depth noise."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlaneFit:
    """A plane fitted to points."""

    normal: Array
    """Unit normal, float64 [3]."""
    offset_m: float
    """Distance from the origin along the normal [m]."""
    scatter_m: float
    """Robust standard deviation of the inliers about the plane [m]."""
    inliers: Array
    """Which points belong to it, bool [n]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanePatch:
    """A connected patch of sampled points on a plane that was fitted to them."""

    fit: PlaneFit
    """The plane; its inliers are those of the patch's own points."""
    points: Array
    """World points [m], float64 [n, 3]."""
    area_m2: float
    """Area of the cells of a 5 cm grid on the plane that hold points [m²]."""
    sigma_m: float
    """Median depth noise that its points are expected to have [m]."""


def fit_plane(points: Array, normal: Array, offset_m: float, *, normals: Array, reach_m: float) -> PlaneFit:
    """Fit a plane to points [n, 3] with normals [n, 3], near a first guess, by trimmed least squares.

    `reach_m` bounds the first gate; later gates are three robust standard deviations.
    """
    gate = reach_m
    scatter = reach_m
    inliers = np.zeros(len(points), dtype=bool)
    for _ in range(6):
        residual = points @ normal - offset_m
        inliers = (np.abs(residual) < gate) & (normals @ normal > MIN_NORMAL_COS)
        if inliers.sum() < MIN_PATCH_POINTS:
            break
        centre = points[inliers].mean(axis=0)
        _, axes = np.linalg.eigh(np.cov((points[inliers] - centre).T))
        normal = axes[:, 0] if axes[:, 0] @ normal > 0.0 else -axes[:, 0]
        offset_m = float(centre @ normal)
        scatter = float(1.4826 * np.median(np.abs(points[inliers] @ normal - offset_m)))
        gate = min(reach_m, max(3.0 * scatter, 0.003))
    return PlaneFit(normal=normal, offset_m=offset_m, scatter_m=scatter, inliers=inliers)


def fitted_patches(samples: DepthSamples, fit: PlaneFit, *, reach_m: float) -> list[PlanePatch]:
    """Return the connected patches of a plane's inliers, each fitted again: tracking that drifted shifts them apart."""
    patches = []
    points, normals = samples.points, samples.normals
    for patch in connected_patches(points, samples.spacings, fit.inliers, fit.normal):
        refit = fit_plane(points[patch], fit.normal, fit.offset_m, normals=normals[patch], reach_m=reach_m)
        is_fitted = refit.inliers.sum() >= MIN_PATCH_POINTS
        patches.append(
            PlanePatch(
                fit=refit if is_fitted else replace(fit, inliers=np.ones(int(patch.sum()), dtype=bool)),
                points=points[patch],
                area_m2=_covered_area(points[patch], fit.normal),
                sigma_m=float(np.median(samples.sigmas[patch])),
            )
        )
    return patches


def histogram_peaks(
    values: Array, weights: Array, *, min_weight: float, width_m: float, window_bins: int = 3
) -> list[float]:
    """Return the positions [m] of windows of a histogram that hold at least `min_weight`, greatest first."""
    low = float(values.min()) - HISTOGRAM_BIN_M
    histogram = np.bincount(((values - low) / HISTOGRAM_BIN_M).astype(np.int64), weights=weights)
    smooth = np.convolve(histogram, np.ones(window_bins), mode="same")
    peaks = []
    reach = max(1, round(width_m / HISTOGRAM_BIN_M))
    while smooth.max() >= min_weight:
        peak = int(np.argmax(smooth))
        peaks.append(low + (peak + 0.5) * HISTOGRAM_BIN_M)
        smooth[max(0, peak - reach) : peak + reach + 1] = 0.0
    return peaks


def connected_patches(points: Array, spacings: Array, inliers: Array, normal: Array) -> list[Array]:
    """Return the inliers, bool [n], of each connected patch on a 5 cm grid, largest first.

    Gaps of up to 10 cm are bridged, and those as wide as the points lie apart in their own frame.
    """
    if not inliers.any():
        return []
    flat = points[inliers] @ plane_basis(normal).T
    cells = np.floor((flat - flat.min(axis=0)) / AREA_CELL_M).astype(np.int64) + MAX_BRIDGE_CELLS + 1
    reach = np.clip(np.ceil(0.5 * spacings[inliers] / AREA_CELL_M), 1, MAX_BRIDGE_CELLS).astype(np.int64)
    bridged = np.zeros(cells.max(axis=0) + MAX_BRIDGE_CELLS + 2, dtype=bool)
    for count in range(1, MAX_BRIDGE_CELLS + 1):
        grid = np.zeros_like(bridged)
        grid[tuple(cells[reach == count].T)] = True
        bridged |= ndimage.binary_dilation(grid, iterations=count) if grid.any() else grid
    labels, _ = ndimage.label(bridged)
    patch_labels = labels[cells[:, 0], cells[:, 1]]
    counts = np.bincount(patch_labels)
    patches = []
    for label in np.argsort(-counts, kind="stable"):
        if counts[label] < MIN_PATCH_POINTS:
            break
        patch = np.zeros(len(points), dtype=bool)
        patch[np.flatnonzero(inliers)[patch_labels == label]] = True
        patches.append(patch)
    return patches


def _covered_area(points: Array, normal: Array) -> float:
    """Return the area of the grid cells on a plane over which points [n, 3] lie [m²]."""
    cells = np.floor(points @ plane_basis(normal).T / AREA_CELL_M).astype(np.int64)
    return float(len(np.unique(cells, axis=0))) * AREA_CELL_M**2
