"""A scan with labels from a detector, from end to end: the label reaches every file and sets the material."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import PhoneConfig, record_capture

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_bottle_on_a_table_is_called_a_bottle_by_whom_and_how_surely(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    pytest.importorskip("ncnn", reason="the extra `names` is not installed")
    weights = shared_data("weights/yolox_nano_ncnn")
    world = demo_world(np.random.default_rng(0))
    alone = replace(
        world,
        bodies=tuple(body for body in world.bodies if body.name == "bottle"),
        structures=tuple(structure for structure in world.structures if structure[0] == "table"),
    )
    config = PhoneConfig(frames=12, radius_m=(0.4, 0.6), color_width=416, color_every=4, shadows=False)
    record_capture(alone, tmp_path / "phone", config=config, rng=np.random.default_rng(4))
    process = subprocess.run(
        [sys.executable, "-m", "flows.cli", "scan", "phone", "-o", "scene", "--names", f"yolox:{weights}", "--json"],
        cwd=tmp_path,
        env=os.environ | {"COUSINS_STORE": str(tmp_path / "store"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    (asset,) = json.loads(process.stdout)["assets"]
    assert (asset["label"], asset["label_source"]) == ("bottle", "yolox")
    assert 0.25 < asset["label_score"] < 1.0
    assert asset["material"] == "filled container"
    assert asset["mass_kg"]["low"] < 0.7 < asset["mass_kg"]["high"], "0.62 l of water and its bottle"
    for name in ("scene.json", "report.html", "assets/object_0/asset.usda"):
        text = (tmp_path / "scene" / name).read_text()
        assert "bottle" in text, name
        assert "yolox" in text, name
