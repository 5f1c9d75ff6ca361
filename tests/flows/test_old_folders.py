"""What version 0.1.0 wrote is read: a scene, a pack, an asset library, and policies of two bodies.

`made_by_0_1_0.zip` was written by that version and is never written again; a newer one gets a file of its own.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from flows.cli import run

PACK_DIGEST = "3e1d57f64618dfeb2c781f314013bb4571284edf8a84c3f77bec228b1dcee440"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COUSINS_STORE", str(tmp_path / "store"))
    with zipfile.ZipFile(Path(__file__).with_name("made_by_0_1_0.zip")) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def run_json(*words: Path | str) -> dict[str, Any]:
    output = io.StringIO()
    code = run([*map(str, words), "--json"], output)
    assert code == 0, output.getvalue()
    result: dict[str, Any] = json.loads(output.getvalue())
    return result


def test_an_old_scene_passes_its_checks(old: Path) -> None:
    pytest.importorskip("mujoco")
    assert run_json("check", old / "scene")["findings"] == []


def test_an_old_scene_can_be_varied(old: Path) -> None:
    pytest.importorskip("mujoco")
    words = ["--axis", "shape=0", "--axis", "swap=0", "--axis", "clutter=0", "--workers", "1"]
    assert run_json("vary", old / "scene", "-n", "1", "-o", old / "varied", *words)["valid"] == 1


def test_an_old_pack_is_whole_and_every_cousin_is_read(old: Path) -> None:
    verified = run_json("pack", "verify", old / "pack", "--deep")
    assert (verified["digest"], verified["cousins"], verified["bad"]) == (PACK_DIGEST, 7, [])
    assert run_json("pack", "info", old / "pack")["splits"] == {
        "twin": 1,
        "train": 4,
        "heldout_near": 1,
        "heldout_far": 1,
    }


def test_an_old_asset_library_is_read(old: Path) -> None:
    (asset,) = run_json("assets", "ls", "--library", old / "library")["assets"]
    assert (asset["name"], asset["licence"], asset["size_m"]) == ("meshes/box", "CC0-1.0", [0.1, 0.06, 0.08])


@pytest.mark.parametrize("body", ["pusher", "panda"])
def test_an_old_policy_still_fits_its_worlds(old: Path, body: str) -> None:
    pytest.importorskip("mujoco")
    pytest.importorskip("safetensors")
    pytest.importorskip("gymnasium")
    words = ["--pack", old / "pack", "--split", "train", "--episodes", "1"]
    result = run_json("eval", old / f"policy_{body}", *words)
    assert (result["task"], result["episodes"], result["faults"]) == ("push", 1, 0)
