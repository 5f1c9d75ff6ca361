"""The rim of a flat patch: where it ends at free space, and where something joins or hides it.

A board in a shelf, the side of a bin and a wall behind a basket end at other surfaces, behind something nearer or
outside of all views. The face of a box ends at edges over which the frames look. This separates structure of
small area from the faces of objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, Delaunay, cKDTree

from cousins.capture.captures import Frame
from cousins.fusion.point_observations import count_observations
from cousins.geometry import Array
from cousins.segment.structure.plane_fitting import PlanePatch
from cousins.segment.structure.planes import PlaneConfig, plane_basis
from cousins.segment.structure.samples import AREA_CELL_M, DepthSamples

OPENING_CELL_M = 0.1
"""Distance between the points at which a wall's outline is asked for openings [m]."""
MAX_RIM_FRAMES = 60
"""Largest number of frames that are asked, evenly over the capture."""
TOLERANCE_M = 0.02
"""A depth within this, and `TOLERANCE_PER_M` of it, of a rim's point measured the point [m]."""
TOLERANCE_PER_M = 0.01
"""Growth of the tolerance with depth."""
JOIN_REACH_M = 0.07
"""Surface this near to a rim's point joins the patch [m]: a grid cell's diagonal."""
MIN_RISE_M = 0.015
"""Least height of such surface over the plane [m], above the noise of its own points."""
MIN_FALL_M = 0.03
"""Least depth of surface behind the plane [m], more than the thickness of boards."""
MAX_JOIN_COS = np.cos(np.deg2rad(40.0))
"""Largest cosine between the normals of the patch and of what joins it: 40 degrees."""
MAX_SCATTER_SIGMAS = 1.5
"""Largest scatter of structure of small area about its plane, relative to the depth noise at its range."""
MIN_SIDE_M = 0.1
"""Least width of structure of small area [m]."""
MIN_JOIN_POINTS = 3
"""Fewest sampled points that make such surface."""


@dataclass(frozen=True, kw_only=True)
class RimShares:
    """What lies at the rim of a patch, each a share of the rim's length."""

    free: float
    """Beyond it frames look into free space."""
    joined: float
    """Surface of another direction rises from the plane there."""
    falling: float
    """Surface of another direction falls away behind the plane there, and none rises: the edge of a thick body."""


def rim_shares(patches: Sequence[PlanePatch], samples: DepthSamples, frames: Sequence[Frame]) -> list[RimShares]:
    """Return what lies at the rim of each patch.

    Holes within a patch have no rim: what stands on a board makes them.
    """
    rims = [rim_points(patch) for patch in patches]
    if not rims:
        return []
    is_free = _are_looked_through(np.concatenate(rims), frames)
    ends = np.cumsum([len(rim) for rim in rims])[:-1]
    tree = cKDTree(samples.points)
    shares = []
    for patch, rim, free in zip(patches, rims, np.split(is_free, ends), strict=True):
        rises, falls = _side_surfaces(patch, rim, samples, tree)
        shares.append(RimShares(free=float(free.mean()), joined=float(rises.mean()), falling=float(falls.mean())))
    return shares


def is_bordered(patch: PlanePatch, rim: RimShares, config: PlaneConfig) -> bool:
    """Return whether a patch is wide enough over its noise and other surface borders it enough for structure."""
    if patch.area_m2 < config.min_joined_m2 or patch.fit.scatter_m > MAX_SCATTER_SIGMAS * patch.sigma_m:
        return False
    if patch_sides(patch)[0] < max(MIN_SIDE_M, config.min_side_scatters * patch.fit.scatter_m):
        return False
    max_free = config.max_free_panel_rim if rim.falling <= config.max_open_rim else config.max_free_rim
    is_inside_corner = rim.free <= max_free and rim.joined >= config.min_joined_rim
    return is_inside_corner or (rim.free <= config.max_open_rim <= rim.joined)


def patch_sides(patch: PlanePatch) -> Array:
    """Return the extents of a patch along its principal axes, the shorter one first [m], float64 [2]."""
    flat = patch.points @ plane_basis(patch.fit.normal).T
    _, axes = np.linalg.eigh(np.cov(flat.T))
    low, high = np.quantile(flat @ axes, [0.02, 0.98], axis=0)
    return np.sort(high - low)


def _side_surfaces(patch: PlanePatch, rim: Array, samples: DepthSamples, tree: cKDTree) -> tuple[Array, Array]:
    """Return which points [n, 3] of a rim lie where surface of another direction rises, and where it falls away [n]."""
    rises, falls = np.zeros(len(rim), dtype=bool), np.zeros(len(rim), dtype=bool)
    for number, near in enumerate(tree.query_ball_point(rim, JOIN_REACH_M, return_sorted=True)):
        over = samples.points[near] @ patch.fit.normal - patch.fit.offset_m
        over = over[np.abs(samples.normals[near] @ patch.fit.normal) < MAX_JOIN_COS]
        rises[number] = (over > MIN_RISE_M).sum() >= MIN_JOIN_POINTS
        falls[number] = not rises[number] and (over < -MIN_FALL_M).sum() >= MIN_JOIN_POINTS
    return rises, falls


def open_share(patch: PlanePatch, frames: Sequence[Frame]) -> float:
    """Return the share of the patch's convex outline that frames look through, 0 to 1."""
    basis = plane_basis(patch.fit.normal)
    flat = patch.points @ basis.T
    low, high = flat.min(axis=0), flat.max(axis=0)
    x, y = (np.arange(start, stop + OPENING_CELL_M, OPENING_CELL_M) for start, stop in zip(low, high, strict=True))
    cells = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    cells = cells[Delaunay(flat[ConvexHull(flat).vertices]).find_simplex(cells) >= 0]
    points = cells @ basis + patch.fit.offset_m * patch.fit.normal
    return float(_are_looked_through(points, frames).mean()) if len(points) else 0.0


def measured_and_through(points: Array, frames: Sequence[Frame]) -> tuple[Array, Array]:
    """Return how many frames measured a surface at points [n, 3], and how many looked through them, int64 [n]."""
    return count_observations(
        points,
        frames[:: max(1, -(-len(frames) // MAX_RIM_FRAMES))],
        tolerance_m=TOLERANCE_M,
        tolerance_per_m=TOLERANCE_PER_M,
        min_confidence=1,
    )


def _are_looked_through(points: Array, frames: Sequence[Frame]) -> Array:
    """Return which points [n, 3] more frames look through than measured [n]."""
    measured, through = measured_and_through(points, frames)
    return np.asarray(through > measured)


def rim_points(patch: PlanePatch) -> Array:
    """Return points [n, 3] on the patch's plane just outside of it: the cells of a 5 cm grid beside its own."""
    basis = plane_basis(patch.fit.normal)
    flat = patch.points @ basis.T
    low = flat.min(axis=0)
    cells = np.floor((flat - low) / AREA_CELL_M).astype(np.int64) + 3
    grid = np.zeros(cells.max(axis=0) + 4, dtype=bool)
    grid[cells[:, 0], cells[:, 1]] = True
    filled = ndimage.binary_fill_holes(ndimage.binary_closing(grid))
    rim = ndimage.binary_dilation(filled, structure=np.ones((3, 3), dtype=bool)) & ~filled
    corners = (np.argwhere(rim) - 3 + 0.5) * AREA_CELL_M + low
    return np.asarray(corners @ basis + patch.fit.offset_m * patch.fit.normal)
