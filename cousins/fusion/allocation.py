"""Voxel blocks that a frame updates: those around the observed surface, and known blocks in front of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cousins.fusion.blocks import EMPTY_KEY, key_at, slot_of, unpack_key
from cousins.fusion.observation import OUTSIDE_MASK
from cousins.geometry import Array

RAY_SPACING_BLOCKS = 0.35
"""Distance between the rays along which blocks are allocated, in blocks at the image's median depth."""
SAMPLE_SPACING_BLOCKS = 1.0 / 3.0
"""Distance between samples along a ray, in blocks."""


@njit(cache=True, nogil=True, error_model="numpy")
def activate_surface_blocks(
    index: Any, coords: Array, state: Array, stamp: Array, active: Array, image: Any, view: Any, first_row: int
) -> int:
    """Activate the blocks within truncation of the surface that a frame observes, adding new ones.

    state: number of blocks, number active, number of this frame. image: depth and code [h, w]. view: fx,
    fy, cx, cy; pose world_from_camera in blocks; truncation in blocks; distance between rays [px]. Returns
    the pixel row to continue from when the arrays are full, or the image's height when done.
    """
    depth, code = image
    camera, pose, _, stride = view
    height, width = depth.shape
    columns = (width + stride - 1) // stride
    rays, reach = np.empty((3, columns)), np.empty(columns)
    keys = np.empty(columns, dtype=np.int64)
    steps = int(2.0 * view[2] / SAMPLE_SPACING_BLOCKS) + 1
    for v in range(first_row, height, stride):
        _cast_rays(code[v], (np.float64(v) - camera[3]) / camera[1], view, rays, reach)
        for step in range(steps + 1):
            part = 2.0 * step / steps - 1.0
            for column in range(columns):
                z = depth[v, column * stride] + part * reach[column]
                x = pose[0, 3] + z * rays[0, column]
                y = pose[1, 3] + z * rays[1, column]
                keys[column] = key_at(x, y, pose[2, 3] + z * rays[2, column])
            last = EMPTY_KEY
            for column in range(columns):
                if keys[column] != last and reach[column] > 0.0:
                    last = keys[column]
                    if not _activate(index, coords, state, stamp, active, last):
                        return v
    return height


@njit(cache=True, nogil=True, error_model="numpy")
def _cast_rays(code: Array, ry: float, view: Any, rays: Array, reach: Array) -> None:
    """Write each ray's direction [3, w] per metre of depth [blocks] and half its band [m]; 0 for unusable pixels."""
    camera, pose, truncation, stride = view
    metre = np.sqrt(pose[0, 0] ** 2 + pose[1, 0] ** 2 + pose[2, 0] ** 2)
    for column in range(len(reach)):
        u = column * stride
        rx = (np.float64(u) - camera[2]) / camera[0]
        for axis in range(3):
            rays[axis, column] = pose[axis, 0] * rx + pose[axis, 1] * ry + pose[axis, 2]
        usable = (code[u] != 0) & ((code[u] & OUTSIDE_MASK) == 0)
        reach[column] = truncation / metre if usable else 0.0


@njit(cache=True, nogil=True, inline="always")
def _activate(index: Any, coords: Array, state: Array, stamp: Array, active: Array, key: int) -> bool:
    """Activate the block of a key once per frame, adding it where new; return False when the arrays are full."""
    keys, rows = index
    slot = slot_of(keys, key)
    row = rows[slot]
    if keys[slot] == EMPTY_KEY:
        row = state[0]
        if row >= len(coords) or 2 * row >= len(keys):
            return False
        keys[slot] = key
        rows[slot] = row
        unpack_key(key, coords[row])
        state[0] += 1
    if stamp[row] != state[2]:
        stamp[row] = state[2]
        active[state[1]] = row
        state[1] += 1
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def activate_free_blocks(
    coords: Array, state: Array, stamp: Array, active: Array, image: Any, projection: Array, block_m: float
) -> None:
    """Activate the known blocks [n, 3] that a frame looks through: they lie in front of the observed surface."""
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
        pixel_v, pixel_u = int(v + 0.5), int(u + 0.5)
        if code[pixel_v, pixel_u] and c + radius < depth[pixel_v, pixel_u]:
            stamp[row] = state[2]
            active[state[1]] = row
            state[1] += 1
