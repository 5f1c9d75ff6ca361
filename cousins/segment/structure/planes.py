"""Fixed flat structure from posed depth: floor, raised supports (tables) and walls.

Horizontal planes are peaks of a height histogram of points whose normal is upright; walls are peaks over
azimuth and offset of points whose normal is level. Each is then fitted by trimmed least squares. Membership is
decided from the plane's own measured scatter, never beyond what the depth noise model allows, so that a book
of 15 mm stays an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.segments import Plane
from cousins.segment.structure.samples import AREA_CELL_M, DepthSamples, sample_depth

MIN_NORMAL_COS = np.cos(np.deg2rad(20.0))
"""Smallest cosine between the normals of a point and of its plane: 20 degrees."""
MAX_UP_ERROR_COS = np.cos(np.deg2rad(15.0))
"""Cosine of the largest angle between an estimated z axis and the normal of a plane that corrects it: 15 degrees."""
MIN_LEVEL_SHARE = 0.04
"""Least share of the seen area whose normals lie that near to an estimated z axis that is worth trusting."""
MAX_SUPPORT_TILT_COS = np.cos(np.deg2rad(5.0))
"""Cosine of the largest tilt of a support other than the largest one: 5 degrees; more is the top of clutter."""
WALL_REACH_M = 0.04
"""First gate of a wall's fit [m]."""
WALL_WINDOW_BINS = 9
"""Histogram bins in which a wall's points lie: walls are seen from further away than tables, with more noise."""
MIN_WALL_HEIGHT_M = 0.6
"""Least height of a wall's patch [m]."""
BEHIND_M = 0.15
"""Surface further behind a wall than this is behind it [m], not a part of its relief."""
MIN_PATCH_POINTS = 20
"""Fewest points of a connected patch."""
CLAIMED_M = 0.08
"""Surface this near to a wall, within its outline, is no other wall [m]."""
HISTOGRAM_BIN_M = 0.01
"""Height and offset resolution of the histograms [m]: one to two standard deviations of the depth noise."""


@dataclass(frozen=True, kw_only=True)
class PlaneConfig:
    """Smallest areas of fixed planes."""

    min_floor_m2: float = 0.05
    """Smallest area of the lowest or only support plane [m²]."""
    min_table_m2: float = 0.35
    """Smallest area of a raised support [m²]: a side table of 60 cm; chair seats and box tops are smaller."""
    min_wall_m2: float = 0.5
    """Smallest area of a wall [m²]."""
    max_behind: float = 1.0
    """Largest area seen behind a wall within its outline, through doors and windows, relative to its own area."""
    samples: int = 120_000
    """Number of depth points used of all frames together, where that is more than `samples_per_frame` of each."""
    samples_per_frame: int = 3000
    """Least number of depth points used of a frame."""
    max_frames: int = 120
    """Largest number of frames used."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FittedPlane:
    """A fitted plane with its measured scatter."""

    plane: Plane
    """The plane."""
    scatter_m: float
    """Robust standard deviation of its own points about it [m]."""
    area_m2: float
    """Area of its points [m²]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FixedStructure:
    """Fixed planes of a capture."""

    planes: tuple[FittedPlane, ...]
    """Supports by area, largest first, then walls."""
    up: Array
    """Unit vector against gravity, float64 [3]."""
    warnings: tuple[str, ...] = ()
    """What had to be assumed, one sentence each."""


def find_planes(capture: Capture, *, config: PlaneConfig | None = None, rng: np.random.Generator) -> FixedStructure:
    """Return the floor, tables and walls of a capture of one or more frames."""
    config = config or PlaneConfig()
    per_frame = max(config.samples_per_frame, config.samples // len(capture.frames))
    samples = sample_depth(capture, per_frame=per_frame, max_frames=config.max_frames)
    warnings: list[str] = []
    up = np.array([0.0, 0.0, 1.0])
    if len(samples.points) < 50:
        return FixedStructure(planes=(), up=up, warnings=("too little depth to find a plane",))
    if not capture.gravity_known:
        up, sentence = _up_without_gravity(samples, rng)
        warnings.append(sentence)
    supports = _find_supports(samples, up, config)
    if not supports:
        warnings.append("no support plane was found: objects are told apart without one")
    walls = _find_walls(samples, up, config)
    return FixedStructure(planes=tuple(supports + walls), up=up, warnings=tuple(warnings))


def heights_above_plane(fitted: FittedPlane, points: Array) -> Array:
    """Return the signed distance [m] of points [..., 3] from a plane, positive on its free side."""
    return np.asarray(points @ fitted.plane.normal - fitted.plane.offset_m)


def inside_outline(plane: Plane, points: Array, *, margin_m: float = 0.0) -> Array:
    """Return bool [...]: points [..., 3] whose projection onto the plane lies in its outline, grown by `margin_m`."""
    inside = np.ones(points.shape[:-1], dtype=bool)
    for start, end in zip(plane.outline, np.roll(plane.outline, -1, axis=0), strict=True):
        side = np.cross(plane.normal, end - start)
        side /= max(np.linalg.norm(side), 1e-12)
        inside &= (points - start) @ side >= -margin_m
    return inside


def _up_without_gravity(samples: DepthSamples, rng: np.random.Generator) -> tuple[Array, str]:
    """Return the up direction [3] of a capture whose z axis was estimated when it was read, and a warning.

    The largest nearly level plane corrects z. Where little faces along z, the largest plane of all is taken instead:
    then z was a guess.
    """
    z = np.array([0.0, 0.0, 1.0])
    is_level = samples.normals @ z > MAX_UP_ERROR_COS
    if samples.areas[is_level].sum() >= MIN_LEVEL_SHARE * samples.areas.sum():
        level = replace(
            samples,
            points=samples.points[is_level],
            normals=samples.normals[is_level],
            areas=samples.areas[is_level],
            sigmas=samples.sigmas[is_level],
        )
        up = _dominant_normal(level, rng)
        if up @ z > MAX_UP_ERROR_COS:
            return up, "gravity is unknown: up is estimated from how the phone was held and corrected by a level plane"
    return _dominant_normal(samples, rng), "gravity is unknown: up is taken from the largest plane"


def _dominant_normal(samples: DepthSamples, rng: np.random.Generator) -> Array:
    """Return the normal of the plane with the most area: seeds are points with normals, scored by inlier area."""
    seeds = rng.choice(len(samples.points), size=min(200, len(samples.points)), replace=False)
    subset = slice(None, None, max(1, len(samples.points) // 8000))
    points, normals, areas = samples.points[subset], samples.normals[subset], samples.areas[subset]
    best, score = samples.normals[seeds[0]], -1.0
    for seed in seeds:
        normal = samples.normals[seed]
        near = np.abs((points - samples.points[seed]) @ normal) < 2.0 * samples.sigmas[seed]
        area = float(areas[near & (normals @ normal > MIN_NORMAL_COS)].sum())
        if area > score:
            best, score = normal, area
    offset = float(np.median(points[normals @ best > MIN_NORMAL_COS] @ best))
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
        inliers = (np.abs(residual) < gate) & (normals @ normal > MIN_NORMAL_COS)
        if inliers.sum() < 20:
            break
        centre = points[inliers].mean(axis=0)
        _, axes = np.linalg.eigh(np.cov((points[inliers] - centre).T))
        normal = axes[:, 0] if axes[:, 0] @ normal > 0.0 else -axes[:, 0]
        offset_m = float(centre @ normal)
        scatter = float(1.4826 * np.median(np.abs(points[inliers] @ normal - offset_m)))
        gate = min(reach_m, max(3.0 * scatter, 0.003))
    return normal, offset_m, scatter, inliers


def _refitted(
    points: Array, normals: Array, fit: tuple[Array, float, float, Array], reach_m: float
) -> tuple[Array, float, float]:
    """Return normal, offset and scatter [m] of one patch of a plane: tracking that drifted shifts patches apart."""
    normal, offset, scatter, inliers = fit_plane(points, fit[0], fit[1], normals=normals, reach_m=reach_m)
    return (normal, offset, scatter) if inliers.sum() >= MIN_PATCH_POINTS else fit[:3]


def _histogram_peaks(
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


def _find_supports(samples: DepthSamples, up: Array, config: PlaneConfig) -> list[FittedPlane]:
    upright = samples.normals @ up > MIN_NORMAL_COS
    if not upright.any():
        return []
    points, normals, areas = samples.points[upright], samples.normals[upright], samples.areas[upright]
    reach = 3.0 * float(np.median(samples.sigmas[upright]))
    fits: list[tuple[Array, float, float, Array]] = []
    for height in _histogram_peaks(points @ up, areas, min_weight=config.min_floor_m2, width_m=2.0 * reach):
        guess = fit_plane(points, up, height, normals=normals, reach_m=reach)
        if guess[3].sum() >= 20 and not any(abs(guess[1] - other[1]) < reach for other in fits):
            fits.append(guess)
    patches = [
        (float(areas[patch].sum()), k, patch)
        for k, guess in enumerate(fits)
        for patch in _connected_patches(points, guess[3], guess[0])
    ]
    patches.sort(key=lambda item: -item[0])
    lowest = min((fits[k][1] for size, k, _ in patches if size >= config.min_table_m2), default=None)
    supports: list[FittedPlane] = []
    counts = {"floor": 0, "table": 0}
    for n, (size, k, patch) in enumerate(patches):
        if size < (config.min_floor_m2 if n == 0 else config.min_table_m2):
            continue
        normal, offset, scatter = _refitted(points[patch], normals[patch], fits[k], reach)
        if n > 0 and normal @ up < MAX_SUPPORT_TILT_COS:
            continue
        kind: Literal["floor", "table"] = "floor" if _is_floor(samples, fits[k], lowest) else "table"
        name = kind if counts[kind] == 0 else f"{kind}_{counts[kind]}"
        counts[kind] += 1
        plane = Plane(
            name=name, kind=kind, normal=normal, offset_m=offset, outline=convex_outline(points[patch], normal, offset)
        )
        supports.append(FittedPlane(plane=plane, scatter_m=scatter, area_m2=size))
    return supports


def _is_floor(samples: DepthSamples, fit: tuple[Array, float, float, Array], lowest: float | None) -> bool:
    """Return whether a plane is the floor: nothing lies 15 cm below it, and the phone was held over 0.9 m above it.

    Of several large planes only the lowest may be the floor.
    """
    normal, offset, *_ = fit
    below = float(samples.areas[samples.points @ normal < offset - 0.15].sum())
    above = float(samples.areas.sum())
    camera_height_m = float(np.median(samples.camera_centers @ normal - offset))
    return (lowest is None or offset <= lowest + 1e-9) and below < 0.02 * above and camera_height_m > 0.9


def _find_walls(samples: DepthSamples, up: Array, config: PlaneConfig) -> list[FittedPlane]:
    level = np.abs(samples.normals @ up) < np.sin(np.deg2rad(15.0))
    if level.sum() < 50:
        return []
    first = np.cross(up, [0.0, 1.0, 0.0] if abs(up[0]) < 0.9 else [1.0, 0.0, 0.0])
    first = np.cross(up, np.cross(first, up)) / np.linalg.norm(first)
    second = np.cross(up, first)
    points, normals, areas = samples.points[level], samples.normals[level], samples.areas[level]
    azimuth = np.arctan2(normals @ second, normals @ first)
    free = np.ones(len(points), dtype=bool)
    walls: list[FittedPlane] = []
    for angle in np.deg2rad(np.arange(0.0, 360.0, 10.0)):
        direction = np.cos(angle) * first + np.sin(angle) * second
        near = free & (np.abs((azimuth - angle + np.pi) % (2 * np.pi) - np.pi) < np.deg2rad(15.0))
        if areas[near].sum() < config.min_wall_m2:
            continue
        peaks = _histogram_peaks(
            points[near] @ direction,
            areas[near],
            min_weight=config.min_wall_m2,
            width_m=0.1,
            window_bins=WALL_WINDOW_BINS,
        )
        for position in peaks:
            fit = fit_plane(points, direction, position, normals=normals, reach_m=WALL_REACH_M)
            for patch in _connected_patches(points, fit[3] & free, fit[0]):
                size = float(areas[patch].sum())
                if size < config.min_wall_m2 or np.ptp(points[patch] @ up) < MIN_WALL_HEIGHT_M:
                    continue
                normal, offset, scatter = _refitted(points[patch], normals[patch], fit, WALL_REACH_M)
                border = convex_outline(points[patch], normal, offset)
                plane = Plane(name=f"wall_{len(walls)}", kind="wall", normal=normal, offset_m=offset, outline=border)
                is_behind = samples.points @ normal < offset - BEHIND_M
                is_behind[is_behind] = inside_outline(plane, samples.points[is_behind])
                if samples.areas[is_behind].sum() > config.max_behind * size:
                    continue
                is_claimed = np.abs(points @ normal - offset) <= CLAIMED_M
                is_claimed[is_claimed] = inside_outline(plane, points[is_claimed], margin_m=CLAIMED_M)
                free &= ~is_claimed
                walls.append(FittedPlane(plane=plane, scatter_m=scatter, area_m2=size))
    return walls


def plane_basis(normal: Array) -> Array:
    """Return two unit vectors [2, 3] that span a plane, right-handed about its normal [3]."""
    helper = np.array([1.0, 0.0, 0.0]) if abs(normal[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    first = np.cross(helper, normal)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first)])


def _connected_patches(points: Array, inliers: Array, normal: Array) -> list[Array]:
    """Return the inliers, bool [n], of each connected patch on a 5 cm grid with gaps of up to 10 cm, largest first."""
    if not inliers.any():
        return []
    flat = points[inliers] @ plane_basis(normal).T
    cells = np.floor((flat - flat.min(axis=0)) / AREA_CELL_M).astype(np.int64) + 2
    grid = np.zeros(cells.max(axis=0) + 3, dtype=bool)
    grid[cells[:, 0], cells[:, 1]] = True
    labels, _ = ndimage.label(ndimage.binary_dilation(grid, iterations=1))
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


def convex_outline(points: Array, normal: Array, offset_m: float) -> Array:
    """Return the convex outline [k, 3] of points [n, 3] on a plane, counter-clockwise about its normal [3]."""
    basis = plane_basis(normal)
    flat = points @ basis.T
    corners: Sequence[int] = ConvexHull(flat).vertices
    return np.asarray(flat[corners] @ basis + offset_m * normal)
