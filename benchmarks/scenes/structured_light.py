"""A noise model of structured-light depth cameras, such as the first Kinect."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cousins.geometry import Array, Intrinsics

KINECT_CAMERA = Intrinsics(width=640, height=480, fx=540.0, fy=540.0, cx=319.5, cy=239.5)
"""Camera of a structured-light sensor of 2010 to 2015."""
KINECT_BASELINE_M = 0.075
"""Distance of its projector from its camera [m]."""


def structured_light_depth(depth_m: Array, facing: Array, camera: Intrinsics, *, rng: np.random.Generator) -> Array:
    """Return what a structured-light sensor measures of true depth [h, w] [m], float32; 0 where it is blind.

    Noise grows with the square of the range (Khoshelham and Elberink, 2012) and is shared by neighbours, edges jitter
    by a pixel, disparity comes in eighths of a pixel. It is blind in the projector's shadow, at grazing faces (`facing`
    [h, w] is the cosine to the ray) and in some specks.
    """
    height, width = depth_m.shape
    shift_px = camera.fx * KINECT_BASELINE_M / np.maximum(depth_m, 1e-6)
    column = np.where(depth_m > 0.0, np.arange(width)[None] - shift_px, np.inf)
    least_right = np.minimum.accumulate(column[:, ::-1], axis=1)[:, ::-1]
    blind = np.zeros(depth_m.shape, dtype=bool)
    blind[:, :-1] = least_right[:, 1:] < column[:, :-1] - 1.0
    blind |= facing < 0.12 + 0.08 * rng.uniform(size=depth_m.shape)
    blind |= ndimage.binary_dilation(rng.uniform(size=depth_m.shape) < 0.0004, iterations=2)
    rows, columns = np.mgrid[0:height, 0:width]
    jitter = np.rint(0.6 * rng.normal(size=(2, height, width))).astype(np.int64)
    moved = depth_m[np.clip(rows + jitter[0], 0, height - 1), np.clip(columns + jitter[1], 0, width - 1)]
    noise = ndimage.gaussian_filter(rng.normal(size=depth_m.shape), 1.2)
    measured = moved + (0.0007 + 0.0014 * moved**2) * noise / noise.std()
    step = measured**2 / (8.0 * camera.fx * KINECT_BASELINE_M)
    measured = np.rint(measured / np.maximum(step, 1e-6)) * step
    return np.where(blind | (moved <= 0.0) | (measured <= 0.0), 0.0, measured).astype(np.float32)
