"""Decode images from untrusted bytes: format by magic bytes, size by header, and only then the pixels."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Literal

import numpy as np
from PIL import Image

from cousins.capture.decoders.jpeg import is_jpeg, jpeg_size, strip_metadata
from cousins.errors import CaptureError
from cousins.geometry import Array

MAX_PIXELS = 50_000_000
"""Largest image that is decoded [px]."""
MAX_DEPTH_PIXELS = 4_000_000
"""Largest depth image that is decoded [px]; LiDAR phones give 49 152."""
JPEG_QUALITY = 92
"""JPEG quality of encoded colour images."""

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
TIFF_MAGICS = (b"II*\0", b"MM\0*")
"""First bytes of a TIFF."""
_PICTURE_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
DECODER_ERRORS = (
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""Errors of image decoders about broken bytes."""


def color_size(data: bytes, *, context: str) -> tuple[int, int]:
    """Return (width, height) [px] of a JPEG or PNG from its header, with nothing decoded."""
    if is_jpeg(data):
        width, height = jpeg_size(data, context=context)
    else:
        width, height, _, _ = _png_header(data, context=context)
    if not 0 < width * height <= MAX_PIXELS:
        raise _image_error(context, f"{width}×{height} px", f"at most {MAX_PIXELS:,} px")
    return width, height


def is_depth_image(data: bytes) -> bool:
    """Return whether a PNG or TIFF has one channel of more than 8 bits, as depth has and pictures have not."""
    if data.startswith(_PNG_MAGIC) and len(data) >= 33:
        _, _, bits, kind = _png_header(data, context="image")
        return kind == 0 and bits > 8
    if not data.startswith(TIFF_MAGICS):
        return False
    try:
        with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
            return image.mode.startswith(("I", "F"))
    except DECODER_ERRORS:
        return False


def check_decodes(data: bytes, *, context: str) -> None:
    """Decode a colour image at reduced size; raises CaptureError where it is broken."""
    _decode(data, context=context, reduce=8)


def decode_color(data: bytes, *, context: str) -> Array:
    """Decode a JPEG or PNG, uint8 [h, w, 3]."""
    return np.asarray(_decode(data, context=context, reduce=1))


def decode_gray(data: bytes, *, bits: Literal[8, 16], context: str) -> Array:
    """Decode a one-channel PNG of 8 or 16 bits, uint8 or uint16 [h, w]."""
    width, height, bit_depth, kind = _png_header(data, context=context)
    if (kind, bit_depth) != (0, bits):
        raise _image_error(
            context, f"a PNG of colour type {kind} with {bit_depth} bits", f"one grey channel of {bits} bits"
        )
    if not 0 < width * height <= MAX_DEPTH_PIXELS:
        raise _image_error(context, f"{width}×{height} px", f"at most {MAX_DEPTH_PIXELS:,} px")
    try:
        with Image.open(io.BytesIO(_strip_png_metadata(data, context=context)), formats=("PNG",)) as image:
            return np.asarray(image).astype(np.uint16 if bits == 16 else np.uint8)
    except DECODER_ERRORS as error:
        raise _image_error(context, f"an unreadable PNG ({error})", "a whole PNG") from error


def _decode(data: bytes, *, context: str, reduce: int) -> Image.Image:
    """Decode an image without its metadata, which is the most common source of decoder bugs."""
    width, height = color_size(data, context=context)
    stripped = strip_metadata(data, context=context) if is_jpeg(data) else _strip_png_metadata(data, context=context)
    try:
        with Image.open(io.BytesIO(stripped), formats=("JPEG", "PNG")) as image:
            if reduce > 1:
                image.draft("RGB", (width // reduce, height // reduce))
            return image.convert("RGB")
    except DECODER_ERRORS as error:
        raise _image_error(context, f"an unreadable image ({error})", "a whole JPEG or PNG") from error


def _png_header(data: bytes, *, context: str) -> tuple[int, int, int, int]:
    """Return width [px], height [px], bit depth and colour type of a PNG."""
    if len(data) < 33 or not data.startswith(_PNG_MAGIC) or data[12:16] != b"IHDR":
        raise _image_error(context, f"bytes {data[:8].hex(' ')}", "a JPEG or PNG image")
    width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
    return width, height, bits, kind


def _strip_png_metadata(data: bytes, *, context: str) -> bytes:
    """Return the PNG with only the chunks of the image itself (ISO/IEC 15948, clause 11)."""
    chunks = [_PNG_MAGIC]
    position = len(_PNG_MAGIC)
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        name = data[position + 4 : position + 8]
        if end > len(data):
            break
        if name in _PICTURE_CHUNKS:
            chunks.append(data[position:end])
        if name == b"IEND":
            return b"".join(chunks)
        position = end
    raise _image_error(context, "a PNG that is cut off", "a whole PNG")


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


def _image_error(context: str, observed: str, expected: str) -> CaptureError:
    return CaptureError(f"{context}: {observed}", expected=expected, hint="Copy or export the scan again.")
