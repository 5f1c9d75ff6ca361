"""Footprints of bodies: each convex piece as a convex outline in the horizontal plane with its height interval.

Two bodies whose outlines are disjoint wherever their height intervals meet cannot overlap. The test is conservative,
needs no physics engine and takes microseconds, so that thousands of layouts can be tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from scipy.spatial import ConvexHull, QhullError

from cousins.geometry import Array, transform
from cousins.reconstruct.assets import Asset, Piece
from cousins.scene.layout.collision_bodies import piece_hull
from cousins.scene.scenes import Structure
from cousins.vary.placement.joint_sweeps import link_poses_at

ENDLESS_HEIGHT_M: Final = 1e3
"""Height that counts as unbounded [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Footprint:
    """Outlines and height intervals of the convex pieces of a body, in a frame with z up."""

    points: Array
    """Corners of all outlines, counter-clockwise, float64 [n, 2] [m]."""
    starts: Array
    """First corner of each outline, and the end of the last, int64 [k + 1]."""
    heights: Array
    """Lowest and highest point of each piece, float64 [k, 2] [m]."""

    @property
    def bottom_m(self) -> float:
        """Lowest point [m]."""
        return float(self.heights[:, 0].min())

    @property
    def top_m(self) -> float:
        """Highest point [m]."""
        return float(self.heights[:, 1].max())

    @property
    def radius_m(self) -> float:
        """Distance of the farthest corner from the frame's z axis [m]."""
        return float(np.sqrt((self.points**2).sum(axis=1).max()))

    def transformed(self, x_m: float, y_m: float, yaw_rad: float, z_m: float) -> Footprint:
        """Return the footprint rotated about z [rad] and translated [m]."""
        c, s = math.cos(yaw_rad), math.sin(yaw_rad)
        points = self.points @ np.array([[c, s], [-s, c]])
        points += (x_m, y_m)
        return Footprint(points=points, starts=self.starts, heights=self.heights + z_m)


def footprint_of_asset(asset: Asset, rotation: Array, *, joints: dict[str, float] | None = None) -> Footprint:
    """Return the footprint of an asset rotated by [3, 3] about its origin; `joints` are joint positions by name."""
    poses = link_poses_at(asset, joints or {})
    points = [
        transform(poses[link.name], _corners(piece)) @ rotation.T for link in asset.links for piece in link.pieces
    ]
    return footprint_of_points(points)


def footprint_of_structure(structure: Structure) -> Footprint:
    """Return the footprint of a structure in the world."""
    return footprint_of_points([_corners(piece) for piece in structure.pieces])


def rectangle_footprint(
    center_m: tuple[float, float], half_m: tuple[float, float], yaw_rad: float, heights_m: tuple[float, float]
) -> Footprint:
    """Return the footprint of a box, given by centre, half extents, yaw and height interval."""
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) * np.array(half_m)
    footprint = Footprint(points=corners, starts=np.array([0, 4]), heights=np.array([heights_m]))
    return footprint.transformed(center_m[0], center_m[1], yaw_rad, 0.0)


def footprint_of_points(pieces: list[Array]) -> Footprint:
    """Return the footprint of convex pieces, each given by its corners [n, 3]."""
    outlines = [_outline(points[:, :2]) for points in pieces]
    return Footprint(
        points=np.concatenate(outlines),
        starts=np.cumsum([0] + [len(outline) for outline in outlines]),
        heights=np.array([[points[:, 2].min(), points[:, 2].max()] for points in pieces]),
    )


def merge_footprints(footprints: list[Footprint]) -> Footprint:
    """Return one footprint with the outlines of several."""
    sizes = [len(footprint.points) for footprint in footprints]
    offsets = np.cumsum([0, *sizes])
    starts = [footprint.starts[:-1] + offset for footprint, offset in zip(footprints, offsets[:-1], strict=True)]
    return Footprint(
        points=np.concatenate([footprint.points for footprint in footprints]),
        starts=np.concatenate([*starts, offsets[-1:]]),
        heights=np.concatenate([footprint.heights for footprint in footprints]),
    )


def have_clearance(first: Footprint, second: Footprint, *, gap_m: float) -> bool:
    """Return whether two bodies are separated by a gap [m] wherever their height intervals meet."""
    return bool(
        _have_clearance(
            first.points,
            first.starts,
            first.heights,
            second.points,
            second.starts,
            second.heights,
            gap_m,
        )
    )


def distance_m(first: Footprint, second: Footprint) -> float:
    """Return the horizontal distance of two footprints [m], 0 where outlines meet; heights are ignored."""
    return float(_distance(first.points, first.starts, second.points, second.starts))


def covers(region: Footprint, footprint: Footprint) -> bool:
    """Return whether every corner of a footprint lies inside some outline of a region."""
    return bool(_covers(region.points, region.starts, footprint.points))


def _corners(piece: Piece) -> Array:
    return piece.mesh.vertices if piece.kind == "mesh" else piece_hull(piece).points


def _outline(points: Array) -> Array:
    try:
        return np.ascontiguousarray(points[ConvexHull(points).vertices])
    except QhullError:
        low, high = points.min(axis=0) - 1e-6, points.max(axis=0) + 1e-6
        return np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])


@njit(cache=True)
def _have_clearance(p, ps, ph, q, qs, qh, gap):  # type: ignore[no-untyped-def]
    if _boxes_apart(p, q, gap):
        return True
    for i in range(len(ps) - 1):
        for j in range(len(qs) - 1):
            if ph[i, 0] > qh[j, 1] or qh[j, 0] > ph[i, 1]:
                continue
            a, b = p[ps[i] : ps[i + 1]], q[qs[j] : qs[j + 1]]
            if _gap_by_edges(a, b) < gap and _gap_by_edges(b, a) < gap:
                return False
    return True


@njit(cache=True)
def _boxes_apart(p, q, gap):  # type: ignore[no-untyped-def]
    for axis in range(2):
        low, high = p[0, axis], p[0, axis]
        for k in range(1, len(p)):
            low, high = min(low, p[k, axis]), max(high, p[k, axis])
        below, above = True, True
        for k in range(len(q)):
            below = below and q[k, axis] <= low - gap
            above = above and q[k, axis] >= high + gap
        if below or above:
            return True
    return False


@njit(cache=True)
def _gap_by_edges(a, b):  # type: ignore[no-untyped-def]
    best = -1e30
    n = len(a)
    for i in range(n):
        x, y = a[i, 0], a[i, 1]
        ex, ey = a[(i + 1) % n, 0] - x, a[(i + 1) % n, 1] - y
        length = np.sqrt(ex * ex + ey * ey)
        if length < 1e-12:
            continue
        nx, ny = ey / length, -ex / length
        low = 1e30
        for k in range(len(b)):
            value = (b[k, 0] - x) * nx + (b[k, 1] - y) * ny
            if value < low:
                low = value
        if low > best:
            best = low
    return best


@njit(cache=True)
def _distance(p, ps, q, qs):  # type: ignore[no-untyped-def]
    best = 1e30
    for i in range(len(ps) - 1):
        for j in range(len(qs) - 1):
            a, b = p[ps[i] : ps[i + 1]], q[qs[j] : qs[j + 1]]
            gap = max(_gap_by_edges(a, b), _gap_by_edges(b, a))
            if gap >= best:
                continue
            if gap <= 0.0:
                return 0.0
            best = min(best, min(_corner_distance(a, b), _corner_distance(b, a)))
    return best


@njit(cache=True)
def _corner_distance(a, b):  # type: ignore[no-untyped-def]
    best = 1e30
    n = len(b)
    for k in range(len(a)):
        for i in range(n):
            x, y = b[i, 0], b[i, 1]
            ex, ey = b[(i + 1) % n, 0] - x, b[(i + 1) % n, 1] - y
            square = ex * ex + ey * ey
            t = 0.0 if square < 1e-24 else ((a[k, 0] - x) * ex + (a[k, 1] - y) * ey) / square
            t = min(1.0, max(0.0, t))
            dx, dy = a[k, 0] - x - t * ex, a[k, 1] - y - t * ey
            best = min(best, dx * dx + dy * dy)
    return np.sqrt(best)


@njit(cache=True)
def _covers(region, starts, points):  # type: ignore[no-untyped-def]
    for k in range(len(points)):
        is_covered = False
        for i in range(len(starts) - 1):
            a = region[starts[i] : starts[i + 1]]
            inside = True
            n = len(a)
            for j in range(n):
                ex, ey = a[(j + 1) % n, 0] - a[j, 0], a[(j + 1) % n, 1] - a[j, 1]
                if ex * (points[k, 1] - a[j, 1]) - ey * (points[k, 0] - a[j, 0]) < 0.0:
                    inside = False
                    break
            if inside:
                is_covered = True
                break
        if not is_covered:
            return False
    return True
