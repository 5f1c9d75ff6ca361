"""Strip the metadata of JPEG files without re-encoding the pixels.

Segments as in ITU-T T.81 annex B: a marker 0xFF 0xXX, a big-endian length that counts itself, a payload.
EXIF (with GPS position), XMP, colour profiles, maker notes and comments live in APP1..APP15 and COM segments, and a
phone may append further pictures with their own EXIF after the end-of-image marker; all of that is removed, and so is
every segment that decoding does not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cousins.errors import CaptureError

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_END, _SCAN, _APP0, _ADOBE = 0xD9, 0xDA, 0xE0, 0xEE
_AFTER_ENTROPY = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JFIF_BYTES = 14
"""Payload of a JFIF header without a thumbnail."""
_ADOBE_BYTES = 12
"""Payload of Adobe's colour transform."""
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})
"""Markers of Huffman, arithmetic and quantisation tables, of the number of lines, and of the restart interval."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of picture headers, which hold the size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Segment:
    """Byte offsets of one segment in the file."""

    marker: int
    """Second byte of its marker."""
    payload: int
    """Offset of the first byte after the length field."""
    header_end: int
    """Offset after the bytes counted by the length field."""
    end: int
    """Offset after the entropy-coded data that follows a scan header; otherwise equal to `header_end`."""


def is_jpeg(data: bytes) -> bool:
    """Return whether the bytes start like a JPEG file."""
    return data.startswith(b"\xff\xd8\xff")


def strip_metadata(data: bytes, *, context: str = "image") -> bytes:
    """Return the JPEG with only the segments that decoding reads: JFIF, Adobe transform, tables, scans; no profile."""
    pieces = [b"\xff\xd8"]
    frames = 0
    for segment in _segments(data, context=context):
        frames += segment.marker in _FRAMES
        if _is_needed(segment.marker, data[segment.payload : segment.header_end]):
            pieces.append(bytes([0xFF, segment.marker]) + data[segment.payload - 2 : segment.end])
    if frames != 1:
        raise _broken_jpeg_error(context, f"{frames} picture headers")
    return b"".join([*pieces, b"\xff\xd9"])


def jpeg_size(data: bytes, *, context: str = "image") -> tuple[int, int]:
    """Return (width, height) [px] from the picture's header."""
    for segment in _segments(data, context=context):
        header = data[segment.payload : segment.header_end]
        if segment.marker in _FRAMES and len(header) >= 6:
            return int.from_bytes(header[3:5], "big"), int.from_bytes(header[1:3], "big")
    raise _broken_jpeg_error(context, "no picture header")


def _segments(data: bytes, *, context: str) -> Iterator[_Segment]:
    """Yield the segments of the file from its start to its end marker."""
    if not is_jpeg(data):
        raise _broken_jpeg_error(context, "no JPEG header")
    position = 2
    while True:
        position, marker = _next_marker(data, position, context=context)
        if marker == _END:
            return
        if marker in _STANDALONE:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        header_end = position + length
        if length < 2 or header_end > len(data):
            raise _broken_jpeg_error(context, f"segment {marker:02X} runs past the end")
        end = _end_of_scan(data, header_end, context=context) if marker == _SCAN else header_end
        yield _Segment(marker=marker, payload=position + 2, header_end=header_end, end=end)
        position = end


def _next_marker(data: bytes, position: int, *, context: str) -> tuple[int, int]:
    """Return the offset after the next marker, and the marker; fill bytes 0xFF are skipped."""
    if data[position : position + 1] != b"\xff":
        raise _broken_jpeg_error(context, f"no marker at byte {position}")
    while data[position : position + 1] == b"\xff":
        position += 1
    if position >= len(data):
        raise _broken_jpeg_error(context, "it ends early")
    return position + 1, data[position]


def _end_of_scan(data: bytes, start: int, *, context: str) -> int:
    match = _AFTER_ENTROPY.search(data, start)
    if match is None:
        raise _broken_jpeg_error(context, "it ends inside the picture")
    return match.start()


def _is_needed(marker: int, payload: bytes) -> bool:
    if marker == _APP0:
        return payload.startswith(b"JFIF\0") and len(payload) == _JFIF_BYTES
    if marker == _ADOBE:
        return payload.startswith(b"Adobe") and len(payload) == _ADOBE_BYTES
    return marker in _FRAMES or marker in _TABLES or marker == _SCAN


def _broken_jpeg_error(context: str, reason: str) -> CaptureError:
    return CaptureError(
        f"{context}: a broken JPEG ({reason})", expected="a whole JPEG file", hint="Copy or export the scan again."
    )
