"""Level structure that carries things: floors, table tops, counters and the boards of shelves.

Level planes are peaks of a height histogram of points whose normal is upright. A patch of a plane is a support where it
is large, where other surface borders most of its rim (a board between the sides of a shelf), or where boards like it
lie over or under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import ConvexHull

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.segment.segments import Plane
from cousins.segment.structure.coplanar import join_coplanar
from cousins.segment.structure.plane_fitting import (
    MIN_NORMAL_COS,
    MIN_PATCH_POINTS,
    PEAK_SHARE,
    PlaneFit,
    PlanePatch,
    fit_plane,
    fitted_patches,
    histogram_peaks,
)
from cousins.segment.structure.planes import FittedPlane, PlaneConfig, convex_outline, inside_outline, plane_basis
from cousins.segment.structure.rims import is_bordered, rim_shares
from cousins.segment.structure.samples import AREA_CELL_M, DepthSamples, subset

MAX_TILT_COS = np.cos(np.deg2rad(5.0))
"""Cosine of the largest tilt of a support other than the largest one: 5 degrees; more is the top of clutter."""
BOARD_GAPS_M = (0.1, 0.8)
"""Least and largest distance between two boards of one shelf [m]."""
MIN_BOARD_OVERLAP = 0.5
"""Least share of either board that lies over the other one."""
FLOOR_CLEARANCE_M = 0.15
"""Surface further below a plane than this is below it [m], not noise or a groove."""
MAX_BELOW_FLOOR = 0.02
"""Largest share of the area that lies below a floor."""
MIN_CAMERA_HEIGHT_M = 0.9
"""Least median height of the cameras over a floor [m]."""
SAME_FLOOR_M = 0.05
"""Patches of a floor whose heights differ by less are one level [m]: drift of a walk, not a step."""
WALKER_HEIGHTS_M = (1.1, 2.0)
"""Height over the ground at which a walker holds a phone [m]; over a table it is held lower."""
MIN_WALKING_FRAMES = 3
"""Fewest frames taken over a floor by a walker."""


def find_supports(samples: DepthSamples, frames: Sequence[Frame], up: Array, config: PlaneConfig) -> list[FittedPlane]:
    """Return the supports by area, largest first; `up` [3] is the unit vector against gravity."""
    patches = join_coplanar(level_patches(samples, up, min_area_m2=config.min_joined_m2), frames)
    if not patches:
        return []
    lowest_m = min(
        (float(patch.fit.offset_m) for patch in patches if patch.area_m2 >= config.min_table_m2), default=None
    )
    supports: list[FittedPlane] = []
    counts = {"floor": 0, "table": 0}
    for patch in _accepted(patches, samples, frames, up, config):
        fit = patch.fit
        border = convex_outline(patch.points, fit.normal, fit.offset_m)
        is_floor = _is_lowest_floor(samples, fit, lowest_m)
        plane = Plane(
            name="", kind="floor" if is_floor else "table", normal=fit.normal, offset_m=fit.offset_m, outline=border
        )
        name = "floor" if is_floor or _is_walked_on(plane, samples.camera_centers) else "table"
        plane = replace(plane, name=name if counts[name] == 0 else f"{name}_{counts[name]}")
        counts[name] += 1
        supports.append(FittedPlane(plane=plane, scatter_m=fit.scatter_m, area_m2=patch.area_m2))
    return supports


def level_patches(samples: DepthSamples, up: Array, *, min_area_m2: float) -> list[PlanePatch]:
    """Return the connected patches of planes that face along `up` [3], by area, largest first."""
    is_upright = samples.normals @ up > MIN_NORMAL_COS
    if not is_upright.any():
        return []
    upright = subset(samples, is_upright)
    reach = 3.0 * float(np.median(upright.sigmas))
    fits: list[PlaneFit] = []
    min_weight = PEAK_SHARE * min_area_m2
    for height in histogram_peaks(upright.points @ up, upright.areas, min_weight=min_weight, width_m=2.0 * reach):
        fit = fit_plane(upright.points, up, height, normals=upright.normals, reach_m=reach)
        is_new = not any(abs(fit.offset_m - earlier.offset_m) < reach for earlier in fits)
        if fit.inliers.sum() >= MIN_PATCH_POINTS and is_new:
            fits.append(fit)
    patches = [patch for fit in fits for patch in fitted_patches(upright, fit, reach_m=reach)]
    return sorted((patch for patch in patches if patch.area_m2 >= min_area_m2), key=lambda patch: -patch.area_m2)


def _accepted(
    patches: Sequence[PlanePatch], samples: DepthSamples, frames: Sequence[Frame], up: Array, config: PlaneConfig
) -> list[PlanePatch]:
    """Return the patches [sorted by area] that are supports; the largest one always is."""
    level = [patch for n, patch in enumerate(patches) if n == 0 or patch.fit.normal @ up > MAX_TILT_COS]
    rims = rim_shares(level, samples, frames)
    return [
        patch
        for n, (patch, rim) in enumerate(zip(level, rims, strict=True))
        if n == 0
        or patch.area_m2 >= config.min_table_m2
        or is_bordered(patch, rim, config)
        or (rim.joined >= config.min_cluttered_rim and outline_area(patch) >= config.min_table_m2)
        or _is_board(patch, level, up, config)
    ]


def _is_board(patch: PlanePatch, level: Sequence[PlanePatch], up: Array, config: PlaneConfig) -> bool:
    """Return whether another level patch lies over or under a patch like another board of a shelf."""
    return patch.area_m2 >= config.min_board_m2 and any(
        other.area_m2 >= config.min_board_m2 and _are_boards(patch, other, up) for other in level
    )


def _are_boards(first: PlanePatch, second: PlanePatch, up: Array) -> bool:
    """Return whether two level patches lie one above the other like boards of a shelf."""
    gap = abs(float((first.points.mean(axis=0) - second.points.mean(axis=0)) @ up))
    if not BOARD_GAPS_M[0] <= gap <= BOARD_GAPS_M[1]:
        return False
    cells = [_plan_cells(patch.points, up) for patch in (first, second)]
    shared = len(cells[0] & cells[1])
    return shared >= MIN_BOARD_OVERLAP * max(len(cells[0]), len(cells[1]))


def outline_area(patch: PlanePatch) -> float:
    """Return the area of the convex outline of a patch [m²]: with what things on it hide."""
    return float(ConvexHull(patch.points @ plane_basis(patch.fit.normal).T).volume)


def _plan_cells(points: Array, up: Array) -> set[tuple[int, int]]:
    """Return the cells of a level 5 cm grid over which points [n, 3] lie."""
    cells = np.unique(np.floor(points @ plane_basis(up).T / AREA_CELL_M).astype(np.int64), axis=0)
    return {(int(x), int(y)) for x, y in cells}


def _is_lowest_floor(samples: DepthSamples, fit: PlaneFit, lowest_m: float | None) -> bool:
    """Return whether a plane is the lowest floor: nothing lies 15 cm below it, and the phone was held 0.9 m over it.

    Of several large planes only the lowest may be, and those within a fitted plane's error of it.
    """
    below = float(samples.areas[samples.points @ fit.normal < fit.offset_m - FLOOR_CLEARANCE_M].sum())
    camera_height_m = float(np.median(samples.camera_centers @ fit.normal - fit.offset_m))
    is_lowest = lowest_m is None or fit.offset_m <= lowest_m + SAME_FLOOR_M
    is_bottom = below < MAX_BELOW_FLOOR * float(samples.areas.sum())
    return is_lowest and is_bottom and camera_height_m > MIN_CAMERA_HEIGHT_M


def _is_walked_on(plane: Plane, camera_centers: Array) -> bool:
    """Return whether cameras [n, 3] were held at a walker's height over a support: a floor at another level."""
    height = camera_centers @ plane.normal - plane.offset_m
    is_over = inside_outline(plane, camera_centers) & (height > WALKER_HEIGHTS_M[0]) & (height < WALKER_HEIGHTS_M[1])
    return int(is_over.sum()) >= MIN_WALKING_FRAMES
