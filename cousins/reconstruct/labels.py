"""Update geometric labels from the reconstructed shape: its sizes are more accurate than those of the raw points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import trimesh

from cousins.meshes import Mesh
from cousins.segment.geometric_names import name_by_geometry
from cousins.segment.segments import Segment

SURFACE_SAMPLES = 4000
"""Number of surface points from which a label is derived."""


def relabel_from_mesh(segment: Segment, mesh: Mesh) -> Segment:
    """Return the segment with a label derived from its watertight world-frame mesh; labels of other sources stay."""
    if segment.label_source != "geometry":
        return segment
    points, _ = trimesh.sample.sample_surface(mesh.to_trimesh(), SURFACE_SAMPLES, seed=0)
    label = name_by_geometry(np.asarray(points))
    return replace(segment, label=label.text, label_score=round(label.score, 3))
