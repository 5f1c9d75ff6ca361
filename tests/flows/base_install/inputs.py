"""What the commands of `commands` read: a capture, a scene, a mesh, a pack, a recipe and a policy."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import trimesh

from cousins.scene.scene_folder import scene_digest
from tests.cousins.capture.exports import export
from tests.cousins.capture.room import write_folder
from tests.cousins.pack.packs_for_tests import small_pack
from tests.flows.tiny_for_tests import write_tiny

POLICY = """
import numpy as np


def act(observations):
    return np.zeros((len(observations), 7))
"""


def write_inputs(folder: Path) -> None:
    """Write all inputs to an empty folder."""
    scene = write_tiny(folder)
    report = {"name": "tiny", "digest": scene_digest(scene), "assets": [], "gates": {}, "warnings": [], "fallbacks": []}
    (scene / "report.json").write_text(json.dumps(report))
    (scene / "report.html").write_text("<html></html>")
    write_folder(export("canonical", count=12), folder / "capture")
    (folder / "meshes").mkdir()
    trimesh.creation.box((0.1, 0.08, 0.06)).export(folder / "meshes/box.obj")
    small_pack(folder / "pack")
    (folder / "policy.py").write_text(POLICY)


if __name__ == "__main__":
    write_inputs(Path(sys.argv[1]))
