"""One colour and one depth image: a single-view capture with its warnings."""

from __future__ import annotations

import contextlib
import json
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cousins.capture.decoders.matlab import read_small_arrays
from cousins.capture.ingest import ingest
from cousins.capture.quality.assessment import assess_quality
from cousins.capture.quality.convention_check import check_camera_convention
from cousins.errors import CaptureError
from tests.cousins.capture.room import Files, phone_jpeg, png, shots, write_folder
from tests.cousins.capture.test_hostile_exports import read_or_refuse
from tests.fuzzing import fuzzed


@cache
def single(scale: float = 0.001) -> Files:
    shot = shots(1)[0]
    k = shot.color_camera
    camera = {"fx": k.fx, "fy": k.fy, "cx": k.cx, "cy": k.cy, "width": k.width, "height": k.height}
    assert shot.jpeg is not None
    counts = np.round(shot.depth_mm * 0.001 / scale).astype(np.uint16)
    camera["depth_scale_to_metres"] = scale
    return {"a_color.jpg": shot.jpeg, "a_depth.png": png(counts), "camera.json": json.dumps(camera).encode()}


def matlab(values: dict[str, np.ndarray]) -> bytes:
    """Compressed double arrays as MATLAB 7 saves them."""
    data = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    for name, array in values.items():
        label = name.encode()
        parts = struct.pack("<6I", 6, 8, 6, 0, 5, 8) + struct.pack("<2i", *array.shape)
        parts += struct.pack("<2I", 1, len(label)) + label.ljust(-(-len(label) // 8) * 8, b"\0")
        numbers = array.astype("<f8").tobytes(order="F")
        parts += struct.pack("<2I", 9, len(numbers)) + numbers
        packed = zlib.compress(struct.pack("<2I", 14, len(parts)) + parts)
        data += struct.pack("<2I", 15, len(packed)) + packed
    return data


@pytest.mark.parametrize("scale", [0.001, 0.0002])
def test_a_single_frame_is_read_levelled_and_marked(scale: float, tmp_path: Path) -> None:
    capture = ingest(write_folder(single(scale), tmp_path / "in"), tmp_path / "out")
    shot = shots(1)[0]
    assert any("Single view" in warning for warning in capture.warnings)
    assert not capture.gravity_known
    np.testing.assert_allclose(capture.frames[0].depth_m * 1000.0, shot.depth_mm, atol=1e-3)
    np.testing.assert_allclose(capture.frames[0].depth_camera.matrix, shot.depth_camera.matrix, atol=1e-5)
    down = capture.frames[0].world_from_camera[2, :3], shot.world_from_camera[2, :3]
    assert np.rad2deg(np.arccos(np.clip(down[0] @ down[1], -1, 1))) < 0.2
    assert not check_camera_convention(capture).conclusive
    assess_quality(capture)


def test_the_camera_is_read_from_a_matlab_file(tmp_path: Path) -> None:
    files = dict(single(0.0002))
    del files["camera.json"]
    k = shots(1)[0].depth_camera.matrix
    files["a-meta.mat"] = matlab({"intrinsic_matrix": k, "factor_depth": np.array([[5000.0]])})
    capture = ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
    np.testing.assert_allclose(capture.frames[0].depth_camera.matrix, k, atol=1e-5)
    np.testing.assert_allclose(capture.frames[0].depth_m * 1000.0, shots(1)[0].depth_mm, atol=1e-3)


def test_of_many_frames_one_must_be_named(tmp_path: Path) -> None:
    files = {**single(), "b_depth.png": single()["a_depth.png"], "b_color.jpg": single()["a_color.jpg"]}
    folder = write_folder(files, tmp_path / "in")
    with pytest.raises(CaptureError, match=r"2 single frames .* cousins scan in/a_depth.png"):
        ingest(folder, tmp_path / "out")
    assert len(ingest(folder / "b_depth.png", tmp_path / "out").frames) == 1


def test_a_frame_without_its_camera_is_refused_with_what_to_write(tmp_path: Path) -> None:
    files = {name: data for name, data in single().items() if name != "camera.json"}
    with pytest.raises(CaptureError, match=r"camera\.json"):
        ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")


def test_an_arkit_frame_without_its_camera_is_read_with_an_assumed_one_and_says_so(tmp_path: Path) -> None:
    flat = np.full((192, 256), 1000, np.uint16)
    picture = phone_jpeg(np.zeros((768, 1024, 3), np.uint8))
    files = {"arkit_depth.png": png(flat), "image.jpg": picture}
    capture = ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
    assert capture.frames[0].depth_camera.fx == pytest.approx(193.0, abs=0.1)
    assert capture.frames[0].color_camera is not None
    assert capture.scale.error == 0.08
    assert "assumed" in capture.scale.source
    assert any("No file tells the camera" in warning for warning in capture.warnings)
    with pytest.raises(CaptureError, match=r"256×192 px without their camera"):
        ingest(write_folder({"arkit_depth.png": png(flat)}, tmp_path / "alone"), tmp_path / "other")


@settings(
    max_examples=fuzzed(1000),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_spoilt_files_are_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    files = dict(single())
    if data.draw(st.booleans()):
        del files["camera.json"]
        k = shots(1)[0].depth_camera.matrix
        files["a-meta.mat"] = matlab({"intrinsic_matrix": k, "factor_depth": np.array([[1000.0]])})
    name = data.draw(st.sampled_from(sorted(files)))
    spoilt = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 6))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    files[name] = bytes(spoilt)
    read_or_refuse(files, tmp_path / "out")


@settings(max_examples=500, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_spoilt_matlab_file_gives_arrays_or_is_refused(data: st.DataObject) -> None:
    intact = matlab({"intrinsic_matrix": np.eye(3)})
    raw = bytearray(intact[:128] + zlib.decompress(intact[136:]))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(CaptureError):
        read_small_arrays(bytes(raw), context="spoilt")
