"""Depth points thinned evenly over a capture, with the area and the noise that each stands for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.geometry import Array
from cousins.segment.surfaces.surface import edge_pixels, noise_m, normals_at, world_points

CELL_M = 0.05
"""Cells in which area is counted [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Samples:
    """Depth points thinned over a capture."""

    points: Array
    """World points [m], float64 [n, 3]."""
    normals: Array
    """Unit normals towards the camera, float64 [n, 3]."""
    areas: Array
    """Surface that each point stands for [m²], float64 [n]."""
    sigmas: Array
    """Depth noise of each point [m], float64 [n]."""
    eyes: Array
    """Camera centres [m], float64 [frames, 3]."""


def sample(capture: Capture, *, most: int) -> Samples:
    """Thin the confident depth of a capture evenly; depth steps are left out."""
    frames = capture.frames[:: max(1, len(capture.frames) // 40)]
    per_frame = max(1, most // len(frames))
    parts = [_sample_frame(frame, per_frame) for frame in frames]
    points, normals, sigmas = (np.concatenate(column) for column in zip(*parts, strict=True))
    eyes = np.array([frame.world_from_camera[:3, 3] for frame in frames])
    return Samples(points=points, normals=normals, areas=_areas(points), sigmas=sigmas, eyes=eyes)


def _sample_frame(frame: Frame, count: int) -> tuple[Array, Array, Array]:
    good = (frame.depth_m > 0.0) & np.isfinite(frame.depth_m) & (frame.depth_m < 6.0)
    if (frame.confidence[good] >= 1).any():
        good &= frame.confidence >= 1
    good &= ~edge_pixels(frame.depth_m)
    stride = max(1, int(np.sqrt(good.sum() / count)))
    thin = np.zeros_like(good)
    thin[stride // 2 :: stride, stride // 2 :: stride] = True
    rows, columns = np.nonzero(good & thin)
    points = world_points(frame)
    radius = max(3, round(frame.depth_camera.width / 160))
    normals = normals_at(frame, points, rows, columns, radius=radius)
    seen, z = points[rows, columns], frame.depth_m[rows, columns].astype(np.float64)
    fine = np.any(normals != 0.0, axis=1)
    return seen[fine], normals[fine], noise_m(z[fine])


def _areas(points: Array) -> Array:
    """Return the area [m²] that each point stands for: every occupied 5 cm cell counts once, shared by its points."""
    if len(points) == 0:
        return np.zeros(0)
    cells = np.floor(points / CELL_M).astype(np.int64)
    _, inverse, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(CELL_M**2 / counts[inverse.ravel()])
