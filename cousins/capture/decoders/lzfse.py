"""Decode LZFSE, Apple's compression, from untrusted bytes, with bounds checks and a fixed output size.

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
"""Largest compression ratio of a stream: constant depth reaches some 1600."""
MAX_OVERHEAD_BYTES = 64 << 10
"""Largest excess of the compressed over the plain size [bytes]."""
_V1_BYTES = 772
"""Size of a `bvx1` header: 50 bytes of counts, 360 frequencies of two bytes, padding."""
_V2_BYTES = 32
_FREQUENCY_COUNT = sum(codes.SYMBOL_COUNTS)


def decode(data: bytes, size: int, *, context: str) -> bytes:
    """Return the `size` bytes of an LZFSE stream; raises CaptureError where it is damaged or of another size."""
    if len(data) > size + MAX_OVERHEAD_BYTES or len(data) * MAX_RATIO < size:
        raise _damaged_error(context, f"{len(data):,} bytes for {size:,}")
    source = np.frombuffer(data, np.uint8)
    out = np.zeros(size, np.uint8)
    position, written = 0, 0
    while True:
        name = data[position : position + 4]
        if name == b"bvx$":
            break
        head = data[position : position + _V1_BYTES]
        raw = _read_u32(head, 4, context=context)
        if raw > size - written:
            raise _damaged_error(context, f"more than {size:,} bytes")
        if name == b"bvx-":
            position = _copy_plain_block(source, position + 8, out, written, raw, context=context)
        elif name == b"bvxn":
            position = _decode_lzvn_block(source, position, out, written, raw, context=context)
        elif name in (b"bvx1", b"bvx2"):
            position = _decode_entropy_block(data, position, out, written, raw, context=context)
        else:
            raise _damaged_error(context, f"a block named {name[:4]!r}")
        written += raw
    if written != size:
        raise _damaged_error(context, f"{written:,} bytes instead of {size:,}")
    return out.tobytes()


def _copy_plain_block(source: Array, start: int, out: Array, written: int, raw: int, *, context: str) -> int:
    if start + raw > len(source):
        raise _damaged_error(context, "a block that is cut off")
    out[written : written + raw] = source[start : start + raw]
    return start + raw


def _decode_lzvn_block(source: Array, position: int, out: Array, written: int, raw: int, *, context: str) -> int:
    payload = _read_u32(source[position : position + 12].tobytes(), 8, context=context)
    start = position + 12
    if start + payload > len(source):
        raise _damaged_error(context, "a block that is cut off")
    if codes.decode_lzvn(source[start : start + payload], out, written, written + raw) != raw:
        raise _damaged_error(context, "byte codes that do not add up")
    return start + payload


def _decode_entropy_block(data: bytes, position: int, out: Array, written: int, raw: int, *, context: str) -> int:
    parse = _parse_v1_header if data[position : position + 4] == b"bvx1" else _parse_v2_header
    counts, states, frequencies, start = parse(data, position, context=context)
    literals, literal_bytes, literal_bits, matches, match_bytes, match_bits = counts
    end = start + literal_bytes + match_bytes
    if end > len(data) or literals > raw + 3 or matches > raw + literals + 1:
        raise _damaged_error(context, "a block that is cut off")
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
        raise _damaged_error(context, "codes that do not add up")
    return end


_BlockHeader = tuple[tuple[int, ...], list[int], list[int], int]


def _parse_v1_header(data: bytes, position: int, *, context: str) -> _BlockHeader:
    """Return (literals, their bytes, their bits, matches, their bytes, their bits), 7 states, frequencies, payload."""
    if len(data) < position + _V1_BYTES:
        raise _damaged_error(context, "a block that is cut off")
    values = struct.unpack_from(f"<6Ii4Hi3H{_FREQUENCY_COUNT}H", data, position + 4)
    _, _, literals, matches, literal_bytes, match_bytes, literal_bits, *rest = values
    counts = (literals, literal_bytes, literal_bits, matches, match_bytes, rest[4])
    return counts, [*rest[5:8], *rest[:4]], list(rest[8:]), position + _V1_BYTES


def _parse_v2_header(data: bytes, position: int, *, context: str) -> _BlockHeader:
    """Return the same fields as `_parse_v1_header` from a header with packed fields and frequencies."""
    if len(data) < position + _V2_BYTES:
        raise _damaged_error(context, "a block that is cut off")
    first, second, third = struct.unpack_from("<3Q", data, position + 8)
    mask_20_bits, mask_10_bits = (1 << 20) - 1, (1 << 10) - 1
    header = third & 0xFFFFFFFF
    if not _V2_BYTES <= header <= len(data) - position:
        raise _damaged_error(context, f"a block header of {header:,} bytes")
    literals, literal_bytes, matches = (first >> shift & mask_20_bits for shift in (0, 20, 40))
    counts = (
        literals,
        literal_bytes,
        (first >> 60 & 7) - 7,
        matches,
        second >> 40 & mask_20_bits,
        (second >> 60 & 7) - 7,
    )
    states = [third >> shift & mask_10_bits for shift in (32, 42, 52)] + [
        second >> shift & mask_10_bits for shift in (0, 10, 20, 30)
    ]
    packed = np.frombuffer(data, np.uint8)[position + _V2_BYTES : position + header]
    frequencies = np.zeros(_FREQUENCY_COUNT, np.int64)
    if not codes.unpack_frequencies(packed, frequencies):
        raise _damaged_error(context, "frequencies that are cut off")
    return counts, states, frequencies.tolist(), position + header


def _read_u32(head: bytes, offset: int, *, context: str) -> int:
    if len(head) < offset + 4:
        raise _damaged_error(context, "a stream that is cut off")
    return int.from_bytes(head[offset : offset + 4], "little")


def _damaged_error(context: str, observed: str) -> CaptureError:
    return CaptureError(
        f"{context}: {observed}", expected="a whole LZFSE stream", hint="The recording is damaged: share it again."
    )
