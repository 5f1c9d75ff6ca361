"""Frames are byte for byte those of openpi's protocol, and what must not cross a wire does not."""

from __future__ import annotations

import struct

import msgpack
import numpy as np
import pytest

from sim.cells.host import cell_host
from sim.wire.codec import MAX_FRAME_BYTES, WireError, pack, unpack


def bin_key(text: bytes) -> bytes:
    """Return a key of bytes as msgpack's bin 8."""
    return b"\xc4" + bytes((len(text),)) + text


ARRAY_FRAME = (
    b"\x81\xa1a"  # a map of one: "a"
    b"\x84"  # a map of four
    + bin_key(b"__ndarray__")
    + b"\xc3"  # true
    + bin_key(b"data")
    + b"\xc4\x08"
    + struct.pack("<2f", 1.5, -2.0)
    + bin_key(b"dtype")
    + b"\xa3<f4"
    + bin_key(b"shape")
    + b"\x91\x02"  # a list of one: 2
)
"""The frame of {"a": np.array([1.5, -2.0], np.float32)}, written by hand."""
SCALAR_FRAME = (
    b"\x81\xa1s\x83" + bin_key(b"__npgeneric__") + b"\xc3" + bin_key(b"data") + b"\x07" + bin_key(b"dtype") + b"\xa3<i8"
)
"""The frame of {"s": np.int64(7)}, written by hand."""
PICTURE_FRAME = (
    b"\x81\xa3img\x84"
    + bin_key(b"__ndarray__")
    + b"\xc3"
    + bin_key(b"data")
    + b"\xc4\x06"
    + bytes(range(6))
    + bin_key(b"dtype")
    + b"\xa3|u1"
    + bin_key(b"shape")
    + b"\x93\x01\x02\x03"
)
"""The frame of {"img": np.arange(6, dtype=np.uint8).reshape(1, 2, 3)}, written by hand."""
FRAMES = [
    (ARRAY_FRAME, {"a": np.array([1.5, -2.0], np.float32)}),
    (SCALAR_FRAME, {"s": np.int64(7)}),
    (PICTURE_FRAME, {"img": np.arange(6, dtype=np.uint8).reshape(1, 2, 3)}),
    (b"\x82\xa6prompt\xa4push\xa1n\x03", {"prompt": "push", "n": 3}),
]


@pytest.mark.parametrize(("frame", "value"), FRAMES)
def test_frames_are_those_written_by_hand(frame: bytes, value: dict[str, object]) -> None:
    assert pack(value) == frame
    (key,) = list(unpack(frame))[:1]
    np.testing.assert_array_equal(unpack(frame)[key], value[key])
    assert type(unpack(frame)[key]) is type(value[key])


@pytest.mark.parametrize(("frame", "value"), [FRAMES[0], FRAMES[2], FRAMES[3]])
def test_the_host_of_cells_writes_the_same_frames(frame: bytes, value: dict[str, object]) -> None:
    assert cell_host.pack(value) == frame
    for key, item in cell_host.unpack(frame).items():
        np.testing.assert_array_equal(item, value[key])


def test_arrays_of_every_kind_return_as_they_were_and_read_only() -> None:
    rng = np.random.default_rng(0)
    for dtype in ("<f4", "<f8", "<i4", "|u1", "|b1", "<f2", "<U5", "|S3", ">i2"):
        for shape in ((), (0,), (3,), (2, 0, 3), (4, 5, 6)):
            value = np.asarray(rng.random(shape) * 50).astype(dtype)
            again = unpack(pack({"x": value}))["x"]
            np.testing.assert_array_equal(again, value)
            assert (again.dtype, again.shape) == (value.dtype, value.shape)
            assert not again.flags.writeable


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.array([1 + 2j]),
        np.zeros(2, dtype=[("a", "f4")]),
        {"a": object()},
        {1, 2},
        2**70,
    ],
)
def test_objects_records_and_complex_numbers_are_not_sent(value: object) -> None:
    with pytest.raises(WireError, match="cannot be sent"):
        pack({"x": value})


def array_record(**changes: object) -> dict[bytes, object]:
    record = {b"__ndarray__": True, b"data": bytes(8), b"dtype": "<f4", b"shape": [2]}
    return record | {key.encode(): value for key, value in changes.items()}


@pytest.mark.parametrize(
    "record",
    [
        array_record(dtype="|O"),
        array_record(dtype="O8"),
        array_record(dtype="<c8"),
        array_record(dtype="|V4"),
        array_record(dtype="f4,f4"),
        array_record(dtype="|S0"),
        array_record(dtype=7),
        array_record(shape=[3]),
        array_record(shape=[-1, -2]),
        array_record(shape=[2**40, 2**40]),
        array_record(shape="ab"),
        array_record(data="text"),
        {b"__ndarray__": True},
        {b"__npgeneric__": True, b"data": "x", b"dtype": "<f4"},
        {b"__npgeneric__": True, b"data": 1, b"dtype": "|O"},
    ],
)
def test_arrays_that_are_none_are_refused(record: dict[bytes, object]) -> None:
    with pytest.raises(WireError, match="cannot be read"):
        unpack(msgpack.packb({"x": record}))


def test_garbage_is_refused_and_never_unpickled() -> None:
    rng = np.random.default_rng(1)
    frames = [b"", b"\xc1", b"\x80\x04\x95", msgpack.packb(msgpack.ExtType(3, b"x")), b"\x91" * 5000]
    frames += [rng.bytes(int(rng.integers(1, 60))) for _ in range(2000)]
    for _ in range(2000):
        frame = bytearray(ARRAY_FRAME)
        for position in rng.integers(0, len(frame), 3):
            frame[position] = rng.integers(0, 256)
        frames.append(bytes(frame))
    refused = 0
    for frame in frames:
        try:
            unpack(frame)
        except WireError:
            refused += 1
    assert refused > 1000


def test_a_frame_that_is_too_large_is_refused_on_both_sides() -> None:
    with pytest.raises(WireError, match="a frame of 68 MB; expected at most 67 MB"):
        pack({"x": np.zeros(MAX_FRAME_BYTES + 1_000_000, dtype=np.uint8)})
    with pytest.raises(WireError, match="expected at most 67 MB"):
        unpack(bytes(MAX_FRAME_BYTES + 1))
