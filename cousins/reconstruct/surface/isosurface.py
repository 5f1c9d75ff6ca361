"""Extract a clean watertight mesh from a closed signed distance field."""

from __future__ import annotations

import manifold3d
import numpy as np
from scipy import ndimage, sparse
from skimage import measure

from cousins.errors import StageError
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.reconstruct.collision.solids import significant_parts
from cousins.reconstruct.surface.flat_faces import flatten_faces
from cousins.reconstruct.surface.view_evidence import Evidence, VoxelGrid

SMOOTHING_ROUNDS = 10
"""Passes of the low-pass filter: waves shorter than about four voxels are removed."""
MIN_ABS_DISTANCE_VOXELS = 1e-3
"""Smallest absolute distance [voxels]: marching cubes makes slivers of exact zeros."""
MIN_OBSERVED_WEIGHT = 0.3
"""Smallest summed weight of an observed face; 1 is one confident sample with a noise of 5 mm."""


def extract_surface(field: Array, grid: VoxelGrid, *, max_faces: int, flat_tolerance_m: float = 0.0) -> Mesh:
    """Return the smoothed surface of the largest component of a field [x, y, z], with outward faces.

    Large faces that are flat within the tolerance [m] become planes with straight edges between them. Raises StageError
    where nothing is inside.
    """
    inside = field < 0.0
    labels, count = ndimage.label(inside)
    if count == 0:
        raise StageError("the evidence leaves nothing solid", stage="shape")
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    main = labels == int(np.argmax(sizes))
    field = np.where(inside & ~main, grid.voxel_m, field)
    field = np.where(
        np.abs(field) < MIN_ABS_DISTANCE_VOXELS * grid.voxel_m, MIN_ABS_DISTANCE_VOXELS * grid.voxel_m, field
    )
    field = np.pad(field, 1, constant_values=grid.voxel_m)
    vertices, faces, _, _ = measure.marching_cubes(field, 0.0)
    vertices = (vertices - 1.0) * grid.voxel_m + grid.origin
    mesh = Mesh(vertices=smooth_vertices(vertices, faces), faces=np.asarray(faces, dtype=np.int32))
    if flat_tolerance_m > 0.0:
        mesh = flatten_faces(mesh, tolerance_m=flat_tolerance_m)
    return clean_mesh(mesh, max_faces=max_faces)


def smooth_vertices(vertices: Array, faces: Array, *, rounds: int = SMOOTHING_ROUNDS) -> Array:
    """Return vertices [n, 3] low-pass filtered at nearly constant volume (Taubin's λ | μ filter, 1995)."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = len(vertices)
    near = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
    near = sparse.diags(1.0 / np.maximum(np.asarray(near.sum(axis=1)).ravel(), 1.0)) @ near
    for _ in range(rounds):
        for step in (0.5, -0.53):
            vertices = vertices + step * (near @ vertices - vertices)
    return np.asarray(vertices)


def clean_mesh(mesh: Mesh, *, max_faces: int) -> Mesh:
    """Return the mesh as one oriented manifold of about `max_faces` faces, or more where fewer pinch a leg off."""
    solid = manifold3d.Manifold(
        manifold3d.Mesh(np.asarray(mesh.vertices, dtype=np.float32), np.asarray(mesh.faces, dtype=np.uint32))
    )
    if solid.is_empty() or solid.volume() <= 0.0:
        raise StageError(f"the surface is no oriented manifold ({solid.status()})", stage="shape")
    body = max(solid.decompose(), key=lambda part: float(part.volume()))
    tolerance = 0.0002
    for _ in range(9):
        parts = significant_parts(body.simplify(tolerance))
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


def observed_faces(
    mesh: Mesh, evidence: Evidence, grid: VoxelGrid, *, min_weight: float = MIN_OBSERVED_WEIGHT
) -> Array:
    """Return which faces lie where some view measured the object's surface with the same orientation, bool [m]."""
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    index = np.rint((corners.mean(axis=1) - grid.origin) / grid.voxel_m).astype(int)
    index = np.clip(index, 0, np.array(grid.shape) - 1)
    seen_weight = np.zeros(len(mesh.faces))
    for axis in range(3):
        for side, sign in enumerate((1.0, -1.0)):
            bin_weight = evidence.weight[2 * axis + side][index[:, 0], index[:, 1], index[:, 2]]
            moment = evidence.moment[2 * axis + side][index[:, 0], index[:, 1], index[:, 2]]
            close = np.abs(moment) <= 2.0 * grid.voxel_m * bin_weight
            seen_weight += close * bin_weight * np.clip(sign * normals[:, axis], 0.0, None) ** 2
    return np.asarray(seen_weight >= min_weight)
