"""Flat panels with holes as solids: a watertight mesh to look at and convex prisms to collide with."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import manifold3d
import numpy as np

from cousins.geometry import Array, rigid
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Piece

CORNER_TOLERANCE_M = 1e-4
"""Corners nearer than this are one [m]."""
MIN_AREA_M2 = 1e-5
"""Slivers below this are nothing [m²]: 3 mm square."""


def section_with_holes(outline: Array, holes: Sequence[Array]) -> manifold3d.CrossSection:
    """Return a polygon [k, 2] less other polygons [k, 2], all counter-clockwise, in its own plane [m]."""
    section = _section(outline)
    for hole in holes:
        section = section - _section(hole)
    return section


def extruded_section(section: manifold3d.CrossSection, *, low_m: float, high_m: float) -> Mesh:
    """Return the section as a watertight solid between two heights along its normal [m]."""
    flat = section.extrude(high_m - low_m).translate((0.0, 0.0, low_m)).to_mesh64()
    return Mesh(
        vertices=np.asarray(flat.vert_properties[:, :3], dtype=np.float64),
        faces=np.asarray(flat.tri_verts, dtype=np.int32),
    )


def convex_prisms(section: manifold3d.CrossSection, *, low_m: float, high_m: float) -> tuple[Piece, ...]:
    """Return convex pieces that fill the slab: the section cut upright at every corner into trapezoids."""
    rings = [np.asarray(ring) for ring in section.to_polygons()]
    if not rings:
        return ()
    starts = np.concatenate(rings)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    strip_bounds = np.unique(np.round(starts[:, 0] / CORNER_TOLERANCE_M)) * CORNER_TOLERANCE_M
    pieces = []
    for left, right in itertools.pairwise(strip_bounds.tolist()):
        for corners in _trapezoids(starts, ends, left, right):
            part = _section(corners)
            if part.area() > MIN_AREA_M2:
                pieces.append(_prism(part, low_m, high_m))
    return tuple(pieces)


def _trapezoids(starts: Array, ends: Array, left: float, right: float) -> list[Array]:
    """Return what lies inside between two uprights [4, 2] each: the edges that cross the strip, in pairs from below."""
    low, high = np.minimum(starts[:, 0], ends[:, 0]), np.maximum(starts[:, 0], ends[:, 0])
    crossing = (low < left + 0.6 * CORNER_TOLERANCE_M) & (high > right - 0.6 * CORNER_TOLERANCE_M)
    from_points, to_points = starts[crossing], ends[crossing]
    slope = (to_points[:, 1] - from_points[:, 1]) / (to_points[:, 0] - from_points[:, 0])
    at_left = from_points[:, 1] + slope * (left - from_points[:, 0])
    at_right = from_points[:, 1] + slope * (right - from_points[:, 0])
    order = np.argsort(at_left + at_right, kind="stable")
    return [
        np.array([[left, at_left[a]], [right, at_right[a]], [right, at_right[b]], [left, at_left[b]]])
        for a, b in zip(order[0::2], order[1::2], strict=False)
    ]


def _prism(part: manifold3d.CrossSection, low_m: float, high_m: float) -> Piece:
    left, bottom, right, top = part.bounds()
    mesh = extruded_section(part, low_m=low_m, high_m=high_m)
    size = np.array([right - left, top - bottom, high_m - low_m])
    if abs(part.area() - size[0] * size[1]) > MIN_AREA_M2:
        return Piece(kind="mesh", mesh=mesh, link_from_piece=np.eye(4), size_m=size)
    center = np.array([(left + right) / 2.0, (bottom + top) / 2.0, (low_m + high_m) / 2.0])
    return Piece(kind="box", mesh=mesh, link_from_piece=rigid(None, center), size_m=size)


def _section(polygon: Array) -> manifold3d.CrossSection:
    rings = [np.ascontiguousarray(polygon, dtype=np.float64)]
    return manifold3d.CrossSection(rings, manifold3d.FillRule.NonZero)
