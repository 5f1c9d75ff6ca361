"""Flatten the top of a supporting object under the object that stands on it.

A measured top is rough by the noise of the depth sensor, and what stands on rough convex pieces rocks. But the thing
on it did stand still, so where the top is flat within noise, it is made flat.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import trimesh

from cousins.geometry import Array, invert, transform
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Link, Piece
from cousins.reconstruct.kinematics import asset_from_links
from cousins.scene.layout.collision_bodies import CollisionBody, asset_body, piece_hull
from cousins.scene.layout.minkowski import Hull
from cousins.scene.scenes import PlacedAsset

DEPTH_NOISE_M: Final = 0.01
"""A top is flat whose heights lie within this [m]: three sigmas of a phone's depth noise."""
GRID_POINTS: Final = 9
"""Points across what stands on a top, along each side, at which its height is taken."""
FOOT_HEIGHT_M: Final = 0.01
"""What of an object is this little above its lowest point stands on something [m]."""
MIN_COVERED_FRACTION: Final = 0.5
"""Share of these points that must lie over the top; something may stick out beyond it."""


def with_flat_top(carrier: PlacedAsset, upper: CollisionBody) -> PlacedAsset | None:
    """Return the carrier with the corners of its top under a body at one height, None where the top is not flat.

    Corners in the upper half of a convex piece go up or down by at most `DEPTH_NOISE_M`; primitives are flat already.
    """
    body = asset_body(carrier.asset).transformed(carrier.world_from_asset)
    heights = _heights_below(body, upper)
    is_covered = np.isfinite(heights)
    if is_covered.mean() < MIN_COVERED_FRACTION:
        return None
    low, level, high = np.percentile(heights[is_covered], [5.0, 80.0, 95.0])
    if high - low > DEPTH_NOISE_M:
        return None
    poses = asset_from_links(carrier.asset)
    links = tuple(
        replace(link, pieces=_flatten_pieces(link, carrier.world_from_asset @ poses[link.name], float(level)))
        for link in carrier.asset.links
    )
    if all(new is old for a, b in zip(links, carrier.asset.links, strict=True) for new, old in _piece_pairs(a, b)):
        return None
    completions = (*carrier.asset.completions, "flat top")
    return replace(carrier, asset=replace(carrier.asset, links=links, completions=completions))


def _piece_pairs(first: Link, second: Link) -> list[tuple[Piece, Piece]]:
    return list(zip(first.pieces, second.pieces, strict=True))


def _heights_below(body: CollisionBody, upper: CollisionBody) -> Array:
    """Return how high a body reaches below points under the foot of another [m] [n], -inf beside it."""
    points = np.concatenate([hull.points for hull in upper.hulls])
    foot = points[points[:, 2] <= points[:, 2].min() + FOOT_HEIGHT_M, :2]
    low, high = foot.min(axis=0), foot.max(axis=0)
    steps = (np.arange(GRID_POINTS) + 0.5) / GRID_POINTS
    x, y = np.meshgrid(low[0] + steps * (high[0] - low[0]), low[1] + steps * (high[1] - low[1]))
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    return np.max([_top_heights(hull, grid) for hull in body.hulls], axis=0)


def _top_heights(hull: Hull, grid: Array) -> Array:
    """Return the upper end of a hull over points [n, 2], -inf where it is not there [n]."""
    offsets = (hull.normals @ hull.points.T).max(axis=1)
    clearances = offsets[:, None] - hull.normals[:, :2] @ grid.T
    normals_z = hull.normals[:, 2]
    above, below, upright = normals_z > 1e-6, normals_z < -1e-6, np.abs(normals_z) <= 1e-6
    ceiling = (clearances[above] / normals_z[above, None]).min(axis=0)
    floor = (clearances[below] / normals_z[below, None]).max(axis=0)
    inside = (ceiling >= floor) & np.all(clearances[upright] >= 0.0, axis=0)
    return np.where(inside, ceiling, -np.inf)


def _flatten_pieces(link: Link, world_from_link: Array, level: float) -> tuple[Piece, ...]:
    return tuple(_flatten_piece(piece, world_from_link, level) for piece in link.pieces)


def _flatten_piece(piece: Piece, world_from_link: Array, level: float) -> Piece:
    if piece.kind != "mesh":
        return piece
    points = transform(world_from_link, piece_hull(piece).points)
    middle = (points[:, 2].min() + points[:, 2].max()) / 2.0
    is_top = (np.abs(points[:, 2] - level) <= DEPTH_NOISE_M) & (points[:, 2] > middle)
    if not np.any(is_top & (points[:, 2] != level)):
        return piece
    points[is_top, 2] = level
    mesh = Mesh.from_trimesh(trimesh.convex.convex_hull(transform(invert(world_from_link), points)))
    return replace(piece, mesh=mesh, size_m=np.ptp(mesh.vertices, axis=0))
