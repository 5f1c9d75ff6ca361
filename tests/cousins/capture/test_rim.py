"""A black rim at the edges of a straightened picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cousins.capture.decoders.images import decode_color
from cousins.capture.formats.undistortion_border import rim_px, without_rim
from cousins.capture.ingest import ingest
from tests.cousins.capture.exports import export
from tests.cousins.capture.room import phone_jpeg, shots, write_folder


def picture(*, top: int = 0, left: int = 0) -> np.ndarray:
    color = np.random.default_rng(0).integers(60, 200, (192, 256, 3)).astype(np.uint8)
    color[:top] = 3
    color[:, :left] = 0
    return color


@pytest.mark.parametrize(("top", "left"), [(5, 0), (0, 7), (3, 15), (16, 1)])
def test_a_rim_is_measured_and_painted_with_what_is_beside_it(top: int, left: int) -> None:
    assert rim_px(picture(top=top, left=left)) == (top, 0, left, 0)
    painted = without_rim(picture(top=top, left=left))
    assert painted is not None
    assert painted.shape == (192, 256, 3)
    assert painted.min() >= 60
    assert (painted[20:, 20:] == picture()[20:, 20:]).all()


def test_a_dark_thing_at_the_edge_is_no_rim() -> None:
    assert without_rim(picture(top=40)) is None
    assert without_rim(picture() * np.uint8(0)) is None
    assert without_rim(picture()) is None


def test_polycams_corrected_pictures_lose_their_rim_and_say_so(tmp_path: Path) -> None:
    files = export("polycam", count=4)
    stem = round(shots(4)[0].time_s * 1e6)
    name = f"keyframes/corrected_images/{stem}.jpg"
    whole = decode_color(files[name], where="truth")
    rimmed = whole.copy()
    rimmed[:6] = 0
    capture = ingest(write_folder({**files, name: phone_jpeg(rimmed)}, tmp_path / "in"), tmp_path / "out")
    color = capture.frames[0].color()
    assert color is not None
    assert np.abs(color[8:].astype(float) - whole[8:]).mean() < 10.0
    assert color[:8].mean() > 40.0
    assert any("black rim" in warning for warning in capture.warnings)
