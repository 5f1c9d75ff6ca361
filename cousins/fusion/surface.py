"""The zero surface of a block-sparse volume: welded triangles, and distances between voxels.

A vertex lives on a grid edge and belongs to the voxel at the edge's lower end, so cells on both sides of
a block border find the same vertex and nothing has to be welded afterwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cousins.fusion.blocks import BLOCK, VOXELS, find
from cousins.fusion.integration import ACCUMULATED_UNIT, COLOR_UNIT, DISTANCE_UNIT
from cousins.fusion.marching_cubes_table import CORNERS, EDGES, TRIANGLES
from cousins.geometry import Array
from cousins.meshes import Mesh

_SIDE = BLOCK + 1
_LAST = BLOCK - 1


def extract(
    index: tuple[Array, Array],
    coords: Array,
    fields: tuple[Array, Array, Array],
    *,
    voxel_m: float,
    min_weight: float,
) -> Mesh:
    """Return the surface between voxels whose weight is at least `min_weight`, facing away from the inside.

    fields: distance and weight [blocks, 512], colour [blocks, 3, 512] or [0, 3, 512].
    """
    distance, weight, color = fields
    least = max(int(np.ceil(min_weight * ACCUMULATED_UNIT)), 1)
    field = (distance, weight, least)
    triangle_counts = np.zeros(len(coords), dtype=np.int64)
    vertex_counts = np.zeros(len(coords), dtype=np.int64)
    _count(index, coords, field, vertex_counts, triangle_counts)
    vertex_starts = np.concatenate([[0], np.cumsum(vertex_counts)])
    triangle_starts = np.concatenate([[0], np.cumsum(triangle_counts)])
    edges = np.empty(vertex_starts[-1], dtype=np.int32)
    vertices = np.empty((vertex_starts[-1], 3))
    _place(index, coords, field, vertex_starts, edges, vertices)
    faces = np.empty((triangle_starts[-1], 3), dtype=np.int64)
    _connect(index, coords, field, (vertex_starts, edges), triangle_starts, faces)
    used = np.zeros(len(vertices), dtype=np.bool_)
    used[faces] = True
    renumber = np.cumsum(used) - 1
    colors = None
    if len(color):
        colors = np.zeros((len(vertices), 3), dtype=np.uint8)
        _tint(index, coords, (distance, color), vertex_starts, edges, colors)
    return Mesh(
        vertices=vertices[used] * voxel_m,
        faces=renumber[faces].astype(np.int32),
        colors=None if colors is None else colors[used],
    )


@njit(cache=True, nogil=True)
def _gather(index: Any, coords: Array, field: Any, row: int, local: Array, known: Array, near: Array) -> bool:
    """Copy a block and the first layers of its upper neighbours; tell whether both signs occur.

    local, known: [9, 9, 9], along x, y, z. near: row of the block at offset (a, b, c), [2, 2, 2].
    """
    keys, rows = index
    distance, weight, least = field
    i, j, k = coords[row, 0], coords[row, 1], coords[row, 2]
    for a in range(2):
        for b in range(2):
            for c in range(2):
                near[a, b, c] = find(keys, rows, i + a, j + b, k + c)
    inside = outside = False
    for x in range(_SIDE):
        for y in range(_SIDE):
            for z in range(_SIDE):
                other = near[x // BLOCK, y // BLOCK, z // BLOCK]
                voxel = ((z % BLOCK) * BLOCK + y % BLOCK) * BLOCK + x % BLOCK
                known[x, y, z] = other >= 0 and weight[other, voxel] >= least
                local[x, y, z] = distance[other, voxel] if known[x, y, z] else 0
                if known[x, y, z]:
                    inside |= local[x, y, z] < 0
                    outside |= local[x, y, z] >= 0
    return inside and outside


@njit(cache=True, nogil=True, inline="always")
def _case(local: Array, known: Array, x: int, y: int, z: int) -> int:
    """Return which corners of a cell are inside as bits, or 0 where a corner is unknown."""
    case = 0
    for corner in range(8):
        a, b, c = x + CORNERS[corner, 0], y + CORNERS[corner, 1], z + CORNERS[corner, 2]
        if not known[a, b, c]:
            return 0
        if local[a, b, c] < 0:
            case |= 1 << corner
    return case


@njit(cache=True, nogil=True, inline="always")
def _crossed(local: Array, known: Array, x: int, y: int, z: int, axis: int) -> bool:
    """Tell whether the surface crosses the edge from a voxel along an axis."""
    a, b, c = x + (axis == 0), y + (axis == 1), z + (axis == 2)
    return known[x, y, z] and known[a, b, c] and (local[x, y, z] < 0) != (local[a, b, c] < 0)


@njit(cache=True, nogil=True)
def _count(index: Any, coords: Array, field: Any, vertex_counts: Array, triangle_counts: Array) -> None:
    """Count crossed edges and triangles by block."""
    local = np.empty((_SIDE, _SIDE, _SIDE), dtype=np.int16)
    known = np.empty((_SIDE, _SIDE, _SIDE), dtype=np.bool_)
    near = np.empty((2, 2, 2), dtype=np.int64)
    for row in range(len(coords)):
        if not _gather(index, coords, field, row, local, known, near):
            continue
        for x in range(BLOCK):
            for y in range(BLOCK):
                for z in range(BLOCK):
                    for axis in range(3):
                        vertex_counts[row] += _crossed(local, known, x, y, z, axis)
                    case = _case(local, known, x, y, z)
                    for t in range(5):
                        triangle_counts[row] += TRIANGLES[case, t, 0] >= 0


@njit(cache=True, nogil=True)
def _place(index: Any, coords: Array, field: Any, starts: Array, edges: Array, vertices: Array) -> None:
    """Place a vertex on each crossed edge by linear interpolation, in voxels."""
    local = np.empty((_SIDE, _SIDE, _SIDE), dtype=np.int16)
    known = np.empty((_SIDE, _SIDE, _SIDE), dtype=np.bool_)
    near = np.empty((2, 2, 2), dtype=np.int64)
    for row in range(len(coords)):
        if starts[row] == starts[row + 1]:
            continue
        _gather(index, coords, field, row, local, known, near)
        at = starts[row]
        for edge in range(3 * VOXELS):
            voxel, axis = edge // 3, edge % 3
            x, y, z = voxel % BLOCK, voxel // BLOCK % BLOCK, voxel // (BLOCK * BLOCK)
            if not _crossed(local, known, x, y, z, axis):
                continue
            here = np.float64(local[x, y, z])
            there = np.float64(local[x + (axis == 0), y + (axis == 1), z + (axis == 2)])
            vertices[at, 0] = coords[row, 0] * BLOCK + x
            vertices[at, 1] = coords[row, 1] * BLOCK + y
            vertices[at, 2] = coords[row, 2] * BLOCK + z
            vertices[at, axis] += here / (here - there)
            edges[at] = edge
            at += 1


@njit(cache=True, nogil=True)
def _connect(index: Any, coords: Array, field: Any, owned: Any, triangle_starts: Array, faces: Array) -> None:
    """Write the triangles of all cells as vertex numbers."""
    starts, edges = owned
    local = np.empty((_SIDE, _SIDE, _SIDE), dtype=np.int16)
    known = np.empty((_SIDE, _SIDE, _SIDE), dtype=np.bool_)
    near = np.empty((2, 2, 2), dtype=np.int64)
    for row in range(len(coords)):
        at = triangle_starts[row]
        if at == triangle_starts[row + 1]:
            continue
        _gather(index, coords, field, row, local, known, near)
        for x in range(BLOCK):
            for y in range(BLOCK):
                for z in range(BLOCK):
                    case = _case(local, known, x, y, z)
                    for t in range(5):
                        if TRIANGLES[case, t, 0] < 0:
                            break
                        for corner in range(3):
                            number = TRIANGLES[case, t, corner]
                            faces[at, corner] = _vertex(near, starts, edges, x, y, z, number)
                        at += 1


@njit(cache=True, nogil=True, inline="always")
def _vertex(near: Array, starts: Array, edges: Array, x: int, y: int, z: int, number: int) -> int:
    """Return the vertex on edge `number` of a cell, which a neighbouring block may own."""
    corner = EDGES[number, 0]
    a, b, c = x + CORNERS[corner, 0], y + CORNERS[corner, 1], z + CORNERS[corner, 2]
    row = near[a // BLOCK, b // BLOCK, c // BLOCK]
    voxel = ((c % BLOCK) * BLOCK + b % BLOCK) * BLOCK + a % BLOCK
    wanted = voxel * 3 + number // 4
    low, high = starts[row], starts[row + 1]
    while low < high:
        middle = (low + high) // 2
        if edges[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _tint(index: Any, coords: Array, field: Any, starts: Array, edges: Array, colors: Array) -> None:
    """Give each vertex the colour between its edge's ends, or of the one end that has a colour."""
    keys, rows = index
    distance, color = field
    for row in range(len(coords)):
        for at in range(starts[row], starts[row + 1]):
            voxel, axis = edges[at] // 3, edges[at] % 3
            step = BLOCK**axis
            last = (voxel // step) % BLOCK == _LAST
            i, j, k = coords[row, 0], coords[row, 1], coords[row, 2]
            other = find(keys, rows, i + (axis == 0), j + (axis == 1), k + (axis == 2)) if last else row
            ahead = voxel - _LAST * step if last else voxel + step
            here, there = np.float64(distance[row, voxel]), np.float64(distance[other, ahead])
            part = here / (here - there)
            for channel in range(3):
                a, b = np.float64(color[row, channel, voxel]), np.float64(color[other, channel, ahead])
                a, b = a if a > 0.0 else b, b if b > 0.0 else a
                colors[at, channel] = min(int((a + (b - a) * part) / COLOR_UNIT), 255)


def sample(
    index: tuple[Array, Array], distance: Array, weight: Array, points: Array, *, voxel_m: float, truncation_m: float
) -> tuple[Array, Array]:
    """Return trilinear signed distance [m], NaN where a corner is unknown, and weight at points [n, 3]."""
    values = np.empty(len(points))
    weights = np.empty(len(points))
    _sample(index, distance, weight, np.asarray(points, dtype=np.float64) / voxel_m, values, weights)
    return values * (truncation_m / DISTANCE_UNIT), weights / ACCUMULATED_UNIT


@njit(cache=True, nogil=True)
def _sample(index: Any, distance: Array, weight: Array, points: Array, values: Array, weights: Array) -> None:
    """Interpolate stored units at points in voxels."""
    keys, rows = index
    for p in range(len(points)):
        x, y, z = np.int64(np.floor(points[p, 0])), np.int64(np.floor(points[p, 1])), np.int64(np.floor(points[p, 2]))
        fx, fy, fz = points[p, 0] - x, points[p, 1] - y, points[p, 2] - z
        value = total = 0.0
        for corner in range(8):
            a, b, c = x + CORNERS[corner, 0], y + CORNERS[corner, 1], z + CORNERS[corner, 2]
            row = find(keys, rows, a >> 3, b >> 3, c >> 3)
            voxel = ((c & _LAST) * BLOCK + (b & _LAST)) * BLOCK + (a & _LAST)
            if row < 0 or weight[row, voxel] == 0:
                value, total = np.nan, 0.0
                break
            part = fx if CORNERS[corner, 0] else 1.0 - fx
            part *= fy if CORNERS[corner, 1] else 1.0 - fy
            part *= fz if CORNERS[corner, 2] else 1.0 - fz
            value += part * distance[row, voxel]
            total += part * weight[row, voxel]
        values[p], weights[p] = value, total
