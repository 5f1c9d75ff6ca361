"""What one depth image says about world points: it measured a surface there, looked through, or shows neither."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final

import numpy as np
from numba import njit

from cousins.capture.captures import Frame
from cousins.geometry import Array, invert

NOT_OBSERVED: Final = 0
"""The point is outside the image, hidden by something nearer, or its pixel has no trusted depth."""
MEASURED: Final = 1
"""The depth at the point's pixel agrees with the point."""
LOOKED_THROUGH: Final = 2
"""The depth at the point's pixel lies behind the point."""
THREADS: Final = os.cpu_count() or 1
"""Threads that count observations; the counts do not depend on them."""


def count_observations(
    points: Array,
    frames: Sequence[Frame],
    *,
    tolerance_m: float,
    tolerance_per_m: float,
    min_confidence: int,
    min_depth_m: float = 0.0,
) -> tuple[Array, Array]:
    """Return how many frames measured a surface at world points [n, 3], and how many looked through them, int64 [n].

    The tolerances and limits are those of `observe_points`.
    """
    measured, through = np.zeros(len(points), dtype=np.int64), np.zeros(len(points), dtype=np.int64)

    def observe(part: slice) -> None:
        for frame in frames:
            observations = observe_points(
                points[part],
                frame,
                tolerance_m=tolerance_m,
                tolerance_per_m=tolerance_per_m,
                min_confidence=min_confidence,
                min_depth_m=min_depth_m,
            )
            measured[part] += observations == MEASURED
            through[part] += observations == LOOKED_THROUGH

    cuts = np.linspace(0, len(points), THREADS + 1).astype(int).tolist()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(observe, [slice(start, stop) for start, stop in pairwise(cuts)]))
    return measured, through


def observe_points(
    points: Array,
    frame: Frame,
    *,
    tolerance_m: float,
    tolerance_per_m: float,
    min_confidence: int,
    min_depth_m: float = 0.0,
) -> Array:
    """Return `NOT_OBSERVED`, `MEASURED` or `LOOKED_THROUGH` for each world point [n, 3], int8 [n].

    A depth agrees with a point within `tolerance_m` plus `tolerance_per_m` of the point's depth; points nearer to the
    camera than `min_depth_m` are not observed.
    """
    observations = np.zeros(len(points), dtype=np.int8)
    _observe(
        np.ascontiguousarray(points),
        frame.depth_camera.matrix @ invert(frame.world_from_camera)[:3],
        frame.depth_m,
        frame.confidence,
        min_confidence,
        min_depth_m,
        tolerance_m,
        tolerance_per_m,
        observations,
    )
    return observations


@njit(cache=True, nogil=True)
def _observe(
    points: Array,
    projection: Array,
    depth_m: Array,
    confidence: Array,
    min_confidence: int,
    min_depth_m: float,
    tolerance_m: float,
    tolerance_per_m: float,
    observations: Array,
) -> None:
    height, width = depth_m.shape
    for index in range(len(points)):
        x, y, z = points[index, 0], points[index, 1], points[index, 2]
        depth = projection[2, 0] * x + projection[2, 1] * y + projection[2, 2] * z + projection[2, 3]
        if depth <= min_depth_m:
            continue
        u = (projection[0, 0] * x + projection[0, 1] * y + projection[0, 2] * z + projection[0, 3]) / depth
        v = (projection[1, 0] * x + projection[1, 1] * y + projection[1, 2] * z + projection[1, 3]) / depth
        if not (-0.5 <= u < width - 0.5 and -0.5 <= v < height - 0.5):
            continue
        row, column = int(np.floor(v + 0.5)), int(np.floor(u + 0.5))
        reading = depth_m[row, column]
        if reading <= 0.0 or confidence[row, column] < min_confidence:
            continue
        tolerance = tolerance_m + tolerance_per_m * depth
        if abs(reading - depth) <= tolerance:
            observations[index] = MEASURED
        elif reading > depth + tolerance:
            observations[index] = LOOKED_THROUGH
