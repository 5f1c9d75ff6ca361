"""Kernels of exemplar-based texture synthesis: search the most similar patch, vote, copy."""

from __future__ import annotations

import numpy as np
from numba import njit

from cousins.geometry import Array

PATCH_RADIUS_PX = 3
"""Half the side of a patch [px]: 7 × 7, the usual size of patch-based completion."""
_MULTIPLIER = np.uint64(6364136223846793005)
_INCREMENT = np.uint64(1442695040888963407)
_HIGH_BITS = np.uint64(33)


@njit(cache=True)
def _next_state(state: np.uint64) -> np.uint64:
    return state * _MULTIPLIER + _INCREMENT


@njit(cache=True, error_model="numpy")
def _distance(
    image: Array, weight: Array, row: int, column: int, source_row: int, source_column: int, limit: float
) -> float:
    """Return the weighted mean squared difference of two patches, or infinity where it is surely over the limit."""
    height, width = weight.shape
    total = np.float32(0.0)
    share = np.float32(0.0)
    bound = np.float32(limit) * np.float32((2 * PATCH_RADIUS_PX + 1) ** 2)
    for down in range(-PATCH_RADIUS_PX, PATCH_RADIUS_PX + 1):
        r = row + down
        if r < 0 or r >= height:
            continue
        for across in range(-PATCH_RADIUS_PX, PATCH_RADIUS_PX + 1):
            c = column + across
            if c < 0 or c >= width or weight[r, c] <= 0.0:
                continue
            square = np.float32(0.0)
            for channel in range(3):
                difference = image[r, c, channel] - image[source_row + down, source_column + across, channel]
                square += difference * difference
            total += weight[r, c] * square
            share += weight[r, c]
        if total > bound:
            return np.inf
    return float(total / share) if share > 0.0 else 0.0


@njit(cache=True)
def _number_at(number: Array, row: int, column: int) -> int:
    """Return the number of the place at a pixel of a raster [h, w], -1 for none."""
    if row < 0 or column < 0 or row >= number.shape[0] or column >= number.shape[1]:
        return -1
    return int(number[row, column])


@njit(cache=True, error_model="numpy")
def _try_source(
    image: Array,
    weight: Array,
    is_source: Array,
    place: Array,
    proposed: tuple[int, int],
    source: Array,
    cost: Array,
) -> None:
    """Take a proposed patch in place of a source [2] where it fits the place [2] better than its cost [1]."""
    row, column = proposed
    if row < 0 or column < 0 or row >= is_source.shape[0] or column >= is_source.shape[1]:
        return
    if not is_source[row, column]:
        return
    distance = _distance(image, weight, place[0], place[1], row, column, cost[0])
    if distance < cost[0]:
        cost[0] = distance
        source[0], source[1] = row, column


@njit(cache=True, error_model="numpy")
def search_patches(
    image: Array,
    weight: Array,
    is_source: Array,
    places: Array,
    order: Array,
    number: Array,
    sources: Array,
    costs: Array,
    reach_px: int,
    reverse: int,
    seed: int,
) -> None:
    """Improve each place's source patch in place by its neighbours' sources and by random ones near its own.

    PatchMatch (Barnes et al., SIGGRAPH 2009). Image float32 [h, w, 3], weight float32 [h, w] of a pixel in the
    comparison, is_source bool [h, w] marks centres of wholly known patches; places and their sources int32 [n, 2],
    costs float32 [n], number int32 [h, w] of a place or -1. Only places in `order`, int32 [k], are improved, by
    random patches up to `reach_px` away; `reverse` turns the order round.
    """
    state = _next_state(np.uint64(seed))
    count = len(order)
    step = 1 if reverse else -1
    for turn in range(count):
        i = order[count - 1 - turn if reverse else turn]
        row, column = places[i]
        costs[i] = _distance(image, weight, row, column, sources[i, 0], sources[i, 1], np.inf)
        for side in range(2):
            down, across = (step, 0) if side == 0 else (0, step)
            k = _number_at(number, row + down, column + across)
            if k >= 0:
                proposed = (sources[k, 0] - down, sources[k, 1] - across)
                _try_source(image, weight, is_source, places[i], proposed, sources[i], costs[i : i + 1])
        reach = reach_px
        while reach >= 1:
            state = _next_state(state)
            down = int(state >> _HIGH_BITS) % (2 * reach + 1) - reach
            state = _next_state(state)
            across = int(state >> _HIGH_BITS) % (2 * reach + 1) - reach
            reach //= 2
            proposed = (sources[i, 0] + down, sources[i, 1] + across)
            _try_source(image, weight, is_source, places[i], proposed, sources[i], costs[i : i + 1])


@njit(cache=True, error_model="numpy")
def vote(image: Array, weight: Array, places: Array, number: Array, sources: Array, costs: Array) -> None:
    """Replace each place's colour by the weighted mean that the patches over it propose (Wexler et al., 2007).

    Image float32 [h, w, 3], weight float32 [h, w], places and sources int32 [n, 2], costs [n], number int32 [h, w].
    """
    height, width = number.shape
    count = len(places)
    trust = np.exp(-costs / (np.float32(np.median(costs)) + np.float32(1e-6)))
    for i in range(count):
        trust[i] *= weight[places[i, 0], places[i, 1]]
    colors = np.zeros((count, 3), dtype=np.float32)
    for i in range(count):
        row, column = places[i]
        total = np.float32(0.0)
        for down in range(-PATCH_RADIUS_PX, PATCH_RADIUS_PX + 1):
            for across in range(-PATCH_RADIUS_PX, PATCH_RADIUS_PX + 1):
                r, c = row + down, column + across
                if r < 0 or c < 0 or r >= height or c >= width or number[r, c] < 0:
                    continue
                k = number[r, c]
                for channel in range(3):
                    colors[i, channel] += trust[k] * image[sources[k, 0] - down, sources[k, 1] - across, channel]
                total += trust[k]
        if total > 0.0:
            colors[i] /= total
        else:
            colors[i] = image[sources[i, 0], sources[i, 1]]
    for i in range(count):
        image[places[i, 0], places[i, 1]] = colors[i]
