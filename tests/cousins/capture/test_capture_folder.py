"""The canonical folder is written atomically, with the same bytes each time, and every value of it is validated."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cousins.capture.captures import Capture, Scale
from cousins.capture.io import capture_folder as folder_module
from cousins.capture.io.capture_folder import CaptureWriter, capture_digest, load_capture
from cousins.capture.io.frame_images import DepthFile
from cousins.errors import CaptureError, ConventionError
from cousins.geometry import Intrinsics, look_at
from cousins.stored_arrays import ChangedArray, held
from tests.cousins.capture.room import shots, tree

CAMERA = Intrinsics(width=8, height=6, fx=7.0, fy=7.1, cx=3.4, cy=2.6)
POSE = look_at(np.array([1.0, 0.5, 1.0]), np.zeros(3))


def writer(folder: Path) -> CaptureWriter:
    return CaptureWriter(folder, name="room", device="phone", app="test", scale=Scale(source="lidar", error=0.01))


def add(to: CaptureWriter, **changed: Any) -> None:
    values: dict[str, Any] = {
        "timestamp_s": 3.0,
        "world_from_camera": POSE,
        "depth_camera": CAMERA,
        "depth_m": np.full((6, 8), 1.5),
        "confidence": np.full((6, 8), 2, np.uint8),
    }
    to.add(**(values | changed))


def written(folder: Path) -> Capture:
    with writer(folder) as to:
        for shot in shots(3):
            to.add(
                timestamp_s=shot.time_s,
                world_from_camera=shot.world_from_camera,
                depth_camera=shot.depth_camera,
                depth_m=shot.depth_mm / 1000.0,
                confidence=shot.confidence,
                color_camera=shot.color_camera,
                color=shot.jpeg,
            )
        return to.close()


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert capture_digest(first) == capture_digest(second)
    assert sorted(tree(tmp_path / "a"))[:2] == ["capture.json", "confidence/000000.png"]


def test_the_digest_changes_with_everything_but_the_name(tmp_path: Path) -> None:
    capture = written(tmp_path / "a")
    frame = capture.frames[1]
    digest = capture_digest(capture)
    nearer = frame.depth_m.copy()
    nearer[5, 5] += 0.002
    moved = frame.world_from_camera.copy()
    moved[0, 3] += 1e-6
    trusted = np.where(frame.confidence == 0, 1, frame.confidence).astype(np.uint8)
    changed = [
        replace(frame, depth_m=nearer),
        replace(frame, world_from_camera=moved),
        replace(frame, confidence=trusted),
        replace(frame, timestamp_s=frame.timestamp_s + 0.001),
        replace(frame, depth_camera=replace(frame.depth_camera, fx=frame.depth_camera.fx + 0.01)),
        replace(frame, color_path=capture.frames[0].color_path),
    ]
    variants = [replace(capture, frames=(capture.frames[0], other, capture.frames[2])) for other in changed]
    variants += [replace(capture, gravity_known=False), replace(capture, warnings=("guessed",))]
    assert len({digest, *(capture_digest(other) for other in variants)}) == len(variants) + 1
    assert capture_digest(replace(capture, name="other")) == digest


def test_depth_stays_on_disk_until_it_is_used_and_in_frames_with_another_pose_too(tmp_path: Path) -> None:
    frame, last = written(tmp_path / "a").frames[1:]
    assert isinstance(held(frame, "depth_m"), DepthFile)
    moved = frame.with_pose(np.eye(4), lambda depth_m: 2.0 * depth_m)
    assert isinstance(held(moved, "depth_m"), ChangedArray)
    assert held(moved, "confidence") is held(frame, "confidence")
    assert np.array_equal(moved.depth_m, 2.0 * frame.depth_m)
    assert isinstance(held(replace(moved), "depth_m"), np.ndarray)
    (tmp_path / "a" / "depth" / "000002.png").write_bytes(b"half")
    with pytest.raises(CaptureError, match=r"depth/000002\.png"):
        last.depth_m.sum()


def test_unknown_depth_is_zero(tmp_path: Path) -> None:
    depth = np.full((6, 8), 2.0)
    depth[0, :5] = [np.nan, np.inf, -1.0, 65.536, 0.0004]
    with writer(tmp_path / "a") as to:
        add(to, depth_m=depth, confidence=None)
        frame = to.close().frames[0]
    assert (frame.depth_m[0, :5] == 0.0).all()
    assert (frame.depth_m.ravel()[5:] == np.float32(2.0)).all()
    assert (frame.confidence == 2).all()


def test_nothing_is_left_of_a_folder_that_was_not_closed(tmp_path: Path) -> None:
    with writer(tmp_path / "deep" / "a") as to:
        add(to)
        assert (tmp_path / "deep" / ".a.partial" / "depth" / "000000.png").exists()
    assert list((tmp_path / "deep").iterdir()) == []


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".a.partial" / "rgb"
    left.mkdir(parents=True)
    (left / "000007.jpg").write_bytes(b"half")
    written(tmp_path / "a")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
    assert "rgb/000007.jpg" not in tree(tmp_path / "a")


def test_two_writers_of_one_folder_do_not_mix(tmp_path: Path) -> None:
    with writer(tmp_path / "a") as first:
        add(first)
        with pytest.raises(CaptureError, match="another process"):
            writer(tmp_path / "a")
        assert len(first.close().frames) == 1


def test_an_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CaptureError, match="new or empty"):
        writer(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_capture_without_frames_is_refused(tmp_path: Path) -> None:
    with writer(tmp_path / "a") as to, pytest.raises(CaptureError, match="no frames"):
        to.close()
    assert list(tmp_path.iterdir()) == []


def test_a_capture_without_any_known_depth_is_refused(tmp_path: Path) -> None:
    with writer(tmp_path / "a") as to:
        add(to, depth_m=np.zeros((6, 8)))
        with pytest.raises(CaptureError, match="1 frames without any known depth"):
            to.close()
    assert list(tmp_path.iterdir()) == []


def test_depth_that_counts_another_unit_is_named(tmp_path: Path) -> None:
    with writer(tmp_path / "a") as to:
        add(to, depth_m=np.full((6, 8), 700.0))
        with pytest.raises(ConventionError, match=r"1 frames whose whole depth is more than 65\.535 m away"):
            to.close()
    assert list(tmp_path.iterdir()) == []


def test_a_capture_that_would_not_fit_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "whole")
    monkeypatch.setattr(folder_module, "MAX_TOTAL_PIXELS", 2 * 64 * 48)
    with pytest.raises(CaptureError, match="3 frames with 9,216 depth pixels"):
        written(tmp_path / "a")
    with pytest.raises(CaptureError, match="3 frames with 9,216 depth pixels"):
        load_capture(tmp_path / "whole")


def test_frames_that_go_back_in_time_are_refused(tmp_path: Path) -> None:
    with writer(tmp_path / "a") as to:
        add(to, timestamp_s=5.0)
        add(to, timestamp_s=5.0)
        with pytest.raises(CaptureError, match="time order"):
            add(to, timestamp_s=4.9)
        with pytest.raises(CaptureError, match="time order"):
            add(to, timestamp_s=float("nan"))


@pytest.mark.parametrize(
    ("changed", "error_text"),
    [
        ({"depth_m": np.ones((6, 9))}, "camera says"),
        ({"confidence": np.full((6, 8), 3, np.uint8)}, "0, 1 or 2"),
        ({"world_from_camera": np.diag([1.0, 1, -1, 1])}, "proper rotation"),
        ({"world_from_camera": np.full((4, 4), np.nan)}, "finite"),
        ({"color": np.zeros((6, 8, 3), np.uint8)}, "colour camera"),
        ({"color": np.zeros((6, 8, 3), np.uint8), "color_camera": CAMERA.scaled(16, 12)}, "of that size"),
        ({"color": b"GIF89a", "color_camera": CAMERA}, "JPEG"),
    ],
)
def test_a_frame_that_contradicts_itself_is_refused(changed: dict[str, Any], error_text: str, tmp_path: Path) -> None:
    with writer(tmp_path / "a") as to, pytest.raises(CaptureError, match=error_text):
        add(to, **changed)


@pytest.mark.parametrize(
    ("path", "value", "error_text"),
    [
        (["schema"], "cousins-capture-9", "schema"),
        (["frames"], [], "no frames"),
        (["gravity_known"], "yes", "true or false"),
        (["scale", "error"], -1, "scale error"),
        (["frames", 0, "world_from_camera", 0, 0], 3.0, "rotation"),
        (["frames", 0, "depth_camera", "fx"], 0, "fx"),
        (["frames", 0, "depth_camera", "width"], 63, "camera says"),
        (["frames", 0, "timestamp_s"], None, "timestamp"),
    ],
)
def test_a_spoilt_record_is_refused(path: list[Any], value: Any, error_text: str, tmp_path: Path) -> None:
    written(tmp_path / "a")
    record = json.loads((tmp_path / "a" / "capture.json").read_text())
    place = record
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (tmp_path / "a" / "capture.json").write_text(json.dumps(record))
    with pytest.raises(CaptureError, match=error_text):
        load_capture(tmp_path / "a")


def test_a_folder_that_lost_a_file_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "a")
    for name in ("capture.json", "depth/000001.png", "confidence/000002.png", "rgb/000000.jpg"):
        shutil.copytree(tmp_path / "a", tmp_path / "b")
        (tmp_path / "b" / name).unlink()
        with pytest.raises(CaptureError, match=Path(name).name):
            load_capture(tmp_path / "b")
        shutil.rmtree(tmp_path / "b")
