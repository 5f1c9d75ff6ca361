"""Combine all evidence into one closed signed distance field: negative inside, positive outside.

The measured distance of a voxel is that of the surfaces in front of it: a direction bin that says "outside" with
confidence wins over all that say "behind", and directions that agree within the noise are averaged. Where nothing was
measured, the field is the smoothest one between its neighbours (a membrane), solved from coarse to fine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from scipy import ndimage

from cousins.geometry import Array
from cousins.reconstruct.surface.view_evidence import OTHER_BIN, Evidence, VoxelGrid

MIN_DIRECTION_WEIGHT = 0.5
"""Smallest summed sample weight of a direction bin that counts."""
MIN_DIRECTION_SHARE = 0.12
"""Smallest share of the weight of all but the opposite bin; a direction bin with less comes from rough normals.

Roughness reverses no normal, so the opposite bin is the other side of a wall."""
MIN_CARVING_VIEWS = 3.0
"""Fewest views that must look through a voxel before it can be carved."""
FULL_TRUST_WEIGHT = 4.0
"""Summed sample weight at which a distance is fully trusted; 1 is one confident sample with a noise of 5 mm."""

MAX_FRINGE_M = 0.025
"""Largest distance from an object at which its masks hold pixels of the support [m]: 1 cm and two depth pixels."""
UNSEEN_TRUST = 0.05
"""Trust in completed, unobserved space."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MeasuredField:
    """Signed distance by voxel with its trust."""

    distance_m: Array
    """Positive outside [m], float32 [x, y, z]."""
    trust: Array
    """0 = not measured; grows with the number of views, at most 1; float32 [x, y, z]."""


def combine_directions(
    evidence: Evidence, *, truncation_m: float, agree_m: float, wall_m: float, share_of_views: float = 1.0
) -> MeasuredField:
    """Return one distance per voxel from the sums of all views.

    `agree_m` is the difference [m] up to which two directions are taken for the same surface; `wall_m` is the least
    thickness [m] of a wall seen from both sides; `share_of_views` (0 to 1) lowers all thresholds where views are few.
    """
    shape = evidence.free_views.shape
    distance, trust = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    _combine_voxels(
        evidence.weight,
        evidence.moment,
        evidence.free_views,
        evidence.surface_views,
        truncation_m,
        agree_m,
        MIN_DIRECTION_WEIGHT * share_of_views,
        wall_m,
        max(1.0, MIN_CARVING_VIEWS * share_of_views),
        FULL_TRUST_WEIGHT * share_of_views,
        distance,
        trust,
    )
    return MeasuredField(distance_m=distance, trust=trust)


def fill_unseen(measured: MeasuredField, share: Array, *, wall_m: float, truncation_m: float) -> MeasuredField:
    """Return the measured field with unobserved space filled in.

    Where the space behind a measured surface is empty (occupancy `share` [x, y, z] below a half), the surface gets a
    back at `wall_m` [m]; unmeasured space gets the occupancy itself with little trust.
    """
    distance, trust = measured.distance_m, measured.trust
    is_empty = share < 0.5
    is_measured = trust > 0.0
    is_behind = is_measured & (distance < 0.0)
    back = np.where(is_behind & is_empty, np.maximum(distance, -distance - wall_m), distance)
    guess = truncation_m * (1.0 - 2.0 * share)
    return MeasuredField(
        distance_m=np.where(is_measured, back, guess).astype(np.float32),
        trust=np.where(is_measured, trust, UNSEEN_TRUST).astype(np.float32),
    )


def separate_floor_from_support(
    measured: MeasuredField, evidence: Evidence, grid: VoxelGrid, *, base_m: float, low_m: float
) -> MeasuredField:
    """Separate the floor of a bowl from the support around its foot, where the object was viewed from above.

    Enclosed surface is the object's own floor, closed one voxel thick. Surface that is connected with the outside, no
    higher than `low_m` [m] and near higher parts is the support, smeared into the object's masks: above it is air, also
    under a bulge.
    """
    heights_m, floor_m = grid.centers_m(2), grid.voxel_m
    up_weight, other_weight = evidence.weight[4], evidence.weight[OTHER_BIN]
    object_weight = evidence.weight[:OTHER_BIN].sum(axis=0)
    from_above = (up_weight > 0.6 * object_weight) & (up_weight >= 1.0) & (heights_m > base_m - floor_m)
    band = (heights_m > base_m - floor_m) & (heights_m < base_m + low_m)
    faces = (np.abs(evidence.moment) < floor_m * evidence.weight) & (evidence.weight >= 1.0)
    has_floor = (faces[4] & from_above & band).any(axis=2)
    support = (faces[OTHER_BIN] & (other_weight > object_weight) & band).any(axis=2)
    high = np.any(faces[:OTHER_BIN].any(axis=0) & (heights_m > base_m + low_m + floor_m), axis=2)
    fringe = _fringe_columns(has_floor, support, high, grid.voxel_m)
    low = (heights_m > base_m) & (heights_m < base_m + low_m + floor_m)
    floor = np.minimum(measured.distance_m, (heights_m - base_m - floor_m).astype(np.float32))
    air = np.maximum(measured.distance_m, (heights_m - base_m).astype(np.float32))
    smeared = fringe[:, :, None] & low
    own_floor = (
        from_above
        & (up_weight > 2.0 * other_weight)
        & (heights_m < base_m + floor_m)
        & (has_floor & ~fringe)[:, :, None]
    )
    distance = np.where(own_floor, floor, np.where(smeared, air, measured.distance_m))
    return MeasuredField(distance_m=distance, trust=np.where(smeared, np.maximum(measured.trust, 0.5), measured.trust))


def _fringe_columns(low: Array, support: Array, high: Array, voxel_m: float) -> Array:
    """Return which low columns [x, y] continue as the support, if none of their patch is far from high columns."""
    beside = ndimage.binary_dilation(support, np.ones((3, 3)), iterations=2)
    patches, _ = ndimage.label(low, np.ones((3, 3)))
    far = ndimage.distance_transform_edt(~high) * voxel_m > MAX_FRINGE_M
    fringe = np.setdiff1d(patches[beside & low], patches[far & low])
    return np.asarray(np.isin(patches, fringe) & low)


def trim_fringe(field: Array, heights_m: Array, *, base_m: float, low_m: float) -> Array:
    """Return the field [x, y, z] without the flat fringe around the foot: columns no higher than `low_m` [m].

    They come from pixels of the support in the object's masks. Columns that higher parts enclose (the floor of a bowl)
    stay, and so does all of an object that is this flat. `heights_m` [z] are the voxel heights.
    """
    above = (field < 0.0) & (heights_m > base_m)
    high = (above & (heights_m > base_m + low_m)).any(axis=2)
    enclosed = ndimage.binary_fill_holes(ndimage.binary_dilation(high))
    if 2 * np.count_nonzero(enclosed) < np.count_nonzero(above.any(axis=2)):
        return field
    fringe = ~enclosed[:, :, None] & (field < 0.0)
    return np.where(fringe, np.float32(0.5 * low_m), field).astype(np.float32)


def close_field(distance_m: Array, trust: Array, *, smoothness: float = 0.05, sweeps: int = 24) -> Array:
    """Return the smoothest field through the trusted distances, float32 [x, y, z].

    Minimises Σ trust (u - d)² + smoothness Σ (u_i - u_j)² over grid neighbours by red-black Gauss-Seidel sweeps,
    started from the solution on a grid of half the resolution.
    """
    data = distance_m.astype(np.float32)
    weight = trust.astype(np.float32)
    if min(data.shape) >= 8:
        coarse = close_field(*_downsample(data, weight), smoothness=smoothness, sweeps=sweeps)
        start = _upsample(coarse, data.shape)
    else:
        total = float(weight.sum())
        start = np.full(data.shape, float((data * weight).sum()) / total if total > 0.0 else 0.0, dtype=np.float32)
    _relax(start, data, weight, smoothness, sweeps)
    return start


def _downsample(data: Array, weight: Array) -> tuple[Array, Array]:
    """Return 2×2×2 blocks averaged by weight, and their weights; odd ends are padded with unknown."""
    pad = [(0, n % 2) for n in data.shape]
    w = np.pad(weight, pad)
    m = np.pad(data * weight, pad)
    shape = (w.shape[0] // 2, 2, w.shape[1] // 2, 2, w.shape[2] // 2, 2)
    w_sum = w.reshape(shape).sum(axis=(1, 3, 5))
    m_sum = m.reshape(shape).sum(axis=(1, 3, 5))
    return m_sum / np.maximum(w_sum, 1e-9), w_sum / 8.0


def _upsample(coarse: Array, shape: tuple[int, ...]) -> Array:
    """Repeat every voxel twice along each axis and crop."""
    fine = coarse.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    return np.ascontiguousarray(fine[: shape[0], : shape[1], : shape[2]])


@njit(cache=True, parallel=True)
def _relax(field: Array, data: Array, weight: Array, smoothness: float, sweeps: int) -> None:
    """Red-black Gauss-Seidel in place; a colour reads only the other, so threads do not change the result.

    Past the border lies a copy of the voxel itself, so the field meets the border level.
    """
    nx, ny, nz = field.shape
    for sweep in range(2 * sweeps):
        for i in prange(nx):
            for j in range(ny):
                for k in range((i + j + sweep) % 2, nz, 2):
                    near = field[max(i - 1, 0), j, k] + field[min(i + 1, nx - 1), j, k]
                    near += field[i, max(j - 1, 0), k] + field[i, min(j + 1, ny - 1), k]
                    near += field[i, j, max(k - 1, 0)] + field[i, j, min(k + 1, nz - 1)]
                    w = weight[i, j, k]
                    field[i, j, k] = (w * data[i, j, k] + smoothness * near) / (w + smoothness * 6.0)


@njit(cache=True, parallel=True)
def _combine_voxels(
    weight: Array,
    moment: Array,
    free_views: Array,
    surface_views: Array,
    truncation: float,
    agree: float,
    least: float,
    wall: float,
    min_free_views: float,
    full_trust: float,
    distance: Array,
    trust: Array,
) -> None:
    """Fill `distance` and `trust` from the sums."""
    for i in prange(free_views.shape[0]):
        for j in range(free_views.shape[1]):
            for k in range(free_views.shape[2]):
                value, certainty, total = _object_surface(weight, moment, i, j, k, agree, least, wall)
                value, certainty = _other_surface(value, certainty, total, weight, moment, i, j, k, agree, least)
                if free_views[i, j, k] >= min_free_views:
                    value, certainty = _free_space(
                        value, certainty, free_views[i, j, k], surface_views[i, j, k], truncation
                    )
                distance[i, j, k] = value
                trust[i, j, k] = min(1.0, certainty / full_trust)


@njit(cache=True)
def _object_surface(
    weight: Array, moment: Array, i: int, j: int, k: int, agree: float, least: float, wall: float
) -> tuple[float, float, float]:
    """Average the directions that agree with the frontmost one: distance, its weight, weight of all."""
    total = 0.0
    for b in range(OTHER_BIN):
        total += weight[b, i, j, k]
    front = -1.0
    for b in range(OTHER_BIN):
        w = weight[b, i, j, k]
        if w >= least and w > MIN_DIRECTION_SHARE * (total - weight[b ^ 1, i, j, k]):
            front = max(front, moment[b, i, j, k] / w)
    weights = moments = 0.0
    for b in range(OTHER_BIN):
        w = weight[b, i, j, k]
        if front > -1.0 and w > 0.0 and moment[b, i, j, k] / w >= front - agree:
            weights += w
            moments += moment[b, i, j, k]
    value = moments / weights if weights > 0.0 else 0.0
    if weights > 0.0 and value > -wall:
        value -= _missing_wall_thickness(weight, moment, i, j, k, least, wall)
    return value, weights, total


@njit(cache=True)
def _missing_wall_thickness(weight: Array, moment: Array, i: int, j: int, k: int, least: float, wall: float) -> float:
    """Return by how much each side of a wall observed from both sides must grow, so that noise does not cross them."""
    lacking = 0.0
    for axis in range(3):
        a, b = weight[2 * axis, i, j, k], weight[2 * axis + 1, i, j, k]
        if min(a, b) >= least and min(a, b) > 0.2 * max(a, b):
            thickness = -moment[2 * axis, i, j, k] / a - moment[2 * axis + 1, i, j, k] / b
            if abs(thickness) < wall:
                lacking = max(lacking, 0.5 * (wall - thickness))
    return min(lacking, 0.5 * wall)


@njit(cache=True)
def _other_surface(
    value: float,
    certainty: float,
    total: float,
    weight: Array,
    moment: Array,
    i: int,
    j: int,
    k: int,
    agree: float,
    least: float,
) -> tuple[float, float]:
    """Apply evidence of other surfaces: space in front of them is free, and where they outweigh the object it ends."""
    w = weight[OTHER_BIN, i, j, k]
    if w < least:
        return value, certainty
    beyond = moment[OTHER_BIN, i, j, k] / w
    if certainty == 0.0:
        return (beyond, w) if beyond > 0.0 else (value, certainty)
    if beyond > max(value, 0.0) + agree and w > 0.2 * total:
        return beyond, w
    if value < 0.0 and w > total:
        return max(beyond, 0.0) + 0.25 * agree, w
    return value, certainty


@njit(cache=True)
def _free_space(
    value: float, certainty: float, free_views: float, surface_views: float, truncation: float
) -> tuple[float, float]:
    """Carve where enough views look through: most of them at a measured surface (edges are rough), fewer behind it."""
    share = free_views / (free_views + surface_views)
    needed = 0.65 - 0.35 * min(1.0, max(0.0, -value) / truncation) if certainty > 0.0 else 0.2
    edge = truncation * min(1.0, (share - needed) / 0.25)
    if share > needed and edge > value:
        return edge, max(certainty, free_views)
    return value, certainty
