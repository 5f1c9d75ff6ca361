"""Decode OpenEXR depth images from untrusted bytes in pure Python, so that malformed files cannot crash the process.

Single-part scan-line files of half, float or uint channels, without compression or with RLE, ZIPS or ZIP, as written by
Record3D, OpenCV and Blender. Layout: "OpenEXR File Layout", openexr.com/en/latest/OpenEXRFileLayout.html.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from cousins.capture.decoders.images import MAX_DEPTH_PIXELS
from cousins.errors import CaptureError
from cousins.geometry import Array

_MAGIC = b"\x76\x2f\x31\x01"
_UNSUPPORTED_FLAGS = 0x200 | 0x800 | 0x1000
"""Tiled, deep and multi-part files."""
_LINES_PER_BLOCK = {0: 1, 1: 1, 2: 1, 3: 16}
"""Scan lines per block by compression: none, RLE, ZIPS, ZIP."""
_PIXEL_TYPES: dict[int, np.dtype[Any]] = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}
_DEPTH_NAMES = ("Z", "depth", "R", "Y", "V")
_MAX_ATTRIBUTES = 1000


@dataclass(frozen=True, kw_only=True)
class _Header:
    """Pixel layout from the file header."""

    channels: dict[str, np.dtype[Any]]
    """Pixel type by channel name, in file order."""
    compression: int
    """Compression method: 0 none, 1 RLE, 2 ZIPS, 3 ZIP."""
    top: int
    """Row number of the first row."""
    width: int
    """Number of columns."""
    height: int
    """Number of rows."""
    end: int
    """Byte offset after the header."""


def decode_exr_depth(data: bytes, *, context: str) -> Array:
    """Return the depth channel (`Z`, `depth`, `R`, `Y`, `V`, or the only one), float32 [h, w]."""
    try:
        header = _read_header(data, context=context)
        return _decode_pixels(data, header, _depth_channel(header, context=context), context=context)
    except (struct.error, zlib.error, UnicodeError, IndexError) as error:
        raise _exr_error(context, f"a damaged OpenEXR file ({error})", "a whole one") from error


def _read_header(data: bytes, *, context: str) -> _Header:
    if data[:4] != _MAGIC:
        raise _exr_error(context, f"bytes {data[:4].hex(' ')}", "an OpenEXR image")
    (version,) = struct.unpack_from("<I", data, 4)
    if version & 0xFF != 2 or version & _UNSUPPORTED_FLAGS:
        raise _exr_error(context, f"OpenEXR of version and flags {version:#x}", "one flat scan-line image")
    attributes, end = _read_attributes(data, context=context)
    needed = {"channels": 1, "compression": 1, "dataWindow": 16}
    for name, size in needed.items():
        if len(attributes.get(name, b"")) < size:
            raise _exr_error(context, f"no {name} in its header", "a whole OpenEXR header")
    compression = attributes["compression"][0]
    if compression not in _LINES_PER_BLOCK:
        raise _exr_error(context, f"OpenEXR compression {compression}", "none, RLE, ZIPS or ZIP")
    left, top, right, bottom = struct.unpack_from("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    if width < 1 or height < 1 or width * height > MAX_DEPTH_PIXELS:
        raise _exr_error(context, f"{width}×{height} px", f"at most {MAX_DEPTH_PIXELS:,} px")
    return _Header(
        channels=_read_channels(attributes["channels"], context=context),
        compression=compression,
        top=top,
        width=width,
        height=height,
        end=end,
    )


def _read_attributes(data: bytes, *, context: str) -> tuple[dict[str, bytes], int]:
    """Return the header's attributes by name, and the byte offset after them."""
    attributes: dict[str, bytes] = {}
    position = 8
    while data[position] != 0:
        if len(attributes) >= _MAX_ATTRIBUTES:
            raise _exr_error(context, "an endless header", f"at most {_MAX_ATTRIBUTES} attributes")
        name, position = _read_string(data, position, context=context)
        _, position = _read_string(data, position, context=context)
        (size,) = struct.unpack_from("<i", data, position)
        position += 4
        if size < 0 or position + size > len(data):
            raise _exr_error(context, f"attribute {name!r} of {size} bytes", "one that fits the file")
        attributes[name] = data[position : position + size]
        position += size
    return attributes, position + 1


def _read_string(data: bytes, position: int, *, context: str) -> tuple[str, int]:
    end = data.find(b"\0", position, position + 256)
    if end < 0:
        raise _exr_error(context, "a name without end", "a whole OpenEXR header")
    return data[position:end].decode("utf-8"), end + 1


def _read_channels(table: bytes, *, context: str) -> dict[str, np.dtype[Any]]:
    channels: dict[str, np.dtype[Any]] = {}
    position = 0
    while table[position] != 0:
        name, position = _read_string(table, position, context=context)
        kind, _, step_x, step_y = struct.unpack_from("<iIii", table, position)
        position += 16
        if kind not in _PIXEL_TYPES or (step_x, step_y) != (1, 1) or len(channels) >= 16:
            raise _exr_error(context, f"channel {name!r} of type {kind}", "half, float or uint at full resolution")
        channels[name] = _PIXEL_TYPES[kind]
    return channels


def _depth_channel(header: _Header, *, context: str) -> str:
    if len(header.channels) == 1:
        return next(iter(header.channels))
    for name in _DEPTH_NAMES:
        if name in header.channels:
            return name
    raise _exr_error(context, f"channels {', '.join(header.channels) or 'none'}", f"one of {', '.join(_DEPTH_NAMES)}")


def _decode_pixels(data: bytes, header: _Header, channel: str, *, context: str) -> Array:
    """Decode every block and return the requested channel, float32 [h, w]."""
    lines = _LINES_PER_BLOCK[header.compression]
    blocks = -(-header.height // lines)
    starts = np.cumsum([0, *(header.width * kind.itemsize for kind in header.channels.values())])
    row_bytes = int(starts[-1])
    if header.height * row_bytes > 16 * MAX_DEPTH_PIXELS or blocks * 16 > len(data):
        raise _exr_error(context, f"{header.height} rows of {row_bytes} bytes", "rows that fit the file")
    channel_index = list(header.channels).index(channel)
    first_byte, end_byte = tuple(pairwise(starts.tolist()))[channel_index]
    depth = np.zeros((header.height, header.width), np.float32)
    is_decoded = np.zeros(blocks, dtype=bool)
    for offset in struct.unpack_from(f"<{blocks}Q", data, header.end):
        row, size = struct.unpack_from("<ii", data, offset) if offset < len(data) else (-1, -1)
        row -= header.top
        if not 0 <= row < header.height or row % lines or size < 0 or offset + 8 + size > len(data):
            raise _exr_error(context, f"a block at byte {offset} for row {row}", "blocks inside the file")
        rows = min(lines, header.height - row)
        raw = _unpack_block(data[offset + 8 : offset + 8 + size], rows * row_bytes, header.compression, context=context)
        table = np.frombuffer(raw, np.uint8).reshape(rows, row_bytes)
        kind = header.channels[channel]
        depth[row : row + rows] = np.ascontiguousarray(table[:, first_byte:end_byte]).view(kind).astype(np.float32)
        is_decoded[row // lines] = True
    if not is_decoded.all():
        raise _exr_error(context, f"{int((~is_decoded).sum())} of {blocks} blocks missing", "all of them")
    return depth


def _unpack_block(block: bytes, size: int, compression: int, *, context: str) -> bytes:
    """Return the `size` bytes of a block; incompressible blocks are stored uncompressed."""
    if len(block) == size:
        return block
    if compression == 0:
        raise _exr_error(context, f"a block of {len(block)} bytes", f"{size} bytes")
    inflated = _unpack_runs(block, size) if compression == 1 else zlib.decompressobj().decompress(block, size + 1)
    if len(inflated) != size:
        raise _exr_error(context, f"a block that inflates to {len(inflated)} bytes", f"{size} bytes")
    deltas = np.frombuffer(inflated, np.uint8).astype(np.uint64)
    steps = deltas + np.uint64(128)
    steps[0] = deltas[0]
    bytes_in_halves = (np.cumsum(steps) & np.uint64(0xFF)).astype(np.uint8)
    interleaved = np.empty(size, np.uint8)
    half = (size + 1) // 2
    interleaved[0::2], interleaved[1::2] = bytes_in_halves[:half], bytes_in_halves[half:]
    return interleaved.tobytes()


def _unpack_runs(block: bytes, size: int) -> bytes:
    """Undo run-length coding: a negative count means that many literal bytes, others repeat count + 1 times."""
    pieces: list[bytes] = []
    total = position = 0
    while position < len(block) and total <= size:
        count = struct.unpack_from("<b", block, position)[0]
        piece = (
            block[position + 1 : position + 1 - count]
            if count < 0
            else block[position + 1 : position + 2] * (count + 1)
        )
        position += 1 - count if count < 0 else 2
        pieces.append(piece)
        total += len(piece)
    return b"".join(pieces)


def _exr_error(context: str, observed: str, expected: str) -> CaptureError:
    return CaptureError(
        f"{context}: {observed}",
        expected=expected,
        hint="Export the scan again from the phone, or save depth as ZIP OpenEXR.",
    )
