"""Parts that assets are composed of: each a solid and the convex pieces that collide in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal

import manifold3d
import numpy as np

from cousins.geometry import Array

VISUAL_SEGMENTS: Final = 48
"""Corners of a circle in visual meshes."""
WALL_LIFT_M: Final = 5e-4
"""Height above the bottom at which the wall pieces of a shell start [m], so that it rests on its floor piece only."""
COLLISION_SEGMENTS: Final = 24
"""Corners of a circle in collision pieces."""

Outline = Sequence[tuple[float, float]]
"""Corners (radius, height) of the half section of a solid of revolution [m]."""
Point = tuple[float, float, float]
"""A point or a size [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ConvexPiece:
    """A convex collision piece."""

    points: Array
    """Corners [m], float64 [n, 3]."""
    kind: Literal["mesh", "box", "cylinder", "sphere"] = "mesh"
    """Type of primitive, or `mesh`."""
    center_m: Point = (0.0, 0.0, 0.0)
    """Centre of a primitive [m]."""
    size_m: Point = (0.0, 0.0, 0.0)
    """Full extents of a primitive [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SolidPart:
    """A solid with its convex pieces."""

    solid: manifold3d.Manifold
    """Solid of the visual mesh."""
    pieces: tuple[ConvexPiece, ...]
    """Collision pieces."""
    material_index: int = 0
    """Index of its material in the assembly."""
    stretch_texture: bool = False
    """True to stretch the texture over the part, False to keep its scale."""

    def translated(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> SolidPart:
        """Return the translated part [m]."""
        shift = np.array([x, y, z])
        pieces = tuple(
            replace(piece, points=piece.points + shift, center_m=_point(np.array(piece.center_m) + shift))
            for piece in self.pieces
        )
        return replace(self, solid=self.solid.translate((x, y, z)), pieces=pieces)

    def transformed(self, matrix: Array) -> SolidPart:
        """Return the part under a linear map [3, 3]; primitives become meshes."""
        pieces = tuple(ConvexPiece(points=piece.points @ matrix.T) for piece in self.pieces)
        return replace(self, solid=self.solid.transform(np.column_stack([matrix, np.zeros(3)])), pieces=pieces)

    def scaled(self, x: float, y: float, z: float) -> SolidPart:
        """Return the part scaled about the origin."""
        return self.transformed(np.diag([x, y, z]))

    def without_pieces(self) -> SolidPart:
        """Return the part without collision pieces, for parts that the pieces of another part cover."""
        return replace(self, pieces=())

    def cut(self, tool: manifold3d.Manifold) -> SolidPart:
        """Return the part with a tool subtracted from its solid; its pieces do not change."""
        return replace(self, solid=self.solid - tool)


def block(size_m: Point, center_m: Point, *, material_index: int = 0, stretch_texture: bool = False) -> SolidPart:
    """Return a box."""
    solid = manifold3d.Manifold.cube(size_m, center=True).translate(center_m)
    half = 0.5 * np.array(size_m)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half + center_m
    piece = ConvexPiece(points=corners, kind="box", center_m=center_m, size_m=size_m)
    return SolidPart(solid=solid, pieces=(piece,), material_index=material_index, stretch_texture=stretch_texture)


def ball(radius_m: float, center_m: Point, *, material_index: int = 0) -> SolidPart:
    """Return a ball."""
    solid = manifold3d.Manifold.sphere(radius_m, 40).translate(center_m)
    points = _vertices(manifold3d.Manifold.sphere(radius_m, 20)) + center_m
    size = (2.0 * radius_m, 2.0 * radius_m, 2.0 * radius_m)
    piece = ConvexPiece(points=points, kind="sphere", center_m=center_m, size_m=size)
    return SolidPart(solid=solid, pieces=(piece,), material_index=material_index)


def hull(points: Array, *, material_index: int = 0, stretch_texture: bool = False) -> SolidPart:
    """Return the convex hull of points [n, 3]."""
    solid = manifold3d.Manifold.hull_points(np.ascontiguousarray(points, dtype=np.float64))
    return SolidPart(
        solid=solid,
        pieces=(ConvexPiece(points=_vertices(solid)),),
        material_index=material_index,
        stretch_texture=stretch_texture,
    )


def cylinder(
    radius_m: float, low_m: float, high_m: float, *, material_index: int = 0, stretch_texture: bool = False
) -> SolidPart:
    """Return a cylinder about the z axis between two heights [m]."""
    solid = manifold3d.Manifold.cylinder(high_m - low_m, radius_m, radius_m, VISUAL_SEGMENTS).translate(
        (0.0, 0.0, low_m)
    )
    piece = ConvexPiece(
        points=np.concatenate([_ring(radius_m, z, COLLISION_SEGMENTS) for z in (low_m, high_m)]),
        kind="cylinder",
        center_m=(0.0, 0.0, 0.5 * (low_m + high_m)),
        size_m=(2.0 * radius_m, 2.0 * radius_m, high_m - low_m),
    )
    return SolidPart(solid=solid, pieces=(piece,), material_index=material_index, stretch_texture=stretch_texture)


def revolve(
    outline: Outline, *, convex: bool = False, material_index: int = 0, stretch_texture: bool = False
) -> SolidPart:
    """Return a solid of revolution about z; its outline goes from bottom to top.

    It has one piece where it is `convex`, else one piece between each two corners.
    """
    solid = _revolved_solid([(0.0, outline[0][1]), *outline, (0.0, outline[-1][1])])
    rings = [_ring(radius, z, COLLISION_SEGMENTS) for radius, z in outline]
    pairs = [rings] if convex else [list(pair) for pair in pairwise(rings)]
    pieces = tuple(ConvexPiece(points=np.concatenate(pair)) for pair in pairs)
    return SolidPart(solid=solid, pieces=pieces, material_index=material_index, stretch_texture=stretch_texture)


def revolve_shell(
    outer: Outline, inner: Outline, *, sides: int = 12, floor: int = 1, material_index: int = 0
) -> SolidPart:
    """Return a hollow solid of revolution that is open at the top.

    `outer` and `inner` have the same number of corners, from the bottom to the rim; corners of equal index bound a
    ring, which is divided into `sides` pieces. The first `floor` outer corners are those of the bottom, one piece with
    the first inner corner; with `floor` 0 the shell is open below.
    """
    middle = [(0.0, outer[0][1])] if floor else []
    lid = [(0.0, inner[0][1])] if floor else []
    solid = _revolved_solid(list(dict.fromkeys([*middle, *outer, *reversed(inner), *lid])))
    step = VISUAL_SEGMENTS // sides
    pieces = []
    for ring in pairwise(list(zip(outer, inner, strict=True))[max(0, floor - 1) :]):
        corners = [corner for level in ring for corner in level]
        for start in range(0, step * sides, step):
            turns = 2.0 * np.pi * np.arange(start, start + step + 1) / VISUAL_SEGMENTS
            points = _revolved_corners(corners, turns)
            if floor:
                points[:, 2] = np.maximum(points[:, 2], outer[0][1] + WALL_LIFT_M)
            pieces.append(ConvexPiece(points=points))
    if floor:
        turns = 2.0 * np.pi * np.arange(VISUAL_SEGMENTS) / VISUAL_SEGMENTS
        pieces.append(ConvexPiece(points=_revolved_corners([*outer[:floor], inner[0]], turns)))
    return SolidPart(solid=solid, pieces=tuple(pieces), material_index=material_index)


def bent_rod(
    path: Array, radii_m: tuple[float, float], *, across: Point = (0.0, 1.0, 0.0), material_index: int = 0
) -> SolidPart:
    """Return an elliptic rod swept along a path [n, 3] [m] in a plane with the normal `across`.

    `radii_m` are the radii of the section along that normal and in the plane.
    """
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    aside = np.cross(tangent, np.array(across))
    turn = 2.0 * np.pi * np.arange(12) / 12
    circle = radii_m[0] * np.cos(turn)[:, None] * np.array(across)
    rings = [
        point + circle + radii_m[1] * np.sin(turn)[:, None] * side for point, side in zip(path, aside, strict=True)
    ]
    return union([hull(np.concatenate(pair), material_index=material_index) for pair in pairwise(rings)])


def union(parts: Sequence[SolidPart]) -> SolidPart:
    """Return the union of parts, with the material of the first."""
    solid = manifold3d.Manifold.batch_boolean([part.solid for part in parts], manifold3d.OpType.Add)
    return replace(parts[0], solid=solid, pieces=tuple(piece for part in parts for piece in part.pieces))


def _revolved_solid(polygon: Outline) -> manifold3d.Manifold:
    section = manifold3d.CrossSection([np.array(polygon, dtype=np.float64)], manifold3d.FillRule.NonZero)
    return section.revolve(VISUAL_SEGMENTS)


def _revolved_corners(corners: Outline, turns: Array) -> Array:
    """Return corners (radius, height) rotated by angles about the z axis [n, 3]."""
    return np.array([(r * np.cos(turn), r * np.sin(turn), z) for turn in turns for r, z in corners])


def _ring(radius_m: float, z: float, count: int) -> Array:
    turns = 2.0 * np.pi * np.arange(count) / count
    return np.stack([radius_m * np.cos(turns), radius_m * np.sin(turns), np.full(count, z)], axis=1)


def _vertices(solid: manifold3d.Manifold) -> Array:
    return np.asarray(solid.to_mesh64().vert_properties, dtype=np.float64)[:, :3].copy()


def _point(values: Array) -> Point:
    return float(values[0]), float(values[1]), float(values[2])
