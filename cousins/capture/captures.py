"""The canonical capture: posed depth and colour frames in metres, z up, whatever app made them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cousins.geometry import Array, Intrinsics

OF_PICTURES = ("photos", "film")
"""Apps of captures whose poses, depth and way up were found from pictures alone."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """One posed frame; depth is held, colour is decoded on demand."""

    index: int
    """Number of the frame in the capture, from 0 without holes."""
    timestamp_s: float
    """Time since the first frame [s]."""
    world_from_camera: Array
    """Pose, float64 [4, 4], OpenCV camera axes."""
    depth_camera: Intrinsics
    """Camera of the depth image."""
    depth_m: Array
    """Planar depth [m], float32 [h, w], 0 = unknown."""
    confidence: Array
    """0 low, 1 medium, 2 high; uint8 [h, w]."""
    color_camera: Intrinsics | None = None
    """Camera of the colour image; None where the frame has no colour."""
    color_path: Path | None = None
    """JPEG or PNG of the colour image."""

    def color(self, *, width: int | None = None) -> Array | None:
        """Decode the colour image, uint8 [h, w, 3], reduced to `width` where given; None without colour."""
        if self.color_path is None:
            return None
        with Image.open(self.color_path) as image:
            if width is not None:
                image.draft("RGB", (width, round(width * image.height / image.width)))
            full = image.convert("RGB")
            if width is not None and full.width != width:
                full = full.resize((width, round(width * full.height / full.width)), Image.Resampling.BOX)
            return np.asarray(full)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where the capture's metres come from."""

    source: str
    """`lidar`, `structured light`, `assumed`, ..."""
    error: float
    """Relative error of a length, one standard deviation."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Capture:
    """Posed frames from a phone in the canonical form."""

    name: str
    """Short name that somebody chose; never that of a file."""
    device: str
    """Device as the app tells it, or `unknown`."""
    app: str
    """App or format that made the export."""
    frames: tuple[Frame, ...]
    """Frames in time order; at least one."""
    scale: Scale
    """Where metres come from."""
    gravity_known: bool = True
    """False where the world's z axis was guessed from the scene: the device did not tell it, nor how it was held."""
    warnings: tuple[str, ...] = ()
    """What the reader had to guess or drop, a sentence each."""
