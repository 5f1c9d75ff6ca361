"""All convex hulls of a body as one OBJ file, for engines that load them from one file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cousins.meshes import Mesh
from cousins.rounding import round_length


def grouped_obj(meshes: Sequence[Mesh]) -> bytes:
    """Return an OBJ file with one object per mesh; vertices [m] are rounded as in a scene folder."""
    lines, start = [], 1
    for index, mesh in enumerate(meshes):
        lines.append(f"o piece_{index}")
        lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in round_length(mesh.vertices).tolist()]
        lines += [f"f {a} {b} {c}" for a, b, c in (np.asarray(mesh.faces) + start).tolist()]
        start += len(mesh.vertices)
    return ("\n".join(lines) + "\n").encode()
