"""H.264 video in MP4, readable by LeRobot's loader and by browsers; PyAV is imported here alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from cousins.geometry import Array

CONSTANT_RATE_FACTOR: Final = "23"
"""Constant rate factor of x264; its default."""


class VideoWriter:
    """Encodes images into an open video file."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self._next = 0

    def add(self, pictures: Iterable[Array]) -> Iterator[Array]:
        """Encode images uint8 [h, w, 3], and yield each one after it was encoded."""
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = self._next
            self._next += 1
            self._container.mux(self._stream.encode(frame))
            yield picture

    def close(self) -> None:
        """Flush the encoder and close the file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


def open_video(path: Path, *, width: int, height: int, fps: int, key_frames: int = 2) -> VideoWriter:
    """Open a video of even width and height [px] for writing; every `key_frames`-th frame is a key frame."""
    container = av.open(str(path), mode="w", format="mp4")
    stream = container.add_stream("libx264", rate=fps)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, fps)
    stream.codec_context.thread_count = 1
    stream.options = {"g": str(key_frames), "bf": "0", "crf": CONSTANT_RATE_FACTOR, "preset": "veryfast"}
    return VideoWriter(container, stream)
