"""Encode a depth image for fusion: by pixel its weight, and whether it may carve free space.

Every usable pixel gets a code of 32 bits, so that fusing a voxel costs two look-ups (depth and code):

    bits 0..15   weight of the observation, in 1/1024
    bit 28       the pixel lies outside the object's mask: it may observe free space, never surface
    bit 29       the pixel lies beside a nearer surface: it must not carve (it may have mixed with it)

Code 0 is an unusable pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cousins.geometry import Array

WEIGHT_UNIT = 1024
OUTSIDE_MASK = 1 << 28
NO_CARVE = 1 << 29

NORMAL_REACH_PX = 2
"""Half the baseline over which a surface's slope is measured [px]."""
MAX_INCIDENCE_TAN = 6.0
"""Tangent of the incidence angle up to which neighbouring pixels are taken to lie on one surface (80°)."""
MIN_INCIDENCE_COS = 0.17
"""Smallest cosine of incidence: at more than 80° the slope cannot be measured and 80° is assumed."""


@njit(cache=True, nogil=True, error_model="numpy")
def encode_observations(
    rows: Any,
    depth: Array,
    confidence: Array,
    inside: Array,
    camera: Any,
    limits: Any,
    noise: Any,
    edge: Any,
    code: Array,
) -> None:
    """Write the codes of a depth image [h, w] [m] to `code` [h, w], from row rows[0] to before rows[1].

    camera: fx, fy, cx, cy. limits: least and most depth [m], weight factor by confidence [3] (0 = unused).
    noise: σ at zero range [m] and σ per metre. edge: jump that counts as an edge in σ, reach [px], weight
    factor beside an edge. inside: bool [h, w], or [0, 0] for no mask.
    """
    height, width = depth.shape
    reach = edge[1]
    margin = max(reach, NORMAL_REACH_PX)
    padded = np.zeros((height + 2 * margin, width + 2 * margin), dtype=np.float32)
    padded[margin : margin + height, margin : margin + width] = depth
    masked = inside.shape[0] > 0
    nearest, furthest = np.empty(width, dtype=np.float32), np.empty(width, dtype=np.float32)
    for v in range(rows[0], rows[1]):
        row = v + margin
        _depth_extremes(padded, row, margin, reach, nearest, furthest)
        _encode_row(padded, row, margin, nearest, furthest, confidence[v], camera, limits, noise, edge, code[v])
        if masked:
            for u in range(width):
                code[v, u] |= OUTSIDE_MASK if code[v, u] and not inside[v, u] else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _depth_extremes(padded: Array, row: int, margin: int, reach: int, nearest: Array, furthest: Array) -> None:
    """Write the smallest and largest known depth within reach in row and column."""
    for u in range(len(nearest)):
        nearest[u] = furthest[u] = padded[row, u + margin]
    for step in range(1, reach + 1):
        for dv, du in ((0, -step), (0, step), (-step, 0), (step, 0)):
            line = padded[row + dv]
            for u in range(len(nearest)):
                z = line[u + margin + du]
                nearest[u] = z if (z > 0.0) & (z < nearest[u]) else nearest[u]
                furthest[u] = z if z > furthest[u] else furthest[u]


@njit(cache=True, nogil=True, error_model="numpy")
def _encode_row(
    padded: Array,
    row: int,
    margin: int,
    nearest: Array,
    furthest: Array,
    confidence: Array,
    camera: Any,
    limits: Any,
    noise: Any,
    edge: Any,
    code: Array,
) -> None:
    """Write the codes of one row of pixels, without branches."""
    fx, fy, cx, cy = np.float32(camera[0]), np.float32(camera[1]), np.float32(camera[2]), np.float32(camera[3])
    low, high, trust = np.float32(limits[0]), np.float32(limits[1]), limits[2]
    sigma_m, sigma_per_m = np.float32(noise[0]), np.float32(noise[1])
    jump_sigmas, edge_trust = np.float32(edge[0]), np.float32(edge[2])
    steepest = np.float32(MAX_INCIDENCE_TAN * edge[1]) / fx
    reference = (sigma_m + sigma_per_m) * (sigma_m + sigma_per_m)
    min_cosine, unity, half = np.float32(MIN_INCIDENCE_COS), np.float32(1.0), np.float32(0.5)
    unit = np.float32(WEIGHT_UNIT)
    center_row, above, below = padded[row], padded[row - NORMAL_REACH_PX], padded[row + NORMAL_REACH_PX]
    ry = (np.float32(row - margin) - cy) / fy
    for u in range(len(code)):
        z = center_row[u + margin]
        sigma = sigma_m + sigma_per_m * z
        jump, steep = jump_sigmas * sigma, steepest * z
        jump = steep if steep > jump else jump
        nearer, further = z - nearest[u] > jump, furthest[u] - z > jump
        slope_x = _depth_gradient(
            center_row[u + margin - NORMAL_REACH_PX], z, center_row[u + margin + NORMAL_REACH_PX], jump
        )
        slope_y = _depth_gradient(above[u + margin], z, below[u + margin], jump)
        rx = (np.float32(u) - cx) / fx
        nx, ny, nz = -slope_x * fx, -slope_y * fy, z + slope_x * rx * fx + slope_y * ry * fy
        facing = z / np.sqrt(nx * nx + ny * ny + nz * nz)
        cosine = facing / np.sqrt(unity + rx * rx + ry * ry)
        cosine = cosine if cosine > min_cosine else min_cosine
        level = confidence[u] if confidence[u] < 2 else 2
        weight = trust[level] * (reference / (sigma * sigma)) * cosine * (edge_trust if nearer | further else unity)
        usable = (z > low) & (z < high) & ~(nearer & further) & (weight * unit >= half)
        packed = np.int32(weight * unit + half if weight < np.float32(63.0) else np.float32(65535.0))
        packed |= np.int32(NO_CARVE) if nearer else np.int32(0)
        code[u] = packed if usable else np.int32(0)


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _depth_gradient(before: Any, z: Any, after: Any, jump: Any) -> Any:
    """Return the depth gradient [m/px] across a pixel, from those neighbours that lie on the same surface."""
    zero, unity = np.float32(0.0), np.float32(1.0)
    with_before = (before > zero) & (z - before < jump) & (before - z < jump)
    with_after = (after > zero) & (z - after < jump) & (after - z < jump)
    rise = (z - before if with_before else zero) + (after - z if with_after else zero)
    run = (unity if with_before else zero) + (unity if with_after else zero)
    return rise / ((run if run > zero else unity) * np.float32(NORMAL_REACH_PX))
