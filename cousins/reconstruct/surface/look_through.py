"""Remove completed and blurred surface from space through which the frames looked.

Fusion averages within the truncation distance, closure guesses, and pixels on depth edges leave fringes. Each frame
also says directly whether its depth lies at a voxel or behind it; where more frames look through than measure, there
is air.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cousins.capture.captures import Frame
from cousins.fusion.point_observations import count_observations
from cousins.reconstruct.surface.distance_field import MeasuredField
from cousins.reconstruct.surface.view_evidence import VoxelGrid

NOISE_M, NOISE_PER_M = 0.002, 0.005
"""One standard deviation of depth at zero range [m] and its growth with range, as of a phone's LiDAR."""
LOOK_THROUGH_SIGMAS = 2.0
"""Standard deviations by which a depth must lie behind a voxel to look through it."""
MIN_LOOKS = 2
"""Fewest frames that must look through; a single frame may err."""
MIN_CONFIDENCE = 1
"""Lowest confidence of a depth that votes; the lowest class is mostly pixels on edges."""


def carve_looked_through(
    measured: MeasuredField, frames: Sequence[Frame], grid: VoxelGrid, *, base_m: float
) -> MeasuredField:
    """Return the field with voxels above the base outside through which more frames look than measure them.

    Half of the votes put the surface at the voxel and three quarters a voxel behind it, so that it stays smooth.
    """
    candidate = ~((measured.trust > 0.0) & (measured.distance_m > 0.0)) & (grid.centers_m(2) > base_m)
    points = grid.origin + grid.voxel_m * np.argwhere(candidate)
    hits, looks = count_observations(
        points,
        frames,
        tolerance_m=LOOK_THROUGH_SIGMAS * NOISE_M,
        tolerance_per_m=LOOK_THROUGH_SIGMAS * NOISE_PER_M,
        min_confidence=MIN_CONFIDENCE,
    )
    share = looks / np.maximum(hits + looks, 1)
    is_air = (share > 0.5) & (looks >= MIN_LOOKS)
    distance, trust = measured.distance_m.copy(), measured.trust.copy()
    air = candidate.copy()
    air[candidate] = is_air
    distance[air] = (4.0 * grid.voxel_m * (share[is_air] - 0.5)).astype(np.float32)
    trust[air] = np.maximum(trust[air], 0.5)
    return MeasuredField(distance_m=distance, trust=trust)
