"""Fuzzed exports: each is read, or rejected with an error of this project; no other exception escapes."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cousins.capture.captures import Capture
from cousins.capture.decoders.exr import decode_exr_depth
from cousins.capture.decoders.images import check_decodes, decode_gray
from cousins.capture.decoders.jpeg import strip_metadata
from cousins.capture.ingest import ingest
from cousins.capture.quality.assessment import assess_quality
from cousins.capture.quality.convention_check import check_camera_convention
from cousins.capture.readers import find_reader
from cousins.errors import CaptureError, ConventionError, InputError
from tests.cousins.capture.exports import EXPORTS, depth_names, export
from tests.cousins.capture.room import Files, exr, phone_jpeg, png, shots, write_folder, write_zip
from tests.cousins.capture.test_archives import zipped
from tests.fuzzing import fuzzed

KINDS = sorted(EXPORTS)
FEW = settings(
    max_examples=fuzzed(250),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 0.0, -0.0, 1e308, -1e308, 5e-324, 10**30, 10**400, 2**31, 2**63]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["../../etc/passwd", "/etc/passwd", "", "\0", "capture.json", "x" * 5000]),
    st.just([]),
    st.just({}),
    st.lists(st.floats(allow_nan=True), max_size=17),
)


class Memory:
    """An export in memory."""

    label = "memory"

    def __init__(self, files: Files) -> None:
        self.files = files
        self.names = frozenset(files)

    def read(self, name: str, *, max_bytes: int = 1 << 28) -> bytes:
        if name not in self.files or len(self.files[name]) > max_bytes:
            raise CaptureError(f"no {name}", expected="it", hint="None.")
        return self.files[name]


@cache
def good(kind: str) -> Files:
    return export(kind, count=3)


def json_names(files: Files) -> list[str]:
    return sorted(name for name, data in files.items() if data.startswith(b"{"))


def read_or_refuse(files: Files, folder: Path) -> Capture | None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        reader, source = find_reader(Memory(files))
        capture = reader.read(source, folder / "capture")
    except InputError:
        assert list(folder.iterdir()) == []
        return None
    assert [entry.name for entry in folder.iterdir()] == ["capture"]
    return capture


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_flipped_bytes(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    files = dict(good(kind))
    name = data.draw(st.sampled_from(sorted(files)))
    spoilt = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 8))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    files[name] = bytes(spoilt)
    capture = read_or_refuse(files, tmp_path / "out")
    if capture is not None:
        assess_quality(capture)


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_truncated_swapped_and_missing_members(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    files = dict(good(kind))
    names = sorted(files)
    for _ in range(data.draw(st.integers(1, 2))):
        name, other = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
        deed = data.draw(st.sampled_from(["truncate", "swap", "drop", "noise"]))
        if deed == "truncate":
            files[name] = files.get(name, b"")[: data.draw(st.integers(0, 3000))]
        elif deed == "swap" and name in files and other in files:
            files[name], files[other] = files[other], files[name]
        elif deed == "noise":
            files[name] = data.draw(st.binary(max_size=200))
        else:
            files.pop(name, None)
    read_or_refuse(files, tmp_path / "out")


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_strange_values_in_json(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    files = dict(good(kind))
    if not json_names(files):
        return
    name = data.draw(st.sampled_from(json_names(files)))
    record = json.loads(files[name])
    spoil(record, data)
    files[name] = json.dumps(record).encode()
    capture = read_or_refuse(files, tmp_path / "out")
    if capture is not None:
        assess_quality(capture)
        with contextlib.suppress(ConventionError):
            check_camera_convention(capture)


def spoil(value: Any, data: st.DataObject) -> None:
    """Walk to a random place in the JSON and put something strange there."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = data.draw(st.sampled_from(keys))
        inner = value[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 5)) == 0:
            if isinstance(value, dict) and data.draw(st.booleans()) and data.draw(st.booleans()):
                del value[key]
            else:
                value[key] = data.draw(STRANGE)
            return
        value = inner


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_a_spoilt_zip(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    intact = bytearray(zip_of(kind))
    for _ in range(data.draw(st.integers(0, 6))):
        near_end = data.draw(st.booleans())
        low = max(0, len(intact) - 1500) if near_end else 0
        intact[data.draw(st.integers(low, len(intact) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        intact = intact[: data.draw(st.integers(0, len(intact)))]
    (tmp_path / "scan.zip").write_bytes(bytes(intact))
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    try:
        ingest(tmp_path / "scan.zip", tmp_path / "out")
    except InputError:
        assert [entry.name for entry in tmp_path.iterdir()] == ["scan.zip"]


@cache
def zip_of(kind: str) -> bytes:
    return zipped(good(kind))


@FEW
@given(data=st.data())
def test_damaged_images_are_read_or_refused(data: st.DataObject) -> None:
    shot = shots(2)[0]
    assert shot.jpeg is not None
    decoders = {
        "exr": (exr(shot.depth_mm / 1000.0), decode_exr_depth),
        "png": (png(shot.depth_mm), partial(decode_gray, bits=16)),
        "jpeg": (shot.jpeg, strip_metadata),
    }
    intact, decode = decoders[data.draw(st.sampled_from(sorted(decoders)))]
    spoilt = bytearray(intact)
    for _ in range(data.draw(st.integers(1, 10))):
        spoilt[data.draw(st.integers(0, min(len(spoilt), 500) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(spoilt)))
    with contextlib.suppress(CaptureError):
        decode(bytes(spoilt[:cut]) if data.draw(st.booleans()) else bytes(spoilt), context="image")


def test_an_image_that_claims_to_be_huge_is_refused_before_decoding() -> None:
    image = bytearray(png(shots(1)[0].depth_mm))
    image[16:24] = (30_000).to_bytes(4, "big") * 2
    with pytest.raises(CaptureError, match="at most"):
        decode_gray(bytes(image), bits=16, context="depth")
    color = bytearray(phone_jpeg(shots(1)[0].depth_mm[:8, :8, None].repeat(3, 2).astype("uint8")))
    start = color.find(b"\xff\xc0")
    color[start + 5 : start + 9] = (60_000).to_bytes(2, "big") * 2
    with pytest.raises(CaptureError, match="at most"):
        check_decodes(bytes(color), context="colour")


@pytest.mark.parametrize("kind", KINDS)
def test_depth_of_another_shape_is_refused(kind: str, tmp_path: Path) -> None:
    shot = shots(1)[0]
    wide = np.ascontiguousarray(np.tile(shot.depth_mm, (1, 2)))
    files = dict(good(kind))
    for name in depth_names(files):
        files[name] = exr(wide / 1000.0) if name.endswith(".exr") else png(wide)
    if "metadata" in files:
        files["metadata"] = files["metadata"].replace(b'"dw": ', b'"dw": 128, "was": ')
    with pytest.raises(CaptureError, match="128"):
        ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_no_frames_are_refused_within_seconds(kind: str, tmp_path: Path) -> None:
    names = [name for name in json_names(good(kind)) if "frame_" not in name]
    files = {name: good(kind)[name] for name in names}
    for name, data in files.items():
        record = json.loads(data)
        files[name] = json.dumps(
            {key: [] if isinstance(value, list) else value for key, value in record.items()}
        ).encode()
    began = time.process_time()
    with pytest.raises(CaptureError) as caught:
        ingest(write_zip(files, tmp_path / "scan.zip"), tmp_path / "out")
    assert time.process_time() - began < 5.0
    assert caught.value.hint.endswith(".")
    assert [entry.name for entry in tmp_path.iterdir()] == ["scan.zip"]
