"""Supported pixels: where a frame's depth is confirmed by other frames that measured the same place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Frame
from cousins.fusion.point_observations import MEASURED, observe_points
from cousins.geometry import Array, transform, unproject


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
        observations = observe_points(
            points[waiting],
            other,
            tolerance_m=config.tolerance_m,
            tolerance_per_m=config.tolerance_per_m,
            min_confidence=config.min_confidence,
        )
        counts[waiting] += observations == MEASURED
        waiting = waiting[counts[waiting] < config.min_other_frames]
    supported = np.zeros_like(trusted)
    is_confirmed = counts >= config.min_other_frames
    supported[rows[is_confirmed], columns[is_confirmed]] = True
    return supported
