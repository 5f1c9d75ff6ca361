"""Images from untrusted bytes: recognised by magic, measured by header, only then decoded."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from cousins.capture.jpeg import is_jpeg
from cousins.errors import CaptureError
from cousins.geometry import Array

MAX_PIXELS = 50_000_000
"""Largest image that is decoded [px]."""
MAX_DEPTH_PIXELS = 4_000_000
"""Largest depth image that is decoded [px]; LiDAR phones give 49 152."""
JPEG_QUALITY = 92
"""Quality of colour images that we encode ourselves."""

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, OverflowError, MemoryError, struct.error, zlib.error)


def color_size(data: bytes, *, where: str) -> tuple[int, int]:
    """Return (width, height) [px] of a JPEG or PNG from its header."""
    if not is_jpeg(data) and not data.startswith(_PNG_MAGIC):
        raise _refused(where, f"bytes {data[:8].hex(' ')}", "a JPEG or PNG image")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            width, height = image.size
    except _DECODER_ERRORS as error:
        raise _refused(where, f"an unreadable image ({error})", "a whole JPEG or PNG") from error
    if width * height > MAX_PIXELS:
        raise _refused(where, f"{width}×{height} px", f"at most {MAX_PIXELS:,} px")
    return width, height


def check_decodes(data: bytes, *, where: str) -> None:
    """Decode a colour image at the smallest size, so that a broken one is found now and not an hour later."""
    width, height = color_size(data, where=where)
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            image.draft("RGB", (width // 8, height // 8))
            image.load()
    except _DECODER_ERRORS as error:
        raise _refused(where, f"an unreadable image ({error})", "a whole JPEG or PNG") from error


def decode_color(data: bytes, *, where: str) -> Array:
    """Decode a JPEG or PNG, uint8 [h, w, 3]."""
    color_size(data, where=where)
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            return np.asarray(image.convert("RGB"))
    except _DECODER_ERRORS as error:
        raise _refused(where, f"an unreadable image ({error})", "a whole JPEG or PNG") from error


def decode_gray(data: bytes, *, where: str) -> Array:
    """Decode a one-channel PNG of 8 or 16 bits, uint8 or uint16 [h, w]."""
    header = data[:33]
    if len(header) < 33 or not header.startswith(_PNG_MAGIC) or header[12:16] != b"IHDR":
        raise _refused(where, f"bytes {data[:8].hex(' ')}", "a PNG image")
    width, height, bits, kind = struct.unpack(">IIBB", header[16:26])
    if kind != 0 or bits not in (8, 16):
        raise _refused(where, f"a PNG of colour type {kind} with {bits} bits", "one grey channel of 8 or 16 bits")
    if not 0 < width * height <= MAX_DEPTH_PIXELS:
        raise _refused(where, f"{width}×{height} px", f"at most {MAX_DEPTH_PIXELS:,} px")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            return np.asarray(image).astype(np.uint16 if bits == 16 else np.uint8)
    except _DECODER_ERRORS as error:
        raise _refused(where, f"an unreadable PNG ({error})", "a whole PNG") from error


def encode_jpeg(color: Array) -> bytes:
    """Encode uint8 [h, w, 3] as JPEG without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(color), mode="RGB").save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def encode_gray(image: Array) -> bytes:
    """Encode uint8 or uint16 [h, w] as PNG without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _refused(where: str, found: str, expected: str) -> CaptureError:
    return CaptureError(f"{where}: {found}", expected=expected, hint="Copy or export the scan again.")
