"""Selection of frames: subsampling of too many, and skipping of a few broken ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cousins.capture.formats.frame_selection import read_valid, subsample
from cousins.capture.ingest import ingest
from cousins.errors import CaptureError
from tests.cousins.capture.exports import EXPORTS, depth_names, export, truth_of
from tests.cousins.capture.room import write_folder


def test_few_frames_are_kept_as_they_are() -> None:
    warnings: list[str] = []
    assert subsample(range(400), warnings) == list(range(400))
    assert warnings == []


def test_many_frames_are_thinned_evenly_and_counted() -> None:
    warnings: list[str] = []
    selected = subsample(range(6000), warnings)
    assert selected == list(range(0, 6000, 15))
    assert warnings == ["6000 frames were thinned to 400, evenly spread."]


def test_thinning_keeps_frames_with_colour() -> None:
    selected = subsample(range(1200), [], prefer=lambda number: number % 3 == 2)
    assert len(selected) == 400
    assert all(number % 3 == 2 for number in selected)


@pytest.mark.parametrize("kind", sorted(EXPORTS))
def test_one_broken_frame_of_many_is_left_out_and_counted(kind: str, tmp_path: Path) -> None:
    files = export(kind, count=20)
    names = depth_names(files)
    files[names[:: len(names) // 20][7]] = b"broken"
    capture = ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
    assert len(capture.frames) == 19
    assert any(warning.startswith("1 of 20 frames are broken") for warning in capture.warnings)
    truth = truth_of(kind, count=20)
    unbroken = [shot for index, shot in enumerate(truth) if index != 7]
    for frame, shot in zip(capture.frames, unbroken, strict=True):
        np.testing.assert_allclose(frame.depth_camera.matrix, shot.depth_camera.matrix, atol=1e-5)
    spacing = np.diff([frame.timestamp_s for frame in capture.frames])
    assert np.argmax(spacing) == 6


@pytest.mark.parametrize("kind", sorted(EXPORTS))
def test_many_broken_frames_are_refused(kind: str, tmp_path: Path) -> None:
    files = export(kind, count=10)
    names = depth_names(files)
    for name in names[:: len(names) // 10][2:5]:
        files[name] = b"broken"
    with pytest.raises(CaptureError):
        ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_refusal_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        read_valid([1, 0], lambda number: 1 / number, [])
