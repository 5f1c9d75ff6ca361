"""A scan from end to end: killed and run again, twice the same, and refused where nothing can be built."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from cousins.geometry import rigid
from cousins.meshes import Mesh
from sim.synthetic.phone import PhoneBody, PhoneConfig, PhoneWorld, record_capture
from tests.flows.secrets_for_tests import OWNER, PERSONAL_FIELDS, find_leaks, jpeg_with_location

ROOT = Path(__file__).parents[2]
EARLY = {"ingest", "quality", "refine", "segment"}


def box(size: tuple[float, float, float], bottom: tuple[float, float, float]) -> Mesh:
    center = np.array(bottom) + np.array([0.0, 0.0, size[2] / 2.0])
    return Mesh.from_trimesh(trimesh.creation.box(size)).transformed(rigid(None, center))


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A box of 10 × 20 × 15 cm on a board, filmed with full LiDAR noise by somebody whom the export names."""
    body = PhoneBody(name="box", label="box", mesh=box((0.1, 0.2, 0.15), (0.0, 0.0, 0.0)), world_from_body=rigid())
    board = box((1.2, 1.2, 0.04), (0.0, 0.0, -0.04))
    folder = tmp_path_factory.mktemp("phone") / OWNER
    config = PhoneConfig(frames=24, color_width=320, shadows=False)
    world = PhoneWorld(bodies=(body,), structures=(("board", board),), name="box")
    record_capture(world, folder, config=config, rng=np.random.default_rng(4))
    for picture in (folder / "rgb").iterdir():
        picture.write_bytes(jpeg_with_location(picture.read_bytes()))
    (folder / "info.json").write_text(json.dumps(PERSONAL_FIELDS))
    return folder


def started(capture: Path, scene: Path, store: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "scan", str(capture), "-o", str(scene), "--json"],
        cwd=ROOT,
        env=os.environ | {"COUSINS_STORE": str(store)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    output, log = process.communicate(timeout=240)
    assert output, log
    return process.returncode, json.loads(output)


@pytest.mark.slow
def test_a_scan_that_was_killed_goes_on_and_ends_like_one_that_was_not(capture: Path, tmp_path: Path) -> None:
    killed = started(capture, tmp_path / "scene", tmp_path / "store")
    assert killed.stderr is not None
    for line in killed.stderr:
        if line.split()[:1] == ["segment"]:
            break
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "scene").exists()

    code, resumed = finished(started(capture, tmp_path / "scene", tmp_path / "store"))
    assert set(resumed["reused"]) >= EARLY
    _, fresh = finished(started(capture, tmp_path / "again", tmp_path / "other_store"))
    assert fresh["reused"] == []
    assert resumed["digest"] == fresh["digest"]

    assert code == 0
    (asset,) = resumed["assets"]
    np.testing.assert_allclose(sorted(asset["size_m"]), [0.1, 0.15, 0.2], atol=0.01)
    assert resumed["gates"]["pybullet"]["stable_fraction"] == resumed["gates"]["mujoco"]["stable_fraction"] == 1.0
    for name in ("scene.usda", "scene.usdz", "scene.urdf", "scene.xml", "scene.json", "report.html", "preview.png"):
        assert (tmp_path / "scene" / name).stat().st_size > 0
    assert (tmp_path / "scene" / "preview.glb").stat().st_size <= 10_000_000
    assert find_leaks(tmp_path / "scene") == []
    assert find_leaks(tmp_path / "store") == []


def test_a_door_handle_filmed_from_too_near_becomes_a_twin_that_is_not_called_good(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    capture = shared_data("restricted/doorhandle_record3d_mini")
    code, result = finished(started(capture, tmp_path / "scene", tmp_path / "store"))
    assert code == 0
    assert result["fidelity"]["verdict"] in ("usable", "poor")
    assert "nothing in it can move" in result["fidelity"]["advice"]
    assert result["fidelity"]["explained"] > 0.9
    assert any("Step back to 0.5 m" in warning for warning in result["warnings"])
