from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from cousins.errors import CaptureError
from cousins.geometry import Array
from cousins.photos.film import extract_keyframes

av = pytest.importorskip("av", reason="the extra `photos` is not installed")

IDENTITY = b"".join(value.to_bytes(4, "big") for value in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
HELD_UPRIGHT = b"".join(
    (value & 0xFFFFFFFF).to_bytes(4, "big") for value in (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
)
"""Matrix of a film that is to be shown turned clockwise by 90°, as an iPhone held upright writes it."""


def film(pictures: list[Array], times: list[int]) -> bytes:
    """Return an MP4 of pictures at times [1/600 s]."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        stream.codec_context.time_base = Fraction(1, 600)
        for pixels, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def moving(count: int) -> list[Array]:
    """Return views of a wide noisy wall that pass by at 8 px a picture."""
    rng = np.random.default_rng(0)
    wall = np.asarray(
        Image.fromarray(rng.integers(0, 255, (40, 400), dtype=np.uint8)).resize((1600, 160), Image.Resampling.BICUBIC)
    )
    return [np.repeat(wall[:, 8 * number : 8 * number + 240, None], 3, axis=2) for number in range(count)]


def test_a_film_gives_pictures_at_their_own_times() -> None:
    times = [20 * number + (7 if number % 3 else 0) for number in range(40)]
    pictures = extract_keyframes(film(moving(40), times), max_count=60)
    assert 12 <= len(pictures) <= 40
    times_of_pictures = [round(600 * (picture.time_s or 0.0)) for picture in pictures]
    assert times_of_pictures == sorted(times_of_pictures)
    assert set(times_of_pictures) <= set(times)
    assert all((picture.width, picture.height, picture.focal_px) == (240, 160, None) for picture in pictures)


def test_blurred_pictures_are_passed_over() -> None:
    pictures = moving(40)
    for number in range(1, 40, 2):
        pictures[number] = np.asarray(Image.fromarray(pictures[number]).resize((30, 20)).resize((240, 160)))
    keyframes = extract_keyframes(film(pictures, [20 * number for number in range(40)]), max_count=12)
    assert all(round(30 * (picture.time_s or 0.0)) % 2 == 0 for picture in keyframes)


def test_a_film_that_was_held_upright_comes_out_upright() -> None:
    pictures = moving(14)
    for pixels in pictures:
        pixels[:40, :40] = (255, 0, 0)
    data = film(pictures, [20 * number for number in range(14)])
    place = data.index(IDENTITY, data.index(b"tkhd"))
    turned = data[:place] + HELD_UPRIGHT + data[place + len(IDENTITY) :]
    picture = extract_keyframes(turned, max_count=5)[0]
    assert (picture.width, picture.height) == (160, 240)
    red = np.asarray(Image.open(io.BytesIO(picture.jpeg)))[15, -15].astype(int)
    assert red[0] > 180 > 90 > red[1]


def test_what_is_no_film_is_refused() -> None:
    with pytest.raises(CaptureError, match=r"a film that cannot be decoded"):
        extract_keyframes(b"\0\0\0\x18ftypmp42" + bytes(100), max_count=5)
