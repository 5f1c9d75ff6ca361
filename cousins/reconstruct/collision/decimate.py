"""Decimate meshes: rendering and convex decomposition need fewer faces than mass integration."""

from __future__ import annotations

import fast_simplification
import manifold3d
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cousins.meshes import Mesh
from cousins.reconstruct.collision.solids import MAX_CRUMB_LENGTH_M, mesh_of, significant_parts, solid_of

VISUAL_FACES = 6000
"""Largest number of faces of a visual mesh.

Quadric simplification to this moves a scanned surface by less than a tenth of the sensor's noise, and unwrapping takes
a third of the time."""
AGGRESSIVENESS = 4.0
"""Growth of the simplifier's threshold; with the library's 7, single corners stray three times as far."""
MAX_VOLUME_CHANGE = 0.01
"""Largest relative change of the volume of a visual mesh."""
MAX_LOST_DEPTH_M = 0.003
"""Largest distance of the surface from the simpler one within the sensor's noise [m]."""


def decimate_mesh(mesh: Mesh, *, faces: int = VISUAL_FACES, max_volume_change: float = MAX_VOLUME_CHANGE) -> Mesh:
    """Return a watertight mesh of about `faces` faces, or up to four times as many, or the mesh itself.

    Quadric error simplification (Garland and Heckbert, 1997), made an oriented manifold again. Returns the first
    whose volume changed by at most the share `max_volume_change` and that lost no part, such as a foot.
    """
    solid = solid_of(mesh)
    parts = len(significant_parts(solid))
    for count in (faces, 2 * faces, 4 * faces):
        if len(mesh.faces) <= count:
            break
        simple = _simplify(mesh, count)
        pinched = len(significant_parts(simple)) > parts
        change = abs(simple.volume() - solid.volume())
        if not pinched and change <= max_volume_change * solid.volume() and not _loses_parts(mesh, mesh_of(simple)):
            return mesh_of(simple)
    return mesh


def _simplify(mesh: Mesh, faces: int) -> manifold3d.Manifold:
    corners, triangles = np.array(mesh.vertices, order="C"), np.array(mesh.faces, order="C")
    vertices, triangles = fast_simplification.simplify(corners, triangles, target_count=faces, agg=AGGRESSIVENESS)
    return solid_of(Mesh(vertices=np.asarray(vertices, dtype=np.float64), faces=np.asarray(triangles, dtype=np.int32)))


def _loses_parts(mesh: Mesh, simple: Mesh) -> bool:
    """Return whether simplifying removed more than a surface layer: quadrics pinch thin tubes off."""
    nearest, _ = cKDTree(simple.surface_points(MAX_LOST_DEPTH_M), balanced_tree=False, compact_nodes=False).query(
        mesh.vertices, distance_upper_bound=MAX_LOST_DEPTH_M, workers=-1
    )
    is_lost = np.isinf(nearest)
    if not is_lost.any():
        return False
    faces = mesh.faces[is_lost[mesh.faces].all(axis=1)]
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    links = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(is_lost), len(is_lost)))
    _, patch = connected_components(links, directed=False)
    lengths = [np.ptp(mesh.vertices[patch == index], axis=0).max() for index in np.unique(patch[faces])]
    return max(lengths, default=0.0) > MAX_CRUMB_LENGTH_M
