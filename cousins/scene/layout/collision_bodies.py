"""The bodies of a scene as convex hulls in the world: what relations and layout look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import trimesh

from cousins.geometry import Array, transform
from cousins.reconstruct.assets import Asset, Piece
from cousins.scene.kinematics import asset_from_links
from cousins.scene.layout.minkowski import Difference, Hull, boxes_apart, difference, gap_by_facets, hull_of
from cousins.scene.scenes import Scene, Structure

SECTIONS: Final = 64
"""Sides of the prism drawn around a round primitive: 0.12 % of the radius too large, never too small."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Body:
    """A body as convex hulls."""

    name: str
    """Name in the scene."""
    movable: bool
    """False for fixed structure."""
    hulls: tuple[Hull, ...]
    """Collision pieces in the world, joints at 0."""
    center_of_mass_m: Array
    """In the world [m], float64 [3]; the middle of the box for structure."""
    box: Hull
    """Axis-aligned box of all hulls; only `low` and `high` are meant."""

    def moved(self, world_from_world: Array) -> Body:
        """Return the body moved by a rigid motion of the world."""
        hulls = tuple(hull.moved(world_from_world) for hull in self.hulls)
        center = transform(world_from_world, self.center_of_mass_m)
        return replace(self, hulls=hulls, center_of_mass_m=center, box=_box(hulls))


def bodies_of(scene: Scene) -> dict[str, Body]:
    """Return every structure and object of a scene by name, in the scene's order."""
    bodies = {structure.name: body_of_structure(structure) for structure in scene.structures}
    for placed in scene.objects:
        bodies[placed.asset.name] = body_of_asset(placed.asset).moved(placed.world_from_asset)
    return bodies


def body_of_structure(structure: Structure) -> Body:
    """Return a structure as a fixed body."""
    hulls = tuple(piece_hull(piece, name=structure.name) for piece in structure.pieces)
    box = _box(hulls)
    return Body(name=structure.name, movable=False, hulls=hulls, center_of_mass_m=(box.low + box.high) / 2.0, box=box)


def body_of_asset(asset: Asset) -> Body:
    """Return an asset in its own frame."""
    poses = asset_from_links(asset)
    hulls = tuple(
        piece_hull(piece, name=asset.name).moved(poses[link.name]) for link in asset.links for piece in link.pieces
    )
    mass = sum(link.mass_kg.value for link in asset.links)
    center = np.zeros(3)
    for link in asset.links:
        center += link.mass_kg.value / mass * transform(poses[link.name], link.center_of_mass_m)
    return Body(name=asset.name, movable=True, hulls=hulls, center_of_mass_m=center, box=_box(hulls))


def piece_hull(piece: Piece, *, name: str = "a body") -> Hull:
    """Return a piece as a hull in its link's frame; round primitives get a hull around, not within, them.

    Raises `StageError` with the body's name where a piece has no volume.
    """
    what = f"a collision piece of {name}"
    if piece.kind == "mesh":
        return hull_of(piece.mesh.vertices, name=what)
    if piece.kind == "box":
        corners = trimesh.creation.box(extents=piece.size_m).vertices
        return hull_of(transform(piece.link_from_piece, corners), name=what)
    if piece.kind == "cylinder":
        angles = 2.0 * np.pi * (np.arange(SECTIONS) + 0.5) / SECTIONS
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * piece.size_m[0] / 2.0 / np.cos(np.pi / SECTIONS)
        half = np.full((SECTIONS, 1), piece.size_m[2] / 2.0)
        points = np.concatenate([np.hstack([ring, -half]), np.hstack([ring, half])])
        return hull_of(transform(piece.link_from_piece, points), name=what)
    ball = trimesh.creation.icosphere(subdivisions=2, radius=1.0)
    reach = float(np.abs(np.einsum("ij,ij->i", ball.face_normals, ball.triangles[:, 0])).min())
    return hull_of(transform(piece.link_from_piece, ball.vertices * (piece.size_m[0] / 2.0 / reach)), name=what)


def overlaps(first: Body, second: Body, *, tolerance_m: float) -> list[Difference]:
    """Return the differences of all piece pairs that overlap by more than a tolerance: boxes, then facets, then all."""
    if boxes_apart(first.box, second.box):
        return []
    found = []
    for a in first.hulls:
        if boxes_apart(a, second.box):
            continue
        for b in second.hulls:
            if boxes_apart(a, b) or gap_by_facets(a, b) > -tolerance_m:
                continue
            pair = difference(a, b)
            if pair.depth_m > tolerance_m:
                found.append(pair)
    return found


def clearance_below(upper: Body, lower: Body, *, reach_m: float = np.inf) -> float:
    """Return how far a body could fall before it meets another [m], infinite where it passes by.

    Only what lies above counts: pieces that begin lower than the other's end by more than `reach_m` are beside it.
    """
    best = np.inf
    for a in upper.hulls:
        for b in lower.hulls:
            aside = np.any(a.low[:2] > b.high[:2]) or np.any(b.low[:2] > a.high[:2])
            if aside or a.high[2] < b.low[2] or a.low[2] - b.high[2] > best:
                continue
            heights = difference(a, b).fall()
            if heights is not None and heights[1] > 0.0 and heights[0] > -reach_m:
                best = min(best, heights[0])
    return best


def _box(hulls: tuple[Hull, ...]) -> Hull:
    low = np.min([hull.low for hull in hulls], axis=0)
    high = np.max([hull.high for hull in hulls], axis=0)
    return Hull(points=np.stack([low, high]), normals=np.zeros((0, 3)), low=low, high=high)
