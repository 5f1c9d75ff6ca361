"""Depth points sampled evenly over a capture, with the area and the noise of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.geometry import Array
from cousins.segment.surfaces.surface import edge_pixels, noise_m, normals_at, world_points

AREA_CELL_M = 0.05
"""Edge of the cells in which area is counted [m]."""

MIN_FACING = 0.25
"""Least cosine between a surface's normal and the line of sight, 75 degrees, at which the spacing still grows."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DepthSamples:
    """Depth points sampled over a capture."""

    points: Array
    """World points [m], float64 [n, 3]."""
    normals: Array
    """Unit normals towards the camera, float64 [n, 3]."""
    areas: Array
    """Surface area that each point represents [m²], float64 [n]."""
    sigmas: Array
    """Depth noise of each point [m], float64 [n]."""
    spacings: Array
    """Distance to the neighbouring samples of the same frame [m], float64 [n]."""
    camera_centers: Array
    """Camera centres [m], float64 [frames, 3]."""


def sample_depth(capture: Capture, *, per_frame: int, max_frames: int) -> DepthSamples:
    """Return about `per_frame` confident depth points of each of at most `max_frames` frames, evenly over a capture.

    Depth steps are left out.
    """
    frames = capture.frames[:: max(1, -(-len(capture.frames) // max_frames))]
    parts = [_sample_frame(frame, per_frame) for frame in frames]
    points, normals, sigmas, spacings = (np.concatenate(column) for column in zip(*parts, strict=True))
    camera_centers = np.array([frame.world_from_camera[:3, 3] for frame in frames])
    return DepthSamples(
        points=points,
        normals=normals,
        areas=_area_per_point(points),
        sigmas=sigmas,
        spacings=spacings,
        camera_centers=camera_centers,
    )


def _sample_frame(frame: Frame, count: int) -> tuple[Array, Array, Array, Array]:
    is_usable = (frame.depth_m > 0.0) & np.isfinite(frame.depth_m) & (frame.depth_m < 6.0)
    if (frame.confidence[is_usable] >= 1).any():
        is_usable &= frame.confidence >= 1
    is_usable &= ~edge_pixels(frame.depth_m)
    stride = max(1, int(np.sqrt(is_usable.sum() / count)))
    on_stride = np.zeros_like(is_usable)
    on_stride[stride // 2 :: stride, stride // 2 :: stride] = True
    rows, columns = np.nonzero(is_usable & on_stride)
    points = world_points(frame)
    radius = max(3, round(frame.depth_camera.width / 160))
    normals = normals_at(frame, points, rows, columns, radius=radius)
    sampled_points, z = points[rows, columns], frame.depth_m[rows, columns].astype(np.float64)
    has_normal = np.any(normals != 0.0, axis=1)
    rays = sampled_points - frame.world_from_camera[:3, 3]
    facing = np.abs(np.einsum("ij,ij->i", rays, normals)) / np.maximum(np.linalg.norm(rays, axis=1), 1e-9)
    spacings = stride * z / frame.depth_camera.fx / np.maximum(facing, MIN_FACING)
    return sampled_points[has_normal], normals[has_normal], noise_m(z[has_normal]), spacings[has_normal]


def _area_per_point(points: Array) -> Array:
    """Return the area [m²] that each point represents: every occupied 5 cm cell counts once, shared by its points."""
    if len(points) == 0:
        return np.zeros(0)
    cells = np.floor(points / AREA_CELL_M).astype(np.int64)
    _, inverse, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(AREA_CELL_M**2 / counts[inverse.ravel()])


def subset(samples: DepthSamples, selection: Array) -> DepthSamples:
    """Return some of the samples: `selection` holds indices or is bool [n]."""
    return replace(
        samples,
        points=samples.points[selection],
        normals=samples.normals[selection],
        areas=samples.areas[selection],
        sigmas=samples.sigmas[selection],
        spacings=samples.spacings[selection],
    )
