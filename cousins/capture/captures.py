"""The canonical capture: posed depth and colour frames in metres, z up, independent of the app that recorded them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cousins.geometry import Array, Intrinsics

IMAGE_ONLY_APPS = ("photos", "film")
"""`Capture.app` of captures whose poses, depth and gravity direction were estimated from images alone."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """One posed frame; depth is in memory, colour is decoded on demand."""

    index: int
    """Number of the frame in the capture, consecutive from 0."""
    timestamp_s: float
    """Time since the first frame [s]."""
    world_from_camera: Array
    """Pose, float64 [4, 4], OpenCV camera axes."""
    depth_camera: Intrinsics
    """Camera of the depth image."""
    depth_m: Array
    """Planar depth [m], float32 [h, w], 0 = unknown."""
    confidence: Array
    """Depth confidence: 0 low, 1 medium, 2 high; uint8 [h, w]."""
    color_camera: Intrinsics | None = None
    """Camera of the colour image; None where the frame has no colour."""
    color_path: Path | None = None
    """JPEG or PNG of the colour image."""

    def color(self, *, width: int | None = None) -> Array | None:
        """Return the colour image, sRGB uint8 [h, w, 3], reduced to `width` [px] where given; None without colour."""
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
    """Origin and error of the capture's metric scale."""

    source: str
    """Origin of the scale: `lidar`, `structured light`, `assumed`, ..."""
    error: float
    """Relative error of a length, one standard deviation."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Capture:
    """Posed frames of one recording in canonical form."""

    name: str
    """Short name chosen by the user; never the name of a file."""
    device: str
    """Device as reported by the app, or `unknown`."""
    app: str
    """App or format of the export."""
    frames: tuple[Frame, ...]
    """Frames in time order; at least one."""
    scale: Scale
    """Origin and error of the metric scale."""
    gravity_known: bool = True
    """False where the world's z axis was estimated from the scene, because the export has no gravity direction."""
    warnings: tuple[str, ...] = ()
    """Assumptions and losses of the reader, one sentence each."""
