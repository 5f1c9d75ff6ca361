"""Oriented points with neighbours: the common surface form of a depth view and of a voxel map.

Points and normals are in the world frame [m]; normals face the camera that saw the point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from cousins.capture.captures import Frame
from cousins.geometry import Array, transform, unproject

NOISE_FLOOR_M = 0.002
"""Range-independent part of the depth noise of phone LiDAR and Kinect-class sensors [m]."""
NOISE_PER_M = 0.005
"""Part of the depth noise that grows with range, as a fraction of it."""

MIN_SAME_FACE_COS = np.cos(np.deg2rad(45.0))
"""Smallest cosine between the normals of neighbours on one face: half of a box's edge, 45 degrees."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Surface:
    """Oriented points and their neighbour graph."""

    points: Array
    """World points [m], float64 [n, 3]."""
    normals: Array
    """Unit normals, float64 [n, 3]."""
    colors: Array
    """CIE Lab, float64 [n, 3]; NaN where unknown."""
    edges: Array
    """Pairs of touching points, int64 [m, 2]."""
    spacing_m: float
    """Typical distance between neighbours [m]."""
    sigma_m: float
    """Noise of a point along its normal, one standard deviation [m]."""


def noise_m(range_m: Array) -> Array:
    """Return the expected depth noise [m], one standard deviation, at planar depths [...] [m]."""
    return np.asarray(NOISE_FLOOR_M + NOISE_PER_M * np.asarray(range_m))


def world_points(frame: Frame) -> Array:
    """Return world points [h, w, 3] of a frame; pixels without depth hold the camera centre."""
    return transform(frame.world_from_camera, unproject(frame.depth_m, frame.depth_camera))


def edge_pixels(depth_m: Array, *, radius: int = 1) -> Array:
    """Return bool [h, w]: pixels of a depth image [h, w] within `radius` of a depth step, where flying pixels occur.

    A step is a jump between neighbours beyond five times the noise that a steep surface (80 degrees
    from the line of sight) cannot explain.
    """
    padded = np.pad(depth_m, radius, mode="edge")
    low, high = depth_m.copy(), depth_m.copy()
    height, width = depth_m.shape
    for dv in range(2 * radius + 1):
        for du in range(2 * radius + 1):
            other = padded[dv : dv + height, du : du + width]
            other = np.where(other > 0.0, other, depth_m)
            low, high = np.minimum(low, other), np.maximum(high, other)
    return np.asarray(((high - low) > 5.0 * noise_m(depth_m) * (1.0 + 0.5 * (radius - 1))) & (depth_m > 0.0))


def flying_pixels(depth_m: Array) -> Array:
    """Return bool [h, w]: flying pixels of a depth image, which lie between a nearer and a further surface.

    Beside a depth step both true sides agree with one of their neighbours; a mixed pixel agrees with neither.
    Unlike `edge_pixels` this keeps a bar of three pixels.
    """
    padded = np.pad(depth_m, 1, mode="edge")
    low, high = depth_m.copy(), depth_m.copy()
    height, width = depth_m.shape
    for dv in range(3):
        for du in range(3):
            other = padded[dv : dv + height, du : du + width]
            other = np.where(other > 0.0, other, depth_m)
            low, high = np.minimum(low, other), np.maximum(high, other)
    gate = 3.0 * noise_m(depth_m)
    return np.asarray((depth_m - low > gate) & (high - depth_m > gate) & (depth_m > 0.0))


def normals_at(frame: Frame, points: Array, rows: Array, columns: Array, *, radius: int) -> Array:
    """Return unit normals [n, 3] in the world at pixels of a frame with world points [h, w, 3], from plane fits.

    Neighbours further off in space than twice the window's own size or four times the noise are left out, so
    that a window does not reach over a depth step. Normals face the camera; a pixel with too few neighbours
    gets zeros.
    """
    return np.asarray(
        _window_normals(
            np.ascontiguousarray(points),
            np.ascontiguousarray(frame.depth_m > 0.0),
            np.ascontiguousarray(rows, dtype=np.int64),
            np.ascontiguousarray(columns, dtype=np.int64),
            radius,
            np.ascontiguousarray(frame.world_from_camera[:3, 3]),
            1.0 / frame.depth_camera.fx,
        )
    )


def merge_layers(surface: Surface, *, steps: int) -> Surface:
    """Return the surface with each point moved along its normal to the mean of neighbours that face the same way.

    Frames whose poses have drifted apart show one face as several layers, which would look like steps.
    """
    u, v = surface.edges[:, 0], surface.edges[:, 1]
    alike = np.einsum("ij,ij->i", surface.normals[u], surface.normals[v]) > MIN_SAME_FACE_COS
    u, v = np.concatenate([surface.edges[alike], surface.edges[alike][:, ::-1]]).T
    count = len(surface.points)
    share = 1.0 / (1.0 + np.bincount(u, minlength=count))
    points, normals = surface.points, surface.normals
    for _ in range(steps):
        offset = np.einsum("ij,ij->i", points[v] - points[u], normals[u])
        points = points + normals * (share * np.bincount(u, weights=offset, minlength=count))[:, None]
        mean = normals + np.stack([np.bincount(u, weights=normals[v, k], minlength=count) for k in range(3)], axis=1)
        normals = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
    return replace(surface, points=points, normals=normals)


@njit(cache=True)
def smallest_axis(c: Array) -> tuple[float, float, float]:
    """Return the unit eigenvector of the smallest eigenvalue of a symmetric matrix [6]: xx, xy, xz, yy, yz, zz.

    Eigenvalue by the trigonometric solution of the characteristic cubic; the vector as the longest cross
    product of two rows of (C - λ I).
    """
    xx, xy, xz, yy, yz, zz = c[0], c[1], c[2], c[3], c[4], c[5]
    mean = (xx + yy + zz) / 3.0
    p = np.sqrt(((xx - mean) ** 2 + (yy - mean) ** 2 + (zz - mean) ** 2 + 2.0 * (xy * xy + xz * xz + yz * yz)) / 6.0)
    if p <= 1e-18:
        return 0.0, 0.0, 1.0
    a, b, d = (xx - mean) / p, (yy - mean) / p, (zz - mean) / p
    e, f, g = xy / p, xz / p, yz / p
    half = 0.5 * (a * (b * d - g * g) - e * (e * d - g * f) + f * (e * g - b * f))
    half = min(1.0, max(-1.0, half))
    least = mean + 2.0 * p * np.cos(np.arccos(half) / 3.0 + 2.0 * np.pi / 3.0)
    rows = ((xx - least, xy, xz), (xy, yy - least, yz), (xz, yz, zz - least))
    best = (0.0, 0.0, 1.0)
    size = 0.0
    for i in range(3):
        u = rows[i]
        v = rows[(i + 1) % 3]
        x, y, z = u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]
        length = np.sqrt(x * x + y * y + z * z)
        if length > size:
            size = length
            best = (x / length, y / length, z / length)
    return best


@njit(cache=True)
def _window_normals(points, valid, rows, columns, radius, toward, footprint):  # type: ignore[no-untyped-def]
    height, width = valid.shape
    out = np.zeros((rows.size, 3))
    moments = np.zeros(6)
    for k in range(rows.size):
        r, c = rows[k], columns[k]
        if not valid[r, c]:
            continue
        px, py, pz = points[r, c, 0], points[r, c, 1], points[r, c, 2]
        distance = np.sqrt((px - toward[0]) ** 2 + (py - toward[1]) ** 2 + (pz - toward[2]) ** 2)
        reach = max(2.0 * radius * distance * footprint, 4.0 * (NOISE_FLOOR_M + NOISE_PER_M * distance))
        n = 0
        sx = sy = sz = sxx = sxy = sxz = syy = syz = szz = 0.0
        for i in range(max(0, r - radius), min(height, r + radius + 1)):
            for j in range(max(0, c - radius), min(width, c + radius + 1)):
                if not valid[i, j]:
                    continue
                x, y, z = points[i, j, 0] - px, points[i, j, 1] - py, points[i, j, 2] - pz
                if x * x + y * y + z * z > reach * reach:
                    continue
                n += 1
                sx += x
                sy += y
                sz += z
                sxx += x * x
                sxy += x * y
                sxz += x * z
                syy += y * y
                syz += y * z
                szz += z * z
        if n < 6:
            continue
        moments[0] = sxx / n - sx * sx / (n * n)
        moments[1] = sxy / n - sx * sy / (n * n)
        moments[2] = sxz / n - sx * sz / (n * n)
        moments[3] = syy / n - sy * sy / (n * n)
        moments[4] = syz / n - sy * sz / (n * n)
        moments[5] = szz / n - sz * sz / (n * n)
        nx, ny, nz = smallest_axis(moments)
        if nx * (toward[0] - px) + ny * (toward[1] - py) + nz * (toward[2] - pz) < 0.0:
            nx, ny, nz = -nx, -ny, -nz
        out[k, 0], out[k, 1], out[k, 2] = nx, ny, nz
    return out
