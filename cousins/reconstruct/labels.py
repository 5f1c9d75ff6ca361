"""Names by geometry, told anew from the rebuilt shape: its sizes are better than those of the points that were seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import trimesh

from cousins.meshes import Mesh
from cousins.segment.geometric_names import name_by_geometry
from cousins.segment.segments import Segment

SAMPLES = 4000
"""Points of the surface that a name is told from."""


def relabelled(segment: Segment, mesh: Mesh) -> Segment:
    """Return the segment with the label that its watertight mesh in the world tells; a name from elsewhere stays."""
    if segment.label_source != "geometry":
        return segment
    points, _ = trimesh.sample.sample_surface(mesh.to_trimesh(), SAMPLES, seed=0)
    label = name_by_geometry(np.asarray(points))
    return replace(segment, label=label.text, label_score=round(label.score, 3))
