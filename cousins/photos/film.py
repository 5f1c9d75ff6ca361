"""Sharp pictures out of a film, chosen so that the camera moved between them."""

from __future__ import annotations

import json

from cousins.errors import CaptureError
from cousins.photos.child_process import ChildFailedError, need, run_child
from cousins.photos.pictures import LONG_SIDE_PX, Picture, pictures_of

TIMEOUT_S = 300.0
"""Longest time that decoding may take on the wall clock [s]."""


def keyframes(film: bytes, *, most: int) -> list[Picture]:
    """Return at most `most` pictures of a film in order of time: upright, 8-bit sRGB; raises CaptureError."""
    need("av", what="a film", package="PyAV")
    head = json.dumps({"most": most, "long_side": LONG_SIDE_PX}).encode() + b"\n"
    try:
        output = run_child("cousins.photos.film_worker", head + film, timeout_s=TIMEOUT_S)
    except ChildFailedError as error:
        raise _broken(str(error)) from error
    found = [picture for picture in pictures_of(output) if isinstance(picture, Picture)]
    if not found:
        raise _broken("no picture in it")
    return found


def _broken(why: str) -> CaptureError:
    return CaptureError(
        f"a film that cannot be decoded ({why})",
        expected="a whole MOV or MP4 of at most some two minutes",
        hint="Copy the film from the phone again, or cut it shorter.",
    )
