"""What one depth image says, pixel by pixel: which to trust, how much, and whether to carve with it.

Every usable pixel gets a code of 32 bits, so that fusing a voxel costs two look-ups (depth and code):

    bits 0..15   weight of the observation, in 1/1024
    bits 16..27  cosine between ray and surface normal times the ray's length at z = 1, in 1/1024
    bit 28       the pixel lies outside the object's mask: it may tell of free space, never of surface
    bit 29       the pixel lies beside a nearer surface: it must not carve (it may have mixed with it)

Code 0 is an unusable pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cousins.geometry import Array

WEIGHT_UNIT = 1024
COSINE_UNIT = 1024
OUTSIDE = 1 << 28
NO_CARVE = 1 << 29

NORMAL_REACH_PX = 2
"""Half the baseline over which a surface's slope is measured [px]."""
LEAST_COSINE = 0.17
"""Surfaces seen more obliquely than 80° are taken as seen at 80°: their slope cannot be measured."""


@njit(cache=True, nogil=True, error_model="numpy")
def observe(
    depth: Array,
    confidence: Array,
    inside: Array,
    camera: Any,
    limits: Any,
    noise: Any,
    trust: Array,
    edge: Any,
    code: Array,
) -> None:
    """Fill `code` [h, w] of a depth image [m].

    camera: fx, fy, cx, cy. limits: least and most depth [m], least confidence. noise: σ at zero range [m]
    and σ per metre. trust: weight factor by confidence [3]. edge: jump that counts as an edge in σ,
    reach [px], weight factor beside an edge. inside: bool [h, w], or [0, 0] for no mask.
    """
    fx, fy, cx, cy = camera
    low, high, least = limits
    sigma_m, sigma_per_m = noise
    jump_sigmas, reach, edge_trust = edge
    height, width = depth.shape
    masked = inside.shape[0] > 0
    reference = (sigma_m + sigma_per_m) ** 2
    for v in range(height):
        for u in range(width):
            z = depth[v, u]
            code[v, u] = 0
            if not (low < z < high) or confidence[v, u] < least:
                continue
            sigma = sigma_m + sigma_per_m * z
            jump = max(jump_sigmas * sigma, 6.0 * reach * z / fx)
            nearer, further = _jumps(depth, v, u, z, reach, jump)
            if nearer and further:
                continue
            slope_x = _slope(depth[v], u, width, z, jump)
            slope_y = _slope(depth[:, u], v, height, z, jump)
            nx, ny = -slope_x * fx, -slope_y * fy
            rx, ry = (u - cx) / fx, (v - cy) / fy
            nz = z + slope_x * (u - cx) + slope_y * (v - cy)
            length = np.sqrt(nx * nx + ny * ny + nz * nz)
            facing = abs(rx * nx + ry * ny + nz) / length
            cosine = facing / np.sqrt(1.0 + rx * rx + ry * ry)
            facing = max(facing, LEAST_COSINE)
            weight = trust[min(confidence[v, u], 2)] * reference / (sigma * sigma) * max(cosine, LEAST_COSINE)
            if nearer or further:
                weight *= edge_trust
            packed = int(min(weight * WEIGHT_UNIT + 0.5, 65535.0))
            packed |= int(min(facing * COSINE_UNIT + 0.5, 4095.0)) << 16
            if masked and not inside[v, u]:
                packed |= OUTSIDE
            if nearer:
                packed |= NO_CARVE
            code[v, u] = packed if packed & 65535 else 0


@njit(cache=True, nogil=True, inline="always")
def _jumps(depth: Array, v: int, u: int, z: float, reach: int, jump: float) -> tuple[bool, bool]:
    """Tell whether a much nearer and a much further surface lie within reach in row or column."""
    height, width = depth.shape
    nearest, furthest = z, z
    for step in range(1, reach + 1):
        for dv, du in ((0, step), (0, -step), (step, 0), (-step, 0)):
            y, x = v + dv, u + du
            if 0 <= y < height and 0 <= x < width and depth[y, x] > 0.0:
                nearest = min(nearest, depth[y, x])
                furthest = max(furthest, depth[y, x])
    return z - nearest > jump, furthest - z > jump


@njit(cache=True, nogil=True, inline="always")
def _slope(line: Array, at: int, length: int, z: float, jump: float) -> float:
    """Return the depth gradient [m/px] along a row or column, from the neighbours on the same surface."""
    before, after = max(at - NORMAL_REACH_PX, 0), min(at + NORMAL_REACH_PX, length - 1)
    z_before, z_after = line[before], line[after]
    if not (z_before > 0.0 and abs(z_before - z) < jump):
        before, z_before = at, z
    if not (z_after > 0.0 and abs(z_after - z) < jump):
        after, z_after = at, z
    return (z_after - z_before) / max(after - before, 1)
