"""The inner loops of fusion: which blocks a frame touches, and how its pixels move their voxels.

A voxel holds a signed distance in units of truncation/32767 (int16) and a weight in 1/64 (uint16, 0 =
never seen). Projective distances are multiplied by the cosine of incidence, which makes them distances
to the tangent plane. Each block is written by one thread only, so results do not depend on threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cousins.fusion.blocks import BLOCK, EMPTY, VOXELS, pack, slot_of
from cousins.fusion.observation import COSINE_UNIT, NO_CARVE, OUTSIDE, WEIGHT_UNIT
from cousins.geometry import Array

DISTANCE_UNIT = 32767
ACCUMULATED_UNIT = 64
MOST_WEIGHT = 65535


@njit(cache=True, nogil=True, error_model="numpy")
def touch(
    index: Any,
    coords: Array,
    state: Array,
    stamp: Array,
    active: Array,
    image: Any,
    camera: Any,
    world_from_camera: Array,
    sizes: Any,
    first_row: int,
) -> int:
    """List the blocks within truncation of the surface that a frame sees, adding new ones.

    state: number of blocks, number active, number of this frame. image: depth and code [h, w]. sizes:
    block edge [m], truncation [m], stride [px]. Returns the pixel row to go on from when room ran out, or
    the image's height when done.
    """
    keys, rows = index
    depth, code = image
    fx, fy, cx, cy = camera
    block_m, truncation_m, stride = sizes
    height, width = depth.shape
    room = min(len(coords), len(keys) // 2)
    pose = world_from_camera
    for v in range(first_row, height, stride):
        if state[0] + 64 * (width // stride + 1) > room:
            return v
        for u in range(0, width, stride):
            if code[v, u] == 0 or code[v, u] & OUTSIDE:
                continue
            z = depth[v, u]
            rx, ry = (u - cx) / fx, (v - cy) / fy
            dx = pose[0, 0] * rx + pose[0, 1] * ry + pose[0, 2]
            dy = pose[1, 0] * rx + pose[1, 1] * ry + pose[1, 2]
            dz = pose[2, 0] * rx + pose[2, 1] * ry + pose[2, 2]
            around = 0.5 * stride * z / fx
            cosine = ((code[v, u] >> 16) & 4095) / COSINE_UNIT
            reach = truncation_m / max(cosine, 0.5)
            steps = np.int64(2.0 * reach / (0.5 * block_m)) + 1
            for step in range(steps + 1):
                s = z - reach + 2.0 * reach * step / steps
                x, y, w = pose[0, 3] + s * dx, pose[1, 3] + s * dy, pose[2, 3] + s * dz
                _touch_box(keys, rows, coords, state, stamp, active, (x, y, w), around, block_m)
    return height


@njit(cache=True, nogil=True, inline="always")
def _touch_box(
    keys: Array,
    rows: Array,
    coords: Array,
    state: Array,
    stamp: Array,
    active: Array,
    centre: Any,
    around: float,
    block_m: float,
) -> None:
    """Make all blocks active that a cube of half edge `around` [m] meets."""
    x, y, z = centre
    for i in range(np.int64(np.floor((x - around) / block_m)), np.int64(np.floor((x + around) / block_m)) + 1):
        for j in range(np.int64(np.floor((y - around) / block_m)), np.int64(np.floor((y + around) / block_m)) + 1):
            for k in range(np.int64(np.floor((z - around) / block_m)), np.int64(np.floor((z + around) / block_m)) + 1):
                key = pack(i, j, k)
                slot = slot_of(keys, key)
                row = rows[slot]
                if keys[slot] == EMPTY:
                    row = state[0]
                    keys[slot] = key
                    rows[slot] = row
                    coords[row, 0] = i
                    coords[row, 1] = j
                    coords[row, 2] = k
                    state[0] += 1
                if stamp[row] != state[2]:
                    stamp[row] = state[2]
                    active[state[1]] = row
                    state[1] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def integrate(
    active: Array,
    coords: Array,
    distance: Array,
    weight: Array,
    image: Any,
    projection: Array,
    sizes: Any,
) -> None:
    """Move the voxels of the blocks `active` towards what a frame says.

    projection: float64 [3, 4], world metres to pixel times depth. sizes: voxel [m], truncation [m], distance behind the
    surface up to which an observation keeps its full weight [m].
    """
    depth, code = image
    voxel_m, truncation_m, full_m = sizes
    height, width = depth.shape
    flat_depth, flat_code = depth.ravel(), code.ravel()
    step = (projection[:, :3] * voxel_m).astype(np.float32)
    right, bottom = np.float32(width - 0.5), np.float32(height - 0.5)
    scale = np.float32(1.0 / (truncation_m * COSINE_UNIT))
    fall = np.float32(truncation_m / (truncation_m - full_m))
    one, half = np.float32(1.0), np.float32(0.5)
    for entry in range(len(active)):
        row = active[entry]
        start = np.empty(3, dtype=np.float32)
        for axis in range(3):
            start[axis] = projection[axis, 3] + voxel_m * BLOCK * (
                projection[axis, 0] * coords[row, 0]
                + projection[axis, 1] * coords[row, 1]
                + projection[axis, 2] * coords[row, 2]
            )
        values, weights = distance[row], weight[row]
        for line in range(VOXELS // BLOCK):
            j, k = np.float32(line // BLOCK), np.float32(line % BLOCK)
            # Voxels run along the block's x last, so that one line is contiguous.
            a0 = start[0] + step[0, 1] * k + step[0, 2] * j
            b0 = start[1] + step[1, 1] * k + step[1, 2] * j
            c0 = start[2] + step[2, 1] * k + step[2, 2] * j
            for i in range(BLOCK):
                x = np.float32(i)
                c = c0 + step[2, 0] * x
                if not c > 0.0:
                    continue
                u = (a0 + step[0, 0] * x) / c
                v = (b0 + step[1, 0] * x) / c
                if not (-half < u < right and -half < v < bottom):
                    continue
                pixel = np.int32(v + half) * width + np.int32(u + half)
                packed = flat_code[pixel]
                if packed == 0:
                    continue
                cosine = np.float32((packed >> 16) & 4095)
                value = (flat_depth[pixel] - c) * cosine * scale
                if value <= -one or (value < one and packed & OUTSIDE) or (value > one and packed & NO_CARVE):
                    continue
                gain = np.float32(packed & 65535) * np.float32(ACCUMULATED_UNIT / WEIGHT_UNIT)
                gain *= min((value + one) * fall, one)
                value = min(value, one) * np.float32(DISTANCE_UNIT)
                voxel = line * BLOCK + i
                old = np.float32(weights[voxel])
                total = old + gain
                if total < half:
                    continue
                values[voxel] = np.int16(np.rint((values[voxel] * old + value * gain) / total))
                weights[voxel] = np.uint16(min(np.rint(total), np.float32(MOST_WEIGHT)))


@njit(cache=True, nogil=True, error_model="numpy")
def see_through(
    coords: Array, state: Array, stamp: Array, active: Array, image: Any, projection: Array, block_m: float
) -> None:
    """Make active the known blocks that a frame looks through: they lie in front of the surface it sees."""
    depth, code = image
    height, width = depth.shape
    radius = 0.5 * np.sqrt(3.0) * block_m
    for row in range(state[0]):
        if stamp[row] == state[2]:
            continue
        x, y, z = (coords[row, 0] + 0.5) * block_m, (coords[row, 1] + 0.5) * block_m, (coords[row, 2] + 0.5) * block_m
        c = projection[2, 0] * x + projection[2, 1] * y + projection[2, 2] * z + projection[2, 3]
        if c < radius:
            continue
        u = (projection[0, 0] * x + projection[0, 1] * y + projection[0, 2] * z + projection[0, 3]) / c
        v = (projection[1, 0] * x + projection[1, 1] * y + projection[1, 2] * z + projection[1, 3]) / c
        if not (0.0 <= u < width - 0.5 and 0.0 <= v < height - 0.5):
            continue
        pixel_v, pixel_u = np.int64(v + 0.5), np.int64(u + 0.5)
        if code[pixel_v, pixel_u] and c + radius < depth[pixel_v, pixel_u]:
            stamp[row] = state[2]
            active[state[1]] = row
            state[1] += 1
