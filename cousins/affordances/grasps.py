"""Grasps of a parallel gripper: opposite faces that its fingers reach without meeting anything else.

The gripper is that of the Franka Panda: opening 80 mm, fingers 20 mm wide, 10 mm thick and 45 mm long under a hand of
204 × 63 mm. It comes straight from above or level from the side, stops at the floor that the asset stands on, and all
that it sweeps through on its way must be free of the asset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.affordances.hulls import Hulls, center_of, clip, inside_any, meets_sweep, normals_at, surface_samples
from cousins.affordances.signatures import Grasp
from cousins.geometry import Array

OPENING_M: Final = 0.08
"""Widest that the gripper opens [m]."""
FINGER_M: Final = (0.010, 0.020, 0.045)
"""Thickness, width and length of a finger [m]."""
HAND_M: Final = (0.204, 0.063)
"""Size of the hand above the fingers, along and across their axis [m]."""
TIP_M: Final = 0.008
"""How far a fingertip reaches beyond the middle of the contact [m], where the floor leaves room."""
GAP_M: Final = 0.005
"""Room that an open finger keeps from the face it will touch [m], where the opening allows it, ..."""
LEAST_GAP_M: Final = 0.002
"""... and the least [m]."""
WIDTHS_M: Final = (0.001, OPENING_M - 2.0 * LEAST_GAP_M)
"""Thinnest and widest that is gripped [m]."""
GROWN_M: Final = 0.001
"""The asset is grown by this in the search for collisions [m]."""
CRACK_M: Final = 0.0005
"""Pieces closer than this along a line are one body [m]."""
FACING: Final = float(np.cos(np.deg2rad(20.0)))
"""Faces are gripped that look along the axis at least by this cosine: a friction of 0.36 holds them."""
SAMPLES: Final = 768
"""Points of the surface from which opposite faces are searched."""
APART_M: Final = 0.012
"""Grasps closer than this, along the same axis, are one [m]."""
BATCH: Final = 48
"""Candidates whose way is looked at in one go."""
MOST_LOOKED_AT: Final = 480
"""Candidates whose way is looked at in all."""
MOST: Final = 8
"""Grasps that are kept, ..."""
MOST_OF_A_KIND: Final = 5
"""... and of those from above or from the side, where there are both."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Pairs:
    """Opposite faces, best first."""

    centers: Array
    """Middles [m], float64 [k, 3]."""
    axes: Array
    """Unit directions from face to face, float64 [k, 3]."""
    widths: Array
    """Distances of the faces [m], float64 [k]."""
    costs: Array
    """How bad a grasp there is, from 0, float64 [k]."""


def grasps_of(hulls: Hulls, *, links: Array, most: int = MOST, hasty: bool = False) -> tuple[Grasp, ...]:
    """Return grasps of the given links [n] of an asset, best first; `hasty` ends with the first that are found.

    Better is what is above the centre of volume of the whole asset, so that it does not tilt when it is lifted, and
    has faces that look straight at the fingers.
    """
    owned = np.isin(hulls.links, links)
    pairs = _opposite_faces(hulls, owned)
    found: dict[str, list[tuple[float, Grasp]]] = {"above": [], "side": []}
    for start in range(0, min(len(pairs.widths), MOST_LOOKED_AT), BATCH):
        picked = slice(start, start + BATCH)
        for index, approach in _free_ways(hulls, pairs.centers[picked], pairs.axes[picked], pairs.widths[picked]):
            kind = "above" if approach[2] < -0.5 else "side"
            grasp = _grasp(pairs, start + index, approach)
            found[kind].append((float(pairs.costs[start + index]), grasp))
        counts = [len(kind) for kind in found.values()]
        if min(counts) >= most or (hasty and sum(counts) >= most):
            break
    return _best(found["above"], found["side"], most)


def _grasp(pairs: _Pairs, index: int, approach: Array) -> Grasp:
    return Grasp(
        width_m=float(pairs.widths[index]),
        center_m=_triple(pairs.centers[index]),
        axis=_triple(pairs.axes[index]),
        approach=_triple(approach),
    )


def _triple(values: Array) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _best(above: list[tuple[float, Grasp]], side: list[tuple[float, Grasp]], most: int) -> tuple[Grasp, ...]:
    """Return the best of both kinds; one kind takes the places that the other leaves free."""
    room_above = max(min(most, MOST_OF_A_KIND), most - len(side))
    room_side = most - min(room_above, len(above))
    chosen = above[:room_above] + side[:room_side]
    return tuple(grasp for _, grasp in sorted(chosen, key=lambda one: one[0]))


def _opposite_faces(hulls: Hulls, owned: Array) -> _Pairs:
    points, normals, owners = surface_samples(hulls, SAMPLES, owned)
    axes = -_straightened(normals)
    enter, leave = clip(hulls, points, axes)
    own = (leave > enter) & owned
    buried = ((leave > enter) & (enter < -CRACK_M) & (leave > CRACK_M)).any(axis=1)
    width, last = _run(np.where(own, enter, np.inf), np.where(own, leave, -np.inf), owners)
    width = np.where(np.isfinite(width), width, 0.0)
    opposite = normals_at(hulls, points + width[:, None] * axes, last)
    aligned = np.minimum((normals * -axes).sum(axis=1), (opposite * axes).sum(axis=1))
    low, high = WIDTHS_M
    room = LEAST_GAP_M + 0.5 * FINGER_M[0]
    crowded = inside_any(hulls, points - room * axes) | inside_any(hulls, points + (width[:, None] + room) * axes)
    good = ~buried & ~crowded & (aligned >= FACING) & (width >= low) & (width <= high)
    centers = points[good] + 0.5 * width[good, None] * axes[good]
    off = (centers - center_of(hulls)) / float((hulls.high - hulls.low).max())
    lever = np.hypot(off[:, 0], off[:, 1]) + 0.5 * np.maximum(-off[:, 2], 0.0) + 0.1 * np.maximum(off[:, 2], 0.0)
    costs = lever + 0.5 * (1.0 - aligned[good]) / (1.0 - FACING)
    return _thinned(centers, _canonical(axes[good]), width[good], costs)


def _straightened(normals: Array) -> Array:
    """Return unit normals made level or upright where they nearly are, as a gripper would be held."""
    level = normals * np.array([1.0, 1.0, 0.0])
    upright = normals * np.array([0.0, 0.0, 1.0])
    steep = np.abs(normals[:, 2])
    chosen = np.where((steep < 0.34)[:, None], level, np.where((steep > 0.94)[:, None], upright, normals))
    return np.asarray(chosen / np.linalg.norm(chosen, axis=1, keepdims=True))


def _run(enter: Array, leave: Array, owners: Array) -> tuple[Array, Array]:
    """Return how far matter reaches from the start of each line without a gap [r] [m], and in which hull [r]."""
    rows = np.arange(len(owners))
    end, last = leave[rows, owners].copy(), owners.copy()
    for _ in range(enter.shape[1]):
        going_on = np.where((enter <= end[:, None] + CRACK_M) & (leave > end[:, None] + 1e-9), leave, -np.inf)
        farthest = going_on.argmax(axis=1)
        reached = going_on[rows, farthest]
        longer = reached > end
        if not longer.any():
            break
        end, last = np.where(longer, reached, end), np.where(longer, farthest, last)
    return end, last


def _canonical(axes: Array) -> Array:
    """Return axes of which the first part that is not 0 is positive: a gripper has no front."""
    rounded = np.round(axes, 6)
    first = rounded[np.arange(len(axes)), (rounded != 0.0).argmax(axis=1)] if len(axes) else np.zeros(0)
    return np.asarray(np.where(first < 0.0, -1.0, 1.0)[:, None] * axes)


def _thinned(centers: Array, axes: Array, widths: Array, costs: Array) -> _Pairs:
    """Return the pairs sorted by cost, one for each place and axis."""
    order = np.argsort(costs, kind="stable")
    keys = np.concatenate([np.round(centers / APART_M), np.round(axes * 2.0)], axis=1).astype(np.int64)[order]
    _, first = np.unique(keys, axis=0, return_index=True)
    kept = order[np.sort(first)]
    return _Pairs(centers=centers[kept], axes=axes[kept], widths=widths[kept], costs=costs[kept])


def _free_ways(hulls: Hulls, centers: Array, axes: Array, widths: Array) -> list[tuple[int, Array]]:
    """Return (number of the pair, approach) for all ways on which the gripper meets neither asset nor floor."""
    ways = [(index, way) for index, axis in enumerate(axes) for way in _ways(axis)]
    if not ways:
        return []
    pair = np.array([index for index, _ in ways])
    approach = np.array([way for _, way in ways])
    frames = np.stack([axes[pair], np.cross(approach, axes[pair]), approach], axis=1)
    depth = centers[pair, 2] - hulls.low[2]
    tip = np.where(approach[:, 2] < -0.5, np.minimum(TIP_M, depth / np.maximum(-approach[:, 2], 0.5)), TIP_M)
    thick, wide, long = FINGER_M
    aside = 0.5 * widths[pair] + np.minimum(GAP_M, 0.5 * (OPENING_M - widths[pair])) + 0.5 * thick
    parts = [(aside, tip, (thick, wide)), (-aside, tip, (thick, wide)), (np.zeros(len(pair)), tip - long, HAND_M)]
    free = tip > 1e-4
    for along, ahead, size in parts:
        ends = centers[pair] + along[:, None] * frames[:, 0] + ahead[:, None] * frames[:, 2]
        free &= _lowest(ends, frames, size) >= hulls.low[2] - 1e-6
        left = np.flatnonzero(free)
        free[left[meets_sweep(hulls, ends[left], frames[left], size, grown_m=GROWN_M)]] = False
    return [(int(pair[index]), approach[index]) for index in np.flatnonzero(free)]


def _lowest(ends: Array, frames: Array, size_m: tuple[float, float]) -> Array:
    """Return the height of the lowest corner of rectangles [k] [m]."""
    return np.asarray(ends[:, 2] - 0.5 * size_m[0] * abs(frames[:, 0, 2]) - 0.5 * size_m[1] * abs(frames[:, 1, 2]))


def _ways(axis: Array) -> list[Array]:
    """Return the directions in which a gripper may come that closes along an axis: from above and from the sides."""
    down = np.array([0.0, 0.0, -1.0])
    if abs(axis[2]) > 0.99:
        turns = np.arange(8) * np.pi / 4.0
        return [np.array([np.cos(turn), np.sin(turn), 0.0]) for turn in turns]
    steep = down - (down @ axis) * axis
    level = np.cross(axis, down)
    level /= np.linalg.norm(level)
    above = [steep / np.linalg.norm(steep)] if np.linalg.norm(steep) > 0.9 else []
    return [*above, level, -level]
