"""Stray Scanner: a video beside depth images, which may be one picture apart."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cousins.capture.captures import Capture
from cousins.capture.decoders import video
from cousins.capture.ingest import ingest
from cousins.capture.quality.convention_check import check_camera_convention
from cousins.errors import CaptureError
from cousins.geometry import Array, invert, quat_wxyz_from_rotation, rigid, rotation_about
from tests.cousins.capture.room import GL, Y_UP_FROM_Z_UP, Files, Pose, cast, paint, png, same, shots, write_folder
from tests.cousins.capture.test_hostile_exports import read_or_refuse
from tests.fuzzing import fuzzed

av = pytest.importorskip("av")

COUNT = 12


@cache
def film(first: int) -> bytes:
    """The room as HEVC from picture `first` on."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx265", rate=60, options={"x265-params": "log-level=none", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 256, 192, "yuv420p"
        for shot in shots(COUNT)[first:]:
            color = paint(cast(shot.world_from_camera, shot.color_camera)[1])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(color, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def stray(*, first: int = 0, misread: Pose = same) -> Files:
    lines = ["timestamp, frame, x, y, z, qx, qy, qz, qw"]
    files: Files = {"rgb.mp4": film(first), "imu.csv": b"timestamp, a_x, a_y, a_z, alpha_x, alpha_y, alpha_z\n"}
    for index, shot in enumerate(shots(COUNT)):
        pose = misread(Y_UP_FROM_Z_UP @ shot.world_from_camera)
        w, x, y, z = quat_wxyz_from_rotation(pose[:3, :3])
        values = ", ".join(f"{value:.12g}" for value in (*pose[:3, 3], x, y, z, w))
        lines.append(f"{shot.time_s:.6f}, {index:06d}, {values}")
        files[f"depth/{index:06d}.png"] = png(shot.depth_mm)
        files[f"confidence/{index:06d}.png"] = png(shot.confidence)
    matrix = shots(COUNT)[0].color_camera.matrix
    files["camera_matrix.csv"] = "\n".join(", ".join(f"{value:.12g}" for value in row) for row in matrix).encode()
    return {**files, "odometry.csv": ("\n".join(lines) + "\n").encode()}


def read(files: Files, folder: Path) -> Capture:
    return ingest(write_folder(files, folder / "in"), folder / "out")


@pytest.mark.parametrize("first", [0, 1])
def test_a_recording_is_read_exactly_also_when_the_video_lacks_its_first_picture(first: int, tmp_path: Path) -> None:
    capture = read(stray(first=first), tmp_path)
    assert len(capture.frames) == COUNT
    assert capture.gravity_known
    for frame, shot in zip(capture.frames, shots(COUNT), strict=True):
        np.testing.assert_allclose(frame.world_from_camera, shot.world_from_camera, atol=1e-8)
        np.testing.assert_allclose(frame.depth_camera.matrix, shot.depth_camera.matrix, atol=1e-5)
        assert (np.round(frame.depth_m * 1000.0) == shot.depth_mm).all()
        assert (frame.confidence == shot.confidence).all()
        color = frame.color()
        if frame.index < first:
            assert color is None
        else:
            assert color is not None
            truth = paint(cast(shot.world_from_camera, shot.color_camera)[1])
            assert np.abs(color.astype(float) - truth).mean() < 25.0
    assert any(("-1 apart" if first else "by their order") in warning for warning in capture.warnings)
    assert check_camera_convention(capture).conclusive


ROLL = rigid(rotation_about(np.array([0.0, 0.0, 1.0]), np.pi / 2))


@pytest.mark.parametrize(
    "misread",
    [
        lambda pose: pose @ GL,
        invert,
        lambda pose: pose @ ROLL,
        lambda pose: pose @ ROLL @ ROLL,
        lambda pose: pose @ ROLL.T,
        lambda pose: rigid(pose[:3, :3], pose[:3, 3] * 1000.0),
        lambda pose: rigid(pose[:3, :3].T, pose[:3, 3]),
    ],
)
def test_a_convention_broken_on_purpose_is_caught(misread: Pose, tmp_path: Path) -> None:
    files = {name: data for name, data in stray(misread=misread).items() if name != "rgb.mp4"}
    files["camera_matrix.csv"] = _wide_matrix()
    with pytest.raises(CaptureError):
        check_camera_convention(read(files, tmp_path))


@cache
def silent() -> Files:
    """A recording without its video."""
    files = {name: data for name, data in stray().items() if name != "rgb.mp4"}
    return {**files, "camera_matrix.csv": _wide_matrix()}


def _wide_matrix() -> bytes:
    """The camera of the same view, filmed 1280 px wide."""
    matrix: Array = shots(COUNT)[0].color_camera.scaled(1280, 960).matrix
    return "\n".join(", ".join(f"{value:.12g}" for value in row) for row in matrix).encode()


def test_a_recording_without_video_is_read_without_colour(tmp_path: Path) -> None:
    capture = read(silent(), tmp_path)
    assert all(frame.color_camera is None for frame in capture.frames)
    np.testing.assert_allclose(capture.frames[0].depth_camera.matrix, shots(COUNT)[0].depth_camera.matrix, atol=1e-5)
    assert any("no colour" in warning for warning in capture.warnings)


def test_a_matrix_by_columns_is_refused(tmp_path: Path) -> None:
    files = stray()
    rows = [line.split(b", ") for line in files["camera_matrix.csv"].split(b"\n")]
    files["camera_matrix.csv"] = b"\n".join(b", ".join(column) for column in zip(*rows, strict=True))
    with pytest.raises(CaptureError, match="principal point"):
        read(files, tmp_path)


def test_a_spoilt_video_is_refused(tmp_path: Path) -> None:
    files = stray()
    files["rgb.mp4"] = files["rgb.mp4"][:300]
    with pytest.raises(CaptureError, match=r"rgb.mp4 that cannot be decoded"):
        read(files, tmp_path)
    assert not (tmp_path / "out").exists()


def test_without_pyav_the_reader_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CaptureError, match=r"cousins\[video\]"):
        read(stray(), tmp_path)


@settings(
    max_examples=fuzzed(1000),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_spoilt_files_are_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    files = dict(silent())
    name = data.draw(st.sampled_from(sorted(files) + ["odometry.csv", "camera_matrix.csv"] * 10))
    spoilt = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 6))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.sampled_from(b"0123456789.,-e \n\xff"))
    files[name] = bytes(spoilt)
    read_or_refuse(files, tmp_path / "out")
