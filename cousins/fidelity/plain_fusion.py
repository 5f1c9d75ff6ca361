"""Plain fusion of the same frames, the peer of every twin: a twin that explains less has thrown the world away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.capture.captures import Capture
from cousins.fidelity.comparison import compare_with_capture, psnr_db, share, total_counts
from cousins.fidelity.support import SupportConfig
from cousins.fusion.plain_surface import COARSE_VOXEL_M, plain_surface
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.scene.layout.remainder import is_near_meshes

FINE_VOXEL_M: Final = 0.005
"""Voxel edge of what is small enough for it [m]."""
MAX_FINE_M2: Final = 8.0
"""Area of fused surface up to which the fine voxels are tried as well [m²]: a table; a room takes minutes."""
EXPLAINED_M: Final = 0.02
"""Fused surface this near to a mesh of the twin is explained [m]."""


@dataclass(frozen=True, kw_only=True)
class PlainFusion:
    """How much the fused surface of the frames explains, over the pixels over which the twin is measured."""

    voxel_m: float
    """Voxel edge of the surface that explains most [m]."""
    explained: float
    """Share of supported pixels where it is within tolerance."""
    missing: float
    """Share where it is behind what was measured, or absent."""
    phantom: float
    """Share where it is in front of what was measured."""
    color_db: float | None
    """Peak signal-to-noise ratio of the colours of explained pixels after one gain by frame and channel [dB]."""


def measure_plain_fusion(
    capture: Capture, coarse: Mesh, supported: Mapping[int, Array], config: SupportConfig
) -> PlainFusion:
    """Return the better of plain fusion with coarse voxels, given as its surface, and with fine ones where it is small.

    `supported` holds the supported pixels of each compared frame by its index, bool [h, w].
    """
    results = [compare_surface(coarse, COARSE_VOXEL_M, capture, supported, config)]
    if coarse.triangle_areas_m2().sum() <= MAX_FINE_M2:
        fine = plain_surface(capture.frames, FINE_VOXEL_M)
        results.append(compare_surface(fine, FINE_VOXEL_M, capture, supported, config))
    return max(results, key=lambda result: result.explained)


def compare_surface(
    surface: Mesh, voxel_m: float, capture: Capture, supported: Mapping[int, Array], config: SupportConfig
) -> PlainFusion:
    """Return how much a surface in the world frame, fused with voxels of an edge [m], explains.

    `supported` holds the supported pixels of each compared frame by its index, bool [h, w].
    """
    compared = compare_with_capture([surface], capture, supported=supported, support=config)
    counts, squared_error, color_values = total_counts(compared)
    explained, missing, phantom = (share(int(counts[kind]), int(counts[1:].sum())) for kind in (1, 2, 3))
    return PlainFusion(
        voxel_m=voxel_m,
        explained=explained,
        missing=missing,
        phantom=phantom,
        color_db=psnr_db(squared_error, color_values),
    )


def unexplained_area_m2(surface: Mesh, meshes: Sequence[Mesh]) -> float:
    """Return the area of a surface [m²] that is further than `EXPLAINED_M` from all meshes, in one frame."""
    middles = np.asarray(surface.vertices)[surface.faces].mean(axis=1)
    if not len(middles):
        return 0.0
    return float(surface.triangle_areas_m2()[~is_near_meshes(middles, meshes, EXPLAINED_M)].sum())
