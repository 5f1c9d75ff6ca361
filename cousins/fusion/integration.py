"""How the pixels of one frame move the voxels of the blocks that it sees.

A voxel holds a signed distance in units of truncation/32767 (int16), a weight in 1/64 (uint16, 0 = never
seen) and, where wanted, a colour of three channels in 1/256 of a level (uint16, 0 = none yet). Distances
are differences of planar depth. Multiplying them by the cosine of incidence (distance to the tangent plane)
was measured and dropped: normals from LiDAR depth are so noisy that it costs a quarter millimetre.

Each block goes through three loops without branches (project, look up, update), which the compiler turns
into vector code. A block is written by one thread only, so results do not depend on threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cousins.fusion.blocks import BLOCK, VOXELS
from cousins.fusion.observation import NO_CARVE, OUTSIDE, WEIGHT_UNIT
from cousins.geometry import Array

DISTANCE_UNIT = 32767
"""Steps of a stored distance within the truncation distance."""
ACCUMULATED_UNIT = 64
"""Steps of a stored weight of 1."""
MOST_WEIGHT = 65535
"""Largest stored weight; from there on the mean slides."""
COLOR_UNIT = 256
"""Steps of a stored colour within one level of 255."""
COLOR_BAND = 0.5
"""Part of the truncation distance around the surface within which voxels take colour."""

_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
_NEAR_M = np.float32(1e-3)
_NEVER = np.float32(1e9)


@njit(cache=True, nogil=True, error_model="numpy")
def integrate(active: Array, coords: Array, fields: Any, image: Any, projection: Array, sizes: Any) -> None:
    """Move the voxels of the blocks `active` towards what a frame says.

    fields: distance and weight [blocks, 512], colour [blocks, 3, 512] or [0, 3, 512]. image: depth, code and
    packed colour, each flat with one unusable pixel at the end (colour may be empty), width and height.
    projection: float64 [3, 4], world metres to pixel times depth. sizes: voxel [m], truncation [m],
    distance behind the surface up to which an observation keeps its full weight [m].
    """
    distance, weight, color = fields
    depths, codes, colors, width, height = image
    voxel_m, truncation_m, full_m = sizes
    step = (projection[:, :3] * voxel_m).astype(np.float32)
    scale = np.float32(1.0 / truncation_m)
    fall = np.float32(truncation_m / (truncation_m - full_m))
    start = np.empty(3, dtype=np.float32)
    pixel = np.empty(VOXELS, dtype=np.int32)
    z, seen = np.empty(VOXELS, dtype=np.float32), np.empty(VOXELS, dtype=np.float32)
    gain, value = np.empty(VOXELS, dtype=np.float32), np.empty(VOXELS, dtype=np.float32)
    code = np.empty(VOXELS, dtype=np.int32)
    for entry in range(len(active)):
        row = active[entry]
        for axis in range(3):
            start[axis] = projection[axis, 3] + voxel_m * BLOCK * (
                projection[axis, 0] * coords[row, 0]
                + projection[axis, 1] * coords[row, 1]
                + projection[axis, 2] * coords[row, 2]
            )
        _project(start, step, width, height, pixel, z)
        _look_up(pixel, depths, codes, seen, code)
        _judge(z, seen, code, scale, fall, value, gain)
        if len(colors) > 0:
            _paint(pixel, colors, value, gain, weight[row], color[row])
        _update(value, gain, distance[row], weight[row])


@njit(cache=True, nogil=True, error_model="numpy")
def _project(start: Array, step: Array, width: int, height: int, pixel: Array, z: Array) -> None:
    """Find each voxel's pixel (or the unusable one at the end) and planar depth [m]."""
    right, bottom = np.float32(width) - _HALF, np.float32(height) - _HALF
    none = np.int32(width * height)
    du, dv, dz = step[0, 0], step[1, 0], step[2, 0]
    for line in range(VOXELS // BLOCK):
        j, k = np.float32(line & (BLOCK - 1)), np.float32(line // BLOCK)
        u0 = start[0] + step[0, 1] * j + step[0, 2] * k
        v0 = start[1] + step[1, 1] * j + step[1, 2] * k
        z0 = start[2] + step[2, 1] * j + step[2, 2] * k
        for i in range(BLOCK):
            x = np.float32(i)
            depth = z0 + dz * x
            inverse = _ONE / depth
            u, v = (u0 + du * x) * inverse, (v0 + dv * x) * inverse
            usable = (depth > _NEAR_M) & (u > -_HALF) & (u < right) & (v > -_HALF) & (v < bottom)
            u, v = u if usable else _ZERO, v if usable else _ZERO
            at = np.int32(v + _HALF) * np.int32(width) + np.int32(u + _HALF)
            pixel[line * BLOCK + i] = at if usable else none
            z[line * BLOCK + i] = depth


@njit(cache=True, nogil=True, error_model="numpy")
def _look_up(pixel: Array, depths: Array, codes: Array, seen: Array, code: Array) -> None:
    """Fetch each voxel's pixel."""
    for voxel in range(VOXELS):
        at = np.uint32(pixel[voxel])
        seen[voxel] = depths[at]
        code[voxel] = codes[at]


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(z: Array, seen: Array, code: Array, scale: Any, fall: Any, value: Array, gain: Array) -> None:
    """Turn looked-up pixels into a distance of at most ±1 truncation and the weight that it adds (stored units)."""
    unit = np.float32(ACCUMULATED_UNIT / WEIGHT_UNIT)
    for voxel in range(VOXELS):
        packed = code[voxel]
        distance = (seen[voxel] - z[voxel]) * scale
        surface = (packed & OUTSIDE) == 0
        carves = (packed & NO_CARVE) == 0
        usable = (packed != 0) & (distance > -_ONE) & ((distance >= _ONE) | surface) & ((distance <= _ONE) | carves)
        behind = (distance + _ONE) * fall
        behind = _ONE if behind > _ONE else behind
        gain[voxel] = np.float32(packed & 65535) * unit * behind if usable else _ZERO
        distance = _ONE if distance > _ONE else distance
        value[voxel] = distance if usable else _ZERO


@njit(cache=True, nogil=True, error_model="numpy")
def _update(value: Array, gain: Array, distances: Array, weights: Array) -> None:
    """Fold new values into the weighted means."""
    unit, most = np.float32(DISTANCE_UNIT), np.float32(MOST_WEIGHT)
    for voxel in range(VOXELS):
        old = np.float32(np.int32(weights[voxel]))
        total = old + gain[voxel]
        safe = total if total >= _HALF else _NEVER
        mean = (np.float32(distances[voxel]) * old + value[voxel] * unit * gain[voxel]) / safe
        # Adding 32768 makes the number positive, so that cutting off digits rounds to nearest.
        rounded = np.int32(mean + np.float32(32768.5)) - np.int32(32768)
        distances[voxel] = np.int16(rounded if gain[voxel] > _ZERO else np.int32(distances[voxel]))
        total = most if total > most else total
        weights[voxel] = np.uint16(np.int32(total + _HALF))


@njit(cache=True, nogil=True, error_model="numpy")
def _paint(pixel: Array, colors: Array, value: Array, gain: Array, weights: Array, stored: Array) -> None:
    """Fold new colours into the means of voxels near the surface; `weights` are those before this frame."""
    band, unit = np.float32(COLOR_BAND), np.float32(COLOR_UNIT)
    share = np.empty(VOXELS, dtype=np.float32)
    packed = np.empty(VOXELS, dtype=np.int32)
    for voxel in range(VOXELS):
        packed[voxel] = colors[np.uint32(pixel[voxel])]
        near = (gain[voxel] > _ZERO) & (value[voxel] < band) & (value[voxel] > -band)
        total = np.float32(np.int32(weights[voxel])) + gain[voxel]
        ratio = gain[voxel] / (total if total >= _HALF else _NEVER)
        share[voxel] = ratio if near else _ZERO
    for channel in range(3):
        shift = np.int32(8 * channel)
        for voxel in range(VOXELS):
            old = np.float32(np.int32(stored[channel, voxel]))
            new = np.float32((packed[voxel] >> shift) & 255) * unit + _HALF
            part = _ONE if (old == _ZERO) & (share[voxel] > _ZERO) else share[voxel]
            stored[channel, voxel] = np.uint16(np.int32(old + (new - old) * part + _HALF))
