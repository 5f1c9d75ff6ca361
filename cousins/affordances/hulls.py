"""Convex pieces as half-spaces: ray clipping, swept-box collision tests and surface sampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.geometry import Array, transform
from cousins.reconstruct.assets import Asset

MAX_CELLS: Final = 2_000_000
"""Most lines times planes per batch, which bounds the memory."""
PARALLEL_TOLERANCE: Final = 1e-9
"""A line is parallel to a plane below this absolute cosine with the plane's normal."""


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
    """Index of the link that each hull belongs to, int64 [h]."""
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
    """Return the collision pieces of an asset as half-spaces, joints at 0."""
    poses = link_poses(asset)
    normals, offsets, points, triangles, links = [], [], [], [], []
    for number, link in enumerate(asset.links):
        for piece in link.pieces:
            corners = transform(poses[link.name], np.asarray(piece.mesh.vertices, dtype=np.float64))
            faces = corners[np.asarray(piece.mesh.faces, dtype=np.int64)]
            directions = _distinct_normals(faces)
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
    """Return `asset_from_link` [4, 4] by link name, joints at 0; the joints must form a tree."""
    poses = {asset.links[0].name: np.eye(4)}
    waiting = list(asset.joints)
    while waiting:
        ready = [joint for joint in waiting if joint.parent in poses]
        if not ready:
            break
        poses |= {joint.child: poses[joint.parent] @ joint.parent_from_child for joint in ready}
        waiting = [joint for joint in waiting if joint not in ready]
    return poses


def clip_lines(hulls: Hulls, origins: Array, directions: Array, *, grown_m: float = 0.0) -> tuple[Array, Array]:
    """Return where lines [r, 3] enter and leave each hull [r, h] [m]; a line that leaves before it enters misses it.

    `grown_m` offsets all planes outward.
    """
    entries, exits = [], []
    step = max(1, MAX_CELLS // max(1, len(hulls.offsets)))
    for start in range(0, len(origins), step):
        room = hulls.offsets + grown_m - origins[start : start + step] @ hulls.normals.T
        speed = directions[start : start + step] @ hulls.normals.T
        is_parallel = np.abs(speed) <= PARALLEL_TOLERANCE
        with np.errstate(divide="ignore", invalid="ignore"):
            time = room / speed
        entering = np.where(speed < 0.0, time, -np.inf)
        entering[is_parallel] = np.where(room[is_parallel] < 0.0, np.inf, -np.inf)
        leaving = np.where((speed > 0.0) & ~is_parallel, time, np.inf)
        entries.append(np.maximum.reduceat(entering, hulls.starts, axis=1))
        exits.append(np.minimum.reduceat(leaving, hulls.starts, axis=1))
    empty = np.zeros((0, len(hulls.starts)))
    return np.concatenate(entries or [empty]), np.concatenate(exits or [empty])


def rays_blocked(hulls: Hulls, origins: Array, directions: Array, *, grown_m: float = 0.0) -> Array:
    """Return which rays [r, 3] intersect a hull at or after their origin, bool [r]."""
    enter, leave = clip_lines(hulls, origins, directions, grown_m=grown_m)
    return np.asarray(((leave > enter) & (leave > 0.0)).any(axis=1))


def points_inside(hulls: Hulls, points: Array) -> Array:
    """Return which points [k, 3] lie inside a hull, bool [k]."""
    beyond = points @ hulls.normals.T - hulls.offsets
    return np.asarray((np.maximum.reduceat(beyond, hulls.starts, axis=1) < 0.0).any(axis=1))


def sweep_collides(hulls: Hulls, ends: Array, frames: Array, size_m: tuple[float, float], *, grown_m: float) -> Array:
    """Return which rectangles collide with a hull while they are swept along a line to their end positions, bool [k].

    `ends` are the centres at the end [k, 3], `frames` [k, 3, 3] the unit directions of length, width and motion as
    rows, `size_m` length and width. Hulls are enlarged by `grown_m`. Separating axes are searched among the directions
    of the box and the planes of the hull, so that the test is conservative for edge-edge contacts.
    """
    reach = 4.0 * float(np.linalg.norm(hulls.high - hulls.low)) + 1.0
    along = np.abs(frames[:, 0] @ hulls.normals.T) * (0.5 * size_m[0])
    along += np.abs(frames[:, 1] @ hulls.normals.T) * (0.5 * size_m[1])
    nearest = ends @ hulls.normals.T - along - reach * np.maximum(frames[:, 2] @ hulls.normals.T, 0.0)
    is_separated = np.maximum.reduceat(nearest - hulls.offsets, hulls.starts, axis=1) > grown_m
    corners = np.concatenate(hulls.points)
    starts = np.cumsum([0] + [len(points) for points in hulls.points[:-1]])
    for row, half in ((0, 0.5 * size_m[0]), (1, 0.5 * size_m[1]), (2, 0.0)):
        positions = frames[:, row] @ corners.T - np.einsum("kc,kc->k", frames[:, row], ends)[:, None]
        is_separated |= np.minimum.reduceat(positions, starts, axis=1) > half + grown_m
        if row < 2:
            is_separated |= np.maximum.reduceat(positions, starts, axis=1) < -half - grown_m
    return np.asarray(~is_separated.all(axis=1))


def normals_at(hulls: Hulls, points: Array, owners: Array) -> Array:
    """Return the outward normals [k, 3] of the hulls `owners` [k] at points on their surfaces [k, 3]."""
    inside = points @ hulls.normals.T - hulls.offsets
    planes = np.repeat(np.arange(len(hulls.starts)), np.diff([*hulls.starts, len(hulls.offsets)]))
    nearest = np.where(planes[None, :] == owners[:, None], inside, -np.inf).argmax(axis=1)
    return np.asarray(hulls.normals[nearest])


def volume_center(hulls: Hulls) -> Array:
    """Return the centre of volume [3] [m]; overlapping volume counts twice."""
    middle = hulls.triangles.mean(axis=(0, 1))
    a, b, c = np.moveaxis(hulls.triangles - middle, 1, 0)
    volumes = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6.0
    total = float(volumes.sum())
    return np.asarray(middle + (volumes[:, None] * (a + b + c) / 4.0).sum(axis=0) / total if total > 0.0 else middle)


def surface_samples(hulls: Hulls, count: int, hull_mask: Array) -> tuple[Array, Array, Array]:
    """Return points [k, 3], outward normals [k, 3] and owners [k] spread over the hulls in `hull_mask` [h].

    Half of the density is by area and half is equal for each hull, so that a small handle is not missed. The points
    are deterministic: they follow a low-discrepancy sequence.
    """
    triangles = np.flatnonzero(hull_mask[hulls.owners])
    corners = hulls.triangles[triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(cross, axis=1)
    by_hull = np.bincount(hulls.owners[triangles], weights=areas, minlength=len(hulls.starts))
    owners = hulls.owners[triangles]
    weights = areas / areas.sum() + areas / np.maximum(by_hull[owners], 1e-30) / max(1, int(hull_mask.sum()))
    cumulated = np.cumsum(weights) / weights.sum()
    indices = np.minimum(np.searchsorted(cumulated, (np.arange(count) + 0.5) / count), len(triangles) - 1)
    u, v = np.arange(count) * 0.7548776662466927 % 1.0, np.arange(count) * 0.5698402909980532 % 1.0
    u, v = np.where(u + v > 1.0, 1.0 - u, u), np.where(u + v > 1.0, 1.0 - v, v)
    picked = corners[indices]
    points = picked[:, 0] + u[:, None] * (picked[:, 1] - picked[:, 0]) + v[:, None] * (picked[:, 2] - picked[:, 0])
    return points, cross[indices] / np.maximum(areas[indices], 1e-30)[:, None], owners[indices]


def _distinct_normals(faces: Array) -> Array:
    """Return the distinct outward unit normals of triangles [t, 3, 3]."""
    cross = np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])
    lengths = np.linalg.norm(cross, axis=1)
    is_valid = lengths > 1e-14
    units = cross[is_valid] / lengths[is_valid, None]
    _, first = np.unique(np.round(units, 5), axis=0, return_index=True)
    return np.asarray(units[np.sort(first)])
