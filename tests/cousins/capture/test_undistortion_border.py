"""Black border at the edges of an undistorted picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cousins.capture.decoders.images import decode_color
from cousins.capture.formats.undistortion_border import border_widths_px, fill_border
from cousins.capture.ingest import ingest
from tests.cousins.capture.exports import export
from tests.cousins.capture.room import phone_jpeg, shots, write_folder


def picture(*, top: int = 0, left: int = 0) -> np.ndarray:
    color = np.random.default_rng(0).integers(60, 200, (192, 256, 3)).astype(np.uint8)
    color[:top] = 3
    color[:, :left] = 0
    return color


@pytest.mark.parametrize(("top", "left"), [(5, 0), (0, 7), (3, 15), (16, 1)])
def test_a_border_is_measured_and_filled_with_the_adjacent_colour(top: int, left: int) -> None:
    assert border_widths_px(picture(top=top, left=left)) == (top, 0, left, 0)
    filled = fill_border(picture(top=top, left=left))
    assert filled is not None
    assert filled.shape == (192, 256, 3)
    assert filled.min() >= 60
    assert (filled[20:, 20:] == picture()[20:, 20:]).all()


def test_a_dark_object_at_the_edge_is_no_border() -> None:
    assert fill_border(picture(top=40)) is None
    assert fill_border(picture() * np.uint8(0)) is None
    assert fill_border(picture()) is None


def test_the_border_of_polycams_corrected_pictures_is_filled_with_a_warning(tmp_path: Path) -> None:
    files = export("polycam", count=4)
    stem = round(shots(4)[0].time_s * 1e6)
    name = f"keyframes/corrected_images/{stem}.jpg"
    original = decode_color(files[name], context="truth")
    bordered = original.copy()
    bordered[:6] = 0
    capture = ingest(write_folder({**files, name: phone_jpeg(bordered)}, tmp_path / "in"), tmp_path / "out")
    color = capture.frames[0].color()
    assert color is not None
    assert np.abs(color[8:].astype(float) - original[8:]).mean() < 10.0
    assert color[:8].mean() > 40.0
    assert any("black rim" in warning for warning in capture.warnings)
