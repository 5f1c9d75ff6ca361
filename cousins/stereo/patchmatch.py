"""PatchMatch stereo: estimate the plane at every pixel under which the other views match best.

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
"""Half the side of the matching window, in pixels of the picture."""
STEP_PX = 2
"""Sampling stride within the window [px]."""
COLOR_SIGMA = 0.08
"""Standard deviation of the bilateral weight in grey level (0..1): windows end at edges."""
SPACE_SIGMA_PX = 5.0
"""Standard deviation of the bilateral weight in distance from the window's centre [px]."""
MIN_VARIANCE = np.float32(2e-5)
"""Variance of grey (0..1) below which a window has no texture: 1 level of 255 after filtering."""
WORST_COST = np.float32(2.0)
"""Cost of a view in which the window is not visible."""
MAX_SLOPE = np.float32(3.5)
"""Largest tangent of the angle between surface and image plane that is tried (74°)."""
MAX_GEOMETRIC_PX = np.float32(3.0)
"""Cap on the reprojection disagreement with another view's depth [px of the grid]."""
GEOMETRIC_WEIGHT = np.float32(0.15)
"""Cost per pixel of disagreement."""

_WINDOW_OFFSETS = np.arange(-RADIUS_PX, RADIUS_PX + 1, STEP_PX, dtype=np.float32)
"""Samples of a window along one axis [px]; of 32 bits, so that no arithmetic turns into 64."""
_WINDOW_SAMPLES = len(_WINDOW_OFFSETS) ** 2
_F32_HALF, _F32_ONE, _F32_ZERO = np.float32(0.5), np.float32(1.0), np.float32(0.0)
_MULTIPLIER = np.uint64(6364136223846793005)
_INCREMENT = np.uint64(1442695040888963407)
_NEIGHBOUR_OFFSETS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [3, 0], [0, 3], [-3, 0], [0, -3]])
_FAR_STEPS = 4


@njit(cache=True, nogil=True, error_model="numpy")
def sweep(
    colour: int,
    reference: Array,
    sources: Array,
    homographies: Array,
    epipoles: Array,
    source_depths: Array,
    planes: Array,
    costs: Array,
    limits: Array,
    best_of: int,
    changes: Array,
    seed: int,
) -> None:
    """Improve all pixels of one colour of the checkerboard, in place.

    reference: grey of the picture [2h, 2w], sources: those of the other views [s, 2h', 2w'] (padded with NaN),
    homographies [s, 3, 3] and epipoles [s, 3] map (x, y, 1) and inverse depth of the reference to the sources,
    source_depths [s, h', w'] are their depths or of size 0. planes [h, w, 3]: w₀, a, b per picture pixel; costs [h, w].
    limits: least, greatest inverse depth, focal length [px]. changes [n, 2]: reach of random changes of w₀ (relative)
    and slope.
    """
    height, width = costs.shape
    values = np.empty(_WINDOW_SAMPLES, dtype=np.float32)
    weights = np.empty(_WINDOW_SAMPLES, dtype=np.float32)
    view_costs = np.empty(len(sources), dtype=np.float32)
    plane = np.empty(3, dtype=np.float32)
    for v in range(height):
        for u in range((v + colour) % 2, width, 2):
            stats = _read_window(reference, 2 * u, 2 * v, values, weights)
            if stats[1] < MIN_VARIANCE:
                costs[v, u] = WORST_COST
                continue
            state = _seed_state(seed, v * width + u)
            costs[v, u] = _cost(
                u, v, planes[v, u], values, weights, stats, sources,
                homographies, epipoles, source_depths, best_of, view_costs,
            )  # fmt: skip
            for direction in range(8):
                if not _propagate_plane(u, v, direction, planes, costs, plane):
                    continue
                _accept_if_better(
                    u, v, plane, planes, costs, limits, values, weights, stats,
                    sources, homographies, epipoles, source_depths, best_of, view_costs,
                )  # fmt: skip
            for number in range(len(changes)):
                state = _perturb_plane(planes[v, u], changes[number], limits, state, plane)
                _accept_if_better(
                    u, v, plane, planes, costs, limits, values, weights, stats,
                    sources, homographies, epipoles, source_depths, best_of, view_costs,
                )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def fill_random_planes(planes: Array, limits: Array, seed: int) -> None:
    """Fill planes [h, w, 3] whose w₀ is 0 with random ones."""
    height, width = planes.shape[:2]
    for v in range(height):
        for u in range(width):
            if planes[v, u, 0] == 0.0:
                state = _seed_state(seed, v * width + u)
                state, chance = _random_unit(state)
                planes[v, u, 0] = limits[0] + (limits[1] - limits[0]) * chance
                for axis in range(1, 3):
                    state, chance = _random_unit(state)
                    planes[v, u, axis] = (2.0 * chance - 1.0) * planes[v, u, 0] / limits[2]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _seed_state(seed: int, place: int) -> np.uint64:
    state = np.uint64(seed) * _MULTIPLIER + np.uint64(place) * np.uint64(0x9E3779B97F4A7C15) + _INCREMENT
    state = (state ^ (state >> np.uint64(31))) * _MULTIPLIER
    return state ^ (state >> np.uint64(29))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _random_unit(state: np.uint64) -> tuple[np.uint64, np.float32]:
    """Return the next state and a number in [0, 1)."""
    state = state * _MULTIPLIER + _INCREMENT
    return state, np.float32(state >> np.uint64(40)) / np.float32(1 << 24)


@njit(cache=True, nogil=True, error_model="numpy")
def _read_window(picture: Array, x: int, y: int, values: Array, weights: Array) -> tuple[np.float32, np.float32]:
    """Read the window around the middle of four pixels; return the weighted mean and variance of its samples."""
    height, width = picture.shape
    middle = np.float32(0.25) * (
        picture[y, x]
        + picture[y, min(x + 1, width - 1)]
        + picture[min(y + 1, height - 1), x]
        + picture[min(y + 1, height - 1), min(x + 1, width - 1)]
    )
    total, mean, square = _F32_ZERO, _F32_ZERO, _F32_ZERO
    index = 0
    for dy in _WINDOW_OFFSETS:
        row = min(max(y + int(dy), 0), height - 1)
        for dx in _WINDOW_OFFSETS:
            value = picture[row, min(max(x + int(dx), 0), width - 1)]
            distance_sq = (dx - _F32_HALF) * (dx - _F32_HALF) + (dy - _F32_HALF) * (dy - _F32_HALF)
            difference = (value - middle) / np.float32(COLOR_SIGMA)
            weight = np.exp(-_F32_HALF * (difference * difference + distance_sq / np.float32(SPACE_SIGMA_PX**2)))
            values[index], weights[index] = value, weight
            total += weight
            mean += weight * value
            square += weight * value * value
            index += 1
    mean /= total
    for index in range(_WINDOW_SAMPLES):
        weights[index] /= total
        values[index] -= mean
    return mean, square / total - mean * mean


@njit(cache=True, nogil=True, error_model="numpy")
def _accept_if_better(
    u: int, v: int, plane: Array, planes: Array, costs: Array, limits: Array, values: Array, weights: Array,
    stats: tuple[np.float32, np.float32], sources: Array, homographies: Array, epipoles: Array, source_depths: Array,
    best_of: int, view_costs: Array,
) -> None:  # fmt: skip
    """Accept a plane at pixel (u, v) if it is within limits and costs less than the current one."""
    if not limits[0] <= plane[0] <= limits[1]:
        return
    steep = MAX_SLOPE * plane[0] / limits[2]
    if abs(plane[1]) > steep or abs(plane[2]) > steep:
        return
    cost = _cost(
        u, v, plane, values, weights, stats, sources, homographies, epipoles, source_depths, best_of, view_costs
    )
    if cost < costs[v, u]:
        costs[v, u] = cost
        planes[v, u] = plane


@njit(cache=True, nogil=True, error_model="numpy")
def _propagate_plane(u: int, v: int, direction: int, planes: Array, costs: Array, plane: Array) -> bool:
    """Write the best plane of a near neighbour, or of a strip of far neighbours of the other colour, into `plane`."""
    height, width = costs.shape
    du, dv = _NEIGHBOUR_OFFSETS[direction]
    steps = 1 if direction < 4 else _FAR_STEPS
    best, best_u, best_v = np.float32(np.inf), -1, -1
    for step in range(steps):
        other_u, other_v = u + du + 2 * step * np.sign(du), v + dv + 2 * step * np.sign(dv)
        if 0 <= other_u < width and 0 <= other_v < height and costs[other_v, other_u] < best:
            best, best_u, best_v = costs[other_v, other_u], other_u, other_v
    if best_u < 0:
        return False
    plane[1], plane[2] = planes[best_v, best_u, 1], planes[best_v, best_u, 2]
    plane[0] = (
        planes[best_v, best_u, 0] + plane[1] * np.float32(2 * (u - best_u)) + plane[2] * np.float32(2 * (v - best_v))
    )
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _perturb_plane(old: Array, reach: Array, limits: Array, state: np.uint64, plane: Array) -> np.uint64:
    """Write a random change of a plane into `plane`; a reach of 1 or more samples the full inverse depth range."""
    state, chance = _random_unit(state)
    if reach[0] >= 1.0:
        plane[0] = limits[0] + (limits[1] - limits[0]) * chance
    else:
        plane[0] = old[0] * (1.0 + reach[0] * (2.0 * chance - 1.0))
    for axis in range(1, 3):
        state, chance = _random_unit(state)
        plane[axis] = old[axis] + reach[1] * (2.0 * chance - 1.0) * plane[0] / limits[2]
    return state


@njit(cache=True, nogil=True, error_model="numpy")
def _cost(
    u: int, v: int, plane: Array, values: Array, weights: Array, stats: tuple[np.float32, np.float32], sources: Array,
    homographies: Array, epipoles: Array, source_depths: Array, best_of: int, view_costs: Array,
) -> np.float32:  # fmt: skip
    """Return the mean cost of the views that agree best."""
    for view in range(len(sources)):
        view_costs[view] = _view_cost(
            u, v, plane, values, weights, stats[1], sources[view], homographies[view], epipoles[view]
        )
        if source_depths.shape[0] > 0 and view_costs[view] < WORST_COST:
            view_costs[view] += GEOMETRIC_WEIGHT * _disagreement_px(
                u, v, plane, homographies[view], epipoles[view], source_depths[view]
            )
    total = _F32_ZERO
    for rank in range(best_of):
        least = rank
        for view in range(rank + 1, len(view_costs)):
            if view_costs[view] < view_costs[least]:
                least = view
        view_costs[rank], view_costs[least] = view_costs[least], view_costs[rank]
        total += view_costs[rank]
    return total / np.float32(best_of)


@njit(cache=True, nogil=True, error_model="numpy")
def _view_cost(
    u: int,
    v: int,
    plane: Array,
    values: Array,
    weights: Array,
    variance: float,
    source: Array,
    h: Array,
    e: Array,
) -> np.float32:
    """Return 1 − ZNCC between the window and its projection into another view."""
    height, width = source.shape
    x, y = np.float32(2 * u), np.float32(2 * v)
    w0 = plane[0] - _F32_HALF * (plane[1] + plane[2])
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
            if not (
                z > np.float32(1e-6) and px >= _F32_ZERO and py >= _F32_ZERO and px < last_x * z and py < last_y * z
            ):
                return WORST_COST
    mean, square, product = _F32_ZERO, _F32_ZERO, _F32_ZERO
    index = 0
    for dy in _WINDOW_OFFSETS:
        for dx in _WINDOW_OFFSETS:
            inverse = _F32_ONE / (z0 + dx * across_z + dy * down_z)
            px, py = (x0 + dx * across_x + dy * down_x) * inverse, (y0 + dx * across_y + dy * down_y) * inverse
            ix, iy = min(max(np.int32(px), 0), width - 2), min(max(np.int32(py), 0), height - 2)
            fx, fy = px - np.float32(ix), py - np.float32(iy)
            above = source[iy, ix] + fx * (source[iy, ix + 1] - source[iy, ix])
            below = source[iy + 1, ix] + fx * (source[iy + 1, ix + 1] - source[iy + 1, ix])
            value = above + fy * (below - above)
            weighted = weights[index] * value
            mean += weighted
            square += weighted * value
            product += weighted * values[index]
            index += 1
    spread = square - mean * mean
    if not spread > MIN_VARIANCE:
        return WORST_COST if spread != spread else _F32_ONE
    return _F32_ONE - product / np.sqrt(spread * variance)


@njit(cache=True, nogil=True, error_model="numpy")
def _disagreement_px(u: int, v: int, plane: Array, h: Array, e: Array, depth: Array) -> np.float32:
    """Return the round-trip reprojection error through the other view's depth [px of the grid], capped."""
    x, y = np.float32(2 * u) + _F32_HALF, np.float32(2 * v) + _F32_HALF
    ray_x = h[0, 0] * x + h[0, 1] * y + h[0, 2]
    ray_y = h[1, 0] * x + h[1, 1] * y + h[1, 2]
    ray_z = h[2, 0] * x + h[2, 1] * y + h[2, 2]
    z = ray_z + e[2] * plane[0]
    px, py = (ray_x + e[0] * plane[0]) / z, (ray_y + e[1] * plane[0]) / z
    column, row = int(_F32_HALF * px), int(_F32_HALF * py)
    if not (0 <= column < depth.shape[1] and 0 <= row < depth.shape[0]) or depth[row, column] <= 0.0:
        return MAX_GEOMETRIC_PX
    # The depth of the guess in the other view is z / w₀; the inverse depth on the same ray that gives the other's:
    other = depth[row, column]
    lower = other - e[2]
    if lower <= 0.0:
        return MAX_GEOMETRIC_PX
    inverse_depth = ray_z / lower
    z_back = ray_z + e[2] * inverse_depth
    shift = np.hypot((ray_x + e[0] * inverse_depth) / z_back - px, (ray_y + e[1] * inverse_depth) / z_back - py)
    return min(MAX_GEOMETRIC_PX, _F32_HALF * shift)
