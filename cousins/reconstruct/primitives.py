"""Boxes, cylinders and spheres that stand for a mesh where they fit it well."""

from __future__ import annotations

import numpy as np
import trimesh

from cousins.geometry import Array, rigid
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Piece

CYLINDER_SECTIONS = 32
"""Sides of the prism that stands for a cylinder as a mesh."""


def fit_primitive(mesh: Mesh, *, max_error_m: float, max_volume_error: float) -> Piece | None:
    """Return the primitive that fits best, or None where none stays inside both errors.

    The mesh is upright in its asset frame, so boxes and cylinders stand along its axes. The error of a
    primitive is the 95th percentile of the distance of the mesh's vertices from its surface.
    """
    solid = mesh.to_trimesh()
    fits = [_box(mesh), *(_cylinder(mesh, axis) for axis in range(3)), _sphere(mesh)]
    best: tuple[float, Piece] | None = None
    for piece, distances in fits:
        error = float(np.percentile(np.abs(distances), 95))
        volume_error = abs(float(piece.mesh.to_trimesh().volume) / float(solid.volume) - 1.0)
        if error <= max_error_m and volume_error <= max_volume_error and (best is None or error < best[0]):
            best = error, piece
    return best[1] if best else None


def box_piece(center_m: Array, size_m: Array) -> Piece:
    """Return an axis-aligned box."""
    return _piece("box", trimesh.creation.box(extents=size_m), rigid(translation=center_m), size_m)


def _piece(kind: str, mesh: trimesh.Trimesh, pose: Array, size_m: Array) -> Piece:
    return Piece(
        kind=kind,  # type: ignore[arg-type]  # one of the literals, given by the callers below
        mesh=Mesh.from_trimesh(mesh).transformed(pose),
        link_from_piece=pose,
        size_m=np.asarray(size_m, dtype=np.float64),
    )


def _box(mesh: Mesh) -> tuple[Piece, Array]:
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    to_sides = np.minimum(mesh.vertices - low, high - mesh.vertices).min(axis=1)
    return box_piece((low + high) / 2.0, high - low), to_sides


def _cylinder(mesh: Mesh, axis: int) -> tuple[Piece, Array]:
    first, second = (axis + 1) % 3, (axis + 2) % 3
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    center = (low + high) / 2.0
    radius = (high[first] - low[first] + high[second] - low[second]) / 4.0
    radial = radius - np.hypot(mesh.vertices[:, first] - center[first], mesh.vertices[:, second] - center[second])
    along = np.minimum(mesh.vertices[:, axis] - low[axis], high[axis] - mesh.vertices[:, axis])
    turn = np.zeros((3, 3))
    turn[first, 0] = turn[second, 1] = turn[axis, 2] = 1.0
    height = high[axis] - low[axis]
    shape = trimesh.creation.cylinder(radius=radius, height=height, sections=CYLINDER_SECTIONS)
    piece = _piece("cylinder", shape, rigid(turn, center), np.array([2 * radius, 2 * radius, height]))
    return piece, np.where(np.abs(radial) < np.abs(along), radial, along)


def _sphere(mesh: Mesh) -> tuple[Piece, Array]:
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    center, radius = (low + high) / 2.0, float((high - low).mean() / 2.0)
    distances = radius - np.linalg.norm(mesh.vertices - center, axis=1)
    shape = trimesh.creation.icosphere(subdivisions=2, radius=radius)
    return _piece("sphere", shape, rigid(translation=center), np.full(3, 2 * radius)), distances
