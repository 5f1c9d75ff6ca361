from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cousins.errors import CaptureError
from cousins.photos.pictures import LONG_SIDE_PX, Picture, decode_photos
from cousins.photos.tones import srgb_from_hdr

OWNER, PLACE = "Ada Lovelace", b"51.5"


def photo(*, size: tuple[int, int] = (400, 300), orientation: int = 1, focal_35: int | None = None) -> bytes:
    """Return a JPEG, red in its upper left quarter as it is stored, whose EXIF contains owner and place."""
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    pixels[: size[1] // 2, : size[0] // 2] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = orientation, OWNER
    exif.get_ifd(0x8825)[2] = (51.5, 0.0, 0.0)
    if focal_35 is not None:
        exif.get_ifd(0x8769)[0xA405] = focal_35
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", exif=exif, quality=95)
    return buffer.getvalue()


def decoded(data: bytes) -> Picture:
    (picture,) = decode_photos([data])
    assert isinstance(picture, Picture)
    return picture


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
def test_photos_come_out_as_they_were_held(orientation: int, corner: tuple[int, int]) -> None:
    picture = decoded(photo(orientation=orientation))
    pixels = np.asarray(Image.open(io.BytesIO(picture.jpeg)))
    assert pixels.shape[:2] == (picture.height, picture.width) == ((300, 400) if orientation < 5 else (400, 300))
    red = pixels[corner[0], corner[1]].astype(int)
    assert red[0] > 200 > 60 > red[1]


def test_owner_and_place_do_not_come_along() -> None:
    picture = decoded(photo(focal_35=26))
    assert OWNER.encode() not in picture.jpeg
    assert b"Exif" not in picture.jpeg
    assert not Image.open(io.BytesIO(picture.jpeg)).getexif()


def test_the_focal_length_follows_from_the_35_mm_equivalent() -> None:
    assert decoded(photo()).focal_px is None
    assert decoded(photo(focal_35=26)).focal_px == pytest.approx(26 / 43.27 * 500.0)


def test_large_photos_become_smaller_and_keep_their_shape() -> None:
    picture = decoded(photo(size=(4000, 3000), focal_35=26))
    assert (picture.width, picture.height) == (LONG_SIDE_PX, LONG_SIDE_PX * 3 // 4)
    assert picture.focal_px == pytest.approx(26 / 43.27 * 1.25 * LONG_SIDE_PX)


def test_broken_photos_are_named_by_number_and_the_others_go_on() -> None:
    first, second, third = decode_photos([photo(), b"\xff\xd8\xffnothing", photo()])
    assert isinstance(first, Picture)
    assert isinstance(third, Picture)
    assert isinstance(second, CaptureError)
    assert second.found.startswith("photo 2 that cannot be decoded")


def test_other_formats_of_photos_are_read() -> None:
    pixels = np.full((60, 90, 3), 40, np.uint8)
    pixels[:, :45] = 200
    files = []
    for kind, mode in [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB"), ("TIFF", "RGB"), ("BMP", "RGB")]:
        buffer = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(buffer, kind)
        files.append(buffer.getvalue())
    for picture in decode_photos(files):
        assert isinstance(picture, Picture)
        assert (picture.width, picture.height, picture.oriented) == (90, 60, False)
        result = np.asarray(Image.open(io.BytesIO(picture.jpeg)))
        assert abs(int(result[30, 20, 1]) - 200) < 20, "a palette is coarse"
        assert abs(int(result[30, 70, 1]) - 40) < 20


def test_orientation_in_the_metadata_is_noted() -> None:
    assert decoded(photo(orientation=6)).oriented


def test_heic_photos_are_read() -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra `photos` is not installed")
    buffer = io.BytesIO()
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[..., 1] = 200
    heif.from_pillow(Image.fromarray(pixels)).save(buffer, quality=90)
    picture = decoded(buffer.getvalue())
    assert (picture.width, picture.height) == (96, 64)
    assert abs(int(np.asarray(Image.open(io.BytesIO(picture.jpeg)))[32, 48, 1]) - 200) < 12


@pytest.mark.parametrize(("curve", "white"), [("hlg", 0.75), ("pq", 0.5806)])
def test_reference_white_of_films_becomes_nearly_white_and_black_stays_black(curve: str, white: float) -> None:
    signal = np.array([[[0.0] * 3, [0.5 * white] * 3, [white] * 3, [1.0] * 3]], dtype=np.float32)
    converted = srgb_from_hdr(signal, curve=curve)[0]
    assert (np.ptp(converted.astype(int), axis=1) <= 1).all()
    levels = converted[:, 0].astype(int)
    assert levels[0] == 0
    assert 205 <= levels[2] <= 245
    assert levels[3] >= 250
    assert (np.diff(levels) > 0).all()
