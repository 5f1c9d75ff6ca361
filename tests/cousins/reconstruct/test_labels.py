"""Names told from the rebuilt shape."""

from __future__ import annotations

from dataclasses import replace

import trimesh

from cousins.meshes import Mesh
from cousins.reconstruct.labels import relabelled
from cousins.segment.segments import Segment

BOX = Mesh.from_trimesh(trimesh.creation.box((0.19, 0.12, 0.05)))
SEEN = Segment(name="object_0", label="box 21×13×6 cm", label_score=0.9)


def test_a_name_by_geometry_takes_the_sizes_of_the_mesh() -> None:
    assert relabelled(SEEN, BOX).label == "box 19×12×5 cm"


def test_a_name_that_somebody_gave_stays() -> None:
    named = replace(SEEN, label="tea tin", label_source="sam")
    assert relabelled(named, BOX) is named
