"""Decode depth images of foreign exports: PNG of 16 bits, TIFF of one channel, and NumPy's .npy."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from cousins.capture.decoders.images import DECODER_ERRORS, MAX_DEPTH_PIXELS, TIFF_MAGICS, decode_gray
from cousins.errors import CaptureError
from cousins.geometry import Array

_NPY_MAGIC = b"\x93NUMPY"
MAX_METRIC_DEPTH_M = 100.0
"""Depth of fractional numbers below this one is in metres [m]: in millimetres it would lie within 10 cm."""
METRIC_WARNING = "Its depth is in fractional numbers and was taken for metres."
"""Warning about such depth."""
_NPY_KINDS = ("u", "i", "f")


def decode_depth(data: bytes, *, context: str) -> Array:
    """Return the counts of a depth image as they are stored, numbers [h, w]; values that are no numbers become 0."""
    if data.startswith(_NPY_MAGIC):
        return _valid_counts(_decode_npy(data, context=context), context=context)
    if data.startswith(TIFF_MAGICS):
        return _valid_counts(_decode_tiff(data, context=context), context=context)
    return decode_gray(data, bits=16, context=context)


def is_metric(counts: Array) -> bool:
    """Return whether a depth image [h, w] holds metres: fractional numbers, none as large as a room in mm."""
    return counts.dtype.kind == "f" and 0.0 < float(counts.max(initial=0.0)) < MAX_METRIC_DEPTH_M


def _decode_npy(data: bytes, *, context: str) -> Array:
    """Return the array of an .npy file whose header promises neither objects nor more than the file holds."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, kind = read_header(stream)
    except (ValueError, SyntaxError, TypeError, UnicodeDecodeError, EOFError, RecursionError, MemoryError) as error:
        raise _depth_error(context, f"a broken .npy ({str(error)[:80]})") from error
    sides = tuple(side for side in shape if side != 1)
    if kind.kind not in _NPY_KINDS or len(sides) != 2 or not 0 < sides[0] * sides[1] <= MAX_DEPTH_PIXELS:
        raise _depth_error(context, f"an .npy of {kind} and shape {shape}")
    body = data[stream.tell() :]
    if len(body) != sides[0] * sides[1] * kind.itemsize:
        raise _depth_error(context, f"an .npy of {len(body)} bytes for {sides[1]}×{sides[0]} px")
    return np.frombuffer(body, dtype=kind).reshape(sides, order="F" if by_columns else "C")


def _decode_tiff(data: bytes, *, context: str) -> Array:
    try:
        with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
            if not 0 < image.width * image.height <= MAX_DEPTH_PIXELS or not image.mode.startswith(("I", "F")):
                raise _depth_error(context, f"a TIFF of {image.width}×{image.height} px and mode {image.mode}")
            return np.asarray(image)
    except DECODER_ERRORS as error:
        raise _depth_error(context, f"an unreadable TIFF ({str(error)[:80]})") from error


def _valid_counts(counts: Array, *, context: str) -> Array:
    """Return counts [h, w] in which what is no number or negative is 0, floats as float64."""
    if counts.dtype.kind == "f":
        counts = np.nan_to_num(counts.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    if counts.size and float(counts.max()) > np.iinfo(np.uint16).max:
        raise _depth_error(context, f"a depth of {float(counts.max()):g} counts")
    counts = np.maximum(counts, 0)
    return counts if counts.dtype.kind == "f" else counts.astype(np.uint16)


def _depth_error(context: str, observed: str) -> CaptureError:
    return CaptureError(
        f"{context}: {observed}",
        expected="depth as a PNG of 16 bits, a TIFF of one channel, or a NumPy array of numbers [height, width]",
        hint="Copy or export the scan again.",
    )
