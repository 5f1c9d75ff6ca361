"""Parts that assets are put together from: each a solid and the convex pieces that it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal

import manifold3d
import numpy as np

from cousins.geometry import Array

SEGMENTS: Final = 48
"""Corners of a round outline that is seen."""
FOOT_M: Final = 5e-4
"""How much higher than the bottom the walls of a shell begin to collide [m]: it stands on one piece, not on all."""
PIECE_SEGMENTS: Final = 24
"""Corners of a round outline that collides."""

Outline = Sequence[tuple[float, float]]
"""Corners (radius, height) of half a section through a round thing [m]."""
Point = tuple[float, float, float]
"""A place or a size [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Convex:
    """A convex piece, not yet an engine's."""

    points: Array
    """Corners [m], float64 [n, 3]."""
    kind: Literal["mesh", "box", "cylinder", "sphere"] = "mesh"
    """Primitive, or `mesh`."""
    center_m: Point = (0.0, 0.0, 0.0)
    """Middle of a primitive [m]."""
    size_m: Point = (0.0, 0.0, 0.0)
    """Full extents of a primitive [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """A solid, with its convex pieces."""

    solid: manifold3d.Manifold
    """What is seen."""
    pieces: tuple[Convex, ...]
    """What collides."""
    coat: int = 0
    """Number of the coat that covers it."""
    fitted: bool = False
    """True where the texture is stretched over the part, False where its lengths are kept."""

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Part:
        """Return the part shifted by a distance [m]."""
        shift = np.array([x, y, z])
        pieces = tuple(
            replace(piece, points=piece.points + shift, center_m=_point(np.array(piece.center_m) + shift))
            for piece in self.pieces
        )
        return replace(self, solid=self.solid.translate((x, y, z)), pieces=pieces)

    def mapped(self, matrix: Array) -> Part:
        """Return the part under a linear map [3, 3]; primitives become meshes."""
        pieces = tuple(Convex(points=piece.points @ matrix.T) for piece in self.pieces)
        return replace(self, solid=self.solid.transform(np.column_stack([matrix, np.zeros(3)])), pieces=pieces)

    def scaled(self, x: float, y: float, z: float) -> Part:
        """Return the part stretched about the origin."""
        return self.mapped(np.diag([x, y, z]))

    def bare(self) -> Part:
        """Return the part without pieces: another part's cover it."""
        return replace(self, pieces=())

    def without(self, tool: manifold3d.Manifold) -> Part:
        """Return the part with a dent that its pieces do not have."""
        return replace(self, solid=self.solid - tool)


def block(size_m: Point, center_m: Point, *, coat: int = 0, fitted: bool = False) -> Part:
    """Return a box."""
    solid = manifold3d.Manifold.cube(size_m, center=True).translate(center_m)
    half = 0.5 * np.array(size_m)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half + center_m
    piece = Convex(points=corners, kind="box", center_m=center_m, size_m=size_m)
    return Part(solid=solid, pieces=(piece,), coat=coat, fitted=fitted)


def ball(radius_m: float, center_m: Point, *, coat: int = 0) -> Part:
    """Return a ball."""
    solid = manifold3d.Manifold.sphere(radius_m, 40).translate(center_m)
    points = _vertices(manifold3d.Manifold.sphere(radius_m, 20)) + center_m
    size = (2.0 * radius_m, 2.0 * radius_m, 2.0 * radius_m)
    piece = Convex(points=points, kind="sphere", center_m=center_m, size_m=size)
    return Part(solid=solid, pieces=(piece,), coat=coat)


def hull(points: Array, *, coat: int = 0, fitted: bool = False) -> Part:
    """Return the convex hull of points [n, 3]."""
    solid = manifold3d.Manifold.hull_points(np.ascontiguousarray(points, dtype=np.float64))
    return Part(solid=solid, pieces=(Convex(points=_vertices(solid)),), coat=coat, fitted=fitted)


def cylinder(radius_m: float, low_m: float, high_m: float, *, coat: int = 0, fitted: bool = False) -> Part:
    """Return an upright cylinder about the z axis between two heights."""
    solid = manifold3d.Manifold.cylinder(high_m - low_m, radius_m, radius_m, SEGMENTS).translate((0.0, 0.0, low_m))
    piece = Convex(
        points=np.concatenate([_ring(radius_m, z, PIECE_SEGMENTS) for z in (low_m, high_m)]),
        kind="cylinder",
        center_m=(0.0, 0.0, 0.5 * (low_m + high_m)),
        size_m=(2.0 * radius_m, 2.0 * radius_m, high_m - low_m),
    )
    return Part(solid=solid, pieces=(piece,), coat=coat, fitted=fitted)


def turned(outline: Outline, *, convex: bool = False, coat: int = 0, fitted: bool = False) -> Part:
    """Return a solid of revolution; its outline goes from bottom to top.

    It is one piece where it is `convex`, else each two corners bound one.
    """
    solid = _revolved([(0.0, outline[0][1]), *outline, (0.0, outline[-1][1])])
    rings = [_ring(radius, z, PIECE_SEGMENTS) for radius, z in outline]
    pairs = [rings] if convex else [list(pair) for pair in pairwise(rings)]
    pieces = tuple(Convex(points=np.concatenate(pair)) for pair in pairs)
    return Part(solid=solid, pieces=pieces, coat=coat, fitted=fitted)


def shell(outer: Outline, inner: Outline, *, sides: int = 12, floor: int = 1, coat: int = 0) -> Part:
    """Return a hollow solid of revolution that is open at the top.

    `outer` and `inner` have the same number of corners, from the bottom to the rim; those of one number bound a ring,
    and `sides` pieces stand around each ring. The first `floor` outer corners are those of the bottom, one piece with
    the first inner corner; without any the shell is open below.
    """
    middle = [(0.0, outer[0][1])] if floor else []
    lid = [(0.0, inner[0][1])] if floor else []
    solid = _revolved(list(dict.fromkeys([*middle, *outer, *reversed(inner), *lid])))
    step = SEGMENTS // sides
    pieces = []
    for ring in pairwise(list(zip(outer, inner, strict=True))[max(0, floor - 1) :]):
        corners = [corner for level in ring for corner in level]
        for start in range(0, step * sides, step):
            turns = 2.0 * np.pi * np.arange(start, start + step + 1) / SEGMENTS
            points = _spread(corners, turns)
            if floor:
                points[:, 2] = np.maximum(points[:, 2], outer[0][1] + FOOT_M)
            pieces.append(Convex(points=points))
    if floor:
        turns = 2.0 * np.pi * np.arange(SEGMENTS) / SEGMENTS
        pieces.append(Convex(points=_spread([*outer[:floor], inner[0]], turns)))
    return Part(solid=solid, pieces=tuple(pieces), coat=coat)


def rod(path: Array, radii_m: tuple[float, float], *, across: Point = (0.0, 1.0, 0.0), coat: int = 0) -> Part:
    """Return a bent rod along a path [n, 3] [m] that lies in a plane with the normal `across`.

    `radii_m` are those of its elliptic section along that normal and in the plane.
    """
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    aside = np.cross(tangent, np.array(across))
    turn = 2.0 * np.pi * np.arange(12) / 12
    circle = radii_m[0] * np.cos(turn)[:, None] * np.array(across)
    rings = [
        point + circle + radii_m[1] * np.sin(turn)[:, None] * side for point, side in zip(path, aside, strict=True)
    ]
    return joined([hull(np.concatenate(pair), coat=coat) for pair in pairwise(rings)])


def joined(parts: Sequence[Part]) -> Part:
    """Return parts as one that has the coat of the first."""
    solid = manifold3d.Manifold.batch_boolean([part.solid for part in parts], manifold3d.OpType.Add)
    return replace(parts[0], solid=solid, pieces=tuple(piece for part in parts for piece in part.pieces))


def _revolved(polygon: Outline) -> manifold3d.Manifold:
    section = manifold3d.CrossSection([np.array(polygon, dtype=np.float64)], manifold3d.FillRule.NonZero)
    return section.revolve(SEGMENTS)


def _spread(corners: Outline, turns: Array) -> Array:
    """Return corners (radius, height) at some angles about the z axis [n, 3]."""
    return np.array([(r * np.cos(turn), r * np.sin(turn), z) for turn in turns for r, z in corners])


def _ring(radius_m: float, z: float, count: int) -> Array:
    turns = 2.0 * np.pi * np.arange(count) / count
    return np.stack([radius_m * np.cos(turns), radius_m * np.sin(turns), np.full(count, z)], axis=1)


def _vertices(solid: manifold3d.Manifold) -> Array:
    return np.asarray(solid.to_mesh64().vert_properties, dtype=np.float64)[:, :3].copy()


def _point(values: Array) -> Point:
    return float(values[0]), float(values[1]), float(values[2])
