"""Make a body of revolution hollow where views looked into it: a cup or bowl that was seen from one side.

The side towards the camera shows the outside, the far side the inside; both lie on one profile within the thickness of
the wall. The bottom of the cavity is where views measured it; where none did, it is one wall above the support.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.reconstruct.surface.completion import RevolutionSolid
from cousins.reconstruct.surface.distance_field import MeasuredField
from cousins.reconstruct.surface.view_evidence import VoxelGrid

FLOOR_RADIUS_SHARE: Final = 0.6
"""Radius of the middle of the bottom, as a share of the profile's there."""
MIN_FLOOR_COLUMNS: Final = 12
"""Fewest measured columns in the middle whose surface is the bottom: fewer are speckles of the far wall."""


def hollow_share(
    solid: RevolutionSolid, measured: MeasuredField, grid: VoxelGrid, *, base_m: float, wall_m: float
) -> Array:
    """Return the occupancy of wall and bottom by voxel, 0 to 1, soft over one voxel, float32 [x, y, z]."""
    heights_m = grid.centers_m(2)
    x, y = np.meshgrid(grid.centers_m(0), grid.centers_m(1), indexing="ij")
    from_axis = np.hypot(x - solid.axis_xy[0], y - solid.axis_xy[1])
    radius = np.interp(heights_m, solid.heights_m, solid.radii_m)
    side_m = from_axis[:, :, None] - radius
    floor_m = _floor_height_m(measured, from_axis, radius, grid, base_m) or base_m + wall_m
    outside_m = np.maximum(side_m, heights_m - solid.top_m)
    cavity_m = np.maximum(side_m + wall_m, floor_m - heights_m)
    distance_m = np.maximum(outside_m, -cavity_m)
    return np.clip(0.5 - 0.5 * distance_m / grid.voxel_m, 0.0, 1.0).astype(np.float32)


def _floor_height_m(
    measured: MeasuredField, from_axis: Array, radius: Array, grid: VoxelGrid, base_m: float
) -> float | None:
    """Return the height [m] of the measured bottom, None where no view shows it."""
    heights_m = grid.centers_m(2)
    is_near = (measured.trust > 0.0) & (np.abs(measured.distance_m) < 1.5 * grid.voxel_m)
    is_below = is_near & (measured.distance_m <= 0.0) & (heights_m > base_m)
    is_above = is_near & (measured.distance_m > 0.0)
    middle = from_axis[:, :, None] < FLOOR_RADIUS_SHARE * radius[:-1]
    columns, _, layers = np.nonzero(is_below[:, :, :-1] & is_above[:, :, 1:] & middle)
    return float(np.median(heights_m[layers])) + 0.5 * grid.voxel_m if len(columns) >= MIN_FLOOR_COLUMNS else None
