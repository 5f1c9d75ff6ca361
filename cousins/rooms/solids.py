"""Flat panels with holes as solids: a watertight mesh to look at and convex prisms to collide with."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import manifold3d
import numpy as np

from cousins.geometry import Array, rigid
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Piece

FINE_M = 1e-4
"""Corners nearer than this are one [m]."""
LEAST_AREA_M2 = 1e-5
"""Slivers below this are nothing [m²]: 3 mm square."""


def cut(outline: Array, holes: Sequence[Array]) -> manifold3d.CrossSection:
    """Return a polygon [k, 2] less other polygons [k, 2], all counter-clockwise, in its own plane [m]."""
    whole = _section(outline)
    for hole in holes:
        whole = whole - _section(hole)
    return whole


def slab(section: manifold3d.CrossSection, *, low_m: float, high_m: float) -> Mesh:
    """Return the section as a watertight solid between two heights along its normal [m]."""
    flat = section.extrude(high_m - low_m).translate((0.0, 0.0, low_m)).to_mesh64()
    return Mesh(
        vertices=np.asarray(flat.vert_properties[:, :3], dtype=np.float64),
        faces=np.asarray(flat.tri_verts, dtype=np.int32),
    )


def prisms(section: manifold3d.CrossSection, *, low_m: float, high_m: float) -> tuple[Piece, ...]:
    """Return convex pieces that fill the slab: the section cut upright at every corner into trapezoids."""
    rings = [np.asarray(ring) for ring in section.to_polygons()]
    if not rings:
        return ()
    here = np.concatenate(rings)
    there = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    stops = np.unique(np.round(here[:, 0] / FINE_M)) * FINE_M
    pieces = []
    for left, right in itertools.pairwise(stops.tolist()):
        for corners in _trapezoids(here, there, left, right):
            part = _section(corners)
            if part.area() > LEAST_AREA_M2:
                pieces.append(_prism(part, low_m, high_m))
    return tuple(pieces)


def _trapezoids(here: Array, there: Array, left: float, right: float) -> list[Array]:
    """Return what lies inside between two uprights [4, 2] each: the edges that cross the strip, in pairs from below."""
    low, high = np.minimum(here[:, 0], there[:, 0]), np.maximum(here[:, 0], there[:, 0])
    crossing = (low < left + 0.6 * FINE_M) & (high > right - 0.6 * FINE_M)
    start, stop = here[crossing], there[crossing]
    slope = (stop[:, 1] - start[:, 1]) / (stop[:, 0] - start[:, 0])
    at_left = start[:, 1] + slope * (left - start[:, 0])
    at_right = start[:, 1] + slope * (right - start[:, 0])
    order = np.argsort(at_left + at_right, kind="stable")
    return [
        np.array([[left, at_left[a]], [right, at_right[a]], [right, at_right[b]], [left, at_left[b]]])
        for a, b in zip(order[0::2], order[1::2], strict=False)
    ]


def _prism(part: manifold3d.CrossSection, low_m: float, high_m: float) -> Piece:
    left, bottom, right, top = part.bounds()
    mesh = slab(part, low_m=low_m, high_m=high_m)
    size = np.array([right - left, top - bottom, high_m - low_m])
    if abs(part.area() - size[0] * size[1]) > LEAST_AREA_M2:
        return Piece(kind="mesh", mesh=mesh, link_from_piece=np.eye(4), size_m=size)
    center = np.array([(left + right) / 2.0, (bottom + top) / 2.0, (low_m + high_m) / 2.0])
    return Piece(kind="box", mesh=mesh, link_from_piece=rigid(None, center), size_m=size)


def _section(polygon: Array) -> manifold3d.CrossSection:
    rings = [np.ascontiguousarray(polygon, dtype=np.float64)]
    return manifold3d.CrossSection(rings, manifold3d.FillRule.NonZero)
