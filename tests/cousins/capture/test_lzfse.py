"""LZFSE against streams that Apple's own encoder wrote, and against damage."""

from __future__ import annotations

import base64
import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cousins.capture.decoders import lzfse
from cousins.capture.ingest import ingest
from cousins.errors import CaptureError
from tests.cousins.capture.exports import lzfse_codes, lzfse_plain
from tests.cousins.capture.room import Files, write_folder

BUMPS = (
    "YnZ4MgAoAABQAJABAI8AEHk0EPG4zAAAkwAAAD7wMAZ/wBsgCgAAAAIAAACvwAtgHonA1wBABnBFgOuzswsIAAAAAAAAAADAowEAAAC8QAAA"
    "AMA7BAAAAAAAAADvwAsAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAALwDAAAAAAAAAMALAwAAAAAAAAAAAAAYEAxhpqMedvwAzF4v"
    "WGGFKdYhHtCGAwAAAAAAAAAAAAAgQHHARgIlp+hXhYh4S6sCmLyVC0RYJimMhrCwKIbJWwlgcGEcIibzhNYtiCiTVwA6/DWMQ6nWrgAh8tZC"
    "GKy1jNBiDULLWIOoc9dWIGS7lQAtZw2izl1bgZDtVgK0nDWIOndtBUK2WwnQctYg6ty1FQjZbiVAy1mDqHPXViBku5UALWcNos5dW4GQ7VYC"
    "tJw1CDpnfYUFsZa5F0ZDWAKhcxaXAHC5EA4Rk3lh6wBErIUVEZC62L8CQM1ZWqnU1lEFAWJ2eCQ="
)
SQUARES = (
    "YnZ4MnAXAAB4BYA1ABQAMAcoQAIdMgBgugAAAC8kwAEFKPAAtACl5ydA5z8AAAAwr34BAADg6gqAF4AXgBcArq5egKsXgCsAAAAAAAAA+AMe"
    "gjfgFfgGvoCv4A34Bn6BP+Al+AL+gT/gFXgI/oCX4BX4Bp6BL+Ap+AL+gV/gFXgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACIsEjg183vK1G43zwTbTCgh/6Z49hyS9vmXKsRoue+9S6/qkCU4JbMtl7Z3C7/wEXqRNZB9ssC"
    "WI/rS0msLkQrs5QbsLhZC+QOZHom8IXiHbasbL9yxbbpPp2arWMgt2NryUnEIRwkeCc7JVm9F6JrbYdfoog35/X9plMf74XtEia9Y/nkK81Y"
    "tRz5moaVUSmQky+x/enGhpzf4UzSEV7CdKFMCbD40Mky+StFLc8apDwfMdGemebL+rQBQ0Z5xqBvMIYS/9sJcFnT2mcXVfGl9pND9cyvWAZc"
    "MqJmGpr7dU9qM0UNgnCuRlu3AMOu980rOaqiPOcSdRdQjUEcfDCqqD2gRhbrr2y+ojQ6plMFFv2D3KfD0A83CfXpZHSghWZQMhP0QqMfY9P6"
    "Wkegq39YdPtIDotW+rO01UvTu0Ig1P/glMr8yaAXKxqS+RuiIx/GT+/+d7K7utvgBoVM7ChXYe3YdywTpt2ljAF9hMAiccohvLu1byqlNv/C"
    "IvYesNE0iDZvyX43xfeAVXbkFjosloGt3Ot0+5GiLk5OWnSscv9HEgFiyIL1bB4/URxIp/yJCPVdOJqT5zx5Otiik46BU39poPWRg4vmwcn3"
    "etsJiwdAbVSLGe4ryO/RCQ0t+/ME3OZQOcu5Aq621hOoAVR2lXWssZzAe7wSxLicpmuHV5ZCnbSdGUevmuwvwiI5CwhxhEGnv5unON142IgI"
    "WtirLoDu015DgC32HHUlD8cw1bMkNcPlz4XtDEpYg6rAgI6X17rDKqx7eHhMVp/dGYydzg4FVOImHdamAzpc6p8Lp3iT/glWVVNh+EW0Zz6H"
    "17HAvKpX8Gf4A0b03LTh6H6RptwpbdtNjUX6P0rCPtyoTvgSQKy6Lss1GXKO31YpMHX0TPw1tuH2h5ZQ2iNW2GFVFj6Xv1T+An9retEpKkM5"
    "kJXHyCy7yS6G8a0UdWM7nJM+9J2PsnL5nYxzfeJXl564QQqmgsdW95kOxgin2FY30ad5Sk4ZoLkX4VvmYicIE2qBag+oTXKE4PG8TYS1BVRi"
    "dr5DhgPa0Ri325mWD1OvB23ca4x9N/idjS13OPnS+E4xpfpptJH9P61I40oikrgw4vyUvDZOoJzksCUuOTgY/jtUnI41AwAAAAAAAAAAAFpz"
    "03L9n6+ONjo9EqLH39TCtb0IUP/QRUkdSTZL8j9+QJ/tMeqe3OIfYnZ4JA=="
)
RUNS = (
    "YnZ4boQDAAD6AAAAaAEA8kYBIAXlAgICAAL25QMDAAMD9uUEAAQEBPdAAQUYBUABBiAFaAEA8jBLngEB854CAvNuA/NuBPGeBQXzaE0G9DBL"
    "bgHzbgLxngMD88ibBAQF8AE4AfFomwHybgLybgP9bgXybgbybgDybgH9bgPybgTybgXybgb9bgHybgLybgPybgT9bgbybgDybgHybgL9bgTy"
    "bgXybgbybgD9bgLybgPybgTybgX9OAHxaJsB8m4C8m4D/W4F8m4G8m4A8m4B/W4D8m4E8m4F8m4G/W4B8m4C8m4D8m4E/W4G8m4A8m4B8m4C"
    "/ekEBAQEAAQEBAQGAAAAAAAAAGJ2eCQ="
)


def bumps() -> bytes:
    y, x = np.mgrid[:40, :64]
    return (np.round((1.5 + 0.25 * ((x // 9 + y // 7) % 5)) * 128) / 128).astype("<f4").tobytes()


def squares() -> bytes:
    return bytes((i * i // 3 + i // 17) % 29 for i in range(6000))


def runs() -> bytes:
    return bytes((i // 11) % 7 * (i % 5 > 0) for i in range(900))


VECTORS = {"bumps": (BUMPS, bumps()), "squares": (SQUARES, squares()), "runs": (RUNS, runs())}


@pytest.mark.parametrize("name", VECTORS)
def test_streams_of_the_reference_encoder_are_decoded(name: str) -> None:
    packed, plain = VECTORS[name]
    assert lzfse.decode(base64.b64decode(packed), len(plain), context=name) == plain


def test_blocks_follow_each_other() -> None:
    streams = [base64.b64decode(packed)[:-4] for packed, _ in VECTORS.values()]
    plain = b"".join(plain for _, plain in VECTORS.values())
    assert lzfse.decode(b"".join(streams) + b"bvx$", len(plain), context="all") == plain


def test_a_block_with_plain_tables_is_decoded() -> None:
    packed = base64.b64decode(SQUARES)
    (literals, literal_bytes, literal_bits, matches, match_bytes, match_bits), states, frequencies, start = (
        lzfse._parse_v2_header(packed, 0, context="v2")
    )
    counts = (6000, literal_bytes + match_bytes, literals, matches, literal_bytes, match_bytes)
    head = b"bvx1" + struct.pack("<6I", *counts)
    head += struct.pack("<i4Hi3H", literal_bits, *states[3:], match_bits, *states[:3])
    head += struct.pack("<360H", *frequencies)
    assert lzfse.decode(head + bytes(772 - len(head)) + packed[start:], 6000, context="v1") == squares()


def test_what_the_writers_of_the_law_book_make_is_decoded() -> None:
    for data in (runs(), bytes(700), bytes(20), bytes(19), b"", squares()):
        for write in (lzfse_plain, lzfse_codes):
            assert lzfse.decode(write(data), len(data), context="written") == data


@pytest.mark.parametrize("size", [0, 899, 901, 10_000_000])
def test_a_stream_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(CaptureError, match="bytes"):
        lzfse.decode(base64.b64decode(RUNS), size, context="runs")


def test_a_stream_without_an_end_is_refused() -> None:
    with pytest.raises(CaptureError, match="cut off"):
        lzfse.decode(base64.b64decode(RUNS)[:-4], 900, context="runs")


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(data=st.data())
def test_damaged_streams_are_decoded_or_refused(data: st.DataObject) -> None:
    packed, plain = VECTORS[data.draw(st.sampled_from(sorted(VECTORS)))]
    spoilt = bytearray(base64.b64decode(packed))
    for _ in range(data.draw(st.integers(1, 5))):
        spoilt[data.draw(st.integers(4, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(CaptureError):
        assert len(lzfse.decode(bytes(spoilt), len(plain), context="spoilt")) == len(plain)


def test_an_old_recording_without_depth_size_has_that_of_the_lidar(tmp_path: Path) -> None:
    meta = '{"w": 720, "h": 960, "fps": 60, "K": [700, 0, 0, 0, 700, 0, 360, 480, 1], "poses": [[0, 0, 0, 1, 0, 0, 0]]}'
    depth = np.full((256, 192), 1.5, "<f4").tobytes()
    files: Files = {"metadata": meta.encode(), "rgbd/0.depth": lzfse_plain(depth)}
    capture = ingest(write_folder(files, tmp_path / "in"), tmp_path / "out")
    assert capture.frames[0].depth_m.shape == (256, 192)
    assert (capture.frames[0].depth_m == 1.5).all()
    assert any("confidence" in warning for warning in capture.warnings)
