"""Compare rendered depth and colour of a model with what frames measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.fidelity.support import SupportConfig, supported_pixels, trusted_pixels
from cousins.fusion.volume import color_at_depth
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.raster import ShadingData, ShadingLight, prepare_shading, render, shade

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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ComparedFrame:
    """A frame with its supported pixels and their classes."""

    frame: Frame
    """The frame."""
    supported: Array
    """Supported pixels, bool [h, w]."""
    comparison: FrameComparison
    """Classes of its pixels."""


def compare_with_capture(
    meshes: Sequence[Mesh],
    capture: Capture,
    *,
    supported: Mapping[int, Array] | None = None,
    support: SupportConfig | None = None,
) -> list[ComparedFrame]:
    """Return the comparison of meshes in the world frame with each held-out frame, or with each frame without any.

    `supported` holds the supported pixels, bool [h, w], by frame index where they are known already.
    """
    config = SupportConfig() if support is None else support
    supported = supported_by_frame(capture, config) if supported is None else supported
    looks = [prepare_shading(mesh) for mesh in meshes]
    return [
        ComparedFrame(
            frame=frame,
            supported=supported[frame.index],
            comparison=compare_with_frame(meshes, looks, frame, supported[frame.index], config),
        )
        for frame in capture.held_out or capture.frames
    ]


def supported_by_frame(capture: Capture, config: SupportConfig) -> dict[int, Array]:
    """Return the supported pixels, bool [h, w], of each held-out frame by its index, or of each frame without any."""
    return {frame.index: _supported(capture, frame, config) for frame in capture.held_out or capture.frames}


def compare_frame(
    meshes: Sequence[Mesh],
    looks: Sequence[ShadingData] | None,
    capture: Capture,
    frame: Frame,
    config: SupportConfig,
) -> ComparedFrame:
    """Return the comparison of meshes in the world frame with one frame of a capture; without `looks` not of colour."""
    supported = _supported(capture, frame, config)
    comparison = compare_with_frame(meshes, looks, frame, supported, config)
    return ComparedFrame(frame=frame, supported=supported, comparison=comparison)


def total_counts(compared: Sequence[ComparedFrame]) -> tuple[Array, float, int]:
    """Return over all frames the pixels by class [4], the squared colour error and the number of values in it."""
    counts = np.zeros(4, dtype=np.int64)
    for item in compared:
        counts += np.bincount(item.comparison.classes.ravel(), minlength=4)
    error = sum(item.comparison.squared_error for item in compared)
    return counts, error, sum(item.comparison.color_values for item in compared)


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


def share(part: int, total: int) -> float:
    """Return a part of a total; 0 of nothing."""
    return part / total if total else 0.0


def psnr_db(squared_error: float, count: int) -> float | None:
    """Return the peak signal-to-noise ratio [dB] of sRGB values 0 to 255; None where none was compared."""
    if count == 0:
        return None
    return float(10.0 * np.log10(255.0**2 / max(squared_error / count, 1e-6)))


def _supported(capture: Capture, frame: Frame, config: SupportConfig) -> Array:
    """Return the supported pixels of a frame, bool [h, w]; of a single view those that are trusted."""
    if len(capture.all_frames) == 1:
        return trusted_pixels(frame, config)
    return supported_pixels(frame, capture.all_frames, config)
