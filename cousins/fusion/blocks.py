"""Hash index of cubic voxel blocks that maps block coordinates to row numbers.

A key packs three block coordinates into 63 bits, 21 each: at 4 cm a block that is ±42 km. Rows are
given in order of first insertion, so the same calls give the same rows in every process.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cousins.geometry import Array

BLOCK_EDGE_VOXELS = 8
"""Voxels along the edge of a block."""
VOXELS_PER_BLOCK = BLOCK_EDGE_VOXELS**3
"""Voxels in a block."""
EMPTY_KEY = -1
"""Key of an unused slot."""
_OFFSET = 1 << 20
_COORDINATE_MASK = (1 << 21) - 1
_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth's multiplicative hashing


@njit(cache=True, nogil=True, inline="always")
def pack_key(i: int, j: int, k: int) -> int:
    """Return the key of a block."""
    return ((i + _OFFSET) << 42) | ((j + _OFFSET) << 21) | (k + _OFFSET)


@njit(cache=True, nogil=True, inline="always")
def key_at(x: float, y: float, z: float) -> int:
    """Return the key of the block at a position in blocks; the offset makes truncation equal to floor."""
    return (int(x + _OFFSET) << 42) | (int(y + _OFFSET) << 21) | int(z + _OFFSET)


@njit(cache=True, nogil=True, inline="always")
def unpack_key(key: int, coords: Array) -> None:
    """Write the block coordinates [3] of a key."""
    coords[0] = (key >> 42) - _OFFSET
    coords[1] = ((key >> 21) & _COORDINATE_MASK) - _OFFSET
    coords[2] = (key & _COORDINATE_MASK) - _OFFSET


@njit(cache=True, nogil=True, inline="always")
def slot_of(keys: Array, key: int) -> int:
    """Return the slot in `keys` [slots] that holds `key`, or the free slot where it belongs (linear probing)."""
    mask = len(keys) - 1
    slot = int((np.uint64(key) * _HASH_FACTOR) >> np.uint64(20)) & mask
    while keys[slot] != key and keys[slot] != EMPTY_KEY:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True, inline="always")
def find_row(keys: Array, rows: Array, i: int, j: int, k: int) -> int:
    """Return the row of block (i, j, k) in an index of `keys` and `rows` [slots], or -1 where there is none."""
    return rows[slot_of(keys, pack_key(i, j, k))]


@njit(cache=True, nogil=True)
def rebuild_index(keys: Array, rows: Array, coords: Array, count: int) -> None:
    """Fill an empty index of larger size with the first `count` blocks of `coords` [n, 3]."""
    for row in range(count):
        key = pack_key(coords[row, 0], coords[row, 1], coords[row, 2])
        slot = slot_of(keys, key)
        keys[slot] = key
        rows[slot] = row
