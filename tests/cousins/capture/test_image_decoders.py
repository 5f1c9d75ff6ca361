"""JPEG without metadata, OpenEXR without its library."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from cousins.capture.decoders.exr import decode_exr_depth
from cousins.capture.decoders.images import decode_color, decode_gray, encode_gray
from cousins.capture.decoders.jpeg import jpeg_size, strip_metadata
from cousins.errors import CaptureError
from cousins.geometry import Array
from tests.cousins.capture.room import CANARY, phone_jpeg

RNG = np.random.default_rng(7)
COLOR = RNG.integers(0, 255, (23, 37, 3)).astype(np.uint8)


def encoded(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(COLOR).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"subsampling": 0, "quality": 100}]
)
def test_stripping_changes_no_pixel(options: dict[str, object]) -> None:
    original = encoded(**options, comment=CANARY)
    bare = strip_metadata(original)
    assert CANARY not in bare
    assert (np.asarray(Image.open(io.BytesIO(bare))) == np.asarray(Image.open(io.BytesIO(original)))).all()
    assert strip_metadata(bare) == bare
    assert jpeg_size(bare) == (37, 23)


def test_no_metadata_is_left() -> None:
    original = phone_jpeg(COLOR)
    assert original.count(CANARY) == 4
    bare = strip_metadata(original)
    assert CANARY not in bare
    assert b"Exif" not in bare
    assert not Image.open(io.BytesIO(bare)).getexif()


@pytest.mark.parametrize("marker", [0xE2, 0xEE, 0xDE, 0xDF, 0xF0, 0xFD, 0x02, 0xBF])
def test_what_decoding_does_not_read_is_dropped(marker: int) -> None:
    payload = {0xE2: b"ICC_PROFILE\0\1\1", 0xEE: b"Adobe"}.get(marker, b"") + CANARY
    segment = bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload
    original = encoded()
    bare = strip_metadata(original[:2] + segment + original[2:])
    assert CANARY not in bare
    assert bare == strip_metadata(original)
    assert (np.asarray(Image.open(io.BytesIO(bare))) == np.asarray(Image.open(io.BytesIO(original)))).all()


def test_a_colour_profile_is_dropped() -> None:
    bare = strip_metadata(encoded(icc_profile=b"P3 profile" * 20))
    assert "icc_profile" not in Image.open(io.BytesIO(bare)).info
    assert b"P3 profile" not in bare


def test_grey_and_four_channel_jpegs_become_colour() -> None:
    for mode in ("L", "CMYK"):
        buffer = io.BytesIO()
        Image.fromarray(COLOR).convert(mode).save(buffer, "JPEG")
        assert decode_color(buffer.getvalue(), context="x").shape == (23, 37, 3)


@pytest.mark.parametrize("cut", [0, 2, 3, 30, 300, -1, -2])
def test_a_cut_jpeg_is_refused(cut: int) -> None:
    with pytest.raises(CaptureError, match="JPEG"):
        strip_metadata(encoded()[:cut])


def test_two_pictures_in_one_jpeg_are_refused() -> None:
    data = encoded()
    header = data.find(b"\xff\xc0")
    length = 2 + int.from_bytes(data[header + 2 : header + 4], "big")
    with pytest.raises(CaptureError, match="2 picture headers"):
        strip_metadata(data[:header] + data[header : header + length] + data[header:])


def test_grey_pngs_come_back() -> None:
    deep = RNG.integers(0, 65535, (5, 7)).astype(np.uint16)
    for image, bits in ((deep, 16), ((deep % 3).astype(np.uint8), 8)):
        again = decode_gray(encode_gray(image), bits=bits, context="x")
        assert again.dtype == image.dtype
        assert (again == image).all()
    buffer = io.BytesIO()
    Image.fromarray(COLOR).save(buffer, "PNG")
    with pytest.raises(CaptureError, match="grey channel"):
        decode_gray(buffer.getvalue(), bits=8, context="x")
    with pytest.raises(CaptureError, match="of 16 bits"):
        decode_gray(encode_gray((deep % 3).astype(np.uint8)), bits=16, context="x")


COMPRESSIONS = {
    "none": OpenEXR.NO_COMPRESSION,
    "rle": OpenEXR.RLE_COMPRESSION,
    "zips": OpenEXR.ZIPS_COMPRESSION,
    "zip": OpenEXR.ZIP_COMPRESSION,
}


def written(channels: dict[str, Array], compression: object, folder: Path) -> bytes:
    OpenEXR.File({"compression": compression, "type": OpenEXR.scanlineimage}, channels).write(str(folder / "a.exr"))
    return (folder / "a.exr").read_bytes()


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("kind", [np.float32, np.float16, np.uint32])
@pytest.mark.parametrize("smooth", [True, False])
def test_exr_agrees_with_the_reference_library(compression: str, kind: type, smooth: bool, tmp_path: Path) -> None:  # noqa: FBT001
    ramp = np.add.outer(np.arange(37), np.arange(21)) // 8 if smooth else RNG.random((37, 21)) * 100
    depth = ramp.astype(kind)
    data = written({"R": depth}, COMPRESSIONS[compression], tmp_path)
    assert (decode_exr_depth(data, context="x") == depth.astype(np.float32)).all()


def test_the_depth_channel_is_found_among_others(tmp_path: Path) -> None:
    depth = RNG.random((9, 5)).astype(np.float32)
    channels = {"A": depth + 1, "B": depth + 2, "Z": depth}
    assert (decode_exr_depth(written(channels, OpenEXR.ZIP_COMPRESSION, tmp_path), context="x") == depth).all()
    with pytest.raises(CaptureError, match="channels A, B"):
        decode_exr_depth(written({"A": depth, "B": depth}, OpenEXR.ZIP_COMPRESSION, tmp_path), context="x")


def test_a_compression_we_do_not_read_is_named(tmp_path: Path) -> None:
    data = written({"R": RNG.random((9, 5)).astype(np.float32)}, OpenEXR.PIZ_COMPRESSION, tmp_path)
    with pytest.raises(CaptureError, match="none, RLE, ZIPS or ZIP"):
        decode_exr_depth(data, context="x")


def test_an_exr_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    data = bytearray(written({"R": np.ones((9, 5), np.float32)}, OpenEXR.ZIP_COMPRESSION, tmp_path))
    window = data.find(b"dataWindow\0box2i\0") + len(b"dataWindow\0box2i\0") + 4
    for far in (2**31 - 1, 40_000, 900):
        data[window + 8 : window + 16] = far.to_bytes(4, "little") * 2
        with pytest.raises(CaptureError):
            decode_exr_depth(bytes(data), context="x")
