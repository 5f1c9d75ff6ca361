"""Contacts, support, stability and enclosure of the convex pieces of a voxel map."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from cousins.geometry import Array
from cousins.segment.parts.stability_grouping import Pieces
from cousins.segment.surfaces.surface import Surface

MIN_WIDTH_TO_HEIGHT = 0.12
"""Smallest width over height of a piece that can stand alone: below it tips at 3.4 degrees."""
MIN_LEVEL_COS = np.cos(np.deg2rad(30.0))
"""Cosine of the steepest supporting face: the friction angle of common materials, tan 30° = 0.58."""
BASE_HEIGHT_M = 0.03
"""Contacts with other pieces within this height of the lowest one are one base [m]."""
END_REACH_M = 0.06
"""Radius around a contact in which the end of a piece is detected [m]: the width of a furniture leg."""
MAX_OVERHANG = 0.35
"""Largest distance of a piece's middle outside its foot, as a share of its level extent: half of it may be hidden."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StabilityModel:
    """Points of a map on which pieces can stand, to test the stability of unions of pieces."""

    surface: Surface
    """The map."""
    members: list[Array]
    """Indices of the points of each piece."""
    on_ground: Array
    """Points on the ground, bool [n]."""
    resting: list[Array]
    """For each piece: its points that rest on a point of another piece, and that point, int64 [m, 2]."""
    labels: Array
    """Piece of each point, int64 [n]."""
    up: Array
    """Unit vector against gravity, float64 [3]."""

    def is_stable(self, pieces: Sequence[int]) -> bool:
        """Return whether a union of pieces can stand on the ground and on pieces outside the union."""
        resting = np.concatenate([self.resting[k] for k in pieces])
        carried_points = resting[~np.isin(self.labels[resting[:, 1]], list(pieces)), 0]
        indices = np.concatenate([self.members[k] for k in pieces])
        points = self.surface.points
        return is_stable(
            points[indices],
            points[indices[self.on_ground[indices]]],
            points[indices[np.isin(indices, carried_points)]],
            self.up,
        )


def describe_map_contacts(
    surface: Surface, labels: Array, normals: Array, height_m: Array, *, voxel_m: float, up: Array
) -> tuple[Pieces, StabilityModel]:
    """Return contacts and supports of the pieces of a map.

    `labels` [n] holds the piece of each point, `normals` [n, 3] their unit normals, `height_m` [n] their height above
    the support [m]; `up` [3] points against gravity.
    """
    count = int(labels.max()) + 1
    a, b = labels[surface.edges].T
    cross = a != b
    u, v = np.concatenate([surface.edges[cross], surface.edges[cross][:, ::-1]]).T
    length = surface.spacing_m
    touching, carried = np.zeros((count, count)), np.zeros((count, count))
    np.add.at(touching, (labels[u], labels[v]), length)
    level = normals @ up
    resting = (height_m[v] <= height_m[u] + 0.5 * voxel_m) & _underside_points(
        surface.points, labels, height_m, voxel_m, up
    )[u]
    near_level = _near_level_points(surface.edges, level > MIN_LEVEL_COS, height_m, voxel_m)
    resting &= (near_level[v] & (level[u] < MIN_LEVEL_COS)) | (
        (level[u] < -MIN_LEVEL_COS) & (level[v] > -MIN_LEVEL_COS)
    )
    np.add.at(carried, (labels[u[resting]], labels[v[resting]]), length)
    pairs = np.stack([u[resting], v[resting]], axis=1)
    footing = StabilityModel(
        surface=surface,
        members=members_by_label(labels),
        on_ground=height_m < 0.015 + voxel_m,
        resting=[pairs[rows] for rows in members_by_label(labels[pairs[:, 0]], count=count)],
        labels=labels,
        up=up,
    )
    pieces = Pieces(
        areas=np.bincount(labels) * voxel_m**2,
        grounded=np.array([footing.is_stable([k]) for k in range(count)], dtype=bool),
        hidden=np.zeros(count, dtype=bool),
        touching=touching,
        carried=carried,
    )
    return pieces, footing


def _near_level_points(edges: Array, is_level: Array, height_m: Array, voxel_m: float) -> Array:
    """Return bool [n]: points within three edges of a level point no higher than them; noise rounds wall feet."""
    a, b = np.concatenate([edges, edges[:, ::-1]]).T
    downward = height_m[b] <= height_m[a] + 0.5 * voxel_m
    a, b = a[downward], b[downward]
    near_level = is_level.copy()
    for _ in range(3):
        near_level[a[near_level[b]]] = True
    return near_level


def members_by_label(labels: Array, *, count: int | None = None) -> list[Array]:
    """Return the indices of the points of each label; `labels` [n] count from 0 to the greatest, or to `count` - 1."""
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(
        labels[order], np.arange((int(labels.max(initial=-1)) + 1 if count is None else count) + 1)
    )
    return [order[a:b] for a, b in itertools.pairwise(bounds)]


def _underside_points(points: Array, labels: Array, height_m: Array, voxel_m: float, up: Array) -> Array:
    """Return bool [n]: points with nothing of their own piece below them, on a grid of half an end's width."""
    cells = np.floor(points @ np.linalg.svd(up[None, :])[2][1:].T / (0.5 * END_REACH_M)).astype(np.int64) + (1 << 20)
    codes = (labels.astype(np.int64) << 42) | (cells[:, 0] << 21) | cells[:, 1]
    unique_codes, inverse = np.unique(codes, return_inverse=True)
    lowest = np.full(len(unique_codes), np.inf)
    np.minimum.at(lowest, inverse.ravel(), height_m)
    lowest_nearby = np.full(len(points), np.inf)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            neighbour_codes = codes + (i << 21) + j
            positions = np.minimum(np.searchsorted(unique_codes, neighbour_codes), len(unique_codes) - 1)
            lowest_nearby = np.minimum(
                lowest_nearby, np.where(unique_codes[positions] == neighbour_codes, lowest[positions], np.inf)
            )
    return np.asarray(height_m < lowest_nearby + 2.0 * voxel_m + 0.01)


def is_stable(points: Array, ground: Array, carried: Array, up: Array) -> bool:
    """Return whether an object of surface points [n, 3] is statically stable on its contact points.

    `ground` [g, 3] are its points on the ground, `carried` [c, 3] those on other objects. It must not be too slender,
    and its middle must lie over its foot. A foot on the ground is grown by a part of the extent, because hidden sides
    are missing from both; one on other objects is visible from all around and is not.
    """
    if len(ground) + len(carried) < 2:
        return False
    level_axes = np.linalg.svd(up[None, :])[2][1:]
    if len(ground) < 2:
        carried = carried[carried @ up < (carried @ up).min() + BASE_HEIGHT_M]
    level_points, base = points @ level_axes.T, np.concatenate([ground, carried]) @ level_axes.T
    height = float(np.ptp(points @ up))
    width = _level_extents(level_points)[0] if len(ground) >= 2 else _level_extents(base)[0]
    return (
        width >= MIN_WIDTH_TO_HEIGHT * height
        and _distance_outside_hull_m(base, level_points.mean(axis=0)) <= MAX_OVERHANG * width
    )


def find_lids(surface: Surface, labels: Array, pieces: Pieces, *, up: Array) -> list[tuple[int, int]]:
    """Return pairs (lower, upper) where the upper piece is the lid of the lower: a narrower round piece in its middle.

    `labels` [n] holds the piece of each point.
    """
    level_axes = np.linalg.svd(up[None, :])[2][1:]
    members = members_by_label(labels)
    pairs = []
    for upper, lower in np.argwhere(pieces.carried > 0.0):
        above, below = surface.points[members[upper]], surface.points[members[lower]]
        if len(above) < 30 or len(below) < 30 or np.ptp(above @ up) > np.ptp(below @ up):
            continue
        small, large = _round_outline(above @ level_axes.T), _round_outline(_upper_points(below, up) @ level_axes.T)
        if small is None or large is None:
            continue
        if np.linalg.norm(small[0] - large[0]) < 0.15 * large[1] and small[1] < 0.85 * large[1]:
            pairs.append((int(lower), int(upper)))
    return pairs


def _upper_points(points: Array, up: Array) -> Array:
    """Return the points of the upper two thirds: the foot may be smeared."""
    height = points @ up
    return points[height > height.min() + np.ptp(height) / 3.0]


def _round_outline(flat: Array) -> tuple[Array, float] | None:
    """Return middle [2] and radius [m] of the outline of level points [n, 2] where it is round, else None."""
    low, high = np.quantile(flat, 0.01, axis=0), np.quantile(flat, 0.99, axis=0)
    middle = 0.5 * (low + high)
    away = flat - middle
    sector = np.floor((np.arctan2(away[:, 1], away[:, 0]) + np.pi) / (2.0 * np.pi) * 16.0).astype(np.int64) % 16
    radius = np.linalg.norm(away, axis=1)
    reach = np.array([np.quantile(radius[sector == k], 0.95) if (sector == k).any() else 0.0 for k in range(16)])
    mean = float(reach.mean())
    return (middle, mean) if mean > 0.0 and np.abs(reach - mean).max() < 0.2 * mean + 0.004 else None


def find_continuations(
    surface: Surface, labels: Array, height_m: Array, pieces: Pieces, *, up: Array
) -> list[tuple[int, int]]:
    """Return pairs (upper, lower) of pieces that meet end on end without a supporting face: one continues the other.

    The upper piece ends downwards at the contact and the lower one upwards, as the halves of a chair leg do. `labels`
    [n] holds the piece of each point, `height_m` [n] its height above the support [m].
    """
    level_points = surface.points @ np.linalg.svd(up[None, :])[2][1:].T
    members = members_by_label(labels)
    a, b = labels[surface.edges].T
    cross = surface.edges[a != b]
    if len(cross) == 0:
        return []
    pairs = np.concatenate([cross, cross[:, ::-1]])
    pair_codes = labels[pairs] @ np.array([len(members), 1])
    order = np.argsort(pair_codes, kind="stable")
    keys, starts = np.unique(pair_codes[order], return_index=True)
    continuations = []
    for key, contact in zip(keys, np.split(pairs[order, 0], starts[1:]), strict=True):
        upper, lower = divmod(int(key), len(members))
        if pieces.carried[upper, lower] >= 0.25 * pieces.touching[upper, lower]:
            continue
        middle, height = np.median(level_points[contact], axis=0), float(np.median(height_m[contact]))
        above, below = (
            height_m[piece][np.linalg.norm(level_points[piece] - middle, axis=1) < END_REACH_M]
            for piece in (members[upper], members[lower])
        )
        is_upper_end = above.size > 0 and (above > height - 0.5 * END_REACH_M).mean() > 0.95
        if is_upper_end and below.size > 0 and (below < height + 0.5 * END_REACH_M).mean() > 0.95:
            continuations.append((upper, lower))
    return continuations


def find_enclosed(
    points: Array, normals: Array, labels: Array, pieces: Pieces, *, voxel_m: float
) -> list[tuple[int, int]]:
    """Return pairs (outside, inside): a piece in the hull of another that it touches, concave or a layer of it.

    The inside of a bowl joins its outside, and an apple in the bowl stays separate. `points` [n, 3] [m], `normals`
    [n, 3], and `labels` [n] with the piece of each point.
    """
    members = members_by_label(labels)
    pairs = []
    for outside in np.argsort(-pieces.areas, kind="stable"):
        neighbours = np.flatnonzero(pieces.touching[outside] > 0.0)
        shell = points[members[outside]]
        if len(neighbours) == 0 or len(shell) < 30:
            continue
        try:
            sides = ConvexHull(shell).equations
        except QhullError:
            continue
        for k in neighbours:
            piece_points = points[members[k]]
            depth = -(piece_points @ sides[:, :3].T + sides[:, 3]).max(axis=1)
            is_skin = float(np.median(depth)) < 1.5 * voxel_m
            if (depth > -0.5 * voxel_m).mean() > 0.9 and (
                is_skin or _mean_inward_cosine(piece_points, normals[members[k]]) > -0.1
            ):
                pairs.append((int(outside), int(k)))
    return pairs


def _mean_inward_cosine(points: Array, normals: Array) -> float:
    inward = points.mean(axis=0) - points
    inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9)
    return float(np.einsum("ij,ij->i", inward, normals).mean())


def _level_extents(flat: Array) -> tuple[float, float]:
    """Return the least and greatest extent [m] of level points [n, 2] over 5 degree steps."""
    angles = np.deg2rad(np.arange(0.0, 180.0, 5.0))
    along = flat @ np.stack([np.cos(angles), np.sin(angles)])
    extents = np.quantile(along, 0.98, axis=0) - np.quantile(along, 0.02, axis=0)
    return float(extents.min()), float(extents.max())


def _distance_outside_hull_m(base: Array, point: Array) -> float:
    """Return how far [m] a point [2] lies outside the convex hull of base points [n, 2]; 0 inside."""
    try:
        equations = ConvexHull(base).equations
        return float(max(0.0, (equations[:, :2] @ point + equations[:, 2]).max()))
    except (QhullError, ValueError):
        return float(np.linalg.norm(base - point, axis=1).min())
