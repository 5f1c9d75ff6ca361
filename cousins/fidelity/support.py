"""Supported pixels: where a frame's depth is confirmed by other frames that measured the same place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from cousins.capture.captures import Frame
from cousins.geometry import Array, invert, transform, unproject


@dataclass(frozen=True, kw_only=True)
class SupportConfig:
    """Which measured pixels count."""

    min_confidence: int = 2
    """Least confidence of a pixel: 0 low, 1 medium, 2 high."""
    min_depth_m: float = 0.2
    """Nearest depth that counts [m]."""
    max_depth_m: float = 4.0
    """Furthest depth that counts [m]."""
    tolerance_m: float = 0.02
    """Two depths agree within this [m] ..."""
    tolerance_per_m: float = 0.01
    """... plus this fraction of the depth."""
    min_other_frames: int = 2
    """Number of other frames that must have measured the same place."""
    max_pixels_per_frame: int = 80_000
    """A frame with more pixels is sampled on a regular grid."""


def trusted_pixels(frame: Frame, config: SupportConfig) -> Array:
    """Return the pixels of a frame that are measured, confident and in range, bool [h, w]."""
    stride = pixel_stride(frame, config)
    trusted = (
        (frame.depth_m >= config.min_depth_m)
        & (frame.depth_m <= config.max_depth_m)
        & (frame.confidence >= config.min_confidence)
    )
    sampled = np.zeros_like(trusted)
    sampled[stride // 2 :: stride, stride // 2 :: stride] = True
    return np.asarray(trusted & sampled)


def pixel_stride(frame: Frame, config: SupportConfig) -> int:
    """Return the step of the pixel grid on which a frame is measured [px]."""
    return max(1, int(np.ceil(np.sqrt(frame.depth_m.size / config.max_pixels_per_frame))))


def supported_pixels(frame: Frame, other_frames: Sequence[Frame], config: SupportConfig) -> Array:
    """Return the trusted pixels of a frame whose place enough of the `other_frames` measured too, bool [h, w].

    Frames near in time are asked first, since they see the same places; the result does not depend on the order.
    """
    trusted = trusted_pixels(frame, config)
    rows, columns = np.nonzero(trusted)
    points = transform(frame.world_from_camera, unproject(frame.depth_m, frame.depth_camera)[rows, columns])
    counts = np.zeros(len(points), dtype=np.int64)
    waiting = np.arange(len(points))
    for other in sorted(other_frames, key=lambda other: (abs(other.index - frame.index), other.index)):
        if other.index == frame.index or not len(waiting):
            continue
        camera = other.depth_camera
        _count_agreeing(
            points,
            waiting,
            camera.matrix @ invert(other.world_from_camera)[:3],
            other.depth_m,
            other.confidence,
            config.min_confidence,
            config.tolerance_m,
            config.tolerance_per_m,
            counts,
        )
        waiting = waiting[counts[waiting] < config.min_other_frames]
    supported = np.zeros_like(trusted)
    is_confirmed = counts >= config.min_other_frames
    supported[rows[is_confirmed], columns[is_confirmed]] = True
    return supported


@njit(cache=True, nogil=True)
def _count_agreeing(
    points: Array,
    waiting: Array,
    projection: Array,
    depth_m: Array,
    confidence: Array,
    min_confidence: int,
    tolerance_m: float,
    tolerance_per_m: float,
    counts: Array,
) -> None:
    """Add one to the count of each waiting point [n, 3] that another frame's depth agrees with."""
    height, width = depth_m.shape
    for index in waiting:
        x, y, z = points[index, 0], points[index, 1], points[index, 2]
        depth = projection[2, 0] * x + projection[2, 1] * y + projection[2, 2] * z + projection[2, 3]
        if depth <= 0.0:
            continue
        u = (projection[0, 0] * x + projection[0, 1] * y + projection[0, 2] * z + projection[0, 3]) / depth
        v = (projection[1, 0] * x + projection[1, 1] * y + projection[1, 2] * z + projection[1, 3]) / depth
        if not (-0.5 <= u < width - 0.5 and -0.5 <= v < height - 0.5):
            continue
        row, column = int(np.floor(v + 0.5)), int(np.floor(u + 0.5))
        measured = depth_m[row, column]
        if measured <= 0.0 or confidence[row, column] < min_confidence:
            continue
        if abs(measured - depth) <= tolerance_m + tolerance_per_m * depth:
            counts[index] += 1
