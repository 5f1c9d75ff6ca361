"""Average the measured field of a round object about its axis, so that noise cancels over the whole turn.

The axis is upright up to a small lean. It is the one about which the field differs least from its own profile (a
distance by radius and height), found by Gauss-Newton steps with Tukey weights, so that a handle or a spout does not
pull it. The profile then replaces the field wherever the two agree within the noise; what differs from it (handles,
spouts, dents) stays as measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cousins.geometry import Array
from cousins.reconstruct.surface.distance_field import MeasuredField
from cousins.reconstruct.surface.view_evidence import VoxelGrid

MIN_AGREEMENT = 0.5
"""Smallest share of the upright surface that must agree with the profile: bowls, mugs with handles and plates have 0.7
to 0.85, square boxes 0.25, other boxes and shoes less."""
AGREEMENT_TOLERANCE_SHARE = 0.57
"""Largest difference of upright surface that agrees, as a share of the tolerance: 0.4 deviations of a depth."""
MAX_SAMPLES = 60_000
"""Largest number of voxels from which the axis is found."""
MIN_COVERED_TURN = 0.5
"""Smallest share of the turn over which upright surface must be measured: half a circle determines its centre."""
MIN_RADIUS_VOXELS = 6.0
"""Smallest radius [voxels] of a round object; below it, a square and a circle differ by less than the noise."""
MIN_CELL_SHARE = 0.4
"""Smallest share of a ring of the profile that must agree with it for the ring to be used."""
MAX_LEAN = 0.05
"""Largest shift of the axis per height, 3 degrees: the error of a support's slope and of a reported gravity."""
STEEP_SLOPE = 0.3
"""Smallest radial change of distance of upright surface; level surface agrees with any axis."""
MAX_DISTANCE_VOXELS = 4.0
"""Distance [voxels] at which distances are cut when the axis is searched; farther ones hold no surface."""
ANGLES = 36
"""Number of sectors in which the turn is divided."""
TUKEY_TOLERANCES = 2.0
"""Difference from a profile, in tolerances, from which a voxel has no weight in it."""
MIN_PROTRUSION_M = 0.012
"""Smallest height of what sticks out of a profile [m]: lower bumps are fringes of depth edges, not handles."""
MAX_DENT_VOXELS = 120
"""Largest volume [voxels] of a dent that is filled; larger ones are cut-outs."""
STEPS = 8
"""Gauss-Newton steps."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Axis:
    """A nearly upright axis."""

    center_xy: Array
    """Where it meets the height `foot_m`, in the world [m], float64 [2]."""
    foot_m: float
    """Height of that point [m]."""
    lean: Array
    """Its shift in x and y per height, float64 [2]."""

    def radii_m(self, points: Array) -> Array:
        """Return the distances [n] of world points [n, 3] from the axis at their height [m]."""
        return np.asarray(np.linalg.norm(self.offsets_m(points), axis=1))

    def offsets_m(self, points: Array) -> Array:
        """Return the horizontal offsets [n, 2] of world points [n, 3] from the axis at their height [m]."""
        rise = (points[:, 2] - self.foot_m)[:, None]
        return np.asarray(points[:, :2] - self.center_xy - rise * self.lean)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Samples:
    """Measured voxels above the base."""

    points: Array
    """Centres in the world [m], float64 [n, 3]."""
    layer: Array
    """Index along z, int [n]."""
    distance_m: Array
    """Signed distance [m], at most a few voxels, float64 [n]."""
    weight: Array
    """Trust, float64 [n]."""


def find_axis(measured: MeasuredField, grid: VoxelGrid, *, base_m: float, tolerance_m: float) -> Axis | None:
    """Return the axis about which the measured surface is round within the tolerance [m], None if it is not."""
    samples = _samples(measured, grid, base_m)
    start = _footprint_center(measured, grid, base_m)
    if start is None or len(samples.points) < 100:
        return None
    axis = Axis(center_xy=start, foot_m=base_m, lean=np.zeros(2))
    for step in range(STEPS):
        error, slope = _residuals(samples, axis, grid)
        axis = _corrected_axis(samples, axis, error, slope, tolerance_m, with_lean=step >= STEPS // 2)
    error, slope = _residuals(samples, axis, grid)
    expected_m = samples.distance_m - error
    upright = ~(np.abs(slope) < STEEP_SLOPE) & (
        np.minimum(np.abs(samples.distance_m), np.abs(expected_m)) <= grid.voxel_m
    )
    agrees = upright & (np.abs(error) <= AGREEMENT_TOLERANCE_SHARE * tolerance_m)
    if samples.weight[agrees].sum() < MIN_AGREEMENT * samples.weight[upright].sum() or not agrees.any():
        return None
    offsets = axis.offsets_m(samples.points[agrees])
    turn = np.arctan2(offsets[:, 1], offsets[:, 0])
    sectors = np.unique(((turn / (2.0 * np.pi) + 0.5) * ANGLES).astype(int) % ANGLES)
    return axis if len(sectors) >= MIN_COVERED_TURN * ANGLES else None


def symmetrize(
    measured: MeasuredField, grid: VoxelGrid, axis: Axis, *, tolerance_m: float, truncation_m: float
) -> tuple[MeasuredField, Array]:
    """Return the field with its profile about the axis in place of what agrees with it, and what sticks out of it.

    A difference up to the tolerance [m] is noise and vanishes; from twice the tolerance on it stays, with a linear
    transition between. Voxels that no view measured take the profile of their ring.
    The second is bool [x, y, z]: solid outside the profile, such as a handle, and one voxel around it.
    """
    points = _centers(grid)
    radius = axis.radii_m(points).reshape(grid.shape) / grid.voxel_m
    distance, trust = measured.distance_m.astype(np.float64), measured.trust.astype(np.float64)
    layer = np.broadcast_to(np.arange(grid.shape[2]), grid.shape)
    count = int(radius.max()) + 2
    is_used = trust > 0.0
    cell = np.rint(radius).astype(int) * grid.shape[2] + layer
    profile, cell_trust = _profile(
        cell[is_used], distance[is_used], trust[is_used], count * grid.shape[2], tolerance_m, np.bincount(cell.ravel())
    )
    inner = np.floor(radius).astype(int)
    part = radius - inner
    inner_cell = inner * grid.shape[2] + layer
    smooth = (1.0 - part) * profile[inner_cell] + part * profile[
        np.minimum(inner_cell + grid.shape[2], count * grid.shape[2] - 1)
    ]
    is_known = np.isfinite(smooth) & (np.abs(smooth) < truncation_m)
    error = distance - smooth
    excess_m = np.sign(error) * np.clip(2.0 * (np.abs(error) - tolerance_m), 0.0, np.abs(error))
    value = np.where(is_used, smooth + excess_m, smooth)
    value = np.where(_is_bump(value, smooth) | _is_dent(value, smooth), smooth, value)
    error = value - smooth
    attached = (
        is_used & (np.where(is_known, value, distance) < 0.0) & (~np.isfinite(smooth) | (error < -2.0 * tolerance_m))
    )
    attached = ndimage.binary_opening(attached, np.ones((2, 2, 2)))
    symmetric = MeasuredField(
        distance_m=np.where(is_known, value, distance).astype(np.float32),
        trust=np.where(is_known & ~is_used, cell_trust[cell], trust).astype(np.float32),
    )
    return symmetric, ndimage.binary_dilation(attached, np.ones((3, 3, 3)), iterations=2)


def _is_bump(value: Array, smooth: Array) -> Array:
    """Return the voxels of connected parts that stick out of the profile by less than a handle does, bool [x, y, z]."""
    parts, count = ndimage.label((value < 0.0) & (smooth > 0.0))
    if count == 0:
        return np.zeros(value.shape, dtype=bool)
    beside = ndimage.binary_dilation(parts > 0) & np.isnan(smooth)
    height = ndimage.maximum(np.nan_to_num(smooth), parts, np.arange(count + 1))
    far = np.unique(ndimage.grey_dilation(parts, size=(3, 3, 3))[beside])
    is_low = height < MIN_PROTRUSION_M
    is_low[far] = False
    is_low[0] = False
    return np.asarray(is_low[parts])


def _is_dent(value: Array, smooth: Array) -> Array:
    """Return the voxels of small connected gaps within the profile, bool [x, y, z]."""
    parts, count = ndimage.label((value > 0.0) & (smooth < 0.0))
    is_small = np.bincount(parts.ravel(), minlength=count + 1) <= MAX_DENT_VOXELS
    is_small[0] = False
    return np.asarray(is_small[parts])


def _samples(measured: MeasuredField, grid: VoxelGrid, base_m: float) -> _Samples:
    """Return the measured voxels above the base, free ones too: where a profile has surface, they contradict it."""
    used = (measured.trust > 0.1) & (grid.centers_m(2) > base_m + grid.voxel_m)
    index = np.argwhere(used)
    step = max(1, len(index) // MAX_SAMPLES)
    index = index[::step]
    reach_m = MAX_DISTANCE_VOXELS * grid.voxel_m
    return _Samples(
        points=grid.origin + grid.voxel_m * index,
        layer=index[:, 2],
        distance_m=np.clip(measured.distance_m[used][::step].astype(np.float64), -reach_m, reach_m),
        weight=measured.trust[used][::step].astype(np.float64),
    )


def _footprint_center(measured: MeasuredField, grid: VoxelGrid, base_m: float) -> Array | None:
    """Return the centre [2] [m] of the largest circle within the filled outline from above; handles do not move it."""
    solid = (measured.trust > 0.1) & (measured.distance_m < 0.0) & (grid.centers_m(2) > base_m + grid.voxel_m)
    filled = ndimage.binary_fill_holes(np.pad(solid.any(axis=2), 1))
    depth = ndimage.distance_transform_edt(filled)[1:-1, 1:-1]
    if depth.max() < MIN_RADIUS_VOXELS:
        return None
    middle = np.argwhere(depth >= depth.max() - 1.0).mean(axis=0)
    return np.asarray(grid.origin[:2] + grid.voxel_m * middle)


def _residuals(samples: _Samples, axis: Axis, grid: VoxelGrid) -> tuple[Array, Array]:
    """Return by sample its distance less that of the profile [m], and the profile's slope along the radius.

    1 and NaN where too little agrees for a profile.
    """
    radius = axis.radii_m(samples.points) / grid.voxel_m
    count = int(radius.max()) + 3
    cell = np.rint(radius).astype(int) * grid.shape[2] + samples.layer
    profile, _ = _profile(cell, samples.distance_m, samples.weight, count * grid.shape[2], 2.0 * grid.voxel_m, None)
    table = profile.reshape(count, grid.shape[2])
    slope = np.full(table.shape, np.nan)
    slope[1:-1] = (table[2:] - table[:-2]) / (2.0 * grid.voxel_m)
    slopes = slope.ravel()[cell]
    expected = profile[cell] + np.nan_to_num(slopes) * grid.voxel_m * (radius - np.rint(radius))
    return np.nan_to_num(samples.distance_m - expected, nan=1.0), slopes


def _corrected_axis(
    samples: _Samples, axis: Axis, error: Array, slope: Array, tolerance_m: float, *, with_lean: bool
) -> Axis:
    """Return the axis after one Gauss-Newton step: a shift δ changes the distance by minus slope times δ along r."""
    offsets = axis.offsets_m(samples.points)
    radial = offsets / np.maximum(np.linalg.norm(offsets, axis=1, keepdims=True), 1e-9)
    reach = max(3.0 * tolerance_m, 3.0 * 1.48 * float(np.median(np.abs(error))))
    weight = samples.weight * np.maximum(1.0 - (error / reach) ** 2, 0.0) ** 2
    rows = -np.nan_to_num(slope)[:, None] * radial
    if with_lean:
        rows = np.column_stack([rows, rows * (samples.points[:, 2] - axis.foot_m)[:, None]])
    normal = rows.T @ (weight[:, None] * rows) + 1e-6 * np.eye(rows.shape[1])
    move = np.linalg.solve(normal, rows.T @ (weight * error))
    lean = np.clip(axis.lean + move[2:], -MAX_LEAN, MAX_LEAN) if with_lean else axis.lean
    return Axis(center_xy=axis.center_xy + move[:2], foot_m=axis.foot_m, lean=lean)


def _profile(
    cell: Array, distance: Array, weight: Array, count: int, tolerance_m: float, sizes: Array | None
) -> tuple[Array, Array]:
    """Return by cell the weighted mean distance of what agrees with it, NaN where too little does, and mean weight.

    `sizes` is the number of voxels by cell, of which enough must agree; None asks for agreement of what is given.
    """
    mean = _weighted_mean(cell, distance, weight, count)
    agrees = weight
    for _ in range(2):
        agrees = weight * np.nan_to_num(
            np.maximum(1.0 - ((distance - mean[cell]) / (TUKEY_TOLERANCES * tolerance_m)) ** 2, 0.0)
        )
        mean = _weighted_mean(cell, distance, agrees, count)
    near = np.bincount(cell[agrees > 0.0], minlength=count)
    total = np.bincount(cell, minlength=count) if sizes is None else np.pad(sizes, (0, count - len(sizes)))
    mean[near < np.maximum(MIN_CELL_SHARE * total, 1.0)] = np.nan
    return mean, np.bincount(cell, weight, minlength=count) / np.maximum(np.bincount(cell, minlength=count), 1)


def _weighted_mean(cell: Array, values: Array, weight: Array, count: int) -> Array:
    """Return the weighted mean of values by cell, NaN where the weight is zero."""
    total = np.bincount(cell, weight, minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.bincount(cell, weight * values, minlength=count) / total)


def _centers(grid: VoxelGrid) -> Array:
    """Return all voxel centres [n, 3] in the world [m]."""
    axes = np.meshgrid(grid.centers_m(0), grid.centers_m(1), grid.centers_m(2), indexing="ij", sparse=True)
    return np.stack(np.broadcast_arrays(*axes), axis=-1).reshape(-1, 3)
