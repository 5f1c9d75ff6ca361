"""What a map of a whole scene tells about its pieces: contacts, supports, stability, what encloses what."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from cousins.geometry import Array
from cousins.segment.parts.stability_grouping import Pieces
from cousins.segment.surfaces.surface import Surface

SLENDER = 0.12
"""Width over height below which a piece cannot stand alone: it would tip at 3.4 degrees."""
LEVEL_COS = np.cos(np.deg2rad(30.0))
"""Cosine of the steepest face that carries anything: the friction angle of common materials, tan 30° = 0.58."""
BASE_M = 0.03
"""Contacts with other things within this height of the lowest one are one base [m]."""
END_M = 0.06
"""Around a contact, how far pieces are looked at to tell an end from a side [m]: the width of a furniture leg."""
LEAN = 0.35
"""How far outside its foot the middle of a piece may lie, as a part of its level extent: half of what no view saw."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Footing:
    """Which points of a map can carry their piece, so that unions of pieces can be judged."""

    surface: Surface
    """The map."""
    members: list[Array]
    """Indices of the points of each piece."""
    low: Array
    """Points on the ground, bool [n]."""
    resting: list[Array]
    """Of each piece: points of it and what each rests on in another piece, int64 [m, 2]."""
    labels: Array
    """Piece of each point, int64 [n]."""
    up: Array
    """Unit vector against gravity, float64 [3]."""

    def stands(self, pieces: Sequence[int]) -> bool:
        """Tell whether a union of pieces can stand on the ground and on what is not in the union."""
        resting = np.concatenate([self.resting[k] for k in pieces])
        held = resting[~np.isin(self.labels[resting[:, 1]], list(pieces)), 0]
        of = np.concatenate([self.members[k] for k in pieces])
        at = self.surface.points
        return can_stand(at[of], at[of[self.low[of]]], at[of[np.isin(of, held)]], self.up)


def describe_map(
    surface: Surface, labels: Array, normals: Array, height_m: Array, *, voxel_m: float, up: Array
) -> tuple[Pieces, Footing]:
    """Return contacts and supports of the pieces [n] of a map whose points are `height_m` [n] above their support."""
    count = int(labels.max()) + 1
    a, b = labels[surface.edges].T
    cross = a != b
    u, v = np.concatenate([surface.edges[cross], surface.edges[cross][:, ::-1]]).T
    length = surface.spacing_m
    touching, carried = np.zeros((count, count)), np.zeros((count, count))
    np.add.at(touching, (labels[u], labels[v]), length)
    level = normals @ up
    resting = (height_m[v] <= height_m[u] + 0.5 * voxel_m) & _underside(surface.points, labels, height_m, voxel_m, up)[
        u
    ]
    shelf = _beside_level(surface.edges, level > LEVEL_COS, height_m, voxel_m)
    resting &= (shelf[v] & (level[u] < LEVEL_COS)) | ((level[u] < -LEVEL_COS) & (level[v] > -LEVEL_COS))
    np.add.at(carried, (labels[u[resting]], labels[v[resting]]), length)
    pairs = np.stack([u[resting], v[resting]], axis=1)
    footing = Footing(
        surface=surface,
        members=members_of(labels),
        low=height_m < 0.015 + voxel_m,
        resting=[pairs[of] for of in members_of(labels[pairs[:, 0]], count=count)],
        labels=labels,
        up=up,
    )
    pieces = Pieces(
        areas=np.bincount(labels) * voxel_m**2,
        grounded=np.array([footing.stands([k]) for k in range(count)], dtype=bool),
        hidden=np.zeros(count, dtype=bool),
        touching=touching,
        carried=carried,
    )
    return pieces, footing


def _beside_level(edges: Array, is_level: Array, height_m: Array, voxel_m: float) -> Array:
    """Return bool [n]: points within three steps of a level one that is no higher; noise rounds the foot of a wall."""
    a, b = np.concatenate([edges, edges[:, ::-1]]).T
    downward = height_m[b] <= height_m[a] + 0.5 * voxel_m
    a, b = a[downward], b[downward]
    shelf = is_level.copy()
    for _ in range(3):
        shelf[a[shelf[b]]] = True
    return shelf


def members_of(labels: Array, *, count: int | None = None) -> list[Array]:
    """Return the indices of the points of each label, labels 0 to their greatest, or as many as are asked for."""
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(
        labels[order], np.arange((int(labels.max(initial=-1)) + 1 if count is None else count) + 1)
    )
    return [order[a:b] for a, b in itertools.pairwise(bounds)]


def _underside(points: Array, labels: Array, height_m: Array, voxel_m: float, up: Array) -> Array:
    """Return bool [n]: points with nothing of their own piece below them, on a grid of half an end's width."""
    cells = np.floor(points @ np.linalg.svd(up[None, :])[2][1:].T / (0.5 * END_M)).astype(np.int64) + (1 << 20)
    codes = (labels.astype(np.int64) << 42) | (cells[:, 0] << 21) | cells[:, 1]
    known, inverse = np.unique(codes, return_inverse=True)
    lowest = np.full(len(known), np.inf)
    np.minimum.at(lowest, inverse.ravel(), height_m)
    least = np.full(len(points), np.inf)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            wanted = codes + (i << 21) + j
            place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
            least = np.minimum(least, np.where(known[place] == wanted, lowest[place], np.inf))
    return np.asarray(height_m < least + 2.0 * voxel_m + 0.01)


def can_stand(points: Array, ground: Array, held: Array, up: Array) -> bool:
    """Tell whether a thing of these surface points [n, 3] can stand on its points on the ground and on others.

    It is not too slender, and its middle is over its foot. A foot on the ground is grown by a part of the extent,
    because hidden sides are missing from both; one on other things is seen from all around and is not.
    """
    if len(ground) + len(held) < 2:
        return False
    helper = np.linalg.svd(up[None, :])[2][1:]
    if len(ground) < 2:
        held = held[held @ up < (held @ up).min() + BASE_M]
    flat, base = points @ helper.T, np.concatenate([ground, held]) @ helper.T
    height = float(np.ptp(points @ up))
    width = _widths(flat)[0] if len(ground) >= 2 else _widths(base)[0]
    return width >= SLENDER * height and _outside_by(base, flat.mean(axis=0)) <= LEAN * width


def capped(surface: Surface, labels: Array, pieces: Pieces, *, up: Array) -> list[tuple[int, int]]:
    """Return pairs (lower, upper): a narrower round piece in the middle of a taller round one is its lid or cap."""
    helper = np.linalg.svd(up[None, :])[2][1:]
    members = members_of(labels)
    found = []
    for upper, lower in np.argwhere(pieces.carried > 0.0):
        above, below = surface.points[members[upper]], surface.points[members[lower]]
        if len(above) < 30 or len(below) < 30 or np.ptp(above @ up) > np.ptp(below @ up):
            continue
        small, large = _circle(above @ helper.T), _circle(_top(below, up) @ helper.T)
        if small is None or large is None:
            continue
        if np.linalg.norm(small[0] - large[0]) < 0.15 * large[1] and small[1] < 0.85 * large[1]:
            found.append((int(lower), int(upper)))
    return found


def _top(points: Array, up: Array) -> Array:
    """Return the points of the upper two thirds: the foot may be smeared."""
    height = points @ up
    return points[height > height.min() + np.ptp(height) / 3.0]


def _circle(flat: Array) -> tuple[Array, float] | None:
    """Return middle [2] and radius [m] of the outline of level points [n, 2] where it is round, else None."""
    low, high = np.quantile(flat, 0.01, axis=0), np.quantile(flat, 0.99, axis=0)
    middle = 0.5 * (low + high)
    away = flat - middle
    sector = np.floor((np.arctan2(away[:, 1], away[:, 0]) + np.pi) / (2.0 * np.pi) * 16.0).astype(np.int64) % 16
    radius = np.linalg.norm(away, axis=1)
    reach = np.array([np.quantile(radius[sector == k], 0.95) if (sector == k).any() else 0.0 for k in range(16)])
    mean = float(reach.mean())
    return (middle, mean) if mean > 0.0 and np.abs(reach - mean).max() < 0.2 * mean + 0.004 else None


def continued(surface: Surface, labels: Array, height_m: Array, pieces: Pieces, *, up: Array) -> list[tuple[int, int]]:
    """Return pairs (upper, lower) that meet end on end without a face that carries: one goes on as the other.

    The upper piece ends downwards at the contact and the lower one upwards, as the halves of a chair leg do.
    """
    level = surface.points @ np.linalg.svd(up[None, :])[2][1:].T
    members = members_of(labels)
    a, b = labels[surface.edges].T
    cross = surface.edges[a != b]
    if len(cross) == 0:
        return []
    pairs = np.concatenate([cross, cross[:, ::-1]])
    names = labels[pairs] @ np.array([len(members), 1])
    order = np.argsort(names, kind="stable")
    keys, starts = np.unique(names[order], return_index=True)
    found = []
    for key, contact in zip(keys, np.split(pairs[order, 0], starts[1:]), strict=True):
        upper, lower = divmod(int(key), len(members))
        if pieces.carried[upper, lower] >= 0.25 * pieces.touching[upper, lower]:
            continue
        middle, height = np.median(level[contact], axis=0), float(np.median(height_m[contact]))
        above, below = (
            height_m[of][np.linalg.norm(level[of] - middle, axis=1) < END_M] for of in (members[upper], members[lower])
        )
        ends = above.size > 0 and (above > height - 0.5 * END_M).mean() > 0.95
        if ends and below.size > 0 and (below < height + 0.5 * END_M).mean() > 0.95:
            found.append((upper, lower))
    return found


def enclosed(points: Array, normals: Array, labels: Array, pieces: Pieces, *, voxel_m: float) -> list[tuple[int, int]]:
    """Return pairs (outside, inside): a piece in the hull of another that it touches, not convex or its skin.

    So the inside of a bowl joins its outside, and an apple in the bowl stays an apple.
    """
    members = members_of(labels)
    found = []
    for outside in np.argsort(-pieces.areas, kind="stable"):
        near = np.flatnonzero(pieces.touching[outside] > 0.0)
        shell = points[members[outside]]
        if len(near) == 0 or len(shell) < 30:
            continue
        try:
            sides = ConvexHull(shell).equations
        except QhullError:
            continue
        for k in near:
            own = points[members[k]]
            depth = -(own @ sides[:, :3].T + sides[:, 3]).max(axis=1)
            skin = float(np.median(depth)) < 1.5 * voxel_m
            if (depth > -0.5 * voxel_m).mean() > 0.9 and (skin or _inwardness(own, normals[members[k]]) > -0.1):
                found.append((int(outside), int(k)))
    return found


def _inwardness(points: Array, normals: Array) -> float:
    ways = points.mean(axis=0) - points
    ways /= np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-9)
    return float(np.einsum("ij,ij->i", ways, normals).mean())


def _widths(flat: Array) -> tuple[float, float]:
    """Return the least and greatest extent [m] of level points [n, 2] over 5 degree steps."""
    angles = np.deg2rad(np.arange(0.0, 180.0, 5.0))
    along = flat @ np.stack([np.cos(angles), np.sin(angles)])
    extents = np.quantile(along, 0.98, axis=0) - np.quantile(along, 0.02, axis=0)
    return float(extents.min()), float(extents.max())


def _outside_by(base: Array, place: Array) -> float:
    """Return how far [m] a place [2] lies outside the convex hull of base points [n, 2]; 0 inside."""
    try:
        equations = ConvexHull(base).equations
        return float(max(0.0, (equations[:, :2] @ place + equations[:, 2]).max()))
    except (QhullError, ValueError):
        return float(np.linalg.norm(base - place, axis=1).min())
