"""From a closed signed distance field to a clean watertight mesh."""

from __future__ import annotations

import manifold3d
import numpy as np
from scipy import ndimage, sparse
from skimage import measure

from cousins.errors import StageError
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.reconstruct.collision.solids import long_parts
from cousins.reconstruct.surface.view_evidence import Evidence, Grid

SMOOTHING_ROUNDS = 10
"""Passes of the low-pass filter: waves shorter than about four voxels go."""
NO_ZERO = 1e-3
"""Distances below this part of a voxel are moved off zero, for marching cubes makes slivers of exact zeros."""
LEAST_SEEN = 0.3
"""Least summed weight of a seen face; 1 is one confident look from where noise is 5 mm."""


def skin(field: Array, grid: Grid, *, max_faces: int) -> Mesh:
    """Return the smoothed surface of the main body with outward faces.

    Raises StageError where nothing is inside.
    """
    inside = field < 0.0
    labels, count = ndimage.label(inside)
    if count == 0:
        raise StageError("the evidence leaves nothing solid", stage="shape")
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    main = labels == int(np.argmax(sizes))
    field = np.where(inside & ~main, grid.voxel_m, field)
    field = np.where(np.abs(field) < NO_ZERO * grid.voxel_m, NO_ZERO * grid.voxel_m, field)
    field = np.pad(field, 1, constant_values=grid.voxel_m)
    vertices, faces, _, _ = measure.marching_cubes(field, 0.0)
    vertices = (vertices - 1.0) * grid.voxel_m + grid.origin
    vertices = smooth(vertices, faces)
    return tidy(Mesh(vertices=vertices, faces=np.asarray(faces, dtype=np.int32)), max_faces=max_faces)


def smooth(vertices: Array, faces: Array, *, rounds: int = SMOOTHING_ROUNDS) -> Array:
    """Return the vertices without the shortest waves, at nearly constant volume (Taubin's λ | μ filter, 1995)."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = len(vertices)
    near = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
    near = sparse.diags(1.0 / np.maximum(np.asarray(near.sum(axis=1)).ravel(), 1.0)) @ near
    for _ in range(rounds):
        for step in (0.5, -0.53):
            vertices = vertices + step * (near @ vertices - vertices)
    return np.asarray(vertices)


def tidy(mesh: Mesh, *, max_faces: int) -> Mesh:
    """Return the mesh as one oriented manifold of about `max_faces` faces, or more where fewer pinch a leg off."""
    solid = manifold3d.Manifold(
        manifold3d.Mesh(np.asarray(mesh.vertices, dtype=np.float32), np.asarray(mesh.faces, dtype=np.uint32))
    )
    if solid.is_empty() or solid.volume() <= 0.0:
        raise StageError(f"the surface is no oriented manifold ({solid.status()})", stage="shape")
    body = max(solid.decompose(), key=lambda part: float(part.volume()))
    tolerance = 0.0002
    for _ in range(9):
        parts = long_parts(body.simplify(tolerance))
        if len(parts) != 1:
            break
        body = parts[0]
        if body.num_tri() <= max_faces:
            break
        tolerance *= 1.5
    flat = body.to_mesh()
    return Mesh(
        vertices=np.asarray(flat.vert_properties[:, :3], dtype=np.float64),
        faces=np.asarray(flat.tri_verts, dtype=np.int32),
    )


def seen_faces(mesh: Mesh, evidence: Evidence, grid: Grid, *, least: float = LEAST_SEEN) -> Array:
    """Return which faces lie where some view measured the object's own surface facing the same way, bool [m]."""
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    index = np.rint((corners.mean(axis=1) - grid.origin) / grid.voxel_m).astype(int)
    index = np.clip(index, 0, np.array(grid.shape) - 1)
    seen = np.zeros(len(mesh.faces))
    for axis in range(3):
        for side, sign in enumerate((1.0, -1.0)):
            bin_weight = evidence.weight[2 * axis + side][index[:, 0], index[:, 1], index[:, 2]]
            moment = evidence.moment[2 * axis + side][index[:, 0], index[:, 1], index[:, 2]]
            close = np.abs(moment) <= 2.0 * grid.voxel_m * bin_weight
            seen += close * bin_weight * np.clip(sign * normals[:, axis], 0.0, None) ** 2
    return np.asarray(seen >= least)
