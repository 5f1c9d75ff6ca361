"""Photos as a phone saves them, decoded: upright, 8-bit sRGB, of bounded size, without what tells who and where."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from cousins.errors import CaptureError
from cousins.photos.child_process import ChildFailedError, run_child

LONG_SIDE_PX = 1600
"""Longer side of a decoded picture [px]: textures of small things need no more, and matching takes fewer."""
TIMEOUT_S = 240.0
"""Longest time that decoding may take on the wall clock [s]."""


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
    """Focal length as the camera told it [px]; None where it did not."""
    time_s: float | None = None
    """Time in the film [s]; None for a photo."""


def decode_photos(photos: Sequence[bytes]) -> list[Picture | CaptureError]:
    """Return each photo decoded, or why it cannot be; what crashes the decoder is left out and the rest goes on."""
    results: list[Picture | CaptureError] = []
    while len(results) < len(photos):
        rest = photos[len(results) :]
        head = json.dumps({"sizes": [len(photo) for photo in rest], "long_side": LONG_SIDE_PX}).encode() + b"\n"
        try:
            output, failure = run_child("cousins.photos.image_worker", head + b"".join(rest), timeout_s=TIMEOUT_S), ""
        except ChildFailedError as error:
            output, failure = error.output, str(error)
        done = pictures_of(output)
        results.extend(done)
        if len(done) < len(rest):
            results.append(_broken(len(results), failure or "the decoder gave no answer"))
    return results


def pictures_of(output: bytes) -> list[Picture | CaptureError]:
    """Parse what a decoder wrote: for each picture the size of a JSON line, the line, and the JPEG."""
    found: list[Picture | CaptureError] = []
    position = 0
    while position + 4 <= len(output):
        (length,) = struct.unpack_from("<I", output, position)
        line = output[position + 4 : position + 4 + length]
        if len(line) < length:
            break
        told = json.loads(line)
        begin = position + 4 + length
        end = begin + int(told["bytes"])
        if end > len(output):
            break
        if "error" in told:
            found.append(_broken(len(found), told["error"]))
        else:
            found.append(
                Picture(
                    jpeg=output[begin:end],
                    width=told["width"],
                    height=told["height"],
                    focal_px=told["focal_px"],
                    time_s=told.get("time_s"),
                )
            )
        position = end
    return found


def _broken(index: int, why: str) -> CaptureError:
    return CaptureError(
        f"photo {index + 1} that cannot be decoded ({why[:60]})",
        expected="a JPEG or HEIC photo",
        hint="Copy the photos from the phone again.",
    )
