"""Read small numeric arrays from a MATLAB 5 file; large arrays and other variables are skipped.

Layout: MAT-File Format, The MathWorks, chapter 1: a header of 128 bytes, then elements of type and size; type 15 is a
compressed element, type 14 an array of flags, sizes, name and numbers.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from cousins.errors import CaptureError
from cousins.geometry import Array

_HEADER_BYTES = 128
_MAX_ELEMENT_BYTES = 64 << 10
"""Largest element that is read [bytes]: larger arrays are images, not cameras."""
_ARRAY_ELEMENT, _COMPRESSED_ELEMENT = 14, 15
_NUMBER_TYPES = {1: "<i1", 2: "<u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8"}


def read_small_arrays(data: bytes, *, context: str) -> dict[str, Array]:
    """Return the small real two-dimensional arrays by name, each float64 [rows, columns]."""
    if not data.startswith(b"MATLAB 5.0") or data[126:128] != b"IM":
        raise CaptureError(f"{context} of another kind", expected="a MATLAB 5 file", hint="Write camera.json instead.")
    arrays: dict[str, Array] = {}
    for kind, body in _split_elements(data[_HEADER_BYTES:]):
        if kind == _COMPRESSED_ELEMENT:
            try:
                body = zlib.decompressobj().decompress(body, _MAX_ELEMENT_BYTES)
            except zlib.error:
                continue
            inner = _split_elements(body)
            kind, body = inner[0] if inner else (0, b"")
        if kind == _ARRAY_ELEMENT and len(body) <= _MAX_ELEMENT_BYTES:
            arrays.update(_parse_array(body))
    return arrays


def _split_elements(data: bytes) -> list[tuple[int, bytes]]:
    """Return (type, payload) of each complete element."""
    elements = []
    position = 0
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, position)
        if kind >> 16:
            kind, size, start, step = kind & 0xFFFF, kind >> 16, position + 4, 8
            if size > 4:
                break
        else:
            start = position + 8
            step = 8 + (size if kind == _COMPRESSED_ELEMENT else -(-size // 8) * 8)
        if start + size > len(data):
            break
        elements.append((kind, data[start : start + size]))
        position += step
    return elements


def _parse_array(body: bytes) -> dict[str, Array]:
    parts = _split_elements(body)
    if len(parts) < 4 or parts[1][0] != 5 or parts[2][0] != 1 or parts[3][0] not in _NUMBER_TYPES:
        return {}
    shape = struct.unpack(f"<{len(parts[1][1]) // 4}i", parts[1][1][: len(parts[1][1]) // 4 * 4])
    dtype = np.dtype(_NUMBER_TYPES[parts[3][0]])
    values = np.frombuffer(parts[3][1][: len(parts[3][1]) // dtype.itemsize * dtype.itemsize], dtype)
    if len(shape) != 2 or min(shape) < 0 or values.size != shape[0] * shape[1]:
        return {}
    return {parts[2][1].decode("latin-1"): values.astype(np.float64).reshape(shape, order="F")}
