"""Convex pieces as half-spaces: where lines run through them, and what lies on their surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array, transform
from cousins.reconstruct.assets import Asset

MOST_CELLS: Final = 2_000_000
"""Lines times planes that are worked on at a time, so that memory stays flat."""
PARALLEL: Final = 1e-9
"""A line whose direction has a smaller part along a plane's normal runs beside it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hulls:
    """Convex pieces in the asset's frame, joints at 0."""

    normals: Array
    """Outward unit normals of all planes, hull after hull, float64 [p, 3]."""
    offsets: Array
    """Largest `normal · point` inside by plane [m], float64 [p]."""
    starts: Array
    """First plane of each hull, int64 [h]."""
    links: Array
    """Number of the link that each hull belongs to, int64 [h]."""
    points: tuple[Array, ...]
    """Corners of each hull [m], float64 [n, 3]."""
    triangles: Array
    """Surface of all hulls [m], float64 [t, 3, 3]."""
    owners: Array
    """Hull of each triangle, int64 [t]."""

    @property
    def low(self) -> Array:
        """Lowest coordinates of the asset [m], float64 [3]."""
        return np.asarray(np.min([points.min(axis=0) for points in self.points], axis=0))

    @property
    def high(self) -> Array:
        """Highest coordinates of the asset [m], float64 [3]."""
        return np.asarray(np.max([points.max(axis=0) for points in self.points], axis=0))


def hulls_of(asset: Asset) -> Hulls:
    """Return the collision pieces of an asset, joints at 0."""
    poses = link_poses(asset)
    normals, offsets, points, triangles, links = [], [], [], [], []
    for number, link in enumerate(asset.links):
        for piece in link.pieces:
            corners = transform(poses[link.name], np.asarray(piece.mesh.vertices, dtype=np.float64))
            faces = corners[np.asarray(piece.mesh.faces, dtype=np.int64)]
            directions = _directions(faces)
            normals.append(directions)
            offsets.append((directions @ corners.T).max(axis=1))
            points.append(corners)
            triangles.append(faces)
            links.append(number)
    counts = [len(part) for part in normals]
    return Hulls(
        normals=np.concatenate(normals),
        offsets=np.concatenate(offsets),
        starts=np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64),
        links=np.array(links),
        points=tuple(points),
        triangles=np.concatenate(triangles),
        owners=np.repeat(np.arange(len(triangles)), [len(part) for part in triangles]),
    )


def link_poses(asset: Asset) -> dict[str, Array]:
    """Return `asset_from_link` [4, 4] by link name, joints at 0; the joints are a tree."""
    poses = {asset.links[0].name: np.eye(4)}
    waiting = list(asset.joints)
    while waiting:
        ready = [joint for joint in waiting if joint.parent in poses]
        if not ready:
            break
        poses |= {joint.child: poses[joint.parent] @ joint.parent_from_child for joint in ready}
        waiting = [joint for joint in waiting if joint not in ready]
    return poses


def clip(hulls: Hulls, origins: Array, directions: Array, *, grown_m: float = 0.0) -> tuple[Array, Array]:
    """Return where lines [r, 3] enter and leave each hull [r, h] [m]; they miss it where they leave before they enter.

    `grown_m` moves all planes outward.
    """
    entries, exits = [], []
    step = max(1, MOST_CELLS // max(1, len(hulls.offsets)))
    for start in range(0, len(origins), step):
        room = hulls.offsets + grown_m - origins[start : start + step] @ hulls.normals.T
        speed = directions[start : start + step] @ hulls.normals.T
        beside = np.abs(speed) <= PARALLEL
        with np.errstate(divide="ignore", invalid="ignore"):
            time = room / speed
        entering = np.where(speed < 0.0, time, -np.inf)
        entering[beside] = np.where(room[beside] < 0.0, np.inf, -np.inf)
        leaving = np.where((speed > 0.0) & ~beside, time, np.inf)
        entries.append(np.maximum.reduceat(entering, hulls.starts, axis=1))
        exits.append(np.minimum.reduceat(leaving, hulls.starts, axis=1))
    empty = np.zeros((0, len(hulls.starts)))
    return np.concatenate(entries or [empty]), np.concatenate(exits or [empty])


def blocked(hulls: Hulls, origins: Array, directions: Array, *, grown_m: float = 0.0) -> Array:
    """Return which rays [r, 3] meet a hull at or after their origin, bool [r]."""
    enter, leave = clip(hulls, origins, directions, grown_m=grown_m)
    return np.asarray(((leave > enter) & (leave > 0.0)).any(axis=1))


def inside_any(hulls: Hulls, points: Array) -> Array:
    """Return which points [k, 3] lie inside a hull, bool [k]."""
    beyond = points @ hulls.normals.T - hulls.offsets
    return np.asarray((np.maximum.reduceat(beyond, hulls.starts, axis=1) < 0.0).any(axis=1))


def meets_sweep(hulls: Hulls, ends: Array, frames: Array, size_m: tuple[float, float], *, grown_m: float) -> Array:
    """Return which rectangles meet a hull on their straight way from afar to where they end, bool [k].

    `ends` are their middles [k, 3], `frames` [k, 3, 3] the unit directions of their length, width and way as rows,
    `size_m` length and width. Hulls are grown by `grown_m`. What separates is looked for among the directions of the
    box and the planes of the hull; a meeting of two slanted edges may be seen where there is none, never the reverse.
    """
    reach = 4.0 * float(np.linalg.norm(hulls.high - hulls.low)) + 1.0
    along = np.abs(frames[:, 0] @ hulls.normals.T) * (0.5 * size_m[0])
    along += np.abs(frames[:, 1] @ hulls.normals.T) * (0.5 * size_m[1])
    nearest = ends @ hulls.normals.T - along - reach * np.maximum(frames[:, 2] @ hulls.normals.T, 0.0)
    apart = np.maximum.reduceat(nearest - hulls.offsets, hulls.starts, axis=1) > grown_m
    corners = np.concatenate(hulls.points)
    starts = np.cumsum([0] + [len(points) for points in hulls.points[:-1]])
    for row, half in ((0, 0.5 * size_m[0]), (1, 0.5 * size_m[1]), (2, 0.0)):
        places = frames[:, row] @ corners.T - np.einsum("kc,kc->k", frames[:, row], ends)[:, None]
        apart |= np.minimum.reduceat(places, starts, axis=1) > half + grown_m
        if row < 2:
            apart |= np.maximum.reduceat(places, starts, axis=1) < -half - grown_m
    return np.asarray(~apart.all(axis=1))


def normals_at(hulls: Hulls, points: Array, owners: Array) -> Array:
    """Return the outward normal of a hull [k] at the point of its surface that is given [k, 3]."""
    inside = points @ hulls.normals.T - hulls.offsets
    planes = np.repeat(np.arange(len(hulls.starts)), np.diff([*hulls.starts, len(hulls.offsets)]))
    nearest = np.where(planes[None, :] == owners[:, None], inside, -np.inf).argmax(axis=1)
    return np.asarray(hulls.normals[nearest])


def center_of(hulls: Hulls) -> Array:
    """Return the centre of volume [m] [3]; where hulls overlap the volume counts twice."""
    middle = hulls.triangles.mean(axis=(0, 1))
    a, b, c = np.moveaxis(hulls.triangles - middle, 1, 0)
    volumes = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6.0
    total = float(volumes.sum())
    return np.asarray(middle + (volumes[:, None] * (a + b + c) / 4.0).sum(axis=0) / total if total > 0.0 else middle)


def surface_samples(hulls: Hulls, count: int, owned: Array) -> tuple[Array, Array, Array]:
    """Return points [k, 3], outward normals [k, 3] and owners [k] spread over the hulls of `owned` [h].

    Half of them by area, half the same number for each hull, so that a small handle is not missed. The places
    are those of a low-discrepancy sequence: no chance is in them.
    """
    triangles = np.flatnonzero(owned[hulls.owners])
    corners = hulls.triangles[triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(cross, axis=1)
    by_hull = np.bincount(hulls.owners[triangles], weights=areas, minlength=len(hulls.starts))
    owners = hulls.owners[triangles]
    fair = areas / areas.sum() + areas / np.maximum(by_hull[owners], 1e-30) / max(1, int(owned.sum()))
    cumulated = np.cumsum(fair) / fair.sum()
    at = np.minimum(np.searchsorted(cumulated, (np.arange(count) + 0.5) / count), len(triangles) - 1)
    u, v = np.arange(count) * 0.7548776662466927 % 1.0, np.arange(count) * 0.5698402909980532 % 1.0
    u, v = np.where(u + v > 1.0, 1.0 - u, u), np.where(u + v > 1.0, 1.0 - v, v)
    picked = corners[at]
    points = picked[:, 0] + u[:, None] * (picked[:, 1] - picked[:, 0]) + v[:, None] * (picked[:, 2] - picked[:, 0])
    return points, cross[at] / np.maximum(areas[at], 1e-30)[:, None], owners[at]


def _directions(faces: Array) -> Array:
    """Return the distinct outward unit normals of triangles [t, 3, 3]."""
    cross = np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])
    lengths = np.linalg.norm(cross, axis=1)
    real = lengths > 1e-14
    units = cross[real] / lengths[real, None]
    _, first = np.unique(np.round(units, 5), axis=0, return_index=True)
    return np.asarray(units[np.sort(first)])
