"""A small scene on disk, a recipe that runs quickly, and the command line in a subprocess."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from cousins.scene.layout.relations import find_relations
from cousins.scene.scene_folder import write_scene
from sim.physics.simple_assets import make_scene, place, slab
from tests.cousins.scene.scenes_for_tests import box_asset

ROOT = Path(__file__).parents[2]
COUNT = 40
RECIPE = """
[distance]
clutter = 0.0
[shape]
variants = 2
[swap]
families = 1
[splits]
far_shapes = 0.5
"""


def write_tiny(folder: Path) -> Path:
    """Write a scene of a box, and a brick beside it with another one on it, and the recipe; return the scene."""
    top = 0.7
    scene = make_scene(
        place(box_asset("box", (0.07, 0.06, 0.05)), 0.0, 0.0, top + 0.02501),
        place(box_asset("brick", (0.1, 0.1, 0.04)), 0.15, 0.0, top + 0.02001),
        place(box_asset("upper", (0.05, 0.05, 0.03)), 0.15, 0.0, top + 0.05502),
        structures=(slab("table", size_m=(1.0, 1.0, 0.05), top_m=top),),
        name="tiny",
    )
    write_scene(replace(scene, relations=find_relations(scene)), folder / "scene")
    (folder / "recipe.toml").write_text(RECIPE)
    return folder / "scene"


def vary_words(scene: Path, output: Path, *more: str) -> list[str]:
    recipe = ["--recipe", str(scene.parent / "recipe.toml")]
    return ["vary", str(scene), "-n", str(COUNT), "-o", str(output), *recipe, *more, "--json"]


def started(words: list[str], store: Path, **environment: str) -> subprocess.Popen[str]:
    """Start the command line in a new session with a separate store."""
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *words],
        cwd=ROOT,
        env=os.environ | {"COUSINS_STORE": str(store)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, log = process.communicate(timeout=240)
    assert process.returncode == 0, (output, log[-4000:])
    result: dict[str, Any] = json.loads(output)
    return result
