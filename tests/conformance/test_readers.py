"""The law book of capture readers: one scene, every app's export of it, one answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cousins import plugins
from cousins.capture.captures import Capture
from cousins.capture.decoders.archives import open_export
from cousins.capture.ingest import ingest
from cousins.capture.io.capture_folder import capture_digest, load_capture
from cousins.capture.quality.convention_check import check_camera_convention
from cousins.capture.quality.conventions import ray_lengths
from cousins.capture.readers import PACKAGE
from cousins.errors import CaptureError, ConventionError, UnknownNameError
from cousins.geometry import Array, invert, rigid, rotation_about, rotation_angle_rad
from tests.cousins.capture.exports import EXPORTS, export, truth_of
from tests.cousins.capture.room import CANARY, GL, Files, tree, write_folder, write_zip

KINDS = sorted(EXPORTS)
HAS_CONFIDENCE = {"arkitscenes", "canonical", "scanner3d", "r3d", "polycam", "polycam_long"}
HAS_GRAVITY = {
    "arkitscenes",
    "shelf",
    "canonical",
    "scanner3d",
    "record3d_exr",
    "r3d",
    "r3d_old",
    "polycam",
    "polycam_long",
}
ELSEWHERE = {"single_rgbd", "nerfcapture", "stray", "photos"}
"""Readers of formats without comparable poses, or that need an extra; each has its own tests."""
NO_UP_DIRECTION = {"bop", "seven_scenes"}
"""Kinds without an up direction: it is estimated."""
NO_MATRIX = {"arkitscenes", "tum", "record3d_exr", "r3d", "r3d_old"}
"""Kinds that write rotations as quaternions or axis-angle, so that every value is a rotation."""
NO_LAST_ROW = NO_MATRIX | {"bop", "polycam", "polycam_long"}
"""Kinds without the last matrix row 0 0 0 1: only their rotations can be transposed."""


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Capture]:
    root = tmp_path_factory.mktemp("captures")
    return {kind: ingest(write_folder(export(kind), root / "in" / kind), root / kind) for kind in KINDS}


def test_every_reader_has_an_export_in_this_law_book() -> None:
    assert {name for name, _ in EXPORTS.values()} | ELSEWHERE == set(plugins.backend_names(PACKAGE))


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_one_reader_recognises_an_export(kind: str, tmp_path: Path) -> None:
    readers = {
        name: plugins.load_backend(PACKAGE, name, kind="reader").build(None) for name in plugins.backend_names(PACKAGE)
    }
    with open_export(write_folder(export(kind, count=1), tmp_path)) as source:
        assert [name for name, reader in readers.items() if reader.recognises(source)] == [EXPORTS[kind][0]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_gives_the_true_frames(kind: str, captures: dict[str, Capture]) -> None:
    capture = captures[kind]
    truth = truth_of(kind)
    assert len(capture.frames) == len(truth)
    half_float = kind == "record3d_exr"
    level = capture.frames[0].world_from_camera @ invert(truth[0].world_from_camera)
    assert rotation_angle_rad(level[:3, :3]) < (np.deg2rad(0.2) if kind in NO_UP_DIRECTION else 1e-8)
    for frame, shot in zip(capture.frames, truth, strict=True):
        np.testing.assert_allclose(frame.world_from_camera, level @ shot.world_from_camera, atol=1e-8)
        np.testing.assert_allclose(frame.timestamp_s, shot.time_s - truth[0].time_s, atol=2e-6)
        np.testing.assert_allclose(frame.depth_camera.matrix, shot.depth_camera.matrix, atol=1e-5)
        off_mm = np.abs(np.round(frame.depth_m * 1000.0) - shot.depth_mm)
        assert (off_mm <= (np.maximum(1.0, shot.depth_mm * 2.0**-11) if half_float else 0)).all()
        assert (frame.confidence == (shot.confidence if kind in HAS_CONFIDENCE else 2)).all()
        assert (frame.color_camera is None) == (shot.jpeg is None)
        if frame.color_camera is not None:
            np.testing.assert_allclose(frame.color_camera.matrix, shot.color_camera.matrix, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_gravity_is_known_only_where_the_export_contains_it(kind: str, captures: dict[str, Capture]) -> None:
    assert captures[kind].gravity_known == (kind in HAS_GRAVITY)


@pytest.mark.parametrize("kind", KINDS)
def test_the_convention_of_a_good_export_is_confirmed(kind: str, captures: dict[str, Capture]) -> None:
    report = check_camera_convention(captures[kind])
    assert report.conclusive
    assert report.declared_score > 0.6
    assert report.rival_score < report.declared_score
    assert report.median_residual_mm < 15.0, "a pixel of this small camera is 30 mm wide"


@pytest.mark.parametrize("kind", KINDS)
def test_zip_nested_folder_and_folder_give_the_same_bytes(
    kind: str, captures: dict[str, Capture], tmp_path: Path
) -> None:
    files = export(kind)
    zipped = ingest(write_zip(files, tmp_path / f"{kind}.zip", prefix="My scan/"), tmp_path / "a")
    nested = ingest(write_folder(files, tmp_path / kind / "one").parent, tmp_path / "b")
    digest = capture_digest(captures[kind])
    assert capture_digest(zipped) == digest
    assert capture_digest(nested) == digest
    assert tree(tmp_path / "a") == tree(tmp_path / "b") or kind == "canonical"


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_ingested_ingests_to_itself(kind: str, captures: dict[str, Capture], tmp_path: Path) -> None:
    color = next(frame.color_path for frame in captures[kind].frames if frame.color_path is not None)
    folder = color.parents[1]
    ingest(folder, tmp_path / "again")
    assert tree(tmp_path / "again") == tree(folder)
    assert capture_digest(load_capture(folder)) == capture_digest(captures[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_no_position_survives(kind: str, captures: dict[str, Capture]) -> None:
    color = next(frame.color_path for frame in captures[kind].frames if frame.color_path is not None)
    assert any(CANARY in data for data in export(kind).values())
    assert not any(CANARY in data for data in tree(color.parents[1]).values())


@pytest.mark.parametrize("kind", KINDS)
def test_colour_is_not_encoded_again(kind: str, captures: dict[str, Capture]) -> None:
    from cousins.capture.decoders.images import decode_color

    shot = truth_of(kind)[0]
    assert shot.jpeg is not None
    assert (captures[kind].frames[0].color() == decode_color(shot.jpeg, context="truth")).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_capture_without_colour_is_read(kind: str, tmp_path: Path) -> None:
    files = {name: data for name, data in export(kind).items() if not name.endswith(".jpg")}
    if kind == "canonical":
        record = json.loads(files["capture.json"])
        for frame in record["frames"]:
            frame["color_camera"] = None
        files["capture.json"] = json.dumps(record).encode()
    capture = ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
    assert all(frame.color_camera is None for frame in capture.frames)
    np.testing.assert_allclose(
        capture.frames[0].depth_camera.matrix,
        truth_of(kind)[0].depth_camera.matrix,
        atol=1e-4,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_capture_without_depth_is_refused_and_leaves_nothing(kind: str, tmp_path: Path) -> None:
    files = {name: data for name, data in export(kind).items() if "depth" not in name}
    with pytest.raises(CaptureError, match="depth"):
        ingest(write_folder(files, tmp_path / "in"), tmp_path / "out" / "capture")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_pose_that_is_no_number_is_refused(kind: str, bad: float, tmp_path: Path) -> None:
    def spoil(pose: Array) -> Array:
        return np.where(np.eye(4, k=3) > 0, bad, pose)

    with pytest.raises(CaptureError):
        ingest(write_folder(export(kind, count=3, misread=spoil), tmp_path / "in"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NO_MATRIX])
def test_a_rotation_that_is_none_is_refused(kind: str, tmp_path: Path) -> None:
    for name, spoil in {"scaled": np.diag([1.1, 1, 1, 1]), "mirrored": np.diag([-1.0, 1, 1, 1])}.items():

        def misread(pose: Array, spoil: Array = spoil) -> Array:
            return pose @ spoil

        with pytest.raises(CaptureError, match="rotation"):
            ingest(write_folder(export(kind, count=2, misread=misread), tmp_path / name), tmp_path / "out")


ROLL = rigid(rotation_about(np.array([0.0, 0.0, 1.0]), np.pi / 2))
MISREADINGS = {
    "OpenCV axes where OpenGL's belong": (lambda pose: pose @ GL, "OpenGL for OpenCV"),
    "world to camera": (invert, "world-to-camera"),
    "rolled by 90°": (lambda pose: pose @ ROLL, "image turned by (90|270)°"),
    "rolled by 180°": (lambda pose: pose @ ROLL @ ROLL, "image turned by 180°"),
    "rolled by 270°": (lambda pose: pose @ ROLL.T, "image turned by (90|270)°"),
    "rows for columns": (np.transpose, "rows for columns"),
    "millimetres": (lambda pose: rigid(pose[:3, :3], pose[:3, 3] * 1000.0), "millimetres"),
    "feet": (lambda pose: rigid(pose[:3, :3], pose[:3, 3] / 0.3048), "feet"),
    "rotation transposed": (lambda pose: rigid(pose[:3, :3].T, pose[:3, 3]), "rows for columns"),
}
"""What is done to every pose as it is written, and the name that it must be given."""


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in KINDS for name in MISREADINGS if name != "rows for columns" or kind not in NO_LAST_ROW],
)
def test_a_convention_broken_on_purpose_is_called_by_its_name(kind: str, name: str, tmp_path: Path) -> None:
    misread, called = MISREADINGS[name]
    with pytest.raises(CaptureError, match=called):
        check_camera_convention(ingest(write_folder(export(kind, misread=misread), tmp_path / "in"), tmp_path / "out"))


@pytest.mark.parametrize("kind", KINDS)
def test_depth_along_the_ray_is_called_by_its_name(kind: str, tmp_path: Path) -> None:
    along = [
        replace(shot, depth_mm=np.round(shot.depth_mm * ray_lengths(shot.depth_camera)).astype(np.uint16))
        for shot in truth_of(kind)
    ]
    with pytest.raises(ConventionError, match="depth along the ray for planar depth"):
        check_camera_convention(ingest(write_folder(EXPORTS[kind][1](tuple(along)), tmp_path / "in"), tmp_path / "out"))


@pytest.mark.parametrize("kind", ["r3d", "r3d_old"])
def test_millimetres_where_depth_is_in_metres_are_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ConventionError, match="depth counts millimetres"):
        ingest(write_folder(_in_millimetres(kind), tmp_path / "in"), tmp_path / "out")


def _in_millimetres(kind: str) -> Files:
    """The export with every depth a thousand times as large, as plain float32."""
    files = export(kind, count=3)
    for index, shot in enumerate(truth_of(kind, count=3)):
        files[f"rgbd/{index}.depth"] = shot.depth_mm.astype("<f4").tobytes()
    return files


def test_intrinsics_by_columns_for_rows_are_refused(tmp_path: Path) -> None:
    files = export("scanner3d")
    for name in [name for name in files if name.startswith("frame_") and name.endswith(".json")]:
        record = json.loads(files[name])
        record["intrinsics"] = np.array(record["intrinsics"]).reshape(3, 3).T.ravel().tolist()
        files[name] = json.dumps(record).encode()
    with pytest.raises(CaptureError, match="principal point"):
        ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")


def test_a_nerfcapture_recording_is_refused_with_what_to_do_and_a_streamed_one_is_read(tmp_path: Path) -> None:
    saved = _nerfcapture("nerfstudio")
    with pytest.raises(CaptureError, match=r"saved depth lost its metres.*online mode"):
        ingest(write_folder(saved, tmp_path / "saved"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    streamed = ingest(write_folder(_nerfcapture("instant_ngp"), tmp_path / "streamed"), tmp_path / "out")
    assert (np.round(streamed.frames[0].depth_m * 1000.0) == truth_of("instant_ngp")[0].depth_mm).all()


def _nerfcapture(kind: str) -> Files:
    files: Files = {}
    for name, data in export(kind, count=3).items():
        place = name.replace("depth/", "images/").replace(".png", ".depth.png")
        files[place] = data.replace(b"depth/", b"images/").replace(b".png", b".depth.png") if "json" in name else data
    return files


def test_a_format_can_be_forced_and_a_typo_gets_a_guess(tmp_path: Path) -> None:
    folder = write_folder({**export("scanner3d", count=2), **export("nerfstudio", count=3)}, tmp_path / "in")
    with pytest.raises(CaptureError, match="--format"):
        ingest(folder, tmp_path / "out")
    assert len(ingest(folder, tmp_path / "a", format="scanner3d").frames) == 2
    assert len(ingest(folder, tmp_path / "b", format="transforms").frames) == 3
    with pytest.raises(UnknownNameError, match="Did you mean 'scanner3d'"):
        ingest(folder, tmp_path / "c", format="scaner3d")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("scan.usdz", "all data"),
        ("IMG_0001.HEIC", "LiDAR"),
    ],
)
def test_known_exports_that_cannot_be_read_get_advice(name: str, advice: str, tmp_path: Path) -> None:
    files: Files = {f"scan/{name}": b"x"}
    with pytest.raises(CaptureError, match=advice):
        ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
