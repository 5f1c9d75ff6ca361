"""Meshes with fewer faces: what is drawn and decomposed needs less than what is weighed."""

from __future__ import annotations

import fast_simplification
import manifold3d
import numpy as np

from cousins.meshes import Mesh
from cousins.reconstruct.solids import mesh_of, solid_of

VISUAL_FACES = 6000
"""Most faces of a visual mesh; quadric simplification to this moves a scanned surface by less than a tenth of the
sensor's noise, and unwrapping takes a third of the time."""
AGGRESSIVENESS = 4.0
"""How fast the simplifier's threshold grows; with the library's 7 single corners stray three times as far."""
VOLUME_KEPT = 0.01
"""Largest relative change of the volume of what is drawn."""


def lightened(mesh: Mesh, *, faces: int = VISUAL_FACES, volume_kept: float = VOLUME_KEPT) -> Mesh:
    """Return a watertight mesh of at most about `faces` faces; the mesh itself where none is as good.

    Quadric error simplification (Garland and Heckbert, 1997), made an oriented manifold again. A simplified mesh
    whose volume changed by more than the share `volume_kept` is not taken.
    """
    if len(mesh.faces) <= faces:
        return mesh
    corners, triangles = np.array(mesh.vertices, order="C"), np.array(mesh.faces, order="C")
    vertices, triangles = fast_simplification.simplify(corners, triangles, target_count=faces, agg=AGGRESSIVENESS)
    fewer = Mesh(vertices=np.asarray(vertices, dtype=np.float64), faces=np.asarray(triangles, dtype=np.int32))
    solid, volume = solid_of(fewer), solid_of(mesh).volume()
    if solid.status() != manifold3d.Error.NoError or abs(solid.volume() - volume) > volume_kept * volume:
        return mesh
    return mesh_of(solid)
