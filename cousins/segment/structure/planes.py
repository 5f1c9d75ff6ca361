"""Fixed flat structure from posed depth: floor, raised supports (tables) and walls.

Horizontal planes are peaks of a height histogram of points whose normal is upright; walls are peaks over
azimuth and offset of points whose normal is level. Each is then fitted by trimmed least squares. Membership is
decided from the plane's own measured scatter, never beyond what the depth noise model allows, so that a book
of 15 mm stays an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.segments import Plane
from cousins.segment.structure.samples import CELL_M, Samples, sample

UPRIGHT_COS = np.cos(np.deg2rad(20.0))
"""A point belongs to a plane's candidates when its normal is within 20 degrees of the plane's."""
BIN_M = 0.01
"""Height and offset resolution of the histograms [m]: one to two standard deviations of the depth noise."""


@dataclass(frozen=True, kw_only=True)
class PlaneConfig:
    """What counts as fixed structure."""

    min_floor_m2: float = 0.05
    """Least area of the lowest or only support plane [m²]."""
    min_table_m2: float = 0.35
    """Least area of a raised support [m²]: a side table of 60 cm; chair seats and box tops are smaller."""
    min_wall_m2: float = 0.5
    """Least area of a wall [m²]."""
    samples: int = 120_000
    """Most depth points looked at."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fitted:
    """A plane with its measured scatter."""

    plane: Plane
    """The plane as told to others."""
    scatter_m: float
    """Robust standard deviation of its own points about it [m]."""
    area_m2: float
    """Area of its points [m²]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Structure:
    """All planes of a capture."""

    planes: tuple[Fitted, ...]
    """Supports by area, largest first, then walls."""
    up: Array
    """Unit vector against gravity, float64 [3]."""
    warnings: tuple[str, ...] = ()
    """What had to be guessed."""


def find_planes(capture: Capture, *, config: PlaneConfig | None = None, rng: np.random.Generator) -> Structure:
    """Find the floor, tables and walls of a capture of one or many frames."""
    config = config or PlaneConfig()
    samples = sample(capture, most=config.samples)
    warnings: list[str] = []
    up = np.array([0.0, 0.0, 1.0])
    if len(samples.points) < 50:
        return Structure(planes=(), up=up, warnings=("too little depth to find a plane",))
    if not capture.gravity_known:
        up = _dominant_normal(samples, rng)
        warnings.append("gravity is unknown: up is taken from the largest plane")
    supports = _supports(samples, up, config)
    if not supports:
        warnings.append("no support plane was found: objects are told apart without one")
    walls = _walls(samples, up, config) if capture.gravity_known else []
    return Structure(planes=tuple(supports + walls), up=up, warnings=tuple(warnings))


def heights(fitted: Fitted, points: Array) -> Array:
    """Return the signed distance [m] of points [..., 3] from a plane, positive on its free side."""
    return np.asarray(points @ fitted.plane.normal - fitted.plane.offset_m)


def inside_outline(plane: Plane, points: Array, *, margin_m: float = 0.0) -> Array:
    """Return bool [...]: points [..., 3] whose foot on the plane lies in its outline, grown by `margin_m`."""
    inside = np.ones(points.shape[:-1], dtype=bool)
    for here, there in zip(plane.outline, np.roll(plane.outline, -1, axis=0), strict=True):
        side = np.cross(plane.normal, there - here)
        side /= max(np.linalg.norm(side), 1e-12)
        inside &= (points - here) @ side >= -margin_m
    return inside


def _dominant_normal(samples: Samples, rng: np.random.Generator) -> Array:
    """Return the normal of the plane with the most area: seeds are points with normals, scored by inlier area."""
    seeds = rng.choice(len(samples.points), size=min(200, len(samples.points)), replace=False)
    subset = slice(None, None, max(1, len(samples.points) // 8000))
    points, normals, areas = samples.points[subset], samples.normals[subset], samples.areas[subset]
    best, score = samples.normals[seeds[0]], -1.0
    for seed in seeds:
        normal = samples.normals[seed]
        near = np.abs((points - samples.points[seed]) @ normal) < 2.0 * samples.sigmas[seed]
        found = float(areas[near & (normals @ normal > UPRIGHT_COS)].sum())
        if found > score:
            best, score = normal, found
    offset = float(np.median(points[normals @ best > UPRIGHT_COS] @ best))
    normal, *_ = fit_plane(points, best, offset, normals=normals, reach_m=0.03)
    return normal


def fit_plane(
    points: Array, normal: Array, offset_m: float, *, normals: Array, reach_m: float
) -> tuple[Array, float, float, Array]:
    """Fit a plane near a first guess by trimmed least squares: normal, offset, scatter [m], inliers bool [n].

    `reach_m` bounds the first gate; later gates are three robust standard deviations.
    """
    gate = reach_m
    scatter = reach_m
    inliers = np.zeros(len(points), dtype=bool)
    for _ in range(6):
        residual = points @ normal - offset_m
        inliers = (np.abs(residual) < gate) & (normals @ normal > UPRIGHT_COS)
        if inliers.sum() < 20:
            break
        centre = points[inliers].mean(axis=0)
        _, axes = np.linalg.eigh(np.cov((points[inliers] - centre).T))
        normal = axes[:, 0] if axes[:, 0] @ normal > 0.0 else -axes[:, 0]
        offset_m = float(centre @ normal)
        scatter = float(1.4826 * np.median(np.abs(points[inliers] @ normal - offset_m)))
        gate = min(reach_m, max(3.0 * scatter, 0.003))
    return normal, offset_m, scatter, inliers


def _peaks(values: Array, weights: Array, *, least: float, width_m: float) -> list[float]:
    """Return the places [m] of histogram peaks that hold at least `least` weight, greatest first."""
    low = float(values.min()) - BIN_M
    histogram = np.bincount(((values - low) / BIN_M).astype(np.int64), weights=weights)
    smooth = np.convolve(histogram, np.ones(3), mode="same")
    found = []
    reach = max(1, round(width_m / BIN_M))
    while smooth.max() >= least:
        peak = int(np.argmax(smooth))
        found.append(low + (peak + 0.5) * BIN_M)
        smooth[max(0, peak - reach) : peak + reach + 1] = 0.0
    return found


def _supports(samples: Samples, up: Array, config: PlaneConfig) -> list[Fitted]:
    upright = samples.normals @ up > UPRIGHT_COS
    if not upright.any():
        return []
    points, normals, areas = samples.points[upright], samples.normals[upright], samples.areas[upright]
    reach = 3.0 * float(np.median(samples.sigmas[upright]))
    found: list[tuple[Array, float, float, Array]] = []
    for height in _peaks(points @ up, areas, least=config.min_floor_m2, width_m=2.0 * reach):
        guess = fit_plane(points, up, height, normals=normals, reach_m=reach)
        if guess[3].sum() >= 20 and not any(abs(guess[1] - other[1]) < reach for other in found):
            found.append(guess)
    sizes = [float(areas[_largest_patch(points, guess[3], guess[0])].sum()) for guess in found]
    order = sorted(range(len(found)), key=lambda k: -sizes[k])
    lowest = min((found[k][1] for k in order if sizes[k] >= config.min_table_m2), default=None)
    kept = [
        k
        for n, k in enumerate(order)
        if (n == 0 and sizes[k] >= config.min_floor_m2) or sizes[k] >= config.min_table_m2
    ]
    result: list[Fitted] = []
    tables = 0
    for k in kept:
        normal, offset, scatter, inliers = found[k]
        is_floor = _is_floor(samples, found[k], lowest)
        name = "floor" if is_floor else ("table" if tables == 0 else f"table_{tables}")
        tables += 0 if is_floor else 1
        kind: Literal["floor", "table"] = "floor" if is_floor else "table"
        patch = _largest_patch(points, inliers, normal)
        plane = Plane(
            name=name, kind=kind, normal=normal, offset_m=offset, outline=outline(points[patch], normal, offset)
        )
        result.append(Fitted(plane=plane, scatter_m=scatter, area_m2=sizes[k]))
    return result


def _is_floor(samples: Samples, fit: tuple[Array, float, float, Array], lowest: float | None) -> bool:
    """Tell a floor from a table: nothing lies 15 cm below a floor, and a person holds the phone over a metre up.

    Of several large planes only the lowest may be the floor.
    """
    normal, offset, *_ = fit
    below = float(samples.areas[samples.points @ normal < offset - 0.15].sum())
    above = float(samples.areas.sum())
    eyes = float(np.median(samples.eyes @ normal - offset))
    return (lowest is None or offset <= lowest + 1e-9) and below < 0.02 * above and eyes > 0.9


def _walls(samples: Samples, up: Array, config: PlaneConfig) -> list[Fitted]:
    level = np.abs(samples.normals @ up) < np.sin(np.deg2rad(15.0))
    if level.sum() < 50:
        return []
    first = np.cross(up, [0.0, 1.0, 0.0] if abs(up[0]) < 0.9 else [1.0, 0.0, 0.0])
    first = np.cross(up, np.cross(first, up)) / np.linalg.norm(first)
    second = np.cross(up, first)
    points, normals, areas = samples.points[level], samples.normals[level], samples.areas[level]
    azimuth = np.arctan2(normals @ second, normals @ first)
    free = np.ones(len(points), dtype=bool)
    result: list[Fitted] = []
    for angle in np.deg2rad(np.arange(0.0, 360.0, 10.0)):
        normal = np.cos(angle) * first + np.sin(angle) * second
        near = free & (np.abs((azimuth - angle + np.pi) % (2 * np.pi) - np.pi) < np.deg2rad(15.0))
        if areas[near].sum() < config.min_wall_m2:
            continue
        for offset in _peaks(points[near] @ normal, areas[near], least=config.min_wall_m2, width_m=0.1):
            fit = fit_plane(points, normal, offset, normals=normals, reach_m=0.04)
            patch = _largest_patch(points, fit[3] & free, fit[0])
            tall = np.ptp(points[patch] @ up) if patch.any() else 0.0
            behind = samples.areas[samples.points @ fit[0] < fit[1] - 0.15].sum()
            if areas[patch].sum() < config.min_wall_m2 or tall < 0.6 or behind > 0.1 * samples.areas.sum():
                continue
            free &= np.abs(points @ fit[0] - fit[1]) > 0.08
            border = outline(points[patch], fit[0], fit[1])
            plane = Plane(name=f"wall_{len(result)}", kind="wall", normal=fit[0], offset_m=fit[1], outline=border)
            result.append(Fitted(plane=plane, scatter_m=fit[2], area_m2=float(areas[patch].sum())))
    return result


def basis_of(normal: Array) -> Array:
    """Return two unit vectors [2, 3] that span a plane, right-handed about its normal."""
    helper = np.array([1.0, 0.0, 0.0]) if abs(normal[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    first = np.cross(helper, normal)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first)])


def _largest_patch(points: Array, inliers: Array, normal: Array) -> Array:
    """Return bool [n]: the inliers of the largest connected patch on a 5 cm grid with gaps of up to 10 cm."""
    patch = np.zeros(len(points), dtype=bool)
    if not inliers.any():
        return patch
    flat = points[inliers] @ basis_of(normal).T
    cells = np.floor((flat - flat.min(axis=0)) / CELL_M).astype(np.int64) + 2
    grid = np.zeros(cells.max(axis=0) + 3, dtype=bool)
    grid[cells[:, 0], cells[:, 1]] = True
    labels, _ = ndimage.label(ndimage.binary_dilation(grid, iterations=1))
    mine = labels[cells[:, 0], cells[:, 1]]
    patch[np.flatnonzero(inliers)[mine == np.argmax(np.bincount(mine))]] = True
    return patch


def outline(points: Array, normal: Array, offset_m: float) -> Array:
    """Return the convex outline [k, 3] of points on a plane, counter-clockwise about its normal."""
    basis = basis_of(normal)
    flat = points @ basis.T
    corners: Sequence[int] = ConvexHull(flat).vertices
    return np.asarray(flat[corners] @ basis + offset_m * normal)
