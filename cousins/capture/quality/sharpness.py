"""No-reference sharpness of an image."""

from __future__ import annotations

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array

WIDTH_PX = 480
"""Largest image width at which sharpness is measured [px]: a quarter of a phone's picture."""
MIN_REDUCTION = 2
"""Least reduction of an image: its colour filter and compression spread every edge over two pixels."""


def blur_and_detail(frame: Frame) -> tuple[float, float]:
    """Return blur 0..1 and Laplacian variance of a colour image reduced to `WIDTH_PX` or half; 0, 0 without colour.

    Blur: 1 minus the relative loss of neighbour differences when the image is blurred again with a box of 9 px; the
    larger value of both axes (Crete et al., "The blur effect", SPIE 6492, 2007).
    """
    if frame.color_camera is None:
        return 0.0, 0.0
    color = frame.color(width=min(WIDTH_PX, frame.color_camera.width // MIN_REDUCTION))
    if color is None:
        return 0.0, 0.0
    gray = color @ np.array([0.299, 0.587, 0.114])
    laplacian = gray[1:-1, 2:] + gray[1:-1, :-2] + gray[2:, 1:-1] + gray[:-2, 1:-1] - 4.0 * gray[1:-1, 1:-1]
    return max(_blur_along(gray), _blur_along(gray.T)), float(laplacian.var())


def _blur_along(gray: Array) -> float:
    sums = np.cumsum(np.pad(gray, ((0, 0), (5, 4)), mode="edge"), axis=1)
    smooth = (sums[:, 9:] - sums[:, :-9]) / 9.0
    sharp, soft = np.abs(np.diff(gray, axis=1)), np.abs(np.diff(smooth, axis=1))
    total = float(sharp.sum())
    return 1.0 if total == 0.0 else 1.0 - float(np.maximum(0.0, sharp - soft).sum()) / total
