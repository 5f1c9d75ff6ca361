"""Rasterise meshes: visible face, depth and barycentric coordinates of each pixel.

Edge functions are evaluated in homogeneous coordinates (Olano and Greer, "Triangle scan conversion
using 2D homogeneous coordinates", Graphics Hardware 1997): barycentrics are perspective-correct and a
face that crosses the camera's plane needs no clipping. Two faces that share an edge compute exactly
opposite edge functions, so closed meshes have no pinholes. Faces are drawn from both sides; on equal
depth the earlier face wins, so that the result does not depend on how rows are shared among threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit

from cousins.geometry import Array, Intrinsics, invert
from cousins.meshes import Mesh

NEAR_M = 0.005
"""Near clipping distance [m]."""
THREADS = 2
"""Row bands drawn at the same time for a large image; the result does not depend on it."""
LARGE_PX = 300_000
"""Images of more pixels are worth a second thread [px]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Raster:
    """Visible surface at each pixel centre."""

    camera: Intrinsics
    """The camera of the image."""
    world_from_camera: Array
    """Its pose, float64 [4, 4]."""
    depth_m: Array
    """Planar depth [m], float32 [h, w]; 0 where nothing is seen."""
    body: Array
    """Number of the mesh, int32 [h, w]; -1 where nothing is seen."""
    face: Array
    """Number of the face within its mesh, int32 [h, w]; -1 where nothing is seen."""
    barycentric: Array
    """Perspective-correct weights of the face's corners, float32 [h, w, 3]; 0 where nothing is seen."""


def render(meshes: Sequence[Mesh], camera: Intrinsics, world_from_camera: Array) -> Raster:
    """Rasterise meshes in the world frame for a pinhole camera with pose `world_from_camera` [4, 4]."""
    vertices, faces = _joined(meshes)
    rays = _seen_from(vertices, np.diag([camera.fx, camera.fy, 1.0]) @ invert(world_from_camera)[:3])
    edges, volumes, boxes = _set_up(rays, faces, camera.width, camera.height, camera.cx, camera.cy, NEAR_M)
    shape = (camera.height, camera.width)
    depth_m = np.zeros(shape, dtype=np.float32)
    drawn = np.full(shape, -1, dtype=np.int32)
    barycentric = np.zeros((*shape, 3), dtype=np.float32)

    def band(start: int, stop: int) -> None:
        _draw(edges, volumes, boxes, start, stop, camera.cx, camera.cy, NEAR_M, depth_m, drawn)
        _resolve(edges, start, stop, camera.cx, camera.cy, drawn, barycentric)

    in_bands(band, shape)
    body, face = _by_mesh(drawn, meshes)
    return Raster(
        camera=camera,
        world_from_camera=np.array(world_from_camera, dtype=np.float64),
        depth_m=depth_m,
        body=body,
        face=face,
        barycentric=barycentric,
    )


def in_bands(work: Callable[[int, int], None], shape: tuple[int, int]) -> None:
    """Call `work(first_row, end_row)` over all rows of an image, in threads where it is large."""
    height = shape[0]
    if height * shape[1] <= LARGE_PX:
        work(0, height)
        return
    cuts = np.linspace(0, height, 4 * THREADS + 1).astype(int)
    with ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(work, int(a), int(b)) for a, b in pairwise(cuts)]:
            future.result()


def _joined(meshes: Sequence[Mesh]) -> tuple[Array, Array]:
    """Return all vertices [n, 3] and all faces [m, 3] as one mesh."""
    if not meshes:
        return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    vertices = np.concatenate([np.asarray(mesh.vertices, dtype=np.float64) for mesh in meshes])
    faces = [np.asarray(mesh.faces, dtype=np.int64) + start for mesh, start in zip(meshes, starts, strict=True)]
    return vertices, np.concatenate(faces)


def _by_mesh(drawn: Array, meshes: Sequence[Mesh]) -> tuple[Array, Array]:
    """Split running face numbers [h, w] into the number of the mesh and of the face within it."""
    counts = np.array([len(mesh.faces) for mesh in meshes], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)])
    owner = np.append(np.repeat(np.arange(len(counts), dtype=np.int32), counts), np.int32(-1))
    local = np.append(np.arange(starts[-1]) - np.repeat(starts[:-1], counts), -1).astype(np.int32)
    return owner[drawn], local[drawn]


@njit(cache=True, nogil=True)
def _seen_from(points: Array, matrix: Array) -> Array:
    """Return the points [n, 3] mapped by a matrix [3, 4]."""
    mapped = np.empty((len(points), 3))
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for k in range(3):
            mapped[i, k] = matrix[k, 0] * x + matrix[k, 1] * y + matrix[k, 2] * z + matrix[k, 3]
    return mapped


@njit(cache=True, nogil=True)
def _set_up(
    rays: Array, faces: Array, width: int, height: int, cx: float, cy: float, near_m: float
) -> tuple[Array, Array, Array]:
    """Return edge functions [m, 3, 3], signed volumes [m] and pixel boxes (x0, x1, y0, y1) [m, 4] of faces.

    `rays` are vertices (fx·x, fy·y, z) in the camera frame. A face that cannot be seen has an empty box.
    """
    count = len(faces)
    edges = np.empty((count, 3, 3))
    volumes = np.zeros(count)
    boxes = np.empty((count, 4), dtype=np.int32)
    for f in range(count):
        boxes[f, 0], boxes[f, 1], boxes[f, 2], boxes[f, 3] = 0, -1, 0, -1
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        if max(rays[i, 2], rays[j, 2], rays[k, 2]) < near_m:
            continue
        _cross(rays, j, k, edges, f, 0)
        _cross(rays, k, i, edges, f, 1)
        _cross(rays, i, j, edges, f, 2)
        volume = rays[i, 0] * edges[f, 0, 0] + rays[i, 1] * edges[f, 0, 1] + rays[i, 2] * edges[f, 0, 2]
        if volume == 0.0:
            continue
        if volume < 0.0:
            for corner in range(3):
                for axis in range(3):
                    edges[f, corner, axis] = -edges[f, corner, axis]
        volumes[f] = abs(volume)
        left, right, top, bottom = _bounds(rays, i, j, k, near_m)
        if left + cx > width or top + cy > height or right + cx < 0.0 or bottom + cy < 0.0:
            continue
        boxes[f, 0], boxes[f, 1] = np.ceil(max(left + cx, 0.0)), np.floor(min(right + cx, width - 1.0))
        boxes[f, 2], boxes[f, 3] = np.ceil(max(top + cy, 0.0)), np.floor(min(bottom + cy, height - 1.0))
    return edges, volumes, boxes


@njit(cache=True, nogil=True)
def _cross(rays: Array, first: int, second: int, edges: Array, face: int, corner: int) -> None:
    """Write the cross product of two vertices, the edge function opposite to a corner."""
    ax, ay, az = rays[first, 0], rays[first, 1], rays[first, 2]
    bx, by, bz = rays[second, 0], rays[second, 1], rays[second, 2]
    edges[face, corner, 0] = ay * bz - az * by
    edges[face, corner, 1] = az * bx - ax * bz
    edges[face, corner, 2] = ax * by - ay * bx


@njit(cache=True, nogil=True)
def _bounds(rays: Array, i: int, j: int, k: int, near_m: float) -> tuple[float, float, float, float]:
    """Return left, right, top, bottom [px from the principal point] of the part beyond the near plane."""
    if min(rays[i, 2], rays[j, 2], rays[k, 2]) < near_m:
        return _clipped_bounds(rays[i], rays[j], rays[k], near_m)
    xi, xj, xk = rays[i, 0] / rays[i, 2], rays[j, 0] / rays[j, 2], rays[k, 0] / rays[k, 2]
    yi, yj, yk = rays[i, 1] / rays[i, 2], rays[j, 1] / rays[j, 2], rays[k, 1] / rays[k, 2]
    margin = 1e-6
    return min(xi, xj, xk) - margin, max(xi, xj, xk) + margin, min(yi, yj, yk) - margin, max(yi, yj, yk) + margin


@njit(cache=True, nogil=True)
def _clipped_bounds(first: Array, second: Array, third: Array, near_m: float) -> tuple[float, float, float, float]:
    """Return the bounds [px from the principal point] of a face that crosses the near plane."""
    corners = (first, second, third)
    left, right, top, bottom = np.inf, -np.inf, np.inf, -np.inf
    for k in range(3):
        a, b = corners[k], corners[(k + 1) % 3]
        if a[2] >= near_m:
            left, right = min(left, a[0] / a[2]), max(right, a[0] / a[2])
            top, bottom = min(top, a[1] / a[2]), max(bottom, a[1] / a[2])
        if (a[2] >= near_m) != (b[2] >= near_m):
            t = (near_m - a[2]) / (b[2] - a[2])
            x, y = (a[0] + t * (b[0] - a[0])) / near_m, (a[1] + t * (b[1] - a[1])) / near_m
            left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
    margin = 1e-6
    return left - margin, right + margin, top - margin, bottom + margin


@njit(cache=True, nogil=True)
def _draw(
    edges: Array,
    volumes: Array,
    boxes: Array,
    start: int,
    stop: int,
    cx: float,
    cy: float,
    near_m: float,
    depth_m: Array,
    drawn: Array,
) -> None:
    """Draw all faces into rows `start` to `stop`."""
    for f in range(len(boxes)):
        first, last = max(boxes[f, 2], start), min(boxes[f, 3], stop - 1)
        if first > last or boxes[f, 0] > boxes[f, 1]:
            continue
        a0, b0, c0 = edges[f, 0, 0], edges[f, 0, 1], edges[f, 0, 2]
        a1, b1, c1 = edges[f, 1, 0], edges[f, 1, 1], edges[f, 1, 2]
        a2, b2, c2 = edges[f, 2, 0], edges[f, 2, 1], edges[f, 2, 2]
        volume = volumes[f]
        for y in range(first, last + 1):
            r0, r1, r2 = b0 * (y - cy) + c0, b1 * (y - cy) + c1, b2 * (y - cy) + c2
            for x in range(boxes[f, 0], boxes[f, 1] + 1):
                e0, e1, e2 = a0 * (x - cx) + r0, a1 * (x - cx) + r1, a2 * (x - cx) + r2
                if e0 < 0.0 or e1 < 0.0 or e2 < 0.0:
                    continue
                total = e0 + e1 + e2
                if total <= 0.0:
                    continue
                z = np.float32(volume / total)
                if z >= near_m and (drawn[y, x] < 0 or z < depth_m[y, x]):
                    depth_m[y, x] = z
                    drawn[y, x] = f


@njit(cache=True, nogil=True)
def _resolve(edges: Array, start: int, stop: int, cx: float, cy: float, drawn: Array, barycentric: Array) -> None:
    """Write the barycentric coordinates of rows `start` to `stop`."""
    for y in range(start, stop):
        for x in range(drawn.shape[1]):
            f = drawn[y, x]
            if f < 0:
                continue
            total = 0.0
            for k in range(3):
                value = edges[f, k, 0] * (x - cx) + (edges[f, k, 1] * (y - cy) + edges[f, k, 2])
                barycentric[y, x, k] = value
                total += value
            for k in range(3):
                barycentric[y, x, k] = barycentric[y, x, k] / total
