"""A growing hash index of cubic voxel blocks: block coordinates to a row number.

A key packs three block coordinates into 63 bits, 21 each: at 4 cm a block that is ±42 km. Rows are
given in order of first insertion, so the same calls give the same rows in every process.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cousins.geometry import Array

BLOCK = 8
"""Voxels along the edge of a block."""
VOXELS = BLOCK**3
"""Voxels in a block."""
EMPTY = -1
"""Key of an unused slot."""
_OFFSET = 1 << 20
_PART = (1 << 21) - 1
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth's multiplicative hashing


@njit(cache=True, nogil=True, inline="always")
def pack(i: int, j: int, k: int) -> int:
    """Return the key of a block."""
    return ((i + _OFFSET) << 42) | ((j + _OFFSET) << 21) | (k + _OFFSET)


@njit(cache=True, nogil=True, inline="always")
def key_at(x: float, y: float, z: float) -> int:
    """Return the key of the block at a position in blocks; the offset makes cutting off digits a floor."""
    return (int(x + _OFFSET) << 42) | (int(y + _OFFSET) << 21) | int(z + _OFFSET)


@njit(cache=True, nogil=True, inline="always")
def unpack(key: int, coords: Array) -> None:
    """Write the block coordinates [3] of a key."""
    coords[0] = (key >> 42) - _OFFSET
    coords[1] = ((key >> 21) & _PART) - _OFFSET
    coords[2] = (key & _PART) - _OFFSET


@njit(cache=True, nogil=True, inline="always")
def slot_of(keys: Array, key: int) -> int:
    """Return the slot that holds `key`, or the free slot where it belongs (linear probing)."""
    mask = len(keys) - 1
    slot = int((np.uint64(key) * _MIX) >> np.uint64(20)) & mask
    while keys[slot] != key and keys[slot] != EMPTY:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True, inline="always")
def find(keys: Array, rows: Array, i: int, j: int, k: int) -> int:
    """Return the row of a block, or -1 where there is none."""
    return rows[slot_of(keys, pack(i, j, k))]


@njit(cache=True, nogil=True)
def rebuild(keys: Array, rows: Array, coords: Array, count: int) -> None:
    """Fill an empty index of larger size with the first `count` blocks."""
    for row in range(count):
        key = pack(coords[row, 0], coords[row, 1], coords[row, 2])
        slot = slot_of(keys, key)
        keys[slot] = key
        rows[slot] = row
