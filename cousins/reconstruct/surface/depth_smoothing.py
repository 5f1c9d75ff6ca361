"""Smooth and refine the depth of an object that few views show.

Many views average the noise of their depth images; few cannot. But surfaces are smooth within some pixels: around each
pixel a plane is fitted to the object's depth in windows of growing width, as long as the confidence intervals of all
estimates have a value in common (intersection of confidence intervals; Goldenshluger and Nemirovski, 1997, Katkovnik,
1999). The noise is that of the image itself. Where a pixel is coarser than what is reconstructed, the smoothed image is
interpolated.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit, prange
from scipy import ndimage

from cousins.geometry import Array

WINDOW_RADII_PX: Final = np.array([1, 2, 3, 4, 6, 8])
"""Half widths of the windows that are tried, from narrow to wide [px]."""
NOISE_RADIUS_PX: Final = 2
"""Half width of the window whose residuals give the noise of an image [px]."""
INTERVAL_SIGMAS: Final = 1.5
"""Half width of a confidence interval in standard errors: wider ones smooth more, and round edges more."""
MIN_WINDOW_PIXELS: Final = 6
"""Fewest pixels of the object to which a plane is fitted: twice its parameters."""
MAX_HOLE_PIXELS: Final = 6
"""Largest hole in a mask that is noise of its depth image."""
MIN_NOISE_M: Final = 1e-4
"""Least noise that is assumed [m]: rounding of depth images to tenths of millimetres."""
STEP_SIGMAS: Final = 4.0
"""A pixel belongs to the surface of another where their depths differ by no more noise than this..."""
MAX_SLOPE: Final = 2.7
"""... beside what a surface needs that is seen at 70°, the tangent of that angle."""


def smooth_depth(depth_m: Array, is_object: Array, focal_px: float, *, max_noise_m: float) -> Array:
    """Return planar depth [m], float64 [h, w], smoothed within the object (bool [h, w]) and as it is elsewhere.

    `max_noise_m` is the standard deviation of the sensor [m]; the noise of the image counts where it is smaller.
    """
    depth = np.ascontiguousarray(depth_m, dtype=np.float64)
    is_used = np.asarray(is_object & (depth > 0.0))
    squares = _plane_residuals(depth, is_used, focal_px, NOISE_RADIUS_PX, max_noise_m)
    variances = squares[np.isfinite(squares)]
    noise_m = min(max_noise_m, float(np.sqrt(np.median(variances)))) if len(variances) else max_noise_m
    return _smoothed(depth, is_used, focal_px, WINDOW_RADII_PX, max(noise_m, MIN_NOISE_M))


def refine_depth(depth_m: Array, is_object: Array, factor: int) -> tuple[Array, Array]:
    """Return depth [m] and object mask with `factor` pixels in place of one along each side.

    Depth is interpolated within the object, as inverse depth, and repeated elsewhere; the outline is smoothed.
    """
    if factor == 1:
        return depth_m, is_object
    is_used = is_object & (depth_m > 0.0)
    inverse = np.where(is_used, 1.0 / np.where(is_used, depth_m, 1.0), 0.0)
    weight, value = (_interpolated(image, factor) for image in (is_used.astype(np.float64), inverse))
    fine_object = _interpolated(is_object.astype(np.float64), factor) > 0.5
    repeated = depth_m.repeat(factor, axis=0).repeat(factor, axis=1)
    has_value = fine_object & (weight > 1e-3)
    # Where the outline gave way, what was repeated is the object's own depth: nothing is known there.
    is_left = ~fine_object & is_object.repeat(factor, axis=0).repeat(factor, axis=1)
    fine = np.where(has_value, weight / np.where(has_value, value, 1.0), np.where(fine_object | is_left, 0.0, repeated))
    return fine, fine_object


def small_holes(is_object: Array) -> Array:
    """Return the pixels of small holes in an object's mask, bool [h, w]."""
    holes, count = ndimage.label(ndimage.binary_fill_holes(is_object) & ~is_object)
    is_small = np.bincount(holes.ravel(), minlength=count + 1) <= MAX_HOLE_PIXELS
    is_small[0] = False
    return np.asarray(is_small[holes])


def _interpolated(image: Array, factor: int) -> Array:
    """Return an image [h, w] at `factor` pixels in place of one, linear between pixel centres."""
    rows, columns = ((np.arange(size * factor) + 0.5) / factor - 0.5 for size in image.shape)
    grid = np.meshgrid(rows, columns, indexing="ij")
    return np.asarray(ndimage.map_coordinates(image, grid, order=1, mode="nearest"))


@njit(cache=True, parallel=True)
def _smoothed(depth: Array, is_used: Array, focal_px: float, radii: Array, noise_m: float) -> Array:
    """Return depth smoothed in the widest window whose estimate agrees with those of all narrower ones."""
    height, width = depth.shape
    smoothed = depth.copy()
    for v in prange(height):
        for u in range(width):
            if not is_used[v, u]:
                continue
            q_noise = noise_m / depth[v, u] ** 2
            low, high = -np.inf, np.inf
            for radius in radii:
                inverse, variance, _ = _plane_at(depth, is_used, v, u, radius, focal_px, noise_m)
                if variance <= 0.0:
                    continue
                half = INTERVAL_SIGMAS * q_noise * np.sqrt(variance)
                low, high = max(low, inverse - half), min(high, inverse + half)
                if low > high:
                    break
                if inverse > 0.0:
                    smoothed[v, u] = 1.0 / inverse
    return smoothed


@njit(cache=True, parallel=True)
def _plane_residuals(depth: Array, is_used: Array, focal_px: float, radius: int, noise_m: float) -> Array:
    """Return the variance [m²] of depths about the plane around each pixel, [h, w]; NaN where there is none."""
    height, width = depth.shape
    squares = np.full((height, width), np.nan)
    for v in prange(height):
        for u in range(width):
            if is_used[v, u]:
                _, variance, residual = _plane_at(depth, is_used, v, u, radius, focal_px, noise_m)
                if variance > 0.0:
                    squares[v, u] = residual * depth[v, u] ** 4
    return squares


@njit(cache=True)
def _plane_at(
    depth: Array, is_used: Array, v: int, u: int, radius: int, focal_px: float, noise_m: float
) -> tuple[float, float, float]:
    """Regress inverse depth, which is linear in the pixel over a plane, on the used pixels of the same surface.

    Returns the estimate at the pixel [1/m], its variance in that of one inverse depth, and the variance of the
    residuals [1/m²]; variance 0 where too few pixels support it.
    """
    height, width = depth.shape
    z = depth[v, u]
    n = sx = sy = sxx = sxy = syy = sq = sxq = syq = sqq = 0.0
    for y in range(max(v - radius, 0), min(v + radius + 1, height)):
        for x in range(max(u - radius, 0), min(u + radius + 1, width)):
            reach = STEP_SIGMAS * noise_m + MAX_SLOPE * z / focal_px * max(abs(y - v), abs(x - u))
            if not is_used[y, x] or abs(depth[y, x] - z) > reach:
                continue
            q, dx, dy = 1.0 / depth[y, x] - 1.0 / z, float(x - u), float(y - v)
            n += 1.0
            sx += dx
            sy += dy
            sxx += dx * dx
            sxy += dx * dy
            syy += dy * dy
            sq += q
            sxq += dx * q
            syq += dy * q
            sqq += q * q
    if n < MIN_WINDOW_PIXELS:
        return 0.0, 0.0, 0.0
    mx, my = sx / n, sy / n
    cxx, cxy, cyy = sxx - sx * mx, sxy - sx * my, syy - sy * my
    bx, by = sxq - mx * sq, syq - my * sq
    det = cxx * cyy - cxy * cxy
    if det < 1e-9:
        return 0.0, 0.0, 0.0
    a, b = (cyy * bx - cxy * by) / det, (cxx * by - cxy * bx) / det
    variance = 1.0 / n + (cyy * mx * mx - 2.0 * cxy * mx * my + cxx * my * my) / det
    squares = max(sqq - sq * sq / n - a * bx - b * by, 0.0)
    return 1.0 / z + sq / n - a * mx - b * my, variance, squares / (n - 3.0)
