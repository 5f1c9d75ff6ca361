"""Pictures of an untrusted video, decoded by a child process that may crash or run into its limits."""

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
from cousins.errors import CaptureError

TIMEOUT_S = 300.0
"""Longest time that decoding may take on the wall clock [s]."""
_END = 0xFFFFFFFF


def decode_pictures(
    video: bytes, wanted: Sequence[int], *, width: int | None, where: str
) -> tuple[dict[int, bytes], int]:
    """Return JPEGs by picture number, of `width` [px] where given, and how many pictures were decoded.

    With a width decoding ends at the last wanted picture; without, it goes on to the end and counts.
    """
    if importlib.util.find_spec("av") is None:
        raise CaptureError(
            f"{where}, a video, and no PyAV to read it", expected="PyAV", hint="pip install 'cousins[video]'"
        )
    request = json.dumps({"wanted": sorted(set(wanted)), "width": width}).encode() + b"\n"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cousins.capture.decoders.video_worker"],
            input=request + video,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath, "PYTHONPATH": str(Path(cousins.__file__).parents[1])},
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _refused(where, f"took more than {TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        raise _refused(where, f"ended the decoder with code {done.returncode}")
    return _parsed(done.stdout, where=where)


def _parsed(output: bytes, *, where: str) -> tuple[dict[int, bytes], int]:
    pictures: dict[int, bytes] = {}
    position = 0
    while position + 8 <= len(output):
        number, size = struct.unpack_from("<2I", output, position)
        if number == _END:
            return pictures, size
        pictures[number] = output[position + 8 : position + 8 + size]
        position += 8 + size
    raise _refused(where, "gave no whole answer")


def _refused(where: str, found: str) -> CaptureError:
    return CaptureError(
        f"{where} that cannot be decoded ({found})", expected="a whole video", hint="Export the recording again."
    )
