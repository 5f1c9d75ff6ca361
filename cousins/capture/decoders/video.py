"""Decode pictures of an untrusted video in a child process that may crash or exceed its limits."""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cousins
from cousins.child_processes import bound_command
from cousins.errors import CaptureError

TIMEOUT_S = 300.0
"""Time limit of decoding, wall clock [s]."""
_END_MARK = 0xFFFFFFFF


def decode_pictures(
    video: bytes, numbers: Sequence[int], *, width: int | None, context: str
) -> tuple[dict[int, bytes], int]:
    """Return the requested pictures as JPEGs by number, of `width` [px] where given, and the number decoded in all.

    With a width, decoding stops at the last requested picture; without, it continues to the end of the video.
    """
    if importlib.util.find_spec("av") is None:
        raise CaptureError(
            f"{context}, a video, and no PyAV to read it", expected="PyAV", hint="pip install 'cousins[video]'"
        )
    request = json.dumps({"wanted": sorted(set(numbers)), "width": width}).encode() + b"\n"
    try:
        process = subprocess.run(
            bound_command([sys.executable, "-m", "cousins.capture.decoders.video_worker"]),
            input=request + video,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath, "PYTHONPATH": str(Path(cousins.__file__).parents[1])},
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _video_error(context, f"took more than {TIMEOUT_S:.0f} s") from error
    if process.returncode != 0:
        raise _video_error(context, f"ended the decoder with code {process.returncode}")
    return _parse_pictures(process.stdout, context=context)


def _parse_pictures(output: bytes, *, context: str) -> tuple[dict[int, bytes], int]:
    pictures: dict[int, bytes] = {}
    position = 0
    while position + 8 <= len(output):
        number, size = struct.unpack_from("<2I", output, position)
        if number == _END_MARK:
            return pictures, size
        pictures[number] = output[position + 8 : position + 8 + size]
        position += 8 + size
    raise _video_error(context, "gave no whole answer")


def _video_error(context: str, observed: str) -> CaptureError:
    return CaptureError(
        f"{context} that cannot be decoded ({observed})", expected="a whole video", hint="Export the recording again."
    )
