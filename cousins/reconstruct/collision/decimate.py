"""Meshes with fewer faces: what is drawn and decomposed needs less than what is weighed."""

from __future__ import annotations

import fast_simplification
import manifold3d
import numpy as np

from cousins.meshes import Mesh
from cousins.reconstruct.collision.solids import LONGEST_CRUMB_M, long_parts, mesh_of, solid_of, thickness_m

VISUAL_FACES = 6000
"""Most faces of a visual mesh; quadric simplification to this moves a scanned surface by less than a tenth of the
sensor's noise, and unwrapping takes a third of the time."""
AGGRESSIVENESS = 4.0
"""How fast the simplifier's threshold grows; with the library's 7 single corners stray three times as far."""
VOLUME_KEPT = 0.01
"""Largest relative change of the volume of what is drawn."""
LOST_THICKNESS_M = 0.0015
"""What is gone from a mesh and thinner than this is a layer of the surface, within the sensor's noise [m]."""


def lightened(mesh: Mesh, *, faces: int = VISUAL_FACES, volume_kept: float = VOLUME_KEPT) -> Mesh:
    """Return a watertight mesh of about `faces` faces, or up to four times as many, or the mesh itself.

    Quadric error simplification (Garland and Heckbert, 1997), made an oriented manifold again. The first is taken
    whose volume is kept within the share `volume_kept` and that lost no part, such as a foot.
    """
    solid = solid_of(mesh)
    parts = len(long_parts(solid))
    for count in (faces, 2 * faces, 4 * faces):
        if len(mesh.faces) <= count:
            break
        simple = _simplified(mesh, count)
        pinched = len(long_parts(simple)) > parts
        change = abs(simple.volume() - solid.volume())
        if not pinched and change <= volume_kept * solid.volume() and not _parts_lost(solid, simple):
            return mesh_of(simple)
    return mesh


def _simplified(mesh: Mesh, faces: int) -> manifold3d.Manifold:
    corners, triangles = np.array(mesh.vertices, order="C"), np.array(mesh.faces, order="C")
    vertices, triangles = fast_simplification.simplify(corners, triangles, target_count=faces, agg=AGGRESSIVENESS)
    return solid_of(Mesh(vertices=np.asarray(vertices, dtype=np.float64), faces=np.asarray(triangles, dtype=np.int32)))


def _parts_lost(solid: manifold3d.Manifold, simple: manifold3d.Manifold) -> bool:
    """Tell whether simplifying took away more than a layer of the surface: quadrics pinch thin tubes off."""
    for part in (solid - simple).decompose():
        box = np.asarray(part.bounding_box()).reshape(2, 3)
        if np.ptp(box, axis=0).max() > LONGEST_CRUMB_M and thickness_m(part) > LOST_THICKNESS_M:
            return True
    return False
