"""Decimate meshes: rendering and convex decomposition need fewer faces than mass integration."""

from __future__ import annotations

import fast_simplification
import manifold3d
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.reconstruct.collision.solids import MAX_CRUMB_LENGTH_M, mesh_of, significant_parts, solid_of, thickness_m

VISUAL_FACES = 6000
"""Largest number of faces of a visual mesh.

Quadric simplification to this moves a scanned surface by less than a tenth of the sensor's noise, and unwrapping takes
a third of the time."""
AGGRESSIVENESS = 4.0
"""Growth of the simplifier's threshold; with the library's 7, single corners stray three times as far."""
MAX_VOLUME_CHANGE = 0.01
"""Largest relative change of the volume of a visual mesh."""
MAX_LOST_THICKNESS_M = 0.0015
"""Largest thickness of removed material that is a surface layer within the sensor's noise [m]."""
LAYER_M = 0.003
"""Distance of a vertex from the simpler surface up to which it lies in such a layer [m]: twice its thickness."""


def decimate_mesh(
    mesh: Mesh, *, faces: int = VISUAL_FACES, max_volume_change: float = MAX_VOLUME_CHANGE, connected: bool = True
) -> Mesh:
    """Return a watertight mesh of about `faces` faces, or up to four times as many, or the mesh itself.

    Quadric error simplification (Garland and Heckbert, 1997), made an oriented manifold again. Returns the first
    whose volume changed by at most the share `max_volume_change` and that lost no part, such as a foot. Where it need
    not be `connected`, as to be looked at, thin necks may be pinched through.
    """
    solid = solid_of(mesh)
    parts = len(significant_parts(solid))
    for count in (faces, 2 * faces, 4 * faces):
        if len(mesh.faces) <= count:
            break
        simple = _simplify(mesh, count)
        pinched = connected and len(significant_parts(simple)) > parts
        change = abs(simple.volume() - solid.volume())
        if not pinched and change <= max_volume_change * solid.volume() and not _loses_parts(solid, mesh, simple):
            return mesh_of(simple)
    return mesh


def _simplify(mesh: Mesh, faces: int) -> manifold3d.Manifold:
    corners, triangles = np.array(mesh.vertices, order="C"), np.array(mesh.faces, order="C")
    vertices, triangles = fast_simplification.simplify(corners, triangles, target_count=faces, agg=AGGRESSIVENESS)
    return solid_of(Mesh(vertices=np.asarray(vertices, dtype=np.float64), faces=np.asarray(triangles, dtype=np.int32)))


def _loses_parts(solid: manifold3d.Manifold, mesh: Mesh, simple: manifold3d.Manifold) -> bool:
    """Return whether simplifying removed more than a surface layer: quadrics pinch thin tubes off.

    The exact difference of both solids is taken only around vertices that the simpler surface does not come near.
    """
    for low, high in _boxes_of_lost_patches(mesh, mesh_of(simple)):
        around = manifold3d.Manifold.cube(high - low).translate(low)
        for part in ((solid ^ around) - simple).decompose():
            box = np.asarray(part.bounding_box()).reshape(2, 3)
            if np.ptp(box, axis=0).max() > MAX_CRUMB_LENGTH_M and thickness_m(part) > MAX_LOST_THICKNESS_M:
                return True
    return False


def _boxes_of_lost_patches(mesh: Mesh, simple: Mesh) -> list[tuple[Array, Array]]:
    """Return lower and upper corners [3] of boxes around connected patches of a mesh that are far from a simpler one.

    Patches no longer than `MAX_CRUMB_LENGTH_M` are left out.
    """
    nearest, _ = cKDTree(simple.surface_points(LAYER_M), balanced_tree=False, compact_nodes=False).query(
        mesh.vertices, distance_upper_bound=LAYER_M, workers=-1
    )
    is_lost = np.isinf(nearest)
    faces = mesh.faces[is_lost[mesh.faces].all(axis=1)]
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    links = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(is_lost), len(is_lost)))
    _, patch = connected_components(links, directed=False)
    boxes = []
    for index in np.unique(patch[faces]):
        corners = mesh.vertices[patch == index]
        if np.ptp(corners, axis=0).max() > MAX_CRUMB_LENGTH_M:
            boxes.append((corners.min(axis=0) - LAYER_M, corners.max(axis=0) + LAYER_M))
    return boxes
