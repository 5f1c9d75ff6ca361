"""Decode photos as phones save them: upright, 8-bit sRGB, of bounded size, without identifying metadata."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from cousins.errors import CaptureError
from cousins.photos.child_process import ChildFailedError, run_child

LONG_SIDE_PX = 1600
"""Longer side of a decoded picture [px]: textures of small objects need no more, and matching uses fewer."""
TIMEOUT_S = 240.0
"""Time limit of decoding, wall clock [s]."""
MAX_REASON_CHARACTERS = 200
"""Longest reason of a failure that is quoted."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """A decoded picture."""

    jpeg: bytes
    """JPEG without metadata."""
    width: int
    """Width [px]."""
    height: int
    """Height [px]."""
    focal_px: float | None
    """Focal length from the metadata [px]; None where absent."""
    time_s: float | None = None
    """Time since the start of the film [s]; None for a photo."""
    focus_distance_m: float | None = None
    """Focus distance from the metadata [m]; None where absent."""
    oriented: bool = False
    """True where the metadata contains how the camera was held, so that the picture is upright."""


def decode_photos(photos: Sequence[bytes]) -> list[Picture | CaptureError]:
    """Return each photo decoded, or the error; a photo that crashes the decoder does not affect the others."""
    results: list[Picture | CaptureError] = []
    while len(results) < len(photos):
        rest = photos[len(results) :]
        head = json.dumps({"sizes": [len(photo) for photo in rest], "long_side": LONG_SIDE_PX}).encode() + b"\n"
        try:
            output, failure = run_child("cousins.photos.image_worker", head + b"".join(rest), timeout_s=TIMEOUT_S), ""
        except ChildFailedError as error:
            output, failure = error.output, str(error)
        decoded = parse_pictures(output)
        results.extend(decoded)
        if len(decoded) < len(rest):
            results.append(_photo_error(len(results), failure or "its decoder gave no answer"))
    return results


def parse_pictures(output: bytes) -> list[Picture | CaptureError]:
    """Parse the output of a decoder process: for each picture the size of a JSON line, the line, and the JPEG."""
    pictures: list[Picture | CaptureError] = []
    position = 0
    while position + 4 <= len(output):
        (length,) = struct.unpack_from("<I", output, position)
        line = output[position + 4 : position + 4 + length]
        if len(line) < length:
            break
        header = json.loads(line)
        begin = position + 4 + length
        end = begin + int(header["bytes"])
        if end > len(output):
            break
        if "error" in header:
            pictures.append(_photo_error(len(pictures), header["error"]))
        else:
            pictures.append(
                Picture(
                    jpeg=output[begin:end],
                    width=header["width"],
                    height=header["height"],
                    focal_px=header["focal_px"],
                    time_s=header.get("time_s"),
                    focus_distance_m=header.get("focus_distance_m"),
                    oriented=header.get("oriented", False),
                )
            )
        position = end
    return pictures


def _photo_error(index: int, reason: str) -> CaptureError:
    return CaptureError(
        f"photo {index + 1} that cannot be decoded ({reason[:MAX_REASON_CHARACTERS]})",
        expected="a JPEG, HEIC, PNG, WebP, TIFF, BMP or AVIF photo",
        hint="Copy the photos from the phone again.",
    )
