"""Extract sharp keyframes from a film, spaced so that the camera moves between them."""

from __future__ import annotations

import json

from cousins.errors import CaptureError
from cousins.photos.child_process import ChildFailedError, require_package, run_child
from cousins.photos.pictures import LONG_SIDE_PX, Picture, parse_pictures

TIMEOUT_S = 300.0
"""Longest time that decoding may take on the wall clock [s]."""


def extract_keyframes(film: bytes, *, max_count: int) -> list[Picture]:
    """Return at most `max_count` keyframes of a film in order of time, upright, as 8-bit sRGB.

    Raises CaptureError where the film cannot be decoded.
    """
    require_package("av", purpose="a film", package="PyAV")
    head = json.dumps({"most": max_count, "long_side": LONG_SIDE_PX}).encode() + b"\n"
    try:
        output = run_child("cousins.photos.film_worker", head + film, timeout_s=TIMEOUT_S)
    except ChildFailedError as error:
        raise _film_error(str(error), hint=error.advice) from error
    pictures = [picture for picture in parse_pictures(output) if isinstance(picture, Picture)]
    if not pictures:
        raise _film_error("no picture in it")
    return pictures


def _film_error(reason: str, *, hint: str = "") -> CaptureError:
    return CaptureError(
        f"a film that cannot be decoded ({reason})",
        expected="a whole MOV or MP4 of at most some two minutes",
        hint=f"Copy the film from the phone again, or cut it shorter. {hint}".rstrip(),
    )
