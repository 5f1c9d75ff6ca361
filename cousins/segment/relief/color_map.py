"""Colour of a support and of what lies on it, averaged over photos on the grid of its height map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from skimage.color import rgb2lab

from cousins.capture.captures import Frame
from cousins.geometry import Array, Intrinsics, invert, project, transform
from cousins.segment.relief.relief_map import ReliefMap

MAX_PHOTOS = 30
"""Largest number of photos used, evenly spaced."""
MAX_OCCLUSION_M = 0.025
"""Depth in front of a cell from which it is hidden [m]: five times the noise of a phone at 0.7 m."""
MIN_FACING = 0.25
"""Least cosine between view and normal of a photo that is used for a cell: 15 degrees above the support."""


def build_color_map(frames: Sequence[Frame], heights: ReliefMap, is_asked: Array) -> Array | None:
    """Return the mean CIE Lab colour of each asked cell, float64 [rows, columns, 3], NaN where no photo shows it.

    Photos of other exposure are brought to the mean lightness of those before. None without colour.
    """
    photos = [frame for frame in frames if frame.color_path is not None and frame.color_camera is not None]
    photos = photos[:: max(1, -(-len(photos) // MAX_PHOTOS))]
    if not photos:
        return None
    rows, columns = np.nonzero(heights.is_measured & is_asked)
    over = (heights.baseline_m + heights.relief_m)[rows, columns]
    points = heights.world_points(rows, columns, over)
    total, weight = np.zeros((len(points), 3)), np.zeros(len(points))
    for frame in photos:
        cells, lab, facing = _sample_photo(frame, heights, points)
        has_mean = weight[cells] > 0.0
        if has_mean.sum() > 100:
            mean = total[cells[has_mean]] / weight[cells[has_mean], None]
            lab[:, 0] += float(np.median(mean[:, 0] - lab[has_mean, 0]))
        total[cells] += facing[:, None] * lab
        weight[cells] += facing
    out = np.full((*heights.relief_m.shape, 3), np.nan)
    is_shown = weight > 0.0
    out[rows[is_shown], columns[is_shown]] = total[is_shown] / weight[is_shown, None]
    return out


def _sample_photo(frame: Frame, heights: ReliefMap, points: Array) -> tuple[Array, Array, Array]:
    """Return the points [k] that a photo shows, their Lab colours [k, 3], and how far they face the camera [k]."""
    color_camera = frame.color_camera
    assert color_camera is not None
    local = transform(invert(frame.world_from_camera), points)
    pixel, z = project(local, frame.depth_camera)
    column, row = np.rint(np.nan_to_num(pixel, nan=-1e6)).astype(np.int64).T
    height, width = frame.depth_m.shape
    cells = np.flatnonzero((z > 0.05) & (column >= 0) & (row >= 0) & (column < width) & (row < height))
    toward = frame.world_from_camera[:3, 3] - points[cells]
    facing = toward @ heights.fitted.plane.normal / np.linalg.norm(toward, axis=1)
    depth = frame.depth_m[row[cells], column[cells]]
    is_shown = (facing > MIN_FACING) & ((depth <= 0.0) | (depth > z[cells] - MAX_OCCLUSION_M))
    cells, facing = cells[is_shown], facing[is_shown]
    photo, camera = _photo(frame, heights.cell_m, float(np.median(z[cells])) if len(cells) else 1.0)
    pixel, _ = project(local[cells], camera)
    sampled = [ndimage.map_coordinates(photo[..., k], pixel.T[::-1], order=1, mode="nearest") for k in range(3)]
    return cells, np.asarray(rgb2lab(np.stack(sampled, axis=1) / 255.0)), facing


def _photo(frame: Frame, cell_m: float, range_m: float) -> tuple[Array, Intrinsics]:
    """Return a frame's photo, float32 [h, w, 3], at about the resolution of the cells, and its camera."""
    camera = frame.color_camera
    assert camera is not None
    share = min(1.0, range_m / cell_m / camera.fx)
    image = frame.color(width=max(64, round(share * camera.width)))
    assert image is not None
    return image.astype(np.float32), camera.scaled(image.shape[1], image.shape[0])
