"""Variants of formats that other programs write: .npy and TIFF depth, paths of other computers, other camera files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cousins.capture.captures import Capture
from cousins.capture.decoders.depth_images import decode_depth
from cousins.capture.ingest import ingest
from cousins.errors import CaptureError
from cousins.geometry import Array
from tests.cousins.capture.exports import nerfstudio, r3d
from tests.cousins.capture.room import Files, png, shots, write_folder

SHOTS = shots(4)


def npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def tiff(array: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "TIFF")
    return buffer.getvalue()


def read(files: Files, folder: Path) -> Capture:
    return ingest(write_folder(files, folder / "in"), folder / "out")


def assert_exact(capture: Capture) -> None:
    assert len(capture.frames) == len(SHOTS)
    for frame, shot in zip(capture.frames, SHOTS, strict=True):
        np.testing.assert_allclose(frame.depth_m * 1000.0, shot.depth_mm, atol=0.51)
        np.testing.assert_allclose(frame.depth_camera.matrix, shot.depth_camera.matrix, atol=1e-4)


def edited(change: Callable[[dict[str, str]], None]) -> Files:
    """The nerfstudio export with every frame record changed."""
    files = dict(nerfstudio(SHOTS))
    top = json.loads(files["transforms.json"])
    for frame in top["frames"]:
        change(frame)
    return {**files, "transforms.json": json.dumps(top).encode()}


@pytest.mark.parametrize("unit", ["millimetres", "metres"])
def test_depth_of_nerfstudio_as_npy_is_read_in_its_unit(unit: str, tmp_path: Path) -> None:
    files = edited(lambda frame: frame.update(depth_file_path=frame["depth_file_path"].replace(".png", ".npy")))
    for index, shot in enumerate(SHOTS):
        del files[f"depth/{index:04d}.png"]
        files[f"depth/{index:04d}.npy"] = npy(shot.depth_mm.astype(np.float32) / (1000.0 if unit == "metres" else 1.0))
    capture = read(files, tmp_path)
    assert_exact(capture)
    assert ("Its depth is in fractional numbers and was taken for metres." in capture.warnings) == (unit == "metres")


@pytest.mark.parametrize("prefix", ["/home/me/scan/", "C:\\scans\\mine\\", ".\\"])
def test_paths_of_another_computer_lead_to_the_files_beside_the_export(prefix: str, tmp_path: Path) -> None:
    def change(frame: dict[str, str]) -> None:
        for key in ("file_path", "depth_file_path"):
            path = prefix + frame[key].removeprefix("./")
            frame[key] = path.replace("/", "\\") if "\\" in prefix else path

    capture = read(edited(change), tmp_path)
    assert_exact(capture)
    assert any(frame.color() is not None for frame in capture.frames)


def test_depth_images_that_are_named_but_absent_are_the_reason_of_the_refusal(tmp_path: Path) -> None:
    files = {name: data for name, data in nerfstudio(SHOTS).items() if not name.startswith("depth/")}
    with pytest.raises(
        CaptureError, match=r"none of the 4 depth images that transforms.json names, such as 'depth/0000"
    ):
        read(files, tmp_path)


@pytest.mark.parametrize(("name", "kind"), [("stray_15col", "png"), ("stray_npy", "npy")])
def test_recordings_of_new_and_old_stray_scanner_are_read(
    shared_data: Callable[[str], Path], tmp_path: Path, name: str, kind: str
) -> None:
    pytest.importorskip("av")
    source = shared_data("cases") / name
    capture = ingest(source, tmp_path / "out")
    assert len(capture.frames) == 12
    first = decode_depth((source / f"depth/000000.{kind}").read_bytes(), context="depth")
    np.testing.assert_allclose(capture.frames[0].depth_m * 1000.0, first, atol=0.51)
    color_camera = capture.frames[-1].color_camera
    assert color_camera is not None
    expected = (190.0, 190.0, 127.5, 95.5) if name == "stray_15col" else (190.0, 191.0, 131.3, 91.3)
    assert (color_camera.fx, color_camera.fy, color_camera.cx, color_camera.cy) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["ns_npy", "ns_absolute", "ns_backslash"])
def test_the_cases_of_nerfstudio_are_read(shared_data: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    capture = ingest(shared_data("cases") / name, tmp_path / "out")
    assert len(capture.frames) == 24
    assert sum(frame.color() is not None for frame in capture.frames) == 8
    assert 1.5 < float(np.median(capture.frames[0].depth_m)) < 4.0


def single(**camera_files: bytes) -> Files:
    shot = SHOTS[0]
    assert shot.jpeg is not None
    files: Files = {"a_color.jpg": shot.jpeg, "a_depth.png": png(shot.depth_mm)}
    return files | {name.replace("__", "."): data for name, data in camera_files.items()}


def matrix_text(matrix: Array) -> bytes:
    return "\n".join(" ".join(f"{value:.17g}" for value in row) for row in matrix).encode()


K_COLOR = SHOTS[0].color_camera
CAMERA_FILES = {
    "intrinsics.K.txt": matrix_text(SHOTS[0].depth_camera.matrix),
    "a.intrinsics.K.txt": matrix_text(K_COLOR.matrix),
    "camera_params.json": json.dumps(
        {"fx": K_COLOR.fx, "fy": K_COLOR.fy, "x_offset": K_COLOR.cx, "y_offset": K_COLOR.cy}
    ).encode(),
    "camera_intrinsic.json": json.dumps(
        {"width": K_COLOR.width, "height": K_COLOR.height, "intrinsic_matrix": K_COLOR.matrix.T.ravel().tolist()}
    ).encode(),
}


@pytest.mark.parametrize("name", sorted(CAMERA_FILES))
@pytest.mark.parametrize("named", [False, True])
def test_a_camera_file_beside_a_frame_is_used(name: str, tmp_path: Path, *, named: bool) -> None:
    folder = write_folder({**single(), name: CAMERA_FILES[name]}, tmp_path / "in")
    capture = ingest(folder / "a_depth.png" if named else folder, tmp_path / "out")
    np.testing.assert_allclose(capture.frames[0].depth_camera.matrix, SHOTS[0].depth_camera.matrix, atol=1e-4)
    assert not any("No file tells the camera" in warning for warning in capture.warnings)


def test_a_camera_file_that_is_not_understood_is_refused_and_no_other_camera_taken(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"camera_params.json without fx, fy, cx, cy"):
        read({**single(), "camera_params.json": b'{"lens": "wide"}'}, tmp_path)


@pytest.mark.parametrize("encode", [tiff, npy])
@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_depth_as_tiff_or_npy_is_read(encode: Callable[[Array], bytes], kind: str, tmp_path: Path) -> None:
    files = single() | {"intrinsics.K.txt": CAMERA_FILES["intrinsics.K.txt"]}
    del files["a_depth.png"]
    depth = SHOTS[0].depth_mm if kind == "uint16" else SHOTS[0].depth_mm.astype(np.float32) / 1000.0
    files["a_depth.tiff" if encode is tiff else "a_depth.npy"] = encode(depth)
    capture = read(files, tmp_path)
    np.testing.assert_allclose(capture.frames[0].depth_m * 1000.0, SHOTS[0].depth_mm, atol=0.51)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (npy(np.array([{"a": 1}], dtype=object)), "an .npy of object"),
        (npy(np.zeros((4, 4, 3))), r"shape \(4, 4, 3\)"),
        (npy(np.zeros((4, 4)))[:-8], "an .npy of 120 bytes for 4×4 px"),
        (b"\x93NUMPY\x01\x00\xff\xffx", "a broken .npy"),
        (tiff(np.ones((40, 40), np.float32))[:900], "an unreadable TIFF"),
        (npy(np.full((4, 4), 1e9)), "1e\\+09 counts"),
    ],
)
def test_a_broken_depth_array_is_refused(data: bytes, match: str) -> None:
    with pytest.raises(CaptureError, match=match):
        decode_depth(data, context="depth.npy")


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (("rgb.txt", "depth.txt", "rgb/1.png"), r"rgb.txt and depth.txt, but no groundtruth.txt"),
        (("scan/odometry.csv", "scan/depth/000000.png"), r"odometry.csv, but no camera_matrix.csv"),
        (("rgbd/0.depth", "rgbd/0.jpg"), r"rgbd/0.depth, but no metadata"),
        (("depth/000000.png", "rgb/000000.png"), "but no scene_camera.json"),
        (("images/0001.jpg", "depth/0001.npy"), "but no transforms.json"),
        (("keyframes/depth/1.png", "keyframes/images/1.jpg"), "but no keyframes/cameras/"),
    ],
)
def test_an_export_that_lacks_one_file_is_refused_by_its_name(
    names: tuple[str, ...], match: str, tmp_path: Path
) -> None:
    with pytest.raises(CaptureError, match=match):
        read({name: png(SHOTS[0].depth_mm) for name in names}, tmp_path)


def test_a_zero_first_pose_of_a_recording_costs_one_frame(tmp_path: Path) -> None:
    files = dict(r3d(shots(12)))
    meta = json.loads(files["metadata"])
    meta["poses"][0] = [0.0] * 7
    capture = read({**files, "metadata": json.dumps(meta).encode()}, tmp_path)
    assert len(capture.frames) == 11
    assert "1 of 12 frames are broken and were left out; the first is 0." in capture.warnings
