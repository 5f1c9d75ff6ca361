"""`cousins background` and `cousins setup`, with programs that write nerfstudio's files instead of nerfstudio."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cousins.capture.ingest import ingest
from cousins.capture.io.capture_folder import capture_digest
from cousins.reconstruct.backends.nerfstudio import REQUIREMENTS
from cousins.scene.scene_folder import write_scene
from cousins.scene.usd.check_worker import check_file
from cousins.scene.usd.splats import read_splat_usd
from cousins.store import file_digest
from flows.cli import run
from flows.commands import setup
from tests.cousins.capture.exports import export
from tests.cousins.capture.room import write_folder
from tests.cousins.reconstruct.test_nerfstudio import HARMONICS, POINTS, SCALES, environment
from tests.cousins.scene.scenes_for_tests import table_scene


def run_json(*words: str) -> tuple[int, dict[str, Any]]:
    output = io.StringIO()
    code = run([*words, "--json"], output)
    return code, json.loads(output.getvalue())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COUSINS_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return tmp_path / "store"


def test_splats_are_added_to_the_scene_of_their_capture_only(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_folder(export("canonical", count=36), tmp_path / "export")
    capture = ingest(source, tmp_path / "capture")
    scene = replace(table_scene(), capture_digest=capture_digest(capture), scale=capture.scale)
    write_scene(scene, tmp_path / "scene")
    np.savez(tmp_path / "known.npz", points=POINTS, scales=SCALES, harmonics=HARMONICS)
    monkeypatch.setenv("KNOWN_SCENE", str(tmp_path / "known.npz"))
    environment(store / "environments/nerfstudio")

    code, result = run_json("background", str(source), str(tmp_path / "scene"))
    assert (code, result["splats"], result["degree"]) == (0, 300, 3)
    written = tmp_path / "scene/background.usdc"
    assert np.abs(read_splat_usd(written).positions - POINTS).max() < 1e-4
    assert check_file(written) == []

    write_scene(replace(scene, capture_digest="1" * 64), tmp_path / "other")
    code, result = run_json("background", str(source), str(tmp_path / "other"))
    assert code == 2
    assert result["error"]["found"] == "a scene of another capture (111111111111)"
    assert not (tmp_path / "other/background.usdc").exists()


def test_a_missing_environment_is_an_error_with_the_setup_command(store: Path, tmp_path: Path) -> None:
    write_scene(table_scene(), tmp_path / "scene")
    code, result = run_json("background", str(tmp_path), str(tmp_path / "scene"))
    assert code == 2
    assert result["error"]["hint"].startswith("Type `cousins setup nerfstudio`")


def test_a_finished_environment_is_not_built_again_and_a_full_disk_is_an_error(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.download.free_bytes", lambda _: 1_500_000_000)
    code, result = run_json("setup", "nerfstudio")
    assert code == 2
    assert result["error"]["found"].startswith("1.5 GB free at ")
    folder = environment(store / "environments/nerfstudio")
    (folder / setup.STAMP).write_text(file_digest(REQUIREMENTS))
    assert run_json("setup", "nerfstudio") == (0, {"environment": str(folder), "built": False})
