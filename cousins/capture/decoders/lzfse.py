"""LZFSE, Apple's compression, decoded without trust: no read or write outside the arrays, no more than was asked for.

A stream is blocks, each with a four-letter name: `bvx-` plain bytes, `bvxn` LZVN (byte codes), `bvx1` and `bvx2`
(finite state entropy coding, tables plain or packed), `bvx$` the end. Layout as in Apple's public reference
implementation (lzfse_internal.h), from which the numbers below come.
"""

from __future__ import annotations

import struct

import numpy as np

from cousins.capture.decoders import lzfse_kernels as codes
from cousins.errors import CaptureError
from cousins.geometry import Array

MAX_RATIO = 3000
"""A stream that claims to inflate more often than this is a bomb: constant depth reaches some 1600."""
MAX_OVERHEAD_BYTES = 64 << 10
"""A compressed image longer than the plain one by more than this is damaged."""
_V1_BYTES = 772
"""Size of a `bvx1` header: 50 bytes of counts, 360 frequencies of two bytes, padding."""
_V2_BYTES = 32
_FREQUENCIES = sum(codes.SYMBOLS)


def decode(data: bytes, size: int, *, where: str) -> bytes:
    """Return the `size` bytes that an LZFSE stream holds; anything else raises CaptureError."""
    if len(data) > size + MAX_OVERHEAD_BYTES or len(data) * MAX_RATIO < size:
        raise _damaged(where, f"{len(data):,} bytes for {size:,}")
    source = np.frombuffer(data, np.uint8)
    out = np.zeros(size, np.uint8)
    position, written = 0, 0
    while True:
        name = data[position : position + 4]
        if name == b"bvx$":
            break
        head = data[position : position + _V1_BYTES]
        raw = _u32(head, 4, where=where)
        if raw > size - written:
            raise _damaged(where, f"more than {size:,} bytes")
        if name == b"bvx-":
            position = _plain(source, position + 8, out, written, raw, where=where)
        elif name == b"bvxn":
            position = _lzvn(source, position, out, written, raw, where=where)
        elif name in (b"bvx1", b"bvx2"):
            position = _entropy_coded(data, position, out, written, raw, where=where)
        else:
            raise _damaged(where, f"a block named {name[:4]!r}")
        written += raw
    if written != size:
        raise _damaged(where, f"{written:,} bytes instead of {size:,}")
    return out.tobytes()


def _plain(source: Array, start: int, out: Array, written: int, raw: int, *, where: str) -> int:
    if start + raw > len(source):
        raise _damaged(where, "a block that is cut off")
    out[written : written + raw] = source[start : start + raw]
    return start + raw


def _lzvn(source: Array, position: int, out: Array, written: int, raw: int, *, where: str) -> int:
    payload = _u32(source[position : position + 12].tobytes(), 8, where=where)
    start = position + 12
    if start + payload > len(source):
        raise _damaged(where, "a block that is cut off")
    if codes.decode_lzvn(source[start : start + payload], out, written, written + raw) != raw:
        raise _damaged(where, "byte codes that do not add up")
    return start + payload


def _entropy_coded(data: bytes, position: int, out: Array, written: int, raw: int, *, where: str) -> int:
    parse = _v1 if data[position : position + 4] == b"bvx1" else _v2
    counts, states, frequencies, start = parse(data, position, where=where)
    literals, literal_bytes, literal_bits, matches, match_bytes, match_bits = counts
    end = start + literal_bytes + match_bytes
    if end > len(data) or literals > raw + 3 or matches > raw + literals + 1:
        raise _damaged(where, "a block that is cut off")
    source = np.frombuffer(data, np.uint8)
    middle = start + literal_bytes
    copied = codes.decode_block(
        source[start:middle],
        literal_bits,
        literals,
        source[middle:end],
        match_bits,
        matches,
        np.array(states, np.int64),
        np.array(frequencies, np.int64),
        out,
        written,
        written + raw,
    )
    if copied != raw:
        raise _damaged(where, "codes that do not add up")
    return end


_Parsed = tuple[tuple[int, ...], list[int], list[int], int]


def _v1(data: bytes, position: int, *, where: str) -> _Parsed:
    """Return (literals, their bytes, their bits, matches, their bytes, their bits), 7 states, frequencies, payload."""
    if len(data) < position + _V1_BYTES:
        raise _damaged(where, "a block that is cut off")
    values = struct.unpack_from(f"<6Ii4Hi3H{_FREQUENCIES}H", data, position + 4)
    _, _, literals, matches, literal_bytes, match_bytes, literal_bits, *rest = values
    counts = (literals, literal_bytes, literal_bits, matches, match_bytes, rest[4])
    return counts, [*rest[5:8], *rest[:4]], list(rest[8:]), position + _V1_BYTES


def _v2(data: bytes, position: int, *, where: str) -> _Parsed:
    """Return the same of a header with packed fields and frequencies."""
    if len(data) < position + _V2_BYTES:
        raise _damaged(where, "a block that is cut off")
    first, second, third = struct.unpack_from("<3Q", data, position + 8)
    twenty, ten = (1 << 20) - 1, (1 << 10) - 1
    header = third & 0xFFFFFFFF
    if not _V2_BYTES <= header <= len(data) - position:
        raise _damaged(where, f"a block header of {header:,} bytes")
    literals, literal_bytes, matches = (first >> shift & twenty for shift in (0, 20, 40))
    counts = (literals, literal_bytes, (first >> 60 & 7) - 7, matches, second >> 40 & twenty, (second >> 60 & 7) - 7)
    states = [third >> shift & ten for shift in (32, 42, 52)] + [second >> shift & ten for shift in (0, 10, 20, 30)]
    packed = np.frombuffer(data, np.uint8)[position + _V2_BYTES : position + header]
    frequencies = np.zeros(_FREQUENCIES, np.int64)
    if not codes.unpack_frequencies(packed, frequencies):
        raise _damaged(where, "frequencies that are cut off")
    return counts, states, frequencies.tolist(), position + header


def _u32(head: bytes, offset: int, *, where: str) -> int:
    if len(head) < offset + 4:
        raise _damaged(where, "a stream that is cut off")
    return int.from_bytes(head[offset : offset + 4], "little")


def _damaged(where: str, found: str) -> CaptureError:
    return CaptureError(
        f"{where}: {found}", expected="a whole LZFSE stream", hint="The recording is damaged: share it again."
    )
