"""Compare rendered depth and colour of a model with what frames measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Frame
from cousins.fidelity.support import SupportConfig
from cousins.fusion.volume import color_at_depth
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.raster import ShadingData, ShadingLight, render, shade

UNLIT = ShadingLight(lamp=0.0, ambient=1.0, ground=1.0)
"""Textures of a scan contain the light of the room; none is added."""
NOT_MEASURED, EXPLAINED, MISSING, PHANTOM = 0, 1, 2, 3
"""Classes of a pixel: not supported; the model is within tolerance; behind or absent; in front of what was measured."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FrameComparison:
    """A model compared with one frame."""

    classes: Array
    """Class of each pixel, uint8 [h, w]: `NOT_MEASURED`, `EXPLAINED`, `MISSING` or `PHANTOM`."""
    body: Array
    """Number of the mesh that is seen at each pixel, int32 [h, w]; -1 for none."""
    squared_error: float
    """Sum of squared sRGB differences over explained pixels after one gain by channel."""
    color_values: int
    """Number of sRGB values in that sum; 0 without colour."""


def compare_with_frame(
    meshes: Sequence[Mesh],
    shading_data: Sequence[ShadingData] | None,
    frame: Frame,
    supported: Array,
    config: SupportConfig,
) -> FrameComparison:
    """Return how meshes in the world frame agree with a frame at its `supported` pixels, bool [h, w].

    Without `shading_data` colour is not compared.
    """
    raster = render(meshes, frame.depth_camera, frame.world_from_camera)
    tolerance = config.tolerance_m + config.tolerance_per_m * frame.depth_m
    is_drawn = raster.depth_m > 0.0
    classes = np.full(frame.depth_m.shape, EXPLAINED, dtype=np.uint8)
    classes[~is_drawn | (raster.depth_m > frame.depth_m + tolerance)] = MISSING
    classes[is_drawn & (raster.depth_m < frame.depth_m - tolerance)] = PHANTOM
    classes[~supported] = NOT_MEASURED
    squared_error, color_values = 0.0, 0
    photo = None if shading_data is None else color_at_depth(frame)
    if photo is not None and shading_data is not None:
        is_compared = classes == EXPLAINED
        drawn = shade(raster, meshes, shading_data=shading_data, light=UNLIT)[is_compared].astype(np.float64)
        photographed = photo[is_compared].astype(np.float64)
        gain = (drawn * photographed).sum(axis=0) / np.maximum((drawn * drawn).sum(axis=0), 1.0)
        squared_error = float(((np.clip(drawn * gain, 0.0, 255.0) - photographed) ** 2).sum())
        color_values = int(photographed.size)
    return FrameComparison(classes=classes, body=raster.body, squared_error=squared_error, color_values=color_values)


def psnr_db(squared_error: float, count: int) -> float | None:
    """Return the peak signal-to-noise ratio [dB] of sRGB values 0 to 255; None where none was compared."""
    if count == 0:
        return None
    return float(10.0 * np.log10(255.0**2 / max(squared_error / count, 1e-6)))
