"""Depth and confidence images of a capture folder, decoded when they are used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cousins.capture.decoders import images
from cousins.capture.io.capture_json import depth_from_mm
from cousins.errors import CaptureError
from cousins.geometry import Array

MAX_IMAGE_BYTES = 256 << 20
"""Largest image file that is read [bytes]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DepthFile:
    """The depth image of one frame, in metres."""

    path: Path
    """PNG of 16 bits, in millimetres."""
    shape: tuple[int, int]
    """Height and width [px]."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return np.dtype(np.float32)

    def read(self) -> Array:
        """Return the depth [m], float32 [h, w]; raises CaptureError where the file is damaged."""
        return depth_from_mm(images.decode_gray(read_file(self.path), bits=16, context=_context(self.path)))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ConfidenceFile:
    """The confidence image of one frame."""

    path: Path
    """PNG of 8 bits."""
    shape: tuple[int, int]
    """Height and width [px]."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return np.dtype(np.uint8)

    def read(self) -> Array:
        """Return the confidence, uint8 [h, w]; raises CaptureError where the file is damaged."""
        return images.decode_gray(read_file(self.path), bits=8, context=_context(self.path))


def read_file(path: Path, *, max_bytes: int = MAX_IMAGE_BYTES) -> bytes:
    """Return the bytes of a file of a capture folder; raises CaptureError where there is none or it is too large."""
    context = _context(path)
    try:
        if not path.is_file() or path.stat().st_size > max_bytes:
            raise CaptureError(
                f"no {context} below {max_bytes:,} bytes", expected="it", hint="Ingest the export again."
            )
        return path.read_bytes()
    except OSError as error:
        raise CaptureError(f"{context}: {error.strerror}", expected="it", hint="Ingest the export again.") from error


def _context(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
