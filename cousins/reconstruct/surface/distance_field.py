"""One closed signed distance field from all evidence: negative inside, positive outside.

The measured distance of a voxel is that of the surfaces in front of it: whichever direction says "outside" with
confidence wins over all that say "behind", and directions that agree within the noise are averaged. Where nothing was
measured, the field is the smoothest one between its neighbours (a membrane), solved from coarse to fine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from scipy import ndimage

from cousins.geometry import Array
from cousins.reconstruct.surface.view_evidence import OTHER, Evidence, Grid

LEAST_WEIGHT = 0.5
"""Summed sample weight from which a direction counts."""
MINOR_SHARE = 0.12
"""A direction with less of the weight of all but the opposite one comes from rough normals and pushes no surface back;
roughness turns no normal around, so the opposite one is the other side of a wall."""
LEAST_LOOKS = 3.0
"""Views that must look through a voxel before it can be carved."""
FULL_TRUST = 4.0
"""Summed sample weight at which a distance is fully trusted; 1 is one confident look from where noise is 5 mm."""

FRINGE_M = 0.025
"""How far from an object its masks may hold pixels of its support [m]: a centimetre of it and two depth pixels."""
UNSEEN_TRUST = 0.05
"""Trust in what was decided about unseen space."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measured:
    """Signed distance by voxel with its trust."""

    distance_m: Array
    """Positive outside [m], float32 [x, y, z]."""
    trust: Array
    """0 = not measured; grows with the number of views, at most 1; float32 [x, y, z]."""


def combine(
    evidence: Evidence, *, truncation_m: float, agree_m: float, wall_m: float, share_of_views: float = 1.0
) -> Measured:
    """Turn the sums into one distance per voxel.

    `agree_m` is the difference [m] up to which two directions are taken for the same surface; `wall_m` is the least
    thickness [m] of a wall seen from both sides; `share_of_views` (0 to 1) lowers all demands where views are few.
    """
    shape = evidence.free.shape
    distance, trust = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    _combine(
        evidence.weight,
        evidence.moment,
        evidence.free,
        evidence.shown,
        truncation_m,
        agree_m,
        LEAST_WEIGHT * share_of_views,
        wall_m,
        max(1.0, LEAST_LOOKS * share_of_views),
        FULL_TRUST * share_of_views,
        distance,
        trust,
    )
    return Measured(distance_m=distance, trust=trust)


def settle(measured: Measured, share: Array, *, wall_m: float, truncation_m: float) -> Measured:
    """Bring what was decided about unseen space into the measured field.

    Where the space behind a measured surface is empty (`share` below a half), the surface gets a back at `wall_m` [m];
    space that nothing was measured in gets the decision itself with little trust.
    """
    distance, trust = measured.distance_m, measured.trust
    empty = share < 0.5
    known = trust > 0.0
    behind = known & (distance < 0.0)
    back = np.where(behind & empty, np.maximum(distance, -distance - wall_m), distance)
    guess = truncation_m * (1.0 - 2.0 * share)
    return Measured(
        distance_m=np.where(known, back, guess).astype(np.float32),
        trust=np.where(known, trust, UNSEEN_TRUST).astype(np.float32),
    )


def lay_floor(measured: Measured, evidence: Evidence, grid: Grid, *, base_m: float, low_m: float) -> Measured:
    """Tell the floor of a bowl from the support around its foot, where the object was seen from above at its support.

    What the object encloses is its own floor, and closed one voxel thick. What the outside reaches, lies no higher
    than `low_m` [m] and near higher parts is the support, smeared into the object's masks: above it is air, also under
    a bulge.
    """
    heights_m, floor_m = grid.axis(2), grid.voxel_m
    up, other = evidence.weight[4], evidence.weight[OTHER]
    own = evidence.weight[:OTHER].sum(axis=0)
    from_above = (up > 0.6 * own) & (up >= 1.0) & (heights_m > base_m - floor_m)
    band = (heights_m > base_m - floor_m) & (heights_m < base_m + low_m)
    faces = (np.abs(evidence.moment) < floor_m * evidence.weight) & (evidence.weight >= 1.0)
    seen = (faces[4] & from_above & band).any(axis=2)
    support = (faces[OTHER] & (other > own) & band).any(axis=2)
    high = np.any(faces[:OTHER].any(axis=0) & (heights_m > base_m + low_m + floor_m), axis=2)
    fringe = _fringe(seen, support, high, grid.voxel_m)
    low = (heights_m > base_m) & (heights_m < base_m + low_m + floor_m)
    floor = np.minimum(measured.distance_m, (heights_m - base_m - floor_m).astype(np.float32))
    air = np.maximum(measured.distance_m, (heights_m - base_m).astype(np.float32))
    smeared = fringe[:, :, None] & low
    own_floor = from_above & (up > 2.0 * other) & (heights_m < base_m + floor_m) & (seen & ~fringe)[:, :, None]
    distance = np.where(own_floor, floor, np.where(smeared, air, measured.distance_m))
    return Measured(distance_m=distance, trust=np.where(smeared, np.maximum(measured.trust, 0.5), measured.trust))


def _fringe(low: Array, support: Array, high: Array, voxel_m: float) -> Array:
    """Return which low columns [x, y] go on as the support, if none of their patch is far from high ones."""
    beside = ndimage.binary_dilation(support, np.ones((3, 3)), iterations=2)
    patches, _ = ndimage.label(low, np.ones((3, 3)))
    far = ndimage.distance_transform_edt(~high) * voxel_m > FRINGE_M
    fringe = np.setdiff1d(patches[beside & low], patches[far & low])
    return np.asarray(np.isin(patches, fringe) & low)


def trim(field: Array, heights_m: Array, *, base_m: float, low_m: float) -> Array:
    """Return the field without what lies flat around the foot: columns no higher than `low_m` [m] over the support.

    They come from pixels of the support in the object's masks. What higher parts enclose (the floor of a bowl) stays,
    and so does all of an object that is this flat.
    """
    above = (field < 0.0) & (heights_m > base_m)
    high = (above & (heights_m > base_m + low_m)).any(axis=2)
    enclosed = ndimage.binary_fill_holes(ndimage.binary_dilation(high))
    if 2 * np.count_nonzero(enclosed) < np.count_nonzero(above.any(axis=2)):
        return field
    fringe = ~enclosed[:, :, None] & (field < 0.0)
    return np.where(fringe, np.float32(0.5 * low_m), field).astype(np.float32)


def close(distance_m: Array, trust: Array, *, smoothness: float = 0.05, sweeps: int = 24) -> Array:
    """Return the smoothest field through the trusted distances, float32 [x, y, z].

    Minimises Σ trust (u - d)² + smoothness Σ (u_i - u_j)² over grid neighbours by red-black Gauss-Seidel sweeps,
    started from the solution on a grid of half the resolution.
    """
    data = distance_m.astype(np.float32)
    weight = trust.astype(np.float32)
    if min(data.shape) >= 8:
        coarse = close(*_halve(data, weight), smoothness=smoothness, sweeps=sweeps)
        start = _double(coarse, data.shape)
    else:
        total = float(weight.sum())
        start = np.full(data.shape, float((data * weight).sum()) / total if total > 0.0 else 0.0, dtype=np.float32)
    _relax(start, data, weight, smoothness, sweeps)
    return start


def _halve(data: Array, weight: Array) -> tuple[Array, Array]:
    """Average 2×2×2 blocks by weight; odd ends are padded with unknown."""
    pad = [(0, n % 2) for n in data.shape]
    w = np.pad(weight, pad)
    m = np.pad(data * weight, pad)
    shape = (w.shape[0] // 2, 2, w.shape[1] // 2, 2, w.shape[2] // 2, 2)
    w_sum = w.reshape(shape).sum(axis=(1, 3, 5))
    m_sum = m.reshape(shape).sum(axis=(1, 3, 5))
    return m_sum / np.maximum(w_sum, 1e-9), w_sum / 8.0


def _double(coarse: Array, shape: tuple[int, ...]) -> Array:
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
def _combine(
    weight: Array,
    moment: Array,
    free: Array,
    shown: Array,
    truncation: float,
    agree: float,
    least: float,
    wall: float,
    least_looks: float,
    full_trust: float,
    distance: Array,
    trust: Array,
) -> None:
    """Fill `distance` and `trust` from the sums."""
    for i in prange(free.shape[0]):
        for j in range(free.shape[1]):
            for k in range(free.shape[2]):
                value, sure, total = _own_surface(weight, moment, i, j, k, agree, least, wall)
                value, sure = _other_surface(value, sure, total, weight, moment, i, j, k, agree, least)
                if free[i, j, k] >= least_looks:
                    value, sure = _free_space(value, sure, free[i, j, k], shown[i, j, k], truncation)
                distance[i, j, k] = value
                trust[i, j, k] = min(1.0, sure / full_trust)


@njit(cache=True)
def _own_surface(
    weight: Array, moment: Array, i: int, j: int, k: int, agree: float, least: float, wall: float
) -> tuple[float, float, float]:
    """Average the directions that agree with the one most in front: distance, its weight, weight of all."""
    total = 0.0
    for b in range(OTHER):
        total += weight[b, i, j, k]
    front = -1.0
    for b in range(OTHER):
        w = weight[b, i, j, k]
        if w >= least and w > MINOR_SHARE * (total - weight[b ^ 1, i, j, k]):
            front = max(front, moment[b, i, j, k] / w)
    weights = moments = 0.0
    for b in range(OTHER):
        w = weight[b, i, j, k]
        if front > -1.0 and w > 0.0 and moment[b, i, j, k] / w >= front - agree:
            weights += w
            moments += moment[b, i, j, k]
    value = moments / weights if weights > 0.0 else 0.0
    if weights > 0.0 and value > -wall:
        value -= _lacking_wall(weight, moment, i, j, k, least, wall)
    return value, weights, total


@njit(cache=True)
def _lacking_wall(weight: Array, moment: Array, i: int, j: int, k: int, least: float, wall: float) -> float:
    """Return by how much each side of a wall seen from both sides must grow, for noise must not cross the sides."""
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
    sure: float,
    total: float,
    weight: Array,
    moment: Array,
    i: int,
    j: int,
    k: int,
    agree: float,
    least: float,
) -> tuple[float, float]:
    """Let other surfaces speak: what lies in front of them is free, and where they outweigh the object it ends."""
    w = weight[OTHER, i, j, k]
    if w < least:
        return value, sure
    beyond = moment[OTHER, i, j, k] / w
    if sure == 0.0:
        return (beyond, w) if beyond > 0.0 else (value, sure)
    if beyond > max(value, 0.0) + agree and w > 0.2 * total:
        return beyond, w
    if value < 0.0 and w > total:
        return max(beyond, 0.0) + 0.25 * agree, w
    return value, sure


@njit(cache=True)
def _free_space(value: float, sure: float, looks: float, shown: float, truncation: float) -> tuple[float, float]:
    """Carve where enough views look through: most of them at a measured surface (edges are rough), fewer behind it."""
    share = looks / (looks + shown)
    needed = 0.65 - 0.35 * min(1.0, max(0.0, -value) / truncation) if sure > 0.0 else 0.2
    edge = truncation * min(1.0, (share - needed) / 0.25)
    if share > needed and edge > value:
        return edge, max(sure, looks)
    return value, sure
