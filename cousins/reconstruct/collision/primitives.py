"""Fit a box, cylinder or sphere to a mesh as its collision piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import trimesh

from cousins.geometry import Array, rigid
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Piece

CYLINDER_SECTIONS = 32
"""Sides of the prism that approximates a cylinder as a mesh."""
MIN_FACING_COS = 0.8
"""Smallest cosine between a face normal and the axis that the face is assigned to."""
MIN_SIDE_AREA_SHARE = 0.02
"""Smallest share of the surface that must face along an axis to locate that side by it."""


def fit_primitive(mesh: Mesh, *, max_error_m: float, max_volume_error: float) -> Piece | None:
    """Return the primitive that fits best, or None where none stays within both errors.

    The mesh is upright in its asset frame, so boxes and cylinders stand along its axes. The error of a
    primitive is the 95th percentile of the distance of the mesh's vertices from its surface.
    """
    surface = _surface(mesh)
    volume = float(mesh.to_trimesh().volume)
    best: tuple[float, Piece] | None = None
    for piece, distances in (
        _fit_box(surface),
        *(_fit_cylinder(surface, axis) for axis in range(3)),
        _fit_sphere(surface),
    ):
        error = float(np.percentile(np.abs(distances), 95))
        volume_error = abs(float(piece.mesh.to_trimesh().volume) / volume - 1.0)
        if error <= max_error_m and volume_error <= max_volume_error and (best is None or error < best[0]):
            best = error, piece
    return best[1] if best else None


def box_piece(center_m: Array, size_m: Array) -> Piece:
    """Return an axis-aligned box piece with centre [3] and size [3] [m]."""
    return _primitive_piece("box", trimesh.creation.box(extents=size_m), rigid(translation=center_m), size_m)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Surface:
    """A mesh's vertices [n, 3], and its faces' centres [m, 3], normals [m, 3] and areas [m]."""

    vertices: Array
    centers: Array
    normals: Array
    areas: Array


def _surface(mesh: Mesh) -> _Surface:
    shape = mesh.to_trimesh()
    return _Surface(
        vertices=mesh.vertices, centers=shape.triangles_center, normals=shape.face_normals, areas=shape.area_faces
    )


def _side_position(surface: _Surface, axis: int, sign: int) -> float:
    """Return the position of a side: the area-weighted median of the outer faces of that orientation."""
    along = sign * surface.centers[:, axis]
    middle = (along.min() + along.max()) / 2.0
    looking = (sign * surface.normals[:, axis] > MIN_FACING_COS) & (along > middle)
    if surface.areas[looking].sum() < MIN_SIDE_AREA_SHARE * surface.areas.sum():
        return float(sign * np.percentile(sign * surface.vertices[:, axis], 98))
    order = np.argsort(along[looking])
    mass = np.cumsum(surface.areas[looking][order])
    return float(sign * along[looking][order][np.searchsorted(mass, mass[-1] / 2.0)])


def _primitive_piece(
    kind: Literal["box", "cylinder", "sphere"], mesh: trimesh.Trimesh, pose: Array, size_m: Array
) -> Piece:
    return Piece(
        kind=kind,
        mesh=Mesh.from_trimesh(mesh).transformed(pose),
        link_from_piece=pose,
        size_m=np.asarray(size_m, dtype=np.float64),
    )


def _fit_box(surface: _Surface) -> tuple[Piece, Array]:
    low = np.array([_side_position(surface, axis, -1) for axis in range(3)])
    high = np.array([_side_position(surface, axis, 1) for axis in range(3)])
    beyond = np.maximum(low - surface.vertices, surface.vertices - high)
    outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=1)
    distances = np.where(outside > 0.0, outside, beyond.max(axis=1))
    return box_piece((low + high) / 2.0, high - low), distances


def _fit_cylinder(surface: _Surface, axis: int) -> tuple[Piece, Array]:
    first, second = (axis + 1) % 3, (axis + 2) % 3
    low, high = _side_position(surface, axis, -1), _side_position(surface, axis, 1)
    wall = np.abs(surface.normals[:, axis]) < 1.0 - MIN_FACING_COS
    rim = surface.centers[wall] if wall.any() else surface.centers
    circle, radius = _fit_circle(rim[:, [first, second]])
    center = np.zeros(3)
    center[[first, second]], center[axis] = circle, (low + high) / 2.0
    radial = np.hypot(surface.vertices[:, first] - center[first], surface.vertices[:, second] - center[second]) - radius
    along = np.abs(surface.vertices[:, axis] - center[axis]) - (high - low) / 2.0
    outside = np.hypot(np.maximum(radial, 0.0), np.maximum(along, 0.0))
    turn = np.zeros((3, 3))
    turn[first, 0] = turn[second, 1] = turn[axis, 2] = 1.0
    shape = trimesh.creation.cylinder(radius=radius, height=high - low, sections=CYLINDER_SECTIONS)
    piece = _primitive_piece("cylinder", shape, rigid(turn, center), np.array([2 * radius, 2 * radius, high - low]))
    return piece, np.where(outside > 0.0, outside, np.maximum(radial, along))


def _fit_sphere(surface: _Surface) -> tuple[Piece, Array]:
    system = np.column_stack([2.0 * surface.centers, np.ones(len(surface.centers))])
    solution = np.linalg.lstsq(system, (surface.centers**2).sum(axis=1), rcond=None)[0]
    center, radius = solution[:3], float(np.sqrt(max(solution[3] + solution[:3] @ solution[:3], 1e-12)))
    distances = np.linalg.norm(surface.vertices - center, axis=1) - radius
    shape = trimesh.creation.icosphere(subdivisions=2, radius=radius)
    return _primitive_piece("sphere", shape, rigid(translation=center), np.full(3, 2 * radius)), distances


def _fit_circle(points: Array) -> tuple[Array, float]:
    """Return centre [2] and radius of the circle through points [n, 2] (Kåsa's algebraic least squares)."""
    system = np.column_stack([2.0 * points, np.ones(len(points))])
    solution = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0]
    return solution[:2], float(np.sqrt(max(solution[2] + solution[:2] @ solution[:2], 1e-12)))
