"""Borders between the pieces of a single depth view, and hollow objects that show by occlusion."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numba import njit

from cousins.geometry import Array

MIN_TOUCH_DISTANCE_M = 0.012
"""Largest distance between neighbouring pixels of two pieces that touch [m]; grows with the noise."""

MIN_WALL_AREA_M2 = 0.002
"""Smallest visible area of the outside of a hollow object [m²]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Borders:
    """Pixel pairs where the image changes from one piece to another or to the background, across unknown pixels too."""

    first: Array
    """Piece on one side, int64 [m]; -1 is background."""
    second: Array
    """Piece on the other side, int64 [m]; -1 is background."""
    first_pixel: Array
    """Flat pixel on the first side, int64 [m]."""
    second_pixel: Array
    """Flat pixel on the second side, int64 [m]; equal to the first side's where the image ends."""
    length_m: Array
    """Length of border that each pair represents [m], float64 [m]."""
    touching: Array
    """The two sides touch in space, bool [m]."""
    in_front: Array
    """The first side is nearer to the camera by more than a touch, bool [m]."""


@njit(cache=True)
def _label_transitions(labels, valid, reach):  # type: ignore[no-untyped-def]
    """List pixel pairs along rows and columns whose labels differ, skipping invalid pixels up to `reach`."""
    height, width = labels.shape
    pixel_pairs = []
    for axis in range(2):
        lines, length = (height, width) if axis == 0 else (width, height)
        for line in range(lines):
            last = -1
            for step in range(length):
                r, c = (line, step) if axis == 0 else (step, line)
                if not valid[r, c]:
                    continue
                if last >= 0 and step - last <= reach:
                    pr, pc = (line, last) if axis == 0 else (last, line)
                    if labels[r, c] != labels[pr, pc]:
                        pixel_pairs.append((pr * width + pc, r * width + c))
                last = step
    out = np.empty((len(pixel_pairs), 2), np.int64)
    for k in range(len(pixel_pairs)):
        out[k, 0], out[k, 1] = pixel_pairs[k]
    return out


def find_borders(labels: Array, points: Array, depth_m: Array, *, footprint: float, sigma_m: float) -> Borders:
    """Return all borders of a label image [h, w] (-1 background) with world points [h, w, 3] and depth [h, w] [m]."""
    pairs = _label_transitions(np.ascontiguousarray(labels), np.ascontiguousarray(depth_m > 0.0), labels.shape[1] // 8)
    flat, z, flat_points = labels.ravel(), depth_m.ravel().astype(np.float64), points.reshape(-1, 3)
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    first, second = pairs[:, 0], pairs[:, 1]
    gap = np.linalg.norm(flat_points[first] - flat_points[second], axis=1)
    touch_distance = np.maximum(MIN_TOUCH_DISTANCE_M, 4.0 * sigma_m)
    index_distance = np.abs(first - second)
    is_adjacent = (index_distance <= 6) | (
        (index_distance % labels.shape[1] == 0) & (index_distance <= 6 * labels.shape[1])
    )
    touching = is_adjacent & (gap < touch_distance)
    return Borders(
        first=flat[first],
        second=flat[second],
        first_pixel=first,
        second_pixel=second,
        length_m=z[first] * footprint,
        touching=touching,
        in_front=~touching & (z[first] < z[second] - 0.5 * touch_distance),
    )


def find_hollows(
    labels: Array, points: Array, normals: Array, height_m: Array, borders: Borders, *, areas: Array
) -> list[tuple[int, int]]:
    """Return pairs (outside, inside) of the walls of hollow objects.

    The inside of a bowl is visible over the rim of its outside: the outside hides its lower end, each border at which
    the inside itself hides something lies at the height of that rim, it stands nowhere, it reaches below the rim
    and its normals point inwards. `labels` [h, w], `points` [h, w, 3], `normals` [h, w, 3], `height_m` [h, w], `areas`
    [k] of the pieces [m²].
    """
    order = np.argsort(labels.ravel(), kind="stable")
    starts = np.searchsorted(labels.ravel()[order], np.arange(len(areas) + 1))
    members = [order[a:b] for a, b in itertools.pairwise(starts)]
    height = height_m.ravel()
    tops = np.array([np.quantile(height[m], 0.97) for m in members])
    lows = np.array([np.quantile(height[m], 0.1) for m in members])
    pairs: list[tuple[int, int]] = []
    for outside in np.argsort(-areas, kind="stable"):
        if areas[outside] < MIN_WALL_AREA_M2:
            continue
        inside = _pieces_seen_over_rim(int(outside), height, borders, tops)
        if not inside:
            continue
        pixels = np.concatenate([members[k] for k in inside])
        is_deep = min(lows[k] for k in inside) < tops[outside] - max(0.015, 0.2 * tops[outside])
        if is_deep and _mean_inward_cosine(points.reshape(-1, 3)[pixels], normals.reshape(-1, 3)[pixels]) > 0.2:
            pairs += [(int(outside), k) for k in inside]
    return pairs


def _mean_inward_cosine(points: Array, normals: Array) -> float:
    """Return the mean cosine of normals with the direction to the middle: 1 inside a ball, 0 on a plane, -1 outside."""
    inward = points.mean(axis=0) - points
    inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9)
    return float(np.einsum("ij,ij->i", inward, normals).mean())


def _pieces_seen_over_rim(outside: int, height: Array, borders: Borders, tops: Array) -> list[int]:
    """Return the pieces that are visible only over the rim of `outside`.

    The largest such set: pieces that hide or touch anything outside the set below the rim are removed until none is
    left to remove; then those that `outside` or a member borders are kept.
    """
    count = len(tops)
    rim = tops[outside]
    band = max(0.012, 0.12 * rim)
    piece = borders.first >= 0
    first, second, length = borders.first[piece], borders.second[piece], borders.length_m[piece]
    exposed = ((borders.in_front | borders.touching) & (height[borders.first_pixel] < rim - band))[piece]
    total = np.bincount(first, weights=length, minlength=count)
    inside = tops < rim + band
    inside[outside] = False
    while True:
        closed = np.append(inside, False)
        closed[outside] = True
        open_m = np.bincount(first, weights=length * (exposed & ~closed[second]), minlength=count)
        fewer = inside & (open_m < 0.1 * total)
        if np.array_equal(fewer, inside):
            break
        inside = fewer
    component = {outside}
    while True:
        near = np.isin(second, sorted(component))
        new = set(np.unique(first[near & inside[first]]).tolist()) - component
        if not new:
            return sorted(component - {outside})
        component |= new
