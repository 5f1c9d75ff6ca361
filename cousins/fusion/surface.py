"""Marching cubes on a block-sparse volume, and trilinear sampling of its distances.

A vertex lives on a grid edge and belongs to the voxel at the edge's lower end, so cells on both sides of
a block border share the same vertex and no welding is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cousins.fusion.blocks import BLOCK_EDGE_VOXELS, VOXELS_PER_BLOCK, find_row
from cousins.fusion.integration import ACCUMULATED_UNIT, COLOR_UNIT, DISTANCE_UNIT
from cousins.fusion.marching_cubes_table import CORNERS, EDGES, TRIANGLES
from cousins.geometry import Array
from cousins.meshes import Mesh

_PADDED_EDGE = BLOCK_EDGE_VOXELS + 1
_LAST_VOXEL = BLOCK_EDGE_VOXELS - 1


def extract_mesh(
    index: tuple[Array, Array],
    coords: Array,
    fields: tuple[Array, Array, Array],
    *,
    voxel_m: float,
    min_weight: float,
) -> Mesh:
    """Return the surface between voxels whose weight is at least `min_weight`, with outward faces.

    coords: block coordinates [blocks, 3]. fields: distance and weight [blocks, 512], colour [blocks, 3, 512] or [0, 3,
    512].
    """
    distance, weight, color = fields
    least = max(int(np.ceil(min_weight * ACCUMULATED_UNIT)), 1)
    field = (distance, weight, least)
    triangle_counts = np.zeros(len(coords), dtype=np.int64)
    vertex_counts = np.zeros(len(coords), dtype=np.int64)
    _count_elements(index, coords, field, vertex_counts, triangle_counts)
    vertex_starts = np.concatenate([[0], np.cumsum(vertex_counts)])
    triangle_starts = np.concatenate([[0], np.cumsum(triangle_counts)])
    edges = np.empty(vertex_starts[-1], dtype=np.int32)
    vertices = np.empty((vertex_starts[-1], 3))
    _place_vertices(index, coords, field, vertex_starts, edges, vertices)
    faces = np.empty((triangle_starts[-1], 3), dtype=np.int64)
    _write_faces(index, coords, field, (vertex_starts, edges), triangle_starts, faces)
    used = np.zeros(len(vertices), dtype=np.bool_)
    used[faces] = True
    renumber = np.cumsum(used) - 1
    colors = None
    if len(color):
        colors = np.zeros((len(vertices), 3), dtype=np.uint8)
        _color_vertices(index, coords, (distance, color), vertex_starts, edges, colors)
    return Mesh(
        vertices=vertices[used] * voxel_m,
        faces=renumber[faces].astype(np.int32),
        colors=None if colors is None else colors[used],
    )


@njit(cache=True, nogil=True)
def _load_block(index: Any, coords: Array, field: Any, row: int, local: Array, is_known: Array, near: Array) -> bool:
    """Copy a block and the first layers of its upper neighbours; return whether both signs occur.

    local, known: [9, 9, 9], along x, y, z. near: row of the block at offset (a, b, c), [2, 2, 2].
    """
    keys, rows = index
    distance, weight, least = field
    i, j, k = coords[row, 0], coords[row, 1], coords[row, 2]
    for a in range(2):
        for b in range(2):
            for c in range(2):
                near[a, b, c] = find_row(keys, rows, i + a, j + b, k + c)
    inside = outside = False
    for x in range(_PADDED_EDGE):
        for y in range(_PADDED_EDGE):
            for z in range(_PADDED_EDGE):
                other = near[x // BLOCK_EDGE_VOXELS, y // BLOCK_EDGE_VOXELS, z // BLOCK_EDGE_VOXELS]
                voxel = (
                    (z % BLOCK_EDGE_VOXELS) * BLOCK_EDGE_VOXELS + y % BLOCK_EDGE_VOXELS
                ) * BLOCK_EDGE_VOXELS + x % BLOCK_EDGE_VOXELS
                is_known[x, y, z] = other >= 0 and weight[other, voxel] >= least
                local[x, y, z] = distance[other, voxel] if is_known[x, y, z] else 0
                if is_known[x, y, z]:
                    inside |= local[x, y, z] < 0
                    outside |= local[x, y, z] >= 0
    return inside and outside


@njit(cache=True, nogil=True, inline="always")
def _cell_case(local: Array, is_known: Array, x: int, y: int, z: int) -> int:
    """Return which corners of a cell are inside as bits, or 0 where a corner is unknown."""
    case = 0
    for corner in range(8):
        a, b, c = x + CORNERS[corner, 0], y + CORNERS[corner, 1], z + CORNERS[corner, 2]
        if not is_known[a, b, c]:
            return 0
        if local[a, b, c] < 0:
            case |= 1 << corner
    return case


@njit(cache=True, nogil=True, inline="always")
def _is_crossed(local: Array, is_known: Array, x: int, y: int, z: int, axis: int) -> bool:
    """Return whether the surface crosses the edge from a voxel along an axis."""
    a, b, c = x + (axis == 0), y + (axis == 1), z + (axis == 2)
    return is_known[x, y, z] and is_known[a, b, c] and (local[x, y, z] < 0) != (local[a, b, c] < 0)


@njit(cache=True, nogil=True)
def _count_elements(index: Any, coords: Array, field: Any, vertex_counts: Array, triangle_counts: Array) -> None:
    """Count crossed edges and triangles by block."""
    local = np.empty((_PADDED_EDGE, _PADDED_EDGE, _PADDED_EDGE), dtype=np.int16)
    is_known = np.empty((_PADDED_EDGE, _PADDED_EDGE, _PADDED_EDGE), dtype=np.bool_)
    near = np.empty((2, 2, 2), dtype=np.int64)
    for row in range(len(coords)):
        if not _load_block(index, coords, field, row, local, is_known, near):
            continue
        for x in range(BLOCK_EDGE_VOXELS):
            for y in range(BLOCK_EDGE_VOXELS):
                for z in range(BLOCK_EDGE_VOXELS):
                    for axis in range(3):
                        vertex_counts[row] += _is_crossed(local, is_known, x, y, z, axis)
                    case = _cell_case(local, is_known, x, y, z)
                    for t in range(5):
                        triangle_counts[row] += TRIANGLES[case, t, 0] >= 0


@njit(cache=True, nogil=True)
def _place_vertices(index: Any, coords: Array, field: Any, starts: Array, edges: Array, vertices: Array) -> None:
    """Place a vertex on each crossed edge by linear interpolation, in voxels."""
    local = np.empty((_PADDED_EDGE, _PADDED_EDGE, _PADDED_EDGE), dtype=np.int16)
    is_known = np.empty((_PADDED_EDGE, _PADDED_EDGE, _PADDED_EDGE), dtype=np.bool_)
    near = np.empty((2, 2, 2), dtype=np.int64)
    for row in range(len(coords)):
        if starts[row] == starts[row + 1]:
            continue
        _load_block(index, coords, field, row, local, is_known, near)
        vertex = starts[row]
        for edge in range(3 * VOXELS_PER_BLOCK):
            voxel, axis = edge // 3, edge % 3
            x, y, z = (
                voxel % BLOCK_EDGE_VOXELS,
                voxel // BLOCK_EDGE_VOXELS % BLOCK_EDGE_VOXELS,
                voxel // (BLOCK_EDGE_VOXELS * BLOCK_EDGE_VOXELS),
            )
            if not _is_crossed(local, is_known, x, y, z, axis):
                continue
            start_distance = np.float64(local[x, y, z])
            end_distance = np.float64(local[x + (axis == 0), y + (axis == 1), z + (axis == 2)])
            vertices[vertex, 0] = coords[row, 0] * BLOCK_EDGE_VOXELS + x
            vertices[vertex, 1] = coords[row, 1] * BLOCK_EDGE_VOXELS + y
            vertices[vertex, 2] = coords[row, 2] * BLOCK_EDGE_VOXELS + z
            vertices[vertex, axis] += start_distance / (start_distance - end_distance)
            edges[vertex] = edge
            vertex += 1


@njit(cache=True, nogil=True)
def _write_faces(index: Any, coords: Array, field: Any, owned: Any, triangle_starts: Array, faces: Array) -> None:
    """Write the triangles of all cells as vertex numbers."""
    starts, edges = owned
    local = np.empty((_PADDED_EDGE, _PADDED_EDGE, _PADDED_EDGE), dtype=np.int16)
    is_known = np.empty((_PADDED_EDGE, _PADDED_EDGE, _PADDED_EDGE), dtype=np.bool_)
    near = np.empty((2, 2, 2), dtype=np.int64)
    for row in range(len(coords)):
        triangle = triangle_starts[row]
        if triangle == triangle_starts[row + 1]:
            continue
        _load_block(index, coords, field, row, local, is_known, near)
        for x in range(BLOCK_EDGE_VOXELS):
            for y in range(BLOCK_EDGE_VOXELS):
                for z in range(BLOCK_EDGE_VOXELS):
                    case = _cell_case(local, is_known, x, y, z)
                    for t in range(5):
                        if TRIANGLES[case, t, 0] < 0:
                            break
                        for corner in range(3):
                            number = TRIANGLES[case, t, corner]
                            faces[triangle, corner] = _vertex_number(near, starts, edges, x, y, z, number)
                        triangle += 1


@njit(cache=True, nogil=True, inline="always")
def _vertex_number(near: Array, starts: Array, edges: Array, x: int, y: int, z: int, number: int) -> int:
    """Return the vertex on edge `number` of a cell, which a neighbouring block may own."""
    corner = EDGES[number, 0]
    a, b, c = x + CORNERS[corner, 0], y + CORNERS[corner, 1], z + CORNERS[corner, 2]
    row = near[a // BLOCK_EDGE_VOXELS, b // BLOCK_EDGE_VOXELS, c // BLOCK_EDGE_VOXELS]
    voxel = (
        (c % BLOCK_EDGE_VOXELS) * BLOCK_EDGE_VOXELS + b % BLOCK_EDGE_VOXELS
    ) * BLOCK_EDGE_VOXELS + a % BLOCK_EDGE_VOXELS
    edge_code = voxel * 3 + number // 4
    low, high = starts[row], starts[row + 1]
    while low < high:
        middle = (low + high) // 2
        if edges[middle] < edge_code:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _color_vertices(index: Any, coords: Array, field: Any, starts: Array, edges: Array, colors: Array) -> None:
    """Interpolate each vertex's colour between its edge's ends, or take that of the end that has a colour."""
    keys, rows = index
    distance, color = field
    for row in range(len(coords)):
        for vertex in range(starts[row], starts[row + 1]):
            voxel, axis = edges[vertex] // 3, edges[vertex] % 3
            step = BLOCK_EDGE_VOXELS**axis
            last = (voxel // step) % BLOCK_EDGE_VOXELS == _LAST_VOXEL
            i, j, k = coords[row, 0], coords[row, 1], coords[row, 2]
            other = find_row(keys, rows, i + (axis == 0), j + (axis == 1), k + (axis == 2)) if last else row
            ahead = voxel - _LAST_VOXEL * step if last else voxel + step
            start_distance, end_distance = np.float64(distance[row, voxel]), np.float64(distance[other, ahead])
            part = start_distance / (start_distance - end_distance)
            for channel in range(3):
                a, b = np.float64(color[row, channel, voxel]), np.float64(color[other, channel, ahead])
                a, b = a if a > 0.0 else b, b if b > 0.0 else a
                colors[vertex, channel] = min(int((a + (b - a) * part) / COLOR_UNIT), 255)


def sample_distance(
    index: tuple[Array, Array], distance: Array, weight: Array, points: Array, *, voxel_m: float, truncation_m: float
) -> tuple[Array, Array]:
    """Return trilinear signed distance [m], NaN where a corner is unknown, and weight at points [n, 3]."""
    values = np.empty(len(points))
    weights = np.empty(len(points))
    _interpolate(index, distance, weight, np.asarray(points, dtype=np.float64) / voxel_m, values, weights)
    return values * (truncation_m / DISTANCE_UNIT), weights / ACCUMULATED_UNIT


@njit(cache=True, nogil=True)
def _interpolate(index: Any, distance: Array, weight: Array, points: Array, values: Array, weights: Array) -> None:
    """Interpolate stored units at points [n, 3] in voxels."""
    keys, rows = index
    for p in range(len(points)):
        x, y, z = np.int64(np.floor(points[p, 0])), np.int64(np.floor(points[p, 1])), np.int64(np.floor(points[p, 2]))
        fx, fy, fz = points[p, 0] - x, points[p, 1] - y, points[p, 2] - z
        value = total = 0.0
        for corner in range(8):
            a, b, c = x + CORNERS[corner, 0], y + CORNERS[corner, 1], z + CORNERS[corner, 2]
            row = find_row(keys, rows, a >> 3, b >> 3, c >> 3)
            voxel = ((c & _LAST_VOXEL) * BLOCK_EDGE_VOXELS + (b & _LAST_VOXEL)) * BLOCK_EDGE_VOXELS + (a & _LAST_VOXEL)
            if row < 0 or weight[row, voxel] == 0:
                value, total = np.nan, 0.0
                break
            part = fx if CORNERS[corner, 0] else 1.0 - fx
            part *= fy if CORNERS[corner, 1] else 1.0 - fy
            part *= fz if CORNERS[corner, 2] else 1.0 - fz
            value += part * distance[row, voxel]
            total += part * weight[row, voxel]
        values[p], weights[p] = value, total
