"""Antipodal grasps of a parallel gripper: opposite faces that its fingers reach without collision.

The gripper is that of the Franka Panda: opening 80 mm, fingers 20 mm wide, 10 mm thick and 45 mm long under a hand of
204 × 63 mm. It approaches straight from above or horizontally from the side and stays above the floor that the asset
stands on; the volume that it sweeps must be free of the asset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.affordances.hulls import (
    Hulls,
    clip_lines,
    normals_at,
    points_inside,
    surface_samples,
    sweep_collides,
    volume_center,
)
from cousins.affordances.signatures import Grasp
from cousins.geometry import Array

MAX_OPENING_M: Final = 0.08
"""Largest opening of the gripper [m]."""
FINGER_SIZE_M: Final = (0.010, 0.020, 0.045)
"""Thickness, width and length of a finger [m]."""
HAND_SIZE_M: Final = (0.204, 0.063)
"""Size of the hand above the fingers, along and across their axis [m]."""
TIP_DEPTH_M: Final = 0.008
"""Depth of a fingertip beyond the centre of the contact [m], where the floor leaves room."""
OPEN_GAP_M: Final = 0.005
"""Gap between an open finger and the face that it will touch [m], where the opening allows it."""
MIN_GAP_M: Final = 0.002
"""Smallest such gap [m]."""
WIDTH_RANGE_M: Final = (0.001, MAX_OPENING_M - 2.0 * MIN_GAP_M)
"""Smallest and largest width that is grasped [m]."""
COLLISION_MARGIN_M: Final = 0.001
"""Margin by which the asset is enlarged in the collision test [m]."""
MAX_CRACK_M: Final = 0.0005
"""Pieces with a smaller gap along a line count as one solid [m]."""
MIN_FACING_COSINE: Final = float(np.cos(np.deg2rad(20.0)))
"""Smallest cosine between face normal and grasp axis: within the friction cone of a coefficient of 0.36."""
SURFACE_SAMPLES: Final = 768
"""Surface points from which opposite faces are searched."""
MIN_SPACING_M: Final = 0.012
"""Grasps with the same axis that are closer than this are merged [m]."""
CANDIDATE_BATCH: Final = 48
"""Candidates whose approach is tested in one batch."""
MAX_CANDIDATES: Final = 480
"""Most candidates whose approach is tested."""
MAX_GRASPS: Final = 8
"""Most grasps that are returned."""
MAX_GRASPS_PER_APPROACH: Final = 5
"""Most returned grasps from above, or from the side, where there are both."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _FacePairs:
    """Pairs of opposite faces, best first."""

    centers: Array
    """Midpoints [m], float64 [k, 3]."""
    axes: Array
    """Unit directions from face to face, float64 [k, 3]."""
    widths: Array
    """Distances of the faces [m], float64 [k]."""
    costs: Array
    """Costs of a grasp there, from 0 (best), float64 [k]."""


def grasps_of(
    hulls: Hulls, *, links: Array, max_count: int = MAX_GRASPS, stop_early: bool = False
) -> tuple[Grasp, ...]:
    """Return grasps of the links with the given indices [n], best first; `stop_early` returns the first that are found.

    Grasps above the centre of volume of the whole asset, so that it does not tilt when lifted, and with faces normal to
    the grasp axis are better.
    """
    on_links = np.isin(hulls.links, links)
    pairs = _opposite_faces(hulls, on_links)
    grasps: dict[str, list[tuple[float, Grasp]]] = {"above": [], "side": []}
    for start in range(0, min(len(pairs.widths), MAX_CANDIDATES), CANDIDATE_BATCH):
        batch = slice(start, start + CANDIDATE_BATCH)
        for index, approach in _free_approaches(hulls, pairs.centers[batch], pairs.axes[batch], pairs.widths[batch]):
            kind = "above" if approach[2] < -0.5 else "side"
            grasp = _grasp(pairs, start + index, approach)
            grasps[kind].append((float(pairs.costs[start + index]), grasp))
        counts = [len(kind) for kind in grasps.values()]
        if min(counts) >= max_count or (stop_early and sum(counts) >= max_count):
            break
    return _select_best(grasps["above"], grasps["side"], max_count)


def _grasp(pairs: _FacePairs, index: int, approach: Array) -> Grasp:
    return Grasp(
        width_m=float(pairs.widths[index]),
        center_m=_triple(pairs.centers[index]),
        axis=_triple(pairs.axes[index]),
        approach=_triple(approach),
    )


def _triple(values: Array) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _select_best(
    above: list[tuple[float, Grasp]], side: list[tuple[float, Grasp]], max_count: int
) -> tuple[Grasp, ...]:
    """Return the best grasps from above and from the side; either takes the places that the other leaves free."""
    room_above = max(min(max_count, MAX_GRASPS_PER_APPROACH), max_count - len(side))
    room_side = max_count - min(room_above, len(above))
    selected = above[:room_above] + side[:room_side]
    return tuple(grasp for _, grasp in sorted(selected, key=lambda scored: scored[0]))


def _opposite_faces(hulls: Hulls, on_links: Array) -> _FacePairs:
    points, normals, owners = surface_samples(hulls, SURFACE_SAMPLES, on_links)
    axes = -_snap_to_axes(normals)
    enter, leave = clip_lines(hulls, points, axes)
    is_hit = (leave > enter) & on_links
    is_buried = ((leave > enter) & (enter < -MAX_CRACK_M) & (leave > MAX_CRACK_M)).any(axis=1)
    width, last = _solid_extent(np.where(is_hit, enter, np.inf), np.where(is_hit, leave, -np.inf), owners)
    width = np.where(np.isfinite(width), width, 0.0)
    opposite = normals_at(hulls, points + width[:, None] * axes, last)
    aligned = np.minimum((normals * -axes).sum(axis=1), (opposite * axes).sum(axis=1))
    low, high = WIDTH_RANGE_M
    room = MIN_GAP_M + 0.5 * FINGER_SIZE_M[0]
    is_crowded = points_inside(hulls, points - room * axes) | points_inside(
        hulls, points + (width[:, None] + room) * axes
    )
    is_valid = ~is_buried & ~is_crowded & (aligned >= MIN_FACING_COSINE) & (width >= low) & (width <= high)
    centers = points[is_valid] + 0.5 * width[is_valid, None] * axes[is_valid]
    offset = (centers - volume_center(hulls)) / float((hulls.high - hulls.low).max())
    lever = (
        np.hypot(offset[:, 0], offset[:, 1])
        + 0.5 * np.maximum(-offset[:, 2], 0.0)
        + 0.1 * np.maximum(offset[:, 2], 0.0)
    )
    costs = lever + 0.5 * (1.0 - aligned[is_valid]) / (1.0 - MIN_FACING_COSINE)
    return _deduplicated(centers, _canonical_axes(axes[is_valid]), width[is_valid], costs)


def _snap_to_axes(normals: Array) -> Array:
    """Return unit normals [n, 3], snapped to horizontal or vertical where they are nearly so."""
    level = normals * np.array([1.0, 1.0, 0.0])
    upright = normals * np.array([0.0, 0.0, 1.0])
    steep = np.abs(normals[:, 2])
    snapped = np.where((steep < 0.34)[:, None], level, np.where((steep > 0.94)[:, None], upright, normals))
    return np.asarray(snapped / np.linalg.norm(snapped, axis=1, keepdims=True))


def _solid_extent(enter: Array, leave: Array, owners: Array) -> tuple[Array, Array]:
    """Return the depth of solid material along each line from its start [r] [m], and the last hull in it [r]."""
    rows = np.arange(len(owners))
    end, last = leave[rows, owners].copy(), owners.copy()
    for _ in range(enter.shape[1]):
        continuing = np.where((enter <= end[:, None] + MAX_CRACK_M) & (leave > end[:, None] + 1e-9), leave, -np.inf)
        farthest = continuing.argmax(axis=1)
        reached = continuing[rows, farthest]
        is_longer = reached > end
        if not is_longer.any():
            break
        end, last = np.where(is_longer, reached, end), np.where(is_longer, farthest, last)
    return end, last


def _canonical_axes(axes: Array) -> Array:
    """Return axes [n, 3] signed so that the first nonzero component is positive: a gripper is symmetric."""
    rounded = np.round(axes, 6)
    first = rounded[np.arange(len(axes)), (rounded != 0.0).argmax(axis=1)] if len(axes) else np.zeros(0)
    return np.asarray(np.where(first < 0.0, -1.0, 1.0)[:, None] * axes)


def _deduplicated(centers: Array, axes: Array, widths: Array, costs: Array) -> _FacePairs:
    """Return the pairs sorted by cost, one for each position and axis."""
    order = np.argsort(costs, kind="stable")
    keys = np.concatenate([np.round(centers / MIN_SPACING_M), np.round(axes * 2.0)], axis=1).astype(np.int64)[order]
    _, first = np.unique(keys, axis=0, return_index=True)
    selected = order[np.sort(first)]
    return _FacePairs(centers=centers[selected], axes=axes[selected], widths=widths[selected], costs=costs[selected])


def _free_approaches(hulls: Hulls, centers: Array, axes: Array, widths: Array) -> list[tuple[int, Array]]:
    """Return (index of the pair, approach [3]) for all approaches that collide with neither asset nor floor."""
    candidates = [(index, direction) for index, axis in enumerate(axes) for direction in _approach_directions(axis)]
    if not candidates:
        return []
    pair = np.array([index for index, _ in candidates])
    approach = np.array([direction for _, direction in candidates])
    frames = np.stack([axes[pair], np.cross(approach, axes[pair]), approach], axis=1)
    depth = centers[pair, 2] - hulls.low[2]
    tip = np.where(
        approach[:, 2] < -0.5, np.minimum(TIP_DEPTH_M, depth / np.maximum(-approach[:, 2], 0.5)), TIP_DEPTH_M
    )
    thick, wide, long = FINGER_SIZE_M
    aside = 0.5 * widths[pair] + np.minimum(OPEN_GAP_M, 0.5 * (MAX_OPENING_M - widths[pair])) + 0.5 * thick
    parts = [(aside, tip, (thick, wide)), (-aside, tip, (thick, wide)), (np.zeros(len(pair)), tip - long, HAND_SIZE_M)]
    is_free = tip > 1e-4
    for along, ahead, size in parts:
        ends = centers[pair] + along[:, None] * frames[:, 0] + ahead[:, None] * frames[:, 2]
        is_free &= _lowest_corner_m(ends, frames, size) >= hulls.low[2] - 1e-6
        remaining = np.flatnonzero(is_free)
        is_free[
            remaining[sweep_collides(hulls, ends[remaining], frames[remaining], size, grown_m=COLLISION_MARGIN_M)]
        ] = False
    return [(int(pair[index]), approach[index]) for index in np.flatnonzero(is_free)]


def _lowest_corner_m(ends: Array, frames: Array, size_m: tuple[float, float]) -> Array:
    """Return the heights of the lowest corners of rectangles [k] [m]."""
    return np.asarray(ends[:, 2] - 0.5 * size_m[0] * abs(frames[:, 0, 2]) - 0.5 * size_m[1] * abs(frames[:, 1, 2]))


def _approach_directions(axis: Array) -> list[Array]:
    """Return the approach directions [3] of a gripper that closes along an axis: from above and from the sides."""
    down = np.array([0.0, 0.0, -1.0])
    if abs(axis[2]) > 0.99:
        turns = np.arange(8) * np.pi / 4.0
        return [np.array([np.cos(turn), np.sin(turn), 0.0]) for turn in turns]
    steep = down - (down @ axis) * axis
    level = np.cross(axis, down)
    level /= np.linalg.norm(level)
    above = [steep / np.linalg.norm(steep)] if np.linalg.norm(steep) > 0.9 else []
    return [*above, level, -level]
