"""BOP scenes without world poses: a static object defines the world frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cousins.capture.ingest import ingest
from cousins.capture.quality.convention_check import check_camera_convention
from cousins.errors import CaptureError
from cousins.geometry import Array, invert, look_at
from tests.cousins.capture.exports import bop
from tests.cousins.capture.room import Files, shots, write_folder

WORLD_FROM_MODEL = look_at(np.array([0.1, 0.2, 0.3]), np.array([0.5, -0.1, 0.2]))


def without_world(*, first_shows_it: bool = True) -> Files:
    truth = shots(6)
    files = bop(truth)
    cameras: dict[str, dict[str, Any]] = json.loads(files["scene_camera.json"])
    records = {}
    for index, (key, record) in enumerate(cameras.items()):
        del record["cam_R_w2c"], record["cam_t_w2c"]
        model = _entry(7, invert(truth[index].world_from_camera) @ WORLD_FROM_MODEL)
        other = _entry(2, np.eye(4))
        records[key] = [other, other, *([model] if index or first_shows_it else [])]
    return {
        **files,
        "scene_camera.json": json.dumps(cameras).encode(),
        "scene_gt.json": json.dumps(records).encode(),
    }


def _entry(number: int, camera_from_model: Array) -> dict[str, Any]:
    rotation, place_mm = camera_from_model[:3, :3].ravel().tolist(), (1000.0 * camera_from_model[:3, 3]).tolist()
    return {"obj_id": number, "cam_R_m2c": rotation, "cam_t_m2c": place_mm}


def test_poses_come_from_the_object_that_all_images_show_once(tmp_path: Path) -> None:
    capture = ingest(write_folder(without_world(), tmp_path / "in"), tmp_path / "out")
    first = capture.frames[0].world_from_camera
    for frame, shot in zip(capture.frames, shots(6), strict=True):
        relative = invert(shots(6)[0].world_from_camera) @ shot.world_from_camera
        np.testing.assert_allclose(invert(first) @ frame.world_from_camera, relative, atol=1e-8)
    assert any("object 7" in warning for warning in capture.warnings)
    assert check_camera_convention(capture).conclusive


def test_images_without_any_world_are_refused_and_a_single_one_is_read(tmp_path: Path) -> None:
    files = without_world(first_shows_it=False)
    with pytest.raises(CaptureError, match="6 images without a world"):
        ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
    single_image = {name: data for name, data in files.items() if not name.startswith("depth/") or "000000" in name}
    assert len(ingest(write_folder(single_image, tmp_path / "one"), tmp_path / "single").frames) == 1
