from __future__ import annotations

import importlib.util
import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cousins.capture.backends.photos import Config, PhotosReader
from cousins.capture.captures import Capture
from cousins.capture.decoders.archives import open_export
from cousins.capture.ingest import ingest
from cousins.errors import CaptureError
from cousins.geometry import rotation_angle_rad, transform, unproject
from cousins.photos.metre import DISTANCE_SIGMA
from cousins.scale.check import ScaleCheck, rescale_capture
from cousins.stereo.depth import StereoConfig
from tests.cousins.photos.corner import jpeg, photograph, poses

READER = PhotosReader(Config(stereo=StereoConfig(long_side=96, views=4, fine_sweeps=2, agreeing_sweeps=1)))
COUNT = 7


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    if importlib.util.find_spec("pycolmap") is None:
        pytest.skip("the extra `photos` is not installed")
    folder = tmp_path_factory.mktemp("photos")
    (folder / "in").mkdir()
    for number, pose in enumerate(poses(COUNT)):
        (folder / "in" / f"IMG_{number + 8}_kitchen_ada.jpg").write_bytes(jpeg(photograph(pose)))
    with open_export(folder / "in") as source:
        assert READER.recognises(source)
        return READER.read(source, folder / "capture")


def test_photos_are_placed_as_they_were_taken_up_to_scale(capture: Capture) -> None:
    assert len(capture.frames) == COUNT
    truth = poses(COUNT)
    centers = np.stack([frame.world_from_camera[:3, 3] for frame in capture.frames])
    real = np.stack([pose[:3, 3] for pose in truth])
    ratios = np.linalg.norm(np.diff(centers, axis=0), axis=1) / np.linalg.norm(np.diff(real, axis=0), axis=1)
    assert np.ptp(ratios) / ratios.mean() < 0.05
    for (first, second), (true_first, true_second) in zip(pairwise(capture.frames), pairwise(truth), strict=True):
        turn = first.world_from_camera[:3, :3].T @ second.world_from_camera[:3, :3]
        assert rotation_angle_rad(turn.T @ true_first[:3, :3].T @ true_second[:3, :3]) < np.deg2rad(0.7)


def test_the_floor_is_level(capture: Capture) -> None:
    frame = capture.frames[COUNT // 2]
    points = transform(frame.world_from_camera, unproject(frame.depth_m, frame.depth_camera))
    lower = points[-15:][frame.depth_m[-15:] > 0.0]
    normal = np.linalg.svd(lower - lower.mean(axis=0))[2][2]
    assert abs(normal[2]) > np.cos(np.deg2rad(2.0))
    assert capture.gravity_known
    assert "how the pictures were held" in " ".join(capture.warnings)


def test_the_scale_is_assumed_until_something_measures_it(capture: Capture) -> None:
    assert (capture.scale.source, capture.scale.error) == ("assumed", DISTANCE_SIGMA)
    measured = rescale_capture(capture, ScaleCheck(ratio=3.0, error=0.004, by="1 typed distance"))
    assert (measured.scale.source, measured.scale.error) == ("measured by 1 typed distance", 0.004)


def test_names_and_places_stay_outside(capture: Capture) -> None:
    path = capture.frames[0].color_path
    assert path is not None
    files = b"".join(file.read_bytes() for file in path.parents[1].rglob("*") if file.is_file())
    for word in (b"IMG_", b"ada", b"kitchen", b"Lovelace", b"Exif"):
        assert word not in files


def test_two_photos_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for number, pose in enumerate(poses(2)):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(photograph(pose)))
    with pytest.raises(CaptureError, match=r"2 photos without depth .* take 20 photos or a film"):
        ingest(tmp_path, tmp_path / "capture")


def test_photos_of_different_things_are_refused_with_what_to_do(tmp_path: Path) -> None:
    if importlib.util.find_spec("pycolmap") is None:
        pytest.skip("the extra `photos` is not installed")
    rng = np.random.default_rng(0)
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8)))
    with pytest.raises(CaptureError, match=r"4 photos of which 0 fit together .* Walk around the things"):
        ingest(tmp_path, tmp_path / "capture")


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_png_frames_are_photos_and_depth_images_are_not(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"frame_{number}.png").write_bytes(png(np.full((24, 32, 3), 90, np.uint8)))
    with open_export(tmp_path) as source:
        assert READER.recognises(source)
    (tmp_path / "range_0.png").write_bytes(png(np.full((24, 32), 900, np.uint16)))
    with open_export(tmp_path) as source:
        assert not READER.recognises(source)


@pytest.mark.parametrize(
    "beside", ["depth_000.png", "a_mask.png", "confidence3.tiff", "transforms.json", "pose.csv", "cloud.ply"]
)
def test_photos_beside_depth_or_poses_are_no_heap_of_photos(beside: str, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg", beside):
        (tmp_path / name).write_bytes(b"\xff\xd8\xff")
    with open_export(tmp_path) as source:
        assert not READER.recognises(source)
