"""The canonical capture: posed depth and colour frames in metres, z up, independent of the app that recorded them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from cousins.geometry import Array, Intrinsics
from cousins.stored_arrays import StoredArray, changed

HOLD_OUT_STEP = 8
"""One frame in this many is held out."""
MIN_FRAMES_TO_HOLD_OUT = 16
"""A capture of fewer frames uses all of them."""
QUANTILE_90 = 1.645
"""Standard deviations on both sides of the mean that hold 90 % of a normal distribution."""
IMAGE_ONLY_APPS = ("photos", "film")
"""`Capture.app` of captures whose poses, depth and gravity direction were estimated from images alone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One posed frame; depth and colour are read when they are used.

    `dataclasses.replace` keeps the depth in memory; `with_pose` leaves it where it lies.
    """

    index: int
    """Number of the frame in the recording, from 0; frames that are held out leave gaps."""
    timestamp_s: float
    """Time since the first frame [s]."""
    world_from_camera: Array
    """Pose, float64 [4, 4], OpenCV camera axes."""
    depth_camera: Intrinsics
    """Camera of the depth image."""
    depth_m: StoredArray = StoredArray()  # noqa: RUF009 (a descriptor)
    """Planar depth [m], float32 [h, w], 0 = unknown."""
    confidence: StoredArray = StoredArray()  # noqa: RUF009 (a descriptor)
    """Depth confidence: 0 low, 1 medium, 2 high; uint8 [h, w]."""
    color_camera: Intrinsics | None = None
    """Camera of the colour image; None where the frame has no colour."""
    color_path: Path | None = None
    """JPEG or PNG of the colour image."""

    def with_pose(self, world_from_camera: Array, change_depth: Callable[[Array], Array] | None = None) -> Frame:
        """Return the frame with another pose [4, 4], and with its depth [h, w] changed when it is read, where given."""
        depth = vars(self)["depth_m"]
        moved = {
            "world_from_camera": world_from_camera,
            "depth_m": depth if change_depth is None else changed(depth, change_depth),
        }
        return Frame(**{**vars(self), **moved})

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
    """Standard deviation of the logarithm of a length; for small values its relative error."""

    @property
    def interval(self) -> tuple[float, float]:
        """Factors between which true lengths lie, by those of the capture, at a confidence of 90 %."""
        return float(np.exp(-QUANTILE_90 * self.error)), float(np.exp(QUANTILE_90 * self.error))


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
    timed: bool = True
    """False where the export has no times: timestamps then count frames, and speeds have no meaning."""
    warnings: tuple[str, ...] = ()
    """Assumptions and losses of the reader, one sentence each."""
    held_out: tuple[Frame, ...] = ()
    """Frames that no twin is made from: the finished twin is compared with them."""

    @property
    def all_frames(self) -> tuple[Frame, ...]:
        """All frames in time order, those held out among them."""
        return tuple(sorted((*self.frames, *self.held_out), key=lambda frame: frame.index))


def hold_out_frames(capture: Capture) -> Capture:
    """Return the capture with every eighth frame moved to `held_out`; unchanged where it has fewer than 16 frames."""
    if len(capture.frames) < MIN_FRAMES_TO_HOLD_OUT:
        return capture
    last = HOLD_OUT_STEP - 1
    return replace(
        capture,
        frames=tuple(frame for frame in capture.frames if frame.index % HOLD_OUT_STEP != last),
        held_out=tuple(frame for frame in capture.frames if frame.index % HOLD_OUT_STEP == last),
    )
