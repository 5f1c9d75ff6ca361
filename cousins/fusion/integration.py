"""Integrate the pixels of one frame into the voxels of its active blocks.

A voxel holds a signed distance in units of truncation/32767 (int16), a weight in 1/64 (uint16, 0 = not
observed) and, where wanted, a colour of three channels in 1/256 of a level (uint16, 0 = none yet). Distances
are differences of planar depth. Multiplying them by the cosine of incidence (distance to the tangent plane)
was measured and dropped: normals from LiDAR depth are so noisy that it costs a quarter millimetre.

Each block goes through three loops without branches (project, look up, update), which the compiler turns
into vector code. A block is written by one thread only, so results do not depend on threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cousins.fusion.blocks import BLOCK_EDGE_VOXELS, VOXELS_PER_BLOCK
from cousins.fusion.observation import NO_CARVE, OUTSIDE_MASK, WEIGHT_UNIT
from cousins.geometry import Array

DISTANCE_UNIT = 32767
"""Steps of a stored distance within the truncation distance."""
ACCUMULATED_UNIT = 64
"""Steps of a stored weight of 1."""
MAX_STORED_WEIGHT = 65535
"""Largest stored weight; from there on the mean is a moving average."""
COLOR_UNIT = 256
"""Steps of a stored colour within one level of 255."""
COLOR_BAND = 0.5
"""Part of the truncation distance around the surface within which voxels take colour."""

_ZERO_F32, _HALF_F32, _ONE_F32 = np.float32(0.0), np.float32(0.5), np.float32(1.0)
_MIN_DEPTH_M = np.float32(1e-3)
_NO_WEIGHT = np.float32(1e9)


@njit(cache=True, nogil=True, error_model="numpy")
def integrate(active: Array, coords: Array, fields: Any, image: Any, projection: Array, sizes: Any) -> None:
    """Update the voxels of the blocks `active` [n] with the observation of a frame.

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
    pixel = np.empty(VOXELS_PER_BLOCK, dtype=np.int32)
    z, measured = np.empty(VOXELS_PER_BLOCK, dtype=np.float32), np.empty(VOXELS_PER_BLOCK, dtype=np.float32)
    gain, value = np.empty(VOXELS_PER_BLOCK, dtype=np.float32), np.empty(VOXELS_PER_BLOCK, dtype=np.float32)
    code = np.empty(VOXELS_PER_BLOCK, dtype=np.int32)
    for entry in range(len(active)):
        row = active[entry]
        for axis in range(3):
            start[axis] = projection[axis, 3] + voxel_m * BLOCK_EDGE_VOXELS * (
                projection[axis, 0] * coords[row, 0]
                + projection[axis, 1] * coords[row, 1]
                + projection[axis, 2] * coords[row, 2]
            )
        _project(start, step, width, height, pixel, z)
        _look_up(pixel, depths, codes, measured, code)
        _observe_voxels(z, measured, code, scale, fall, value, gain)
        if len(colors) > 0:
            _update_colors(pixel, colors, value, gain, weight[row], color[row])
        _update_distances(value, gain, distance[row], weight[row])


@njit(cache=True, nogil=True, error_model="numpy")
def _project(start: Array, step: Array, width: int, height: int, pixel: Array, z: Array) -> None:
    """Write each voxel's pixel index (or that of the unusable pixel at the end) and planar depth [m]."""
    right, bottom = np.float32(width) - _HALF_F32, np.float32(height) - _HALF_F32
    unusable = np.int32(width * height)
    du, dv, dz = step[0, 0], step[1, 0], step[2, 0]
    for line in range(VOXELS_PER_BLOCK // BLOCK_EDGE_VOXELS):
        j, k = np.float32(line & (BLOCK_EDGE_VOXELS - 1)), np.float32(line // BLOCK_EDGE_VOXELS)
        u0 = start[0] + step[0, 1] * j + step[0, 2] * k
        v0 = start[1] + step[1, 1] * j + step[1, 2] * k
        z0 = start[2] + step[2, 1] * j + step[2, 2] * k
        for i in range(BLOCK_EDGE_VOXELS):
            x = np.float32(i)
            depth = z0 + dz * x
            inverse = _ONE_F32 / depth
            u, v = (u0 + du * x) * inverse, (v0 + dv * x) * inverse
            usable = (depth > _MIN_DEPTH_M) & (u > -_HALF_F32) & (u < right) & (v > -_HALF_F32) & (v < bottom)
            u, v = u if usable else _ZERO_F32, v if usable else _ZERO_F32
            index = np.int32(v + _HALF_F32) * np.int32(width) + np.int32(u + _HALF_F32)
            pixel[line * BLOCK_EDGE_VOXELS + i] = index if usable else unusable
            z[line * BLOCK_EDGE_VOXELS + i] = depth


@njit(cache=True, nogil=True, error_model="numpy")
def _look_up(pixel: Array, depths: Array, codes: Array, measured: Array, code: Array) -> None:
    """Fetch each voxel's pixel."""
    for voxel in range(VOXELS_PER_BLOCK):
        index = np.uint32(pixel[voxel])
        measured[voxel] = depths[index]
        code[voxel] = codes[index]


@njit(cache=True, nogil=True, error_model="numpy")
def _observe_voxels(z: Array, measured: Array, code: Array, scale: Any, fall: Any, value: Array, gain: Array) -> None:
    """Convert looked-up pixels to a distance of at most ±1 truncation and the weight it adds (stored units)."""
    unit = np.float32(ACCUMULATED_UNIT / WEIGHT_UNIT)
    for voxel in range(VOXELS_PER_BLOCK):
        packed = code[voxel]
        distance = (measured[voxel] - z[voxel]) * scale
        surface = (packed & OUTSIDE_MASK) == 0
        carves = (packed & NO_CARVE) == 0
        usable = (
            (packed != 0)
            & (distance > -_ONE_F32)
            & ((distance >= _ONE_F32) | surface)
            & ((distance <= _ONE_F32) | carves)
        )
        behind = (distance + _ONE_F32) * fall
        behind = _ONE_F32 if behind > _ONE_F32 else behind
        gain[voxel] = np.float32(packed & 65535) * unit * behind if usable else _ZERO_F32
        distance = _ONE_F32 if distance > _ONE_F32 else distance
        value[voxel] = distance if usable else _ZERO_F32


@njit(cache=True, nogil=True, error_model="numpy")
def _update_distances(value: Array, gain: Array, distances: Array, weights: Array) -> None:
    """Add new values to the weighted means."""
    unit, max_weight = np.float32(DISTANCE_UNIT), np.float32(MAX_STORED_WEIGHT)
    for voxel in range(VOXELS_PER_BLOCK):
        old = np.float32(np.int32(weights[voxel]))
        total = old + gain[voxel]
        safe = total if total >= _HALF_F32 else _NO_WEIGHT
        mean = (np.float32(distances[voxel]) * old + value[voxel] * unit * gain[voxel]) / safe
        # Adding 32768 makes the number positive, so that truncation rounds to nearest.
        rounded = np.int32(mean + np.float32(32768.5)) - np.int32(32768)
        distances[voxel] = np.int16(rounded if gain[voxel] > _ZERO_F32 else np.int32(distances[voxel]))
        total = max_weight if total > max_weight else total
        weights[voxel] = np.uint16(np.int32(total + _HALF_F32))


@njit(cache=True, nogil=True, error_model="numpy")
def _update_colors(pixel: Array, colors: Array, value: Array, gain: Array, weights: Array, stored: Array) -> None:
    """Add new colours to the means of voxels near the surface; `weights` are those before this frame."""
    band, unit = np.float32(COLOR_BAND), np.float32(COLOR_UNIT)
    share = np.empty(VOXELS_PER_BLOCK, dtype=np.float32)
    packed = np.empty(VOXELS_PER_BLOCK, dtype=np.int32)
    for voxel in range(VOXELS_PER_BLOCK):
        packed[voxel] = colors[np.uint32(pixel[voxel])]
        near = (gain[voxel] > _ZERO_F32) & (value[voxel] < band) & (value[voxel] > -band)
        total = np.float32(np.int32(weights[voxel])) + gain[voxel]
        ratio = gain[voxel] / (total if total >= _HALF_F32 else _NO_WEIGHT)
        share[voxel] = ratio if near else _ZERO_F32
    for channel in range(3):
        shift = np.int32(8 * channel)
        for voxel in range(VOXELS_PER_BLOCK):
            old = np.float32(np.int32(stored[channel, voxel]))
            new = np.float32((packed[voxel] >> shift) & 255) * unit + _HALF_F32
            part = _ONE_F32 if (old == _ZERO_F32) & (share[voxel] > _ZERO_F32) else share[voxel]
            stored[channel, voxel] = np.uint16(np.int32(old + (new - old) * part + _HALF_F32))
