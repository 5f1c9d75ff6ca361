"""Decimate meshes: rendering and convex decomposition need fewer faces than mass integration."""

from __future__ import annotations

import fast_simplification
import manifold3d
import numpy as np

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
        if not pinched and change <= max_volume_change * solid.volume() and not _loses_parts(solid, simple):
            return mesh_of(simple)
    return mesh


def _simplify(mesh: Mesh, faces: int) -> manifold3d.Manifold:
    corners, triangles = np.array(mesh.vertices, order="C"), np.array(mesh.faces, order="C")
    vertices, triangles = fast_simplification.simplify(corners, triangles, target_count=faces, agg=AGGRESSIVENESS)
    return solid_of(Mesh(vertices=np.asarray(vertices, dtype=np.float64), faces=np.asarray(triangles, dtype=np.int32)))


def _loses_parts(solid: manifold3d.Manifold, simple: manifold3d.Manifold) -> bool:
    """Return whether simplifying removed more than a surface layer: quadrics pinch thin tubes off."""
    for part in (solid - simple).decompose():
        box = np.asarray(part.bounding_box()).reshape(2, 3)
        if np.ptp(box, axis=0).max() > MAX_CRUMB_LENGTH_M and thickness_m(part) > MAX_LOST_THICKNESS_M:
            return True
    return False
