"""Move the vertices of large flat faces onto their planes, so that faces are flat and edges between them straight.

Depth noise leaves dents of a millimetre in a flat face, and averaging and voxels round the edges of a box. A face is
flat where a plane fits a connected patch within the tolerance and the patch does not bulge: a cylinder's side fits a
plane in strips, but each strip is curved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from cousins.geometry import Array
from cousins.meshes import Mesh

MAX_SEARCHES = 16
"""Largest number of directions in which a flat face is searched."""
MIN_AREA_SHARE = 0.03
"""Smallest flat face as a share of the surface: an end of a flat box is as small."""
MIN_AREA_M2 = 0.0006
"""Smallest flat face [m²]: 2.5 cm squared; less is flat within the noise whatever its shape."""
MIN_FACING_COS = 0.9
"""Smallest cosine between a plane's normal and the smoothed normals of its patch, 25 degrees."""
MAX_SAG_SHARE = 0.5
"""Largest bulge of a patch over its extent, as a share of the tolerance."""
MAX_SAG_SLOPE = 0.1
"""The same as a share of half the extent within which it is measured; a strip of a cylinder as wide as
its normals agree has 0.16."""
INNER_SHARE = 0.75
"""Part of a patch's extent within which it must be flat: towards its edges it is rounded."""
MAX_OVERLAP_SHARE = 0.5
"""Largest share of a patch that may belong to an earlier one."""
MIN_SNAP_COS = 0.3
"""Smallest cosine between a plane's normal and that of a vertex that is moved onto it: an edge's is at 45 degrees."""
NORMAL_ROUNDS = 8
"""Averaging rounds of vertex normals, over about three voxels: single faces are as rough as the noise."""
PATCH_MARGIN_RINGS = 4
"""Rings of vertices around a patch that may lie on its plane: the width of a rounded edge."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FlatFace:
    """A plane and the vertices near its patch."""

    normal: Array
    """Unit normal, outward, float64 [3]."""
    offset_m: float
    """Points x of the plane have normal · x = offset [m]."""
    near: Array
    """True for the vertices of the patch and around it, bool [n]."""


def flatten_faces(mesh: Mesh, *, tolerance_m: float) -> Mesh:
    """Return the mesh with vertices within the tolerance [m] of its flat faces moved onto them.

    A vertex near several faces moves onto their common edge or corner. Up to 0.6 of the tolerance it moves all the
    distance; from there on less, down to nothing at the tolerance.
    """
    graph = _vertex_graph(mesh)
    areas = _vertex_areas(mesh)
    normals = _smooth_normals(mesh, graph)
    faces = _find_faces(mesh.vertices, normals, areas, graph, tolerance_m)
    if not faces:
        return mesh
    return Mesh(vertices=_moved_vertices(mesh.vertices, normals, faces, tolerance_m), faces=mesh.faces)


def _find_faces(
    vertices: Array, normals: Array, areas: Array, graph: sparse.csr_matrix, tolerance_m: float
) -> list[FlatFace]:
    """Return the flat faces, those with the largest patches first."""
    least_m2 = max(MIN_AREA_M2, MIN_AREA_SHARE * float(areas.sum()))
    free = np.ones(len(vertices), dtype=bool)
    used = np.zeros(len(vertices), dtype=bool)
    faces: list[FlatFace] = []
    for _ in range(MAX_SEARCHES):
        if float(areas[free].sum()) < least_m2:
            break
        seed = _commonest_direction(normals, np.where(free, areas, 0.0))
        fit = _fit_plane(vertices, normals, areas, free, graph, seed, tolerance_m)
        if fit is None or float(areas[fit[2] & free].sum()) < 0.5 * least_m2:
            free &= normals @ seed <= MIN_FACING_COS
            continue
        normal, offset_m, patch = fit
        free &= ~patch
        area_m2 = float(areas[patch].sum())
        is_new = float(areas[patch & used].sum()) <= MAX_OVERLAP_SHARE * area_m2
        if is_new and area_m2 >= least_m2 and _is_flat(vertices[patch], areas[patch], normal, tolerance_m):
            faces.append(FlatFace(normal=normal, offset_m=offset_m, near=_dilated(patch, graph)))
            used |= patch
    return faces


def _commonest_direction(normals: Array, weight: Array) -> Array:
    """Return the direction [3] around which the weighted normals [n, 3] are densest."""
    cell = np.rint(4.0 * normals).astype(int) + 4
    key = (cell[:, 0] * 9 + cell[:, 1]) * 9 + cell[:, 2]
    densest = int(np.argmax(np.bincount(key, weight, minlength=729)))
    direction = (weight[key == densest, None] * normals[key == densest]).sum(axis=0)
    for _ in range(4):
        direction = direction / max(float(np.linalg.norm(direction)), 1e-12)
        close = weight * (normals @ direction > MIN_FACING_COS)
        direction = close @ normals
    return np.asarray(direction / max(float(np.linalg.norm(direction)), 1e-12))


def _fit_plane(
    vertices: Array,
    normals: Array,
    areas: Array,
    free: Array,
    graph: sparse.csr_matrix,
    normal: Array,
    tolerance_m: float,
) -> tuple[Array, float, Array] | None:
    """Return normal [3], offset [m] and patch (bool [n]) of the largest connected patch of about a direction.

    It starts from free vertices and may take in others, so that what earlier patches left is not flat by itself.
    """
    facing = free & (normals @ normal > MIN_FACING_COS)
    if np.count_nonzero(facing) < 10:
        return None
    along = vertices @ normal
    step = 0.5 * tolerance_m
    bins = ((along - along[facing].min()) / step).astype(int)
    counts = np.bincount(np.maximum(bins[facing], 0), areas[facing])
    peak = int(np.argmax(np.convolve(counts, np.ones(3), mode="same")))
    offset_m = float(along[facing].min() + (peak + 0.5) * step)
    patch = facing & (np.abs(along - offset_m) <= tolerance_m)
    for _ in range(3):
        patch = _largest_patch(patch, areas, graph)
        if np.count_nonzero(patch) < 10:
            return None
        weight = areas[patch]
        middle = weight @ vertices[patch] / weight.sum()
        local = vertices[patch] - middle
        _, axes = np.linalg.eigh((weight[:, None] * local).T @ local)
        normal = axes[:, 0] * np.sign(axes[:, 0] @ normal)
        offset_m = float(middle @ normal)
        patch = (normals @ normal > MIN_FACING_COS) & (np.abs(vertices @ normal - offset_m) <= tolerance_m)
    return normal, offset_m, _largest_patch(patch, areas, graph)


def _is_flat(points: Array, weight: Array, normal: Array, tolerance_m: float) -> bool:
    """Return whether a patch [n, 3] bulges no more than noise does: the quadratic part of its height over the plane."""
    middle = weight @ points / weight.sum()
    local = points - middle
    first = np.cross(normal, np.eye(3)[int(np.argmin(np.abs(normal)))])
    first /= np.linalg.norm(first)
    flat = local @ np.stack([first, np.cross(normal, first)], axis=1)
    _, turn = np.linalg.eigh((weight[:, None] * flat).T @ flat)
    flat = flat @ turn
    reach = INNER_SHARE * np.sqrt(np.maximum(3.0 * (weight @ flat**2) / weight.sum(), 1e-12))
    inner = (np.abs(flat) <= reach).all(axis=1)
    if np.count_nonzero(inner) < 10:
        return False
    local, weight = local[inner], weight[inner]
    u, v = (flat[inner] / reach).T
    system = np.column_stack([np.ones(len(u)), u, v, u * u, v * v]) * np.sqrt(weight)[:, None]
    solution = np.linalg.lstsq(system, (local @ normal) * np.sqrt(weight), rcond=None)[0]
    sag = np.abs(solution[3:])
    return bool((sag <= np.minimum(MAX_SAG_SHARE * tolerance_m, MAX_SAG_SLOPE * reach)).all())


def _moved_vertices(vertices: Array, normals: Array, faces: list[FlatFace], tolerance_m: float) -> Array:
    """Return the vertices [n, 3] moved onto the planes that they are near: the shortest move onto all of them."""
    planes = np.stack([face.normal for face in faces])
    gaps = vertices @ planes.T - np.array([face.offset_m for face in faces])
    active = np.stack([face.near for face in faces], axis=1) & (np.abs(gaps) <= tolerance_m)
    active &= normals @ planes.T >= MIN_SNAP_COS
    nearest = np.argsort(np.where(active, np.abs(gaps), np.inf), axis=1, kind="stable")[:, :3]
    used = np.take_along_axis(active, nearest, axis=1)
    rows = planes[nearest] * used[:, :, None]
    gap = np.take_along_axis(gaps, nearest, axis=1) * used
    system = rows @ rows.transpose(0, 2, 1) + 0.02 * np.eye(rows.shape[1])
    move = -np.einsum("nki,nk->ni", rows, np.linalg.solve(system, gap[:, :, None])[:, :, 0])
    share = np.clip((1.0 - np.abs(gap).max(axis=1, initial=0.0) / tolerance_m) / 0.4, 0.0, 1.0)
    return np.asarray(vertices + share[:, None] * move)


def _vertex_graph(mesh: Mesh) -> sparse.csr_matrix:
    """Return the symmetric adjacency of the vertices along edges."""
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    count = len(mesh.vertices)
    weights = np.ones(len(edges), dtype=np.float64)
    graph = sparse.coo_matrix((weights, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
    return ((graph + graph.T) > 0).astype(np.float64)


def _vertex_areas(mesh: Mesh) -> Array:
    """Return a third of the area of the faces around each vertex [m²], [n]."""
    corners = mesh.vertices[mesh.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 6.0
    return np.bincount(mesh.faces.ravel(), np.repeat(areas, 3), minlength=len(mesh.vertices))


def _smooth_normals(mesh: Mesh, graph: sparse.csr_matrix) -> Array:
    """Return unit vertex normals [n, 3], averaged over some rings of neighbours."""
    corners = mesh.vertices[mesh.faces]
    crosses = np.repeat(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), 3, axis=0)
    count = len(mesh.vertices)
    normals = np.stack(
        [np.bincount(mesh.faces.ravel(), crosses[:, axis], minlength=count) for axis in range(3)], axis=1
    )
    for _ in range(NORMAL_ROUNDS):
        normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        normals = normals + graph @ normals
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12))


def _largest_patch(mask: Array, areas: Array, graph: sparse.csr_matrix) -> Array:
    """Return the connected part of the masked vertices that has the largest area, bool [n]."""
    index = np.flatnonzero(mask)
    if not len(index):
        return mask
    _, labels = csgraph.connected_components(graph[index][:, index], directed=False)
    largest = int(np.argmax(np.bincount(labels, areas[index])))
    patch = np.zeros_like(mask)
    patch[index[labels == largest]] = True
    return patch


def _dilated(patch: Array, graph: sparse.csr_matrix) -> Array:
    """Return the patch and some rings of vertices around it, bool [n]."""
    near = patch.astype(np.float64)
    for _ in range(PATCH_MARGIN_RINGS):
        near = ((graph @ near + near) > 0.0).astype(np.float64)
    return near > 0.0
