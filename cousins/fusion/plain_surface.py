"""The surface of all frames by plain fusion: what the frames show, before anything is understood of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cousins.capture.captures import Frame
from cousins.fusion.volume import FusionConfig, fuse
from cousins.meshes import Mesh

COARSE_VOXEL_M: Final = 0.01
"""Voxel edge for captures of any size [m]."""
MIN_WEIGHT: Final = 0.2
"""Least fused weight of the surface; one confident view at 1 m weighs 1. More than that would leave holes in what few
frames show."""


def plain_surface(frames: Sequence[Frame], voxel_m: float = COARSE_VOXEL_M, *, min_weight: float = MIN_WEIGHT) -> Mesh:
    """Return the coloured surface of a truncated signed distance volume of all frames, in the world frame."""
    config = FusionConfig(voxel_m=voxel_m, truncation_m=4.0 * voxel_m)
    return fuse(frames, config=config, colors=True).extract(min_weight=min_weight)
