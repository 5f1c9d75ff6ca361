"""Find the plane at every pixel under which the other views look most alike (PatchMatch stereo).

A plane in space has an inverse depth that is linear in the pixel: w(x, y) = w₀ + a·x + b·y. A pixel's guess is such a
plane; guesses are compared by weighted zero-mean normalised cross-correlation (ZNCC) with each other view, spread to
neighbours in a checkerboard (each colour reads only the other, so threads and order never matter) and changed at
random (Bleyer et al., "PatchMatch Stereo", BMVC 2011; the checkerboard and far neighbours follow Xu and Tao,
"Multi-scale geometric consistency guided multi-view stereo", CVPR 2019).

A grid pixel (u, v) looks at the picture of twice its size at (2u + ½, 2v + ½).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cousins.geometry import Array

RADIUS_PX = 5
"""Half the side of the window that is compared, in pixels of the picture."""
STEP_PX = 2
"""Every how many pixels of the window one is compared."""
COLOR_SIGMA = 0.08
"""A sample that differs by so much in grey (0..1) from the middle counts 60 %: windows end at edges."""
SPACE_SIGMA_PX = 5.0
"""A sample so far from the middle counts 60 % [px]."""
FLAT = np.float32(2e-5)
"""Variance of grey (0..1) below which a window shows nothing: 1 level of 255 after filtering."""
WORST = np.float32(2.0)
"""Cost of a view that sees nothing of the window."""
STEEPEST = np.float32(3.5)
"""Greatest tangent between surface and image plane that is tried (74°)."""
MAX_GEOMETRIC_PX = np.float32(3.0)
"""Disagreement with another view's depth beyond which it costs no more [px of the grid]."""
GEOMETRIC_WEIGHT = np.float32(0.15)
"""Cost of a pixel of disagreement."""

_OFFSETS = np.arange(-RADIUS_PX, RADIUS_PX + 1, STEP_PX, dtype=np.float32)
"""Samples of a window along one axis [px]; of 32 bits, so that no arithmetic turns into 64."""
_SAMPLES = len(_OFFSETS) ** 2
_HALF, _ONE, _ZERO = np.float32(0.5), np.float32(1.0), np.float32(0.0)
_MULTIPLIER = np.uint64(6364136223846793005)
_INCREMENT = np.uint64(1442695040888963407)
_NEAR_AND_FAR = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [3, 0], [0, 3], [-3, 0], [0, -3]])
_FAR_STEPS = 4


@njit(cache=True, nogil=True, error_model="numpy")
def sweep(
    colour: int,
    reference: Array,
    others: Array,
    homographies: Array,
    epipoles: Array,
    depths: Array,
    planes: Array,
    costs: Array,
    limits: Array,
    best_of: int,
    changes: Array,
    seed: int,
) -> None:
    """Improve all pixels of one colour of the checkerboard, in place.

    reference: grey of the picture [2h, 2w], others: [s, 2h', 2w'] (padded with NaN), homographies [s, 3, 3] and
    epipoles [s, 3] take (x, y, 1) and inverse depth of the reference picture to the others, depths [s, h', w'] are the
    others' depth or of size 0. planes [h, w, 3]: w₀, a, b for pixels of the picture; costs [h, w]. limits: least and
    greatest inverse depth, focal length [px]. changes [n, 2]: reach of random changes of w₀ (relative) and slope.
    """
    height, width = costs.shape
    values = np.empty(_SAMPLES, dtype=np.float32)
    weights = np.empty(_SAMPLES, dtype=np.float32)
    by_view = np.empty(len(others), dtype=np.float32)
    plane = np.empty(3, dtype=np.float32)
    for v in range(height):
        for u in range((v + colour) % 2, width, 2):
            norm = _window(reference, 2 * u, 2 * v, values, weights)
            if norm[1] < FLAT:
                costs[v, u] = WORST
                continue
            state = _seeded(seed, v * width + u)
            costs[v, u] = _cost(
                u, v, planes[v, u], values, weights, norm, others, homographies, epipoles, depths, best_of, by_view
            )
            for direction in range(8):
                if not _guess_of_neighbour(u, v, direction, planes, costs, plane):
                    continue
                _try(
                    u, v, plane, planes, costs, limits, values, weights, norm,
                    others, homographies, epipoles, depths, best_of, by_view,
                )  # fmt: skip
            for number in range(len(changes)):
                state = _changed(planes[v, u], changes[number], limits, state, plane)
                _try(
                    u, v, plane, planes, costs, limits, values, weights, norm,
                    others, homographies, epipoles, depths, best_of, by_view,
                )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def scatter(planes: Array, limits: Array, seed: int) -> None:
    """Fill planes [h, w, 3] whose w₀ is 0 with random ones."""
    height, width = planes.shape[:2]
    for v in range(height):
        for u in range(width):
            if planes[v, u, 0] == 0.0:
                state = _seeded(seed, v * width + u)
                state, chance = _draw(state)
                planes[v, u, 0] = limits[0] + (limits[1] - limits[0]) * chance
                for axis in range(1, 3):
                    state, chance = _draw(state)
                    planes[v, u, axis] = (2.0 * chance - 1.0) * planes[v, u, 0] / limits[2]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _seeded(seed: int, place: int) -> np.uint64:
    state = np.uint64(seed) * _MULTIPLIER + np.uint64(place) * np.uint64(0x9E3779B97F4A7C15) + _INCREMENT
    state = (state ^ (state >> np.uint64(31))) * _MULTIPLIER
    return state ^ (state >> np.uint64(29))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _draw(state: np.uint64) -> tuple[np.uint64, np.float32]:
    """Return the next state and a number in [0, 1)."""
    state = state * _MULTIPLIER + _INCREMENT
    return state, np.float32(state >> np.uint64(40)) / np.float32(1 << 24)


@njit(cache=True, nogil=True, error_model="numpy")
def _window(picture: Array, x: int, y: int, values: Array, weights: Array) -> tuple[np.float32, np.float32]:
    """Read the window around the middle of four pixels; return the weighted mean and variance of its samples."""
    height, width = picture.shape
    middle = np.float32(0.25) * (
        picture[y, x]
        + picture[y, min(x + 1, width - 1)]
        + picture[min(y + 1, height - 1), x]
        + picture[min(y + 1, height - 1), min(x + 1, width - 1)]
    )
    total, mean, square = _ZERO, _ZERO, _ZERO
    index = 0
    for dy in _OFFSETS:
        row = min(max(y + int(dy), 0), height - 1)
        for dx in _OFFSETS:
            value = picture[row, min(max(x + int(dx), 0), width - 1)]
            near = (dx - _HALF) * (dx - _HALF) + (dy - _HALF) * (dy - _HALF)
            like = (value - middle) / np.float32(COLOR_SIGMA)
            weight = np.exp(-_HALF * (like * like + near / np.float32(SPACE_SIGMA_PX**2)))
            values[index], weights[index] = value, weight
            total += weight
            mean += weight * value
            square += weight * value * value
            index += 1
    mean /= total
    for index in range(_SAMPLES):
        weights[index] /= total
        values[index] -= mean
    return mean, square / total - mean * mean


@njit(cache=True, nogil=True, error_model="numpy")
def _try(
    u: int, v: int, plane: Array, planes: Array, costs: Array, limits: Array, values: Array, weights: Array,
    norm: tuple[np.float32, np.float32], others: Array, homographies: Array, epipoles: Array, depths: Array,
    best_of: int, by_view: Array,
) -> None:  # fmt: skip
    """Take a plane if it costs less."""
    if not limits[0] <= plane[0] <= limits[1]:
        return
    steep = STEEPEST * plane[0] / limits[2]
    if abs(plane[1]) > steep or abs(plane[2]) > steep:
        return
    cost = _cost(u, v, plane, values, weights, norm, others, homographies, epipoles, depths, best_of, by_view)
    if cost < costs[v, u]:
        costs[v, u] = cost
        planes[v, u] = plane


@njit(cache=True, nogil=True, error_model="numpy")
def _guess_of_neighbour(u: int, v: int, direction: int, planes: Array, costs: Array, plane: Array) -> bool:
    """Carry the best plane of a neighbour, or of the strip of far ones of the same colour's opposite, to the pixel."""
    height, width = costs.shape
    du, dv = _NEAR_AND_FAR[direction]
    steps = 1 if direction < 4 else _FAR_STEPS
    best, at_u, at_v = np.float32(np.inf), -1, -1
    for step in range(steps):
        other_u, other_v = u + du + 2 * step * np.sign(du), v + dv + 2 * step * np.sign(dv)
        if 0 <= other_u < width and 0 <= other_v < height and costs[other_v, other_u] < best:
            best, at_u, at_v = costs[other_v, other_u], other_u, other_v
    if at_u < 0:
        return False
    plane[1], plane[2] = planes[at_v, at_u, 1], planes[at_v, at_u, 2]
    plane[0] = planes[at_v, at_u, 0] + plane[1] * np.float32(2 * (u - at_u)) + plane[2] * np.float32(2 * (v - at_v))
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _changed(old: Array, reach: Array, limits: Array, state: np.uint64, plane: Array) -> np.uint64:
    """Write a random change of a plane; a reach of 1 or more draws a new inverse depth from all of the range."""
    state, chance = _draw(state)
    if reach[0] >= 1.0:
        plane[0] = limits[0] + (limits[1] - limits[0]) * chance
    else:
        plane[0] = old[0] * (1.0 + reach[0] * (2.0 * chance - 1.0))
    for axis in range(1, 3):
        state, chance = _draw(state)
        plane[axis] = old[axis] + reach[1] * (2.0 * chance - 1.0) * plane[0] / limits[2]
    return state


@njit(cache=True, nogil=True, error_model="numpy")
def _cost(
    u: int, v: int, plane: Array, values: Array, weights: Array, norm: tuple[np.float32, np.float32], others: Array,
    homographies: Array, epipoles: Array, depths: Array, best_of: int, by_view: Array,
) -> np.float32:  # fmt: skip
    """Return the mean cost of the views that agree best."""
    for view in range(len(others)):
        by_view[view] = _cost_in(
            u, v, plane, values, weights, norm[1], others[view], homographies[view], epipoles[view]
        )
        if depths.shape[0] > 0 and by_view[view] < WORST:
            by_view[view] += GEOMETRIC_WEIGHT * _disagreement_px(
                u, v, plane, homographies[view], epipoles[view], depths[view]
            )
    total = _ZERO
    for taken in range(best_of):
        least = taken
        for view in range(taken + 1, len(by_view)):
            if by_view[view] < by_view[least]:
                least = view
        by_view[taken], by_view[least] = by_view[least], by_view[taken]
        total += by_view[taken]
    return total / np.float32(best_of)


@njit(cache=True, nogil=True, error_model="numpy")
def _cost_in(
    u: int, v: int, plane: Array, values: Array, weights: Array, variance: float, other: Array, h: Array, e: Array
) -> np.float32:
    """Return 1 − ZNCC of the window and what another view shows of it."""
    height, width = other.shape
    x, y = np.float32(2 * u), np.float32(2 * v)
    w0 = plane[0] - _HALF * (plane[1] + plane[2])
    x0 = h[0, 0] * x + h[0, 1] * y + h[0, 2] + e[0] * w0
    y0 = h[1, 0] * x + h[1, 1] * y + h[1, 2] + e[1] * w0
    z0 = h[2, 0] * x + h[2, 1] * y + h[2, 2] + e[2] * w0
    across_x, across_y = h[0, 0] + e[0] * plane[1], h[1, 0] + e[1] * plane[1]
    down_x, down_y = h[0, 1] + e[0] * plane[2], h[1, 1] + e[1] * plane[2]
    across_z, down_z = h[2, 0] + e[2] * plane[1], h[2, 1] + e[2] * plane[2]
    last_x, last_y = np.float32(width - 1), np.float32(height - 1)
    for dy in (-np.float32(RADIUS_PX), np.float32(RADIUS_PX)):
        for dx in (-np.float32(RADIUS_PX), np.float32(RADIUS_PX)):
            z = z0 + dx * across_z + dy * down_z
            px, py = x0 + dx * across_x + dy * down_x, y0 + dx * across_y + dy * down_y
            if not (z > np.float32(1e-6) and px >= _ZERO and py >= _ZERO and px < last_x * z and py < last_y * z):
                return WORST
    mean, square, product = _ZERO, _ZERO, _ZERO
    index = 0
    for dy in _OFFSETS:
        for dx in _OFFSETS:
            inverse = _ONE / (z0 + dx * across_z + dy * down_z)
            px, py = (x0 + dx * across_x + dy * down_x) * inverse, (y0 + dx * across_y + dy * down_y) * inverse
            ix, iy = min(max(np.int32(px), 0), width - 2), min(max(np.int32(py), 0), height - 2)
            fx, fy = px - np.float32(ix), py - np.float32(iy)
            above = other[iy, ix] + fx * (other[iy, ix + 1] - other[iy, ix])
            below = other[iy + 1, ix] + fx * (other[iy + 1, ix + 1] - other[iy + 1, ix])
            value = above + fy * (below - above)
            weighted = weights[index] * value
            mean += weighted
            square += weighted * value
            product += weighted * values[index]
            index += 1
    spread = square - mean * mean
    if not spread > FLAT:
        return WORST if spread != spread else _ONE
    return _ONE - product / np.sqrt(spread * variance)


@njit(cache=True, nogil=True, error_model="numpy")
def _disagreement_px(u: int, v: int, plane: Array, h: Array, e: Array, depth: Array) -> np.float32:
    """Return how far from the pixel the other view's depth leads back [px of the grid], at most the maximum."""
    x, y = np.float32(2 * u) + _HALF, np.float32(2 * v) + _HALF
    ray_x = h[0, 0] * x + h[0, 1] * y + h[0, 2]
    ray_y = h[1, 0] * x + h[1, 1] * y + h[1, 2]
    ray_z = h[2, 0] * x + h[2, 1] * y + h[2, 2]
    z = ray_z + e[2] * plane[0]
    px, py = (ray_x + e[0] * plane[0]) / z, (ray_y + e[1] * plane[0]) / z
    column, row = int(_HALF * px), int(_HALF * py)
    if not (0 <= column < depth.shape[1] and 0 <= row < depth.shape[0]) or depth[row, column] <= 0.0:
        return MAX_GEOMETRIC_PX
    # The depth of the guess in the other view is z / w₀; the inverse depth on the same ray that gives the other's:
    other = depth[row, column]
    lower = other - e[2]
    if lower <= 0.0:
        return MAX_GEOMETRIC_PX
    found = ray_z / lower
    there = ray_z + e[2] * found
    shift = np.hypot((ray_x + e[0] * found) / there - px, (ray_y + e[1] * found) / there - py)
    return min(MAX_GEOMETRIC_PX, _HALF * shift)
