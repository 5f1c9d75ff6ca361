"""Labels derived from the reconstructed shape."""

from __future__ import annotations

from dataclasses import replace

import trimesh

from cousins.meshes import Mesh
from cousins.reconstruct.labels import relabel_from_mesh
from cousins.segment.segments import Segment

BOX = Mesh.from_trimesh(trimesh.creation.box((0.19, 0.12, 0.05)))
SEGMENT = Segment(name="object_0", label="box 21×13×6 cm", label_score=0.9)


def test_a_name_by_geometry_takes_the_sizes_of_the_mesh() -> None:
    assert relabel_from_mesh(SEGMENT, BOX).label == "box 19×12×5 cm"


def test_a_name_that_somebody_gave_stays() -> None:
    named = replace(SEGMENT, label="tea tin", label_source="sam")
    assert relabel_from_mesh(named, BOX) is named
