"""Complete what no view saw of an object: by symmetry, a fitted solid, a vessel's wall and foot, or minimal closure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.reconstruct.surface.completion import SOLID_NAMES, RevolutionSolid, Solid, fit_solid
from cousins.reconstruct.surface.distance_field import MeasuredField, fill_unseen
from cousins.reconstruct.surface.hollow_solid import hollow_share
from cousins.reconstruct.surface.occluded import solid_share
from cousins.reconstruct.surface.rotational_symmetry import find_axis, symmetrize
from cousins.reconstruct.surface.vessel import even_wall, find_vessel, wall_share
from cousins.reconstruct.surface.view_evidence import VoxelGrid

GUESSED_CLOSURE: Final = "least closure"
"""Completion of an unseen side that nothing but its small surface speaks for."""
CLOSED_COMPLETIONS: Final = (*SOLID_NAMES, "hollow revolution", "vessel")
"""Completions that leave no leg to repair and no base to extend."""
MAX_ONE_SIDED_ARC_RAD = np.pi
"""Viewed over a smaller angle about the vertical, an object has an unobserved side [rad]."""
MAX_AIR_SHARE = 0.1
"""Largest share of a fitted solid that may be measured as air: noise and rounded edges leave some, an opening more."""
MAX_FIT_POINTS = 6000
"""Largest number of points to which simple solids are fitted."""
DEFAULT_WALL_M = 0.005
"""Thickness of a surface whose back no view observed [m]: common for shells, plates, cloth and boards."""
ROUND_TOLERANCE_SIGMAS = 0.7
"""Difference from a round profile that is noise, in standard deviations of one depth: many views are averaged."""
MAX_ROUND_TOLERANCE_M = 0.005
"""The same at most [m], so that what is far away is not called round."""


@dataclass(frozen=True, kw_only=True)
class ShapeLimits:
    """Lengths that decide how evidence about one object is read."""

    base_m: float
    """Height of its support [m]."""
    sigma_m: float
    """Standard deviation of one depth at the object's distance [m]."""
    truncation_m: float
    """Distance from a measured surface up to which samples count [m]."""


def complete_unseen(
    measured: MeasuredField, grid: VoxelGrid, limits: ShapeLimits, *, covered_rad: float
) -> tuple[MeasuredField, tuple[str, ...], tuple[str, ...]]:
    """Return the field without unknown space, the methods that completed it, and a fallback where they are a guess.

    `covered_rad` is the angle about the vertical over which the object was viewed [rad]; a solid is fitted where it
    leaves a side unseen.
    """
    base_m, sigma_m, truncation_m = limits.base_m, limits.sigma_m, limits.truncation_m
    tolerance_m = min(ROUND_TOLERANCE_SIGMAS * sigma_m, MAX_ROUND_TOLERANCE_M)
    axis = find_axis(measured, grid, base_m=base_m, tolerance_m=tolerance_m)
    wall_m = max(DEFAULT_WALL_M, 1.6 * grid.voxel_m)
    base = int(np.searchsorted(grid.centers_m(2), base_m))
    observed, share = measured, None
    done: tuple[str, ...] = ("support contact",)
    if axis is not None:
        measured, attached = symmetrize(observed, grid, axis, tolerance_m=tolerance_m, truncation_m=truncation_m)
        done = (*done, "revolution average")
        share = solid_share(measured, shell_m=wall_m, base=base)
        vessel = find_vessel(measured, share, grid, base_m=base_m)
        if vessel is not None:
            is_wall = (measured.trust > 0.0) & ~attached
            share = wall_share(vessel, grid, base_m=base_m, truncation_m=truncation_m)
            completed = fill_unseen(measured, share, wall_m=vessel.wall_m, truncation_m=truncation_m)
            return even_wall(completed, vessel, is_wall, grid, tolerance_m=sigma_m), (*done, "vessel"), ()
    if covered_rad < MAX_ONE_SIDED_ARC_RAD:
        fitted = _fitted_share(observed, grid, limits, wall_m)
        if fitted is not None:
            share, name = fitted
            return fill_unseen(observed, share, wall_m=wall_m, truncation_m=truncation_m), ("support contact", name), ()
    if share is None:
        share = solid_share(measured, shell_m=wall_m, base=base)
    completed = fill_unseen(measured, share, wall_m=wall_m, truncation_m=truncation_m)
    if covered_rad >= MAX_ONE_SIDED_ARC_RAD:
        return completed, done, ()
    note = f"seen over {np.rad2deg(covered_rad):.0f} degrees only and like no simple solid: unseen sides are a guess"
    return completed, (*done, GUESSED_CLOSURE), (note,)


def _fitted_share(
    observed: MeasuredField, grid: VoxelGrid, limits: ShapeLimits, wall_m: float
) -> tuple[Array, str] | None:
    """Return the occupancy [x, y, z] of the full or hollow solid that fits what was observed, and its name, or None."""
    solid = fit_solid(_surface_points(observed, grid), base_m=limits.base_m, tolerance_m=limits.sigma_m)
    if solid is None:
        return None
    share, name = _solid_share(solid, grid), solid.name
    if _is_hollow(share, observed):
        if not isinstance(solid, RevolutionSolid):
            return None
        share = hollow_share(solid, observed, grid, base_m=limits.base_m, wall_m=wall_m)
        name = "hollow revolution"
    return np.where((observed.trust > 0.0) & (observed.distance_m > 0.0), np.float32(0.0), share), name


def _surface_points(measured: MeasuredField, grid: VoxelGrid) -> Array:
    """Return points of the measured surface [m], float64 [n, 3]: where the field changes sign between two voxels."""
    points = []
    for axis in range(3):
        first, second = ([slice(None)] * 3 for _ in range(2))
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        start, end = measured.distance_m[tuple(first)], measured.distance_m[tuple(second)]
        is_crossing = (measured.trust[tuple(first)] > 0.0) & (measured.trust[tuple(second)] > 0.0)
        # A step of more than two voxels is the border of a shadow, not a surface.
        is_crossing &= ((start > 0.0) != (end > 0.0)) & (np.abs(end - start) < 2.0 * grid.voxel_m)
        crossings = np.argwhere(is_crossing).astype(np.float64)
        crossings[:, axis] += start[is_crossing] / (start - end)[is_crossing]
        points.append(grid.origin + grid.voxel_m * crossings)
    cloud = np.concatenate(points)
    return cloud[:: max(1, len(cloud) // MAX_FIT_POINTS)]


def _solid_share(solid: Solid, grid: VoxelGrid) -> Array:
    """Return the occupancy of a solid by voxel, float32: 1 inside, 0 outside, soft over one voxel."""
    axes = np.meshgrid(grid.centers_m(0), grid.centers_m(1), grid.centers_m(2), indexing="ij", sparse=True)
    points = np.stack(np.broadcast_arrays(*axes), axis=-1).reshape(-1, 3)
    share = np.clip(0.5 - 0.5 * solid.distance_m(points) / grid.voxel_m, 0.0, 1.0).reshape(grid.shape)
    return np.asarray(share, dtype=np.float32)


def _is_hollow(inside: Array, measured: MeasuredField) -> bool:
    """Return whether views looked into a solid: a good part of its inside (occupancy [x, y, z]) is measured as air."""
    is_deep = inside >= 1.0
    is_air = is_deep & (measured.trust > 0.0) & (measured.distance_m > 0.0)
    return bool(np.count_nonzero(is_air) > MAX_AIR_SHARE * np.count_nonzero(is_deep))
