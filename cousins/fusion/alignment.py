"""Point-to-plane residuals between the surfels of two frames, and their gradients for pose optimisation.

A surfel of one frame is projected into another; the residual is its distance from the surfel at that pixel, along the
mean of both normals. With world-frame twists (ω, v) about a common centre, x' = x + ω × x + v,
the residual's gradient is (x × n, n) for the first pose and its negative for the second.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cousins.geometry import Array

PAIR_TERMS = 38
"""Numbers per frame pair: upper triangle of the 7×7 normal matrix (the last unknown is the range bias), gradient
(7), weight, count, Σ|residual|."""
MIN_NORMAL_COS = 0.8
"""Smallest cosine between the normals of surfels on the same surface (37°)."""
_MIN_DEPTH_M = 0.05


@njit(cache=True, nogil=True, error_model="numpy")
def add_pair_terms(
    pixels: Array,
    source: Any,
    target: Any,
    first: Array,
    second: Array,
    centre: Array,
    gate_m: float,
    stride: int,
    terms: Array,
) -> None:
    """Add the terms [38] of a frame pair: surfels of the first frame, at `pixels` [n, 2], against the second.

    source, target: `SurfelImage`. first, second: world_from_camera. Residuals beyond `gate_m` [m] and 4 σ are outliers
    (Tukey's biweight).
    """
    depth, normals, _, noise, _ = source
    point, x, n, hit, gradient = np.empty(3), np.empty(3), np.empty(3), np.empty(5), np.empty(7)
    for number in range(stride // 2, len(pixels), stride):
        row, column = pixels[number, 0], pixels[number, 1]
        _place_surfel(source, row, column, point)
        _to_world(first, point, normals[row, column], x, n)
        if not _match_surfel(target, second, x, n, hit):
            continue
        residual = n[0] * hit[0] + n[1] * hit[1] + n[2] * hit[2]
        sigma = noise[0] + noise[1] * np.float64(depth[row, column])
        limit = gate_m * gate_m + (4.0 * sigma) ** 2
        if not residual * residual < limit:
            continue
        along_normal = n[0] * (x[0] - first[0, 3]) + n[1] * (x[1] - first[1, 3]) + n[2] * (x[2] - first[2, 3])
        gradient[6] = hit[3] - along_normal / np.sqrt(point[0] ** 2 + point[1] ** 2 + point[2] ** 2)
        x -= centre
        gradient[0] = x[1] * n[2] - x[2] * n[1]
        gradient[1] = x[2] * n[0] - x[0] * n[2]
        gradient[2] = x[0] * n[1] - x[1] * n[0]
        gradient[3:6] = n
        weight = (1.0 - residual * residual / limit) ** 2 / (sigma * sigma)
        _add_residual(terms, gradient, residual, weight)


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _place_surfel(image: Any, row: int, column: int, point: Array) -> None:
    """Write a surfel's position [3] in the camera frame, less the range bias."""
    depth, _, (fx, fy, cx, cy), _, bias_m = image
    z = np.float64(depth[row, column])
    point[0], point[1], point[2] = (column - cx) / fx * z, (row - cy) / fy * z, z
    if bias_m != 0.0:
        share = 1.0 - bias_m / np.sqrt(point[0] * point[0] + point[1] * point[1] + point[2] * point[2])
        point[0], point[1], point[2] = point[0] * share, point[1] * share, point[2] * share


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _to_world(world_from_camera: Array, point: Array, normal: Array, x: Array, n: Array) -> None:
    """Write a surfel's position [3] and normal [3] in the world."""
    for a in range(3):
        x[a] = world_from_camera[a, 3]
        n[a] = 0.0
        for b in range(3):
            x[a] += world_from_camera[a, b] * point[b]
            n[a] += world_from_camera[a, b] * normal[b]


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _match_surfel(target: Any, world_from_camera: Array, x: Array, n: Array, hit: Array) -> bool:
    """Match a world point with the surfel of another frame at its projection; return False where none matches.

    Writes the mean normal to `n` [3], and to `hit` [5] the vector from that surfel to the point [m] (3) and the
    component of the target's ray along the mean normal.
    """
    image, normals, (fx, fy, cx, cy), _, bias_m = target
    pose = world_from_camera
    dx, dy, dz = x[0] - pose[0, 3], x[1] - pose[1, 3], x[2] - pose[2, 3]
    depth = pose[0, 2] * dx + pose[1, 2] * dy + pose[2, 2] * dz
    if not depth > _MIN_DEPTH_M:
        return False
    u = fx * (pose[0, 0] * dx + pose[1, 0] * dy + pose[2, 0] * dz) / depth + cx
    v = fy * (pose[0, 1] * dx + pose[1, 1] * dy + pose[2, 1] * dz) / depth + cy
    if not (-0.5 < u < image.shape[1] - 0.5 and -0.5 < v < image.shape[0] - 0.5):
        return False
    column, row = int(u + 0.5), int(v + 0.5)
    z = np.float64(image[row, column])
    rx, ry = (column - cx) / fx, (row - cy) / fy
    if z > 0.0 and bias_m != 0.0:
        # Rounded as an image would be.
        z = np.float64(np.float32(z - bias_m / np.sqrt(1.0 + rx * rx + ry * ry)))
    agreement = facing = 0.0
    for a in range(3):
        other = 0.0
        for b in range(3):
            other += pose[a, b] * normals[row, column, b]
        agreement += other * n[a]
        hit[a] = other
    if not z > 0.0 or agreement < MIN_NORMAL_COS:
        return False
    for a in range(3):
        n[a] = (n[a] + hit[a]) / np.sqrt(2.0 + 2.0 * agreement)
        ray = pose[a, 0] * rx + pose[a, 1] * ry + pose[a, 2]
        facing += n[a] * ray
        hit[a] = x[a] - pose[a, 3] - z * ray
    hit[3] = facing / np.sqrt(rx * rx + ry * ry + 1.0)
    return True


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _add_residual(terms: Array, gradient: Array, residual: float, weight: float) -> None:
    """Add one residual to the terms [38] of its pair."""
    slot = 0
    for a in range(7):
        for b in range(a, 7):
            terms[slot] += weight * gradient[a] * gradient[b]
            slot += 1
        terms[28 + a] += weight * gradient[a] * residual
    terms[35] += weight
    terms[36] += 1.0
    terms[37] += abs(residual)


@njit(cache=True, nogil=True, error_model="numpy")
def surfel_overlap(
    pixels: Array, source: Any, target: Any, first: Array, second: Array, gate_m: float, stride: int
) -> float:
    """Return the fraction of the first frame's surfels [n, 2] that match surfels of the second within `gate_m` [m]."""
    terms = np.zeros(PAIR_TERMS)
    add_pair_terms(pixels, source, target, first, second, np.zeros(3), gate_m, stride, terms)
    sample_count = (len(pixels) - stride // 2 + stride - 1) // stride
    return terms[36] / max(sample_count, 1)
