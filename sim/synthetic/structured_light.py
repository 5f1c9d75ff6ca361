"""A noise model of cameras that triangulate: structured light and active stereo, such as Kinect and RealSense.

Depth is focal length x baseline / disparity, so an error of disparity gives an error of depth that grows with its
square. A pixel has no depth where the projector (or second camera) beside the camera does not see its surface, where
the surface is seen at a grazing angle, and at random along edges; there is no confidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from cousins.geometry import Array, Intrinsics
from sim.synthetic.lidar_noise import TrueDepth

REALSENSE_CAMERA: Final = Intrinsics(width=640, height=480, fx=615.0, fy=615.0, cx=319.5, cy=239.5)
"""A RealSense D435 at 640×480, its depth registered to colour."""
KINECT_CAMERA: Final = Intrinsics(width=640, height=480, fx=525.0, fy=525.0, cx=319.5, cy=239.5)
"""A Kinect 360, as the TUM RGB-D benchmark recommends for its registered images."""


@dataclass(frozen=True, kw_only=True)
class StructuredLightConfig:
    """Sizes of the depth errors."""

    baseline_m: float
    """Distance between camera and projector [m]; the projector is at the camera's right."""
    disparity_sigma_px: float
    """Standard deviation of a disparity [px]."""
    disparity_step_px: float
    """Step to which disparities are rounded [px]."""
    correlation_px: float
    """Standard deviation of the blur of the disparity's noise [px]: matching windows share it with neighbours."""
    range_m: tuple[float, float]
    """Nearest and farthest depth [m]."""
    least_facing: float = 0.2
    """Least cosine between ray and normal of a surface with depth."""
    edge_hole_fraction: float = 0.5
    """Share of the pixels on a depth edge that have no depth."""
    speckle_fraction: float = 0.01
    """Share of ordinary pixels that have no depth."""


def realsense() -> StructuredLightConfig:
    """Return active stereo as in a RealSense D435: 50 mm baseline, about 2 mm of noise at 1 m."""
    return StructuredLightConfig(
        baseline_m=0.05, disparity_sigma_px=0.06, disparity_step_px=1.0 / 32.0, correlation_px=2.0, range_m=(0.2, 6.0)
    )


def kinect() -> StructuredLightConfig:
    """Return structured light as in a Kinect 360: 75 mm baseline, disparities in eighths of a pixel, wide shadows."""
    return StructuredLightConfig(
        baseline_m=0.075, disparity_sigma_px=0.05, disparity_step_px=1.0 / 8.0, correlation_px=1.0, range_m=(0.4, 5.0)
    )


def measure_structured_light(
    truth: TrueDepth, camera: Intrinsics, *, config: StructuredLightConfig, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return measured planar depth [m], float32 [h, w], and confidence, uint8 [h, w]: 2 where there is depth."""
    depth = truth.depth_m
    disparity = config.baseline_m * camera.fx / np.where(depth > 0.0, depth, np.inf)
    noise = ndimage.gaussian_filter(rng.standard_normal(depth.shape), config.correlation_px)
    noisy = disparity + config.disparity_sigma_px * noise / max(float(noise.std()), 1e-9)
    step = config.disparity_step_px
    rounded = np.rint(noisy / step) * step
    chance = rng.uniform(size=depth.shape)
    edge = ndimage.binary_dilation(truth.crossed, np.ones((3, 3), dtype=bool))
    near, far = config.range_m
    is_valid = (
        (depth >= near)
        & (depth <= far)
        & (rounded > step)
        & (truth.facing >= config.least_facing)
        & (chance >= np.where(edge, config.edge_hole_fraction, config.speckle_fraction))
        & ~shadowed(disparity)
    )
    measured = np.where(is_valid, config.baseline_m * camera.fx / np.maximum(rounded, step), 0.0)
    return measured.astype(np.float32), np.where(is_valid, 2, 0).astype(np.uint8)


def shadowed(disparity: Array) -> Array:
    """Return bool [h, w]: pixels whose surface a projector at the camera's right does not see, from disparities [h, w].

    A column u is lit along the projector's column u - disparity; these run from left to right where nothing is in the
    way, so a surface is in shadow where a nearer one further right takes its column.
    """
    lit = np.arange(disparity.shape[1])[None, :] - disparity
    nearest_right = np.minimum.accumulate(lit[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(lit > nearest_right + 0.5)
