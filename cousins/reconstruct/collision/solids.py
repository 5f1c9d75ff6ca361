"""Convert meshes to exact solids for booleans, and back."""

from __future__ import annotations

import manifold3d
import numpy as np

from cousins.meshes import Mesh

MAX_CRUMB_LENGTH_M = 0.01
"""Largest length of a fragment that simplifying may split off [m]; longer ones are parts, such as the end of a leg."""


def solid_of(mesh: Mesh) -> manifold3d.Manifold:
    """Return a mesh as a solid with coincident vertices welded; its status is an error where it is no manifold."""
    # The binding takes only writable arrays in C order; foreign ones may be views of a file or turned around.
    welded = manifold3d.Mesh64(
        vert_properties=np.array(mesh.vertices, dtype=np.float64, order="C"),
        tri_verts=np.array(mesh.faces, dtype=np.uint64, order="C"),
    )
    welded.merge()
    return manifold3d.Manifold(welded)


def mesh_of(solid: manifold3d.Manifold) -> Mesh:
    """Return the surface of a solid."""
    exported = solid.to_mesh64()
    return Mesh(
        vertices=np.asarray(exported.vert_properties, dtype=np.float64)[:, :3].copy(),
        faces=np.asarray(exported.tri_verts, dtype=np.int32).copy(),
    )


def simplify(solid: manifold3d.Manifold, faces: int) -> manifold3d.Manifold:
    """Return the solid with at most about `faces` faces, by doubling the tolerance [m]: coarse, but always manifold."""
    tolerance = 2.5e-4
    simple = solid.simplify(tolerance)
    while simple.num_tri() > faces and tolerance < 5e-3:
        tolerance *= 2.0
        simple = solid.simplify(tolerance)
    return solid if simple.is_empty() else simple


def significant_parts(solid: manifold3d.Manifold) -> list[manifold3d.Manifold]:
    """Return the connected parts of a solid that are longer than `MAX_CRUMB_LENGTH_M`, the largest first."""
    parts = sorted(solid.decompose(), key=lambda part: -float(part.volume()))
    return [
        part for part in parts if np.ptp(np.reshape(part.bounding_box(), (2, 3)), axis=0).max() > MAX_CRUMB_LENGTH_M
    ]


def thickness_m(solid: manifold3d.Manifold) -> float:
    """Return how thick a convex body is [m]: of a plate its thickness, of a ball two thirds of its diameter."""
    area = solid.surface_area()
    return float(2.0 * solid.volume() / area) if area > 0.0 else 0.0
