"""Bodies of a scene as convex hulls in the world, for relations and layout repair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import trimesh

from cousins.geometry import Array, transform
from cousins.reconstruct.assets import Asset, Piece
from cousins.reconstruct.kinematics import asset_from_links
from cousins.scene.layout.minkowski import (
    Hull,
    MinkowskiDifference,
    boxes_are_apart,
    convex_hull,
    facet_gap,
    minkowski_difference,
)
from cousins.scene.scenes import Scene, Structure

PRISM_SIDES: Final = 64
"""Sides of the prism drawn around a round primitive: 0.12 % of the radius too large, never too small."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CollisionBody:
    """A rigid object or structure as a union of convex hulls."""

    name: str
    """Name in the scene."""
    movable: bool
    """False for fixed structure."""
    hulls: tuple[Hull, ...]
    """Collision pieces in the world, joints at 0."""
    center_of_mass_m: Array
    """In the world [m], float64 [3]; the middle of the box for structure."""
    box: Hull
    """Axis-aligned box of all hulls; only `low` and `high` are used."""

    def transformed(self, world_from_world: Array) -> CollisionBody:
        """Return the body transformed by a rigid motion [4, 4] of the world."""
        hulls = tuple(hull.transformed(world_from_world) for hull in self.hulls)
        center = transform(world_from_world, self.center_of_mass_m)
        return replace(self, hulls=hulls, center_of_mass_m=center, box=_bounding_box(hulls))


def scene_bodies(scene: Scene) -> dict[str, CollisionBody]:
    """Return every structure and object of a scene by name, in the scene's order."""
    bodies = {structure.name: structure_body(structure) for structure in scene.structures}
    for placed in scene.objects:
        bodies[placed.asset.name] = asset_body(placed.asset).transformed(placed.world_from_asset)
    return bodies


def structure_body(structure: Structure) -> CollisionBody:
    """Return the fixed collision body of a structure."""
    hulls = tuple(piece_hull(piece, name=structure.name) for piece in structure.pieces)
    box = _bounding_box(hulls)
    return CollisionBody(
        name=structure.name, movable=False, hulls=hulls, center_of_mass_m=(box.low + box.high) / 2.0, box=box
    )


def asset_body(asset: Asset) -> CollisionBody:
    """Return the collision body of an asset in the asset's frame."""
    poses = asset_from_links(asset)
    hulls = tuple(
        piece_hull(piece, name=asset.name).transformed(poses[link.name])
        for link in asset.links
        for piece in link.pieces
    )
    mass = sum(link.mass_kg.value for link in asset.links)
    center = np.zeros(3)
    for link in asset.links:
        center += link.mass_kg.value / mass * transform(poses[link.name], link.center_of_mass_m)
    return CollisionBody(name=asset.name, movable=True, hulls=hulls, center_of_mass_m=center, box=_bounding_box(hulls))


def piece_hull(piece: Piece, *, name: str = "a body") -> Hull:
    """Return a piece as a hull in its link's frame; round primitives get a hull around, not within, them.

    Raises `StageError` with the body's name where a piece has no volume.
    """
    label = f"a collision piece of {name}"
    if piece.kind == "mesh":
        return convex_hull(piece.mesh.vertices, name=label)
    if piece.kind == "box":
        corners = trimesh.creation.box(extents=piece.size_m).vertices
        return convex_hull(transform(piece.link_from_piece, corners), name=label)
    if piece.kind == "cylinder":
        angles = 2.0 * np.pi * (np.arange(PRISM_SIDES) + 0.5) / PRISM_SIDES
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * piece.size_m[0] / 2.0 / np.cos(np.pi / PRISM_SIDES)
        half = np.full((PRISM_SIDES, 1), piece.size_m[2] / 2.0)
        points = np.concatenate([np.hstack([ring, -half]), np.hstack([ring, half])])
        return convex_hull(transform(piece.link_from_piece, points), name=label)
    sphere = trimesh.creation.icosphere(subdivisions=2, radius=1.0)
    inradius = float(np.abs(np.einsum("ij,ij->i", sphere.face_normals, sphere.triangles[:, 0])).min())
    return convex_hull(
        transform(piece.link_from_piece, sphere.vertices * (piece.size_m[0] / 2.0 / inradius)), name=label
    )


def body_corners(body: CollisionBody) -> Array:
    """Return the corners of all hulls of a body [n, 3]."""
    return np.concatenate([hull.points for hull in body.hulls])


def find_overlaps(first: CollisionBody, second: CollisionBody, *, tolerance_m: float) -> list[MinkowskiDifference]:
    """Return the differences of all piece pairs that overlap by more than a tolerance: boxes, then facets, then all."""
    if boxes_are_apart(first.box, second.box):
        return []
    overlaps = []
    for a in first.hulls:
        if boxes_are_apart(a, second.box):
            continue
        for b in second.hulls:
            if boxes_are_apart(a, b) or facet_gap(a, b) > -tolerance_m:
                continue
            pair = minkowski_difference(a, b)
            if pair.depth_m > tolerance_m:
                overlaps.append(pair)
    return overlaps


def clearance_below(upper: CollisionBody, lower: CollisionBody, *, reach_m: float = np.inf) -> float:
    """Return how far a body could fall before it touches another [m], infinite where it passes beside it.

    Only what lies above counts: pieces that begin lower than the other's end by more than `reach_m` are beside it.
    """
    clearance = np.inf
    for a in upper.hulls:
        for b in lower.hulls:
            is_beside = np.any(a.low[:2] > b.high[:2]) or np.any(b.low[:2] > a.high[:2])
            if is_beside or a.high[2] < b.low[2] or a.low[2] - b.high[2] > clearance:
                continue
            heights = minkowski_difference(a, b).contact_heights()
            if heights is not None and heights[1] > 0.0 and heights[0] > -reach_m:
                clearance = min(clearance, heights[0])
    return clearance


def _bounding_box(hulls: tuple[Hull, ...]) -> Hull:
    low = np.min([hull.low for hull in hulls], axis=0)
    high = np.max([hull.high for hull in hulls], axis=0)
    return Hull(points=np.stack([low, high]), normals=np.zeros((0, 3)), low=low, high=high)
