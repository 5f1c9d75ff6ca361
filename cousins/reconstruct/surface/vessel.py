"""Give a round open vessel (bowl, cup, mug, plate) a wall of its measured thickness all over, also underneath.

Views look into a vessel and along its outside, but never below it. Bowls, cups and plates are made with walls of about
the same thickness everywhere and stand on a foot, so what no view observed is: a wall as thick as the one measured near
the rim, below the measured inside; a foot ring around the middle of the floor; and air between them and the support.
Where a view measured something else, the measurement holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cousins.geometry import Array
from cousins.reconstruct.surface.distance_field import MeasuredField
from cousins.reconstruct.surface.view_evidence import VoxelGrid

MIN_OPENING_SHARE = 0.4
"""Smallest opening as a share of the outline from above: a shoe or a toy with a recess is no vessel."""
MIN_DEPTH_M = 0.008
"""Smallest depth of a cavity [m]: a dinner plate's; less is within the noise of depth at arm's length."""
MIN_DEPTH_SHARE = 0.4
"""Smallest depth of a cavity as a share of the height; a full cup or a pot with soil is solid below its filling."""
MIDDLE_SHARE = 0.6
"""Distance from the edge of the opening, as a share of the largest, from which a column is in the floor's middle."""
MIN_MEASURED_FLOOR_SHARE = 0.5
"""Smallest measured share of the middle of the floor: some frames must have looked in down to it."""
WALL_RANGE_M = (0.0025, 0.012)
"""Believable thickness of walls [m], from thin plastic and sheet metal to stoneware and wood."""
DEFAULT_WALL_M = 0.0045
"""Thickness of a wall of which one side only was measured [m]: ceramic tableware has 3 to 6 mm."""
WALL_QUANTILE = 0.25
"""Quantile of the measured thickness that is a wall's: pixels on depth edges only ever add to it."""
MIN_WALL_DEPTH_SHARE = 0.25
"""Smallest depth of a cavity, as a share of its width, whose wall is measured: views graze the underside of plates."""
MIN_WALL_SAMPLES = 30
"""Fewest places at which both sides of a wall are measured for its thickness."""
RIM_ZONE_M = 0.006
"""Height below the rim within which depth edges blur the wall [m]."""
FLOOR_RISE_SHARE = 0.05
"""Rise of the inner floor, as a share of the cavity's depth, up to which it belongs to the middle above the foot."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Vessel:
    """An open cavity and the wall around it."""

    cavity: Array
    """Free voxels that the wall encloses, bool [x, y, z]."""
    inside_m: Array
    """Distance of every voxel from the inner side of the wall [m], negative in the cavity, float32 [x, y, z]."""
    floor_m: float
    """Height of the middle of the cavity's bottom [m]."""
    rim_m: float
    """Height of the rim [m]."""
    wall_m: float
    """Thickness of its wall [m]."""


def find_vessel(measured: MeasuredField, share: Array, grid: VoxelGrid, *, base_m: float) -> Vessel | None:
    """Return the open cavity of an object, None where it has none.

    `share` is the occupancy (0 to 1) of what no view measured, float32 [x, y, z].
    """
    heights_m = grid.centers_m(2)
    is_measured = measured.trust > 0.05
    solid = np.where(is_measured, measured.distance_m < 0.5 * grid.voxel_m, share >= 0.5) & (heights_m > base_m)
    is_open = np.cumsum(solid[:, :, ::-1], axis=2)[:, :, ::-1] == 0
    cavity = np.zeros_like(solid)
    for layer in np.flatnonzero(solid.any(axis=(0, 1))):
        cavity[:, :, layer] = ndimage.binary_fill_holes(solid[:, :, layer]) & ~solid[:, :, layer]
    cavity &= is_open
    areas = np.count_nonzero(cavity, axis=(0, 1))
    footprint = np.count_nonzero(ndimage.binary_fill_holes(solid.any(axis=2)))
    if areas.max(initial=0) < MIN_OPENING_SHARE * footprint or footprint == 0:
        return None
    rim_m = float(heights_m[np.flatnonzero(areas >= 0.5 * areas.max())[-1]]) + 0.5 * grid.voxel_m
    inward = ndimage.distance_transform_edt(cavity.any(axis=2))
    columns = np.argwhere(inward >= MIDDLE_SHARE * inward.max())
    bottom = np.argmax(cavity, axis=2)[tuple(columns.T)]
    floor_layer = float(np.median(bottom))
    floor_m = float(heights_m[0]) + grid.voxel_m * (floor_layer - 0.5)
    below = np.maximum(bottom - 1, 0)
    depth_m = rim_m - floor_m
    if depth_m < max(MIN_DEPTH_M, MIN_DEPTH_SHARE * (rim_m - base_m)):
        return None
    if is_measured[columns[:, 0], columns[:, 1], below].mean() < MIN_MEASURED_FLOOR_SHARE:
        return None
    width_m = 2.0 * grid.voxel_m * float(np.sqrt(areas.max() / np.pi))
    wall_m = DEFAULT_WALL_M
    if depth_m >= MIN_WALL_DEPTH_SHARE * width_m:
        wall_m = _wall_thickness_m(measured, solid, cavity, grid, floor_m=floor_m, rim_m=rim_m)
    inside_m = _depth_below_inside_m(measured, cavity, grid)
    return Vessel(cavity=cavity, inside_m=inside_m, floor_m=floor_m, rim_m=rim_m, wall_m=wall_m)


def even_wall(
    completed: MeasuredField, vessel: Vessel, is_wall: Array, grid: VoxelGrid, *, tolerance_m: float
) -> MeasuredField:
    """Return the completed field with the outer side of the wall at its thickness from the inner side.

    Views graze the outside of a bowl and look squarely at its inside, so a difference of the outside up to the
    tolerance [m] is noise; from twice the tolerance on the measurement stays. `is_wall` (bool [x, y, z]) excludes
    what is attached, such as a handle, and what no view measured.
    """
    model = vessel.inside_m - vessel.wall_m
    error = completed.distance_m - model
    excess_m = np.sign(error) * np.clip(2.0 * (np.abs(error) - tolerance_m), 0.0, np.abs(error))
    outer = is_wall & (vessel.inside_m > 0.5 * vessel.wall_m)
    outer &= (grid.centers_m(2) < vessel.rim_m - RIM_ZONE_M) & (model < 3.0 * tolerance_m)
    value = np.where(outer, np.maximum(model + excess_m, -vessel.inside_m), completed.distance_m)
    return MeasuredField(distance_m=value.astype(np.float32), trust=completed.trust)


def wall_share(vessel: Vessel, grid: VoxelGrid, *, base_m: float, truncation_m: float) -> Array:
    """Return the occupancy, 0 to 1, of wall and foot alone, float32 [x, y, z]: ½ on their surface, linear across it."""
    heights_m = grid.centers_m(2)
    ring_m, level_m = _foot_distances_m(vessel, grid)
    lifted_m = vessel.floor_m - vessel.wall_m - base_m
    foot_m = level_m if lifted_m < 1.5 * grid.voxel_m else ring_m
    foot = np.maximum(foot_m[:, :, None], heights_m - vessel.floor_m + 0.5 * vessel.wall_m)
    distance_m = np.minimum(np.abs(vessel.inside_m - 0.5 * vessel.wall_m) - 0.5 * vessel.wall_m, foot)
    return np.clip(0.5 - 0.5 * distance_m / truncation_m, 0.0, 1.0).astype(np.float32)


def _wall_thickness_m(
    measured: MeasuredField, solid: Array, cavity: Array, grid: VoxelGrid, *, floor_m: float, rim_m: float
) -> float:
    """Return the thickness [m] of the wall in the upper half of the cavity, where both of its sides are measured.

    From a voxel at the inner side to the next free voxel outside, less what the distances of both say is air or solid.
    """
    heights_m = grid.centers_m(2)
    air = (measured.trust > 0.05) & (measured.distance_m > 0.0) & ~cavity & ~ndimage.binary_dilation(cavity)
    inner = solid & ndimage.binary_dilation(cavity, iterations=2) & (measured.trust > 0.05)
    inner &= (heights_m > 0.5 * (floor_m + rim_m)) & (heights_m < rim_m - RIM_ZONE_M)
    if np.count_nonzero(inner) < MIN_WALL_SAMPLES or not air.any():
        return DEFAULT_WALL_M
    inner &= measured.distance_m < 0.0
    away, nearest = ndimage.distance_transform_edt(~air, return_indices=True)
    beyond = measured.distance_m[tuple(nearest[:, inner])]
    thickness = away[inner] * grid.voxel_m - measured.distance_m[inner] - beyond
    close = (thickness < 2.0 * WALL_RANGE_M[1]) & (beyond <= 1.2 * grid.voxel_m)
    if np.count_nonzero(close) < MIN_WALL_SAMPLES:
        return DEFAULT_WALL_M
    return float(np.clip(np.quantile(thickness[close], WALL_QUANTILE), *WALL_RANGE_M))


def _foot_distances_m(vessel: Vessel, grid: VoxelGrid) -> tuple[Array, Array]:
    """Return the horizontal distances [m] from a foot ring below the edge of the level floor, and from all within it.

    Both [x, y], negative inside. The ring is as wide as the wall.
    """
    is_column = vessel.cavity.any(axis=2)
    bottom_m = grid.centers_m(2)[np.argmax(vessel.cavity, axis=2)] - 0.5 * grid.voxel_m
    rise_m = max(1.5 * grid.voxel_m, FLOOR_RISE_SHARE * (vessel.rim_m - vessel.floor_m))
    level = ndimage.binary_opening(is_column & (bottom_m <= vessel.floor_m + rise_m), np.ones((3, 3)))
    level = ndimage.binary_fill_holes(level)
    away_m = grid.voxel_m * (ndimage.distance_transform_edt(~level) - ndimage.distance_transform_edt(level))
    width_m = max(vessel.wall_m, 1.6 * grid.voxel_m)
    return np.abs(away_m + 0.5 * width_m) - 0.5 * width_m, away_m


def _depth_below_inside_m(measured: MeasuredField, cavity: Array, grid: VoxelGrid) -> Array:
    """Return the distance [m] of every voxel from the inner side of the wall, negative within the cavity.

    The distance from the nearest voxel of the cavity, less that voxel's distance from the wall.
    """
    away, nearest = ndimage.distance_transform_edt(~cavity, return_indices=True)
    air_m = np.clip(measured.distance_m[tuple(nearest)], 0.0, 1.5 * grid.voxel_m)
    depth_m = np.where(cavity, -measured.distance_m, away * grid.voxel_m - air_m)
    return np.asarray(depth_m, dtype=np.float32)
