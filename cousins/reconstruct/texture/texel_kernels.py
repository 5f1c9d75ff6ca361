"""Texel kernels: covering triangle, surface position, view sampling and blending."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from cousins.geometry import Array


@njit(cache=True)
def cover_texels(corners: Array, size: int) -> Array:
    """Return the face that covers each texel, int32 [size, size], -1 for none.

    Triangles [m, 3, 2] in texture space are drawn half a texel wider, so that no chart loses its border texels.
    """
    face = np.full((size, size), -1, dtype=np.int32)
    slack = np.full((size, size), np.float32(-1.0))
    for f in range(len(corners)):
        ax, ay = corners[f, 0]
        bx, by = corners[f, 1]
        cx, cy = corners[f, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-12:
            continue
        longest = max(np.hypot(bx - ax, by - ay), np.hypot(cx - bx, cy - by), np.hypot(ax - cx, ay - cy))
        margin = -0.75 * longest / abs(area)
        for y in range(max(int(min(ay, by, cy)) - 1, 0), min(int(max(ay, by, cy)) + 2, size - 1) + 1):
            for x in range(max(int(min(ax, bx, cx)) - 1, 0), min(int(max(ax, bx, cx)) + 2, size - 1) + 1):
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                inside = np.float32(min(u, v, 1.0 - u - v))
                if inside >= margin and (face[y, x] < 0 or inside > slack[y, x]):
                    face[y, x] = f
                    slack[y, x] = inside
    return face


@njit(cache=True, parallel=True)
def place_texels(rows: Array, columns: Array, face: Array, corners: Array, triangles: Array) -> Array:
    """Return positions of texels [n] on the faces [m, 3, 3] that cover them, clamped to the face; float64 [n, 3]."""
    points = np.empty((len(rows), 3))
    for i in prange(len(rows)):
        f, x, y = face[i], columns[i], rows[i]
        ax, ay = corners[f, 0]
        bx, by = corners[f, 1]
        cx, cy = corners[f, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
        v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
        a, b, c = max(u, 0.0), max(v, 0.0), max(1.0 - u - v, 0.0)
        total = a + b + c
        for k in range(3):
            points[i, k] = (a * triangles[f, 0, k] + b * triangles[f, 1, k] + c * triangles[f, 2, k]) / total
    return points


@njit(cache=True, parallel=True)
def sample_view(
    points: Array,
    normals: Array,
    camera_from_world: Array,
    center: Array,
    matrix: Array,
    color: Array,
    nearest_m: Array,
    sensor_m: Array,
    tolerance_m: float,
    sharpness: float,
    number: int,
    best_quality: Array,
    best_color: Array,
    best_view: Array,
) -> None:
    """Insert one view into the best views [k, n] of each texel that it observes with enough quality."""
    height, width = color.shape[0], color.shape[1]
    for i in prange(len(points)):
        p = points[i]
        x = camera_from_world[0, 0] * p[0] + camera_from_world[0, 1] * p[1] + camera_from_world[0, 2] * p[2]
        y = camera_from_world[1, 0] * p[0] + camera_from_world[1, 1] * p[1] + camera_from_world[1, 2] * p[2]
        z = camera_from_world[2, 0] * p[0] + camera_from_world[2, 1] * p[1] + camera_from_world[2, 2] * p[2]
        x, y, z = x + camera_from_world[0, 3], y + camera_from_world[1, 3], z + camera_from_world[2, 3]
        if z < 0.05:
            continue
        u, v = matrix[0] * x / z + matrix[2], matrix[1] * y / z + matrix[3]
        if u < 1.0 or v < 1.0 or u > width - 2.0 or v > height - 2.0:
            continue
        away = center - p
        distance = np.sqrt((away * away).sum())
        cosine = (away * normals[i]).sum() / distance
        if cosine < 0.1:
            continue
        ny = min(int((v + 0.5) / height * nearest_m.shape[0]), nearest_m.shape[0] - 1)
        nx = min(int((u + 0.5) / width * nearest_m.shape[1]), nearest_m.shape[1] - 1)
        if nearest_m[ny, nx] > 0.0 and nearest_m[ny, nx] < z - tolerance_m / 2.0 - 0.01 / max(cosine, 0.2):
            continue
        sy = min(int((v + 0.5) / height * sensor_m.shape[0]), sensor_m.shape[0] - 1)
        sx = min(int((u + 0.5) / width * sensor_m.shape[1]), sensor_m.shape[1] - 1)
        if sensor_m[sy, sx] > 0.0 and abs(sensor_m[sy, sx] - z) > tolerance_m + 0.02 * z:
            continue
        border = min(min(u, width - u) / width, min(v, height - v) / height) * 20.0
        quality = np.float32(sharpness * cosine / (z * z) * min(border, 1.0))
        last = best_quality.shape[0] - 1
        if quality <= best_quality[last, i]:
            continue
        while last > 0 and quality > best_quality[last - 1, i]:
            best_quality[last, i] = best_quality[last - 1, i]
            best_color[last, i] = best_color[last - 1, i]
            best_view[last, i] = best_view[last - 1, i]
            last -= 1
        best_quality[last, i] = quality
        best_view[last, i] = number
        iu, iv = int(u), int(v)
        du, dv = u - iu, v - iv
        for channel in range(3):
            top = color[iv, iu, channel] * (1.0 - du) + color[iv, iu + 1, channel] * du
            low = color[iv + 1, iu, channel] * (1.0 - du) + color[iv + 1, iu + 1, channel] * du
            best_color[last, i, channel] = np.uint8(top * (1.0 - dv) + low * dv + 0.5)


@njit(cache=True, parallel=True)
def blend_views(quality: Array, color: Array, view: Array, gains: Array, steepness: float) -> Array:
    """Return the blend uint8 [n, 3] of the best views [k, n], best first; a texel without view is 0."""
    layers, count = quality.shape
    blend = np.zeros((count, 3), dtype=np.uint8)
    for i in prange(count):
        if quality[0, i] <= 0.0:
            continue
        total = 0.0
        red = green = blue = 0.0
        for layer in range(layers):
            weight = (quality[layer, i] / quality[0, i]) ** steepness
            gain = gains[view[layer, i]]
            red += weight * color[layer, i, 0] * gain[0]
            green += weight * color[layer, i, 1] * gain[1]
            blue += weight * color[layer, i, 2] * gain[2]
            total += weight
        blend[i, 0] = np.uint8(min(red / total + 0.5, 255.0))
        blend[i, 1] = np.uint8(min(green / total + 0.5, 255.0))
        blend[i, 2] = np.uint8(min(blue / total + 0.5, 255.0))
    return blend
