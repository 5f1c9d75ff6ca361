"""From a capture and one segment to a watertight mesh that keeps thin parts thin and hollow parts hollow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Capture
from cousins.errors import StageError
from cousins.geometry import Array, transform, unproject
from cousins.meshes import Mesh
from cousins.reconstruct.evidence import Grid, View, gather, noise_m, view_of
from cousins.reconstruct.field import close, combine, lay_floor, settle
from cousins.reconstruct.skin import seen_faces, skin
from cousins.reconstruct.unseen import solid_share
from cousins.segment.segments import Plane, Segment, Segmentation

WALL_M = 0.005
"""Thickness of a surface whose back no view saw and nothing closes [m]: common for shells, plates, cloth, boards."""


@dataclass(frozen=True, kw_only=True)
class ShapeConfig:
    """How finely and how boldly a shape is rebuilt."""

    voxel_m: float | None = None
    """Edge of a voxel [m]; None chooses it from the object's size."""
    max_voxels: int = 3_000_000
    """Most voxels of one object; the voxel grows to keep it."""
    max_faces: int = 20_000
    """Most faces of the mesh."""
    max_depth_m: float = 4.0
    """Depth beyond is not used [m]: a phone's LiDAR guesses beyond about five metres."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shape:
    """The rebuilt geometry of one object."""

    mesh: Mesh
    """Watertight, outward faces, in the world frame."""
    observed: Array
    """True where some view saw the face, bool [m]."""
    completions: tuple[str, ...]
    """How unseen surface was completed, in order: `support contact`, `mirror`, ..."""
    fallbacks: tuple[str, ...]
    """What had to be replaced by something weaker, a sentence each."""


def reconstruct_shape(
    capture: Capture,
    segmentation: Segmentation,
    segment: Segment,
    *,
    config: ShapeConfig | None = None,
    rng: np.random.Generator,  # noqa: ARG001
) -> Shape:
    """Rebuild one object from every frame of the capture.

    Raises StageError where the segment has too few points to bound it.
    """
    config = ShapeConfig() if config is None else config
    low, high, base_m = _bounds(capture, segmentation, segment)
    views = [view_of(frame, segment.masks.get(frame.index)) for frame in capture.frames]
    views = [view for view in views if _reaches(view, low, high)]
    own_depth = np.concatenate([view.depth_m[view.own & (view.depth_m > 0.0)] for view in views if view.own.any()])
    sigma_m = float(noise_m(float(np.median(own_depth))))
    grid = _grid(low, high, base_m, sigma_m, config)
    truncation_m = max(3.0 * sigma_m, 3.0 * grid.voxel_m)
    evidence = gather(views, grid, truncation_m=truncation_m)
    measured = combine(
        evidence,
        truncation_m=truncation_m,
        agree_m=0.5 * sigma_m,
        least_weight=0.5,
        wall_m=grid.voxel_m,
    )
    measured = lay_floor(measured, evidence, grid.axis(2), base_m=base_m, floor_m=grid.voxel_m)
    wall_m = max(WALL_M, 1.6 * grid.voxel_m)
    base = int(np.searchsorted(grid.axis(2), base_m))
    share = solid_share(measured, shell_m=wall_m, base=base)
    measured = settle(measured, share, wall_m=wall_m, truncation_m=truncation_m)
    distance, trust = _with_borders(measured.distance_m, measured.trust, grid, base_m, truncation_m)
    field = close(distance, trust)
    field = np.maximum(field, (base_m - grid.axis(2)).astype(np.float32)[None, None, :])
    mesh = skin(field, grid, max_faces=config.max_faces)
    return Shape(mesh=mesh, observed=seen_faces(mesh, evidence, grid), completions=("support contact",), fallbacks=())


def _bounds(capture: Capture, segmentation: Segmentation, segment: Segment) -> tuple[Array, Array, float]:
    """Return the object's box in the world [m] and the height of what carries it [m]."""
    points = [segment.points] if len(segment.points) else []
    for frame in capture.frames:
        mask = segment.masks.get(frame.index)
        if mask is not None:
            seen = mask & (frame.depth_m > 0.0) & (frame.confidence >= 1)
            points.append(transform(frame.world_from_camera, unproject(frame.depth_m, frame.depth_camera)[seen])[::3])
    cloud = np.concatenate(points) if points else np.zeros((0, 3))
    if len(cloud) < 50:
        raise StageError(f"{segment.name} has {len(cloud)} points, wanted at least 50", stage="shape")
    low, high = np.percentile(cloud, [0.3, 99.7], axis=0)
    plane = _support_plane(segmentation, segment)
    base_m = float(low[2]) if plane is None else _height(plane, 0.5 * (low + high))
    return low, high, base_m


def _support_plane(segmentation: Segmentation, segment: Segment) -> Plane | None:
    """Return the plane that carries the segment, if a plane does."""
    return next((plane for plane in segmentation.planes if plane.name == segment.support), None)


def _height(plane: Plane, at: Array) -> float:
    """Return the height [m] of a plane that is not vertical above or below a point."""
    n = plane.normal
    return float((plane.offset_m - n[0] * at[0] - n[1] * at[1]) / n[2])


def _reaches(view: View, low: Array, high: Array) -> bool:
    """Tell whether a view looks at the box at all."""
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    seen = transform(view.camera_from_world, corners)
    if (seen[:, 2] < 0.05).all():
        return False
    height, width = view.depth_m.shape
    z = np.maximum(seen[:, 2], 0.05)
    u = seen[:, 0] / z * view.pinhole[0] + view.pinhole[2]
    v = seen[:, 1] / z * view.pinhole[1] + view.pinhole[3]
    return bool(u.max() > 0 and v.max() > 0 and u.min() < width and v.min() < height)


def _grid(low: Array, high: Array, base_m: float, sigma_m: float, config: ShapeConfig) -> Grid:
    """Lay voxels around the object: fine enough for its size, not finer than a third of the noise."""
    margin = 3.0 * sigma_m
    low = np.array([low[0] - margin, low[1] - margin, min(base_m, low[2] + margin)])
    high = high + margin
    extent = high - low
    size = float(np.max(extent) - 2.0 * margin)
    voxel = config.voxel_m or float(np.clip(size / 100.0, 0.002, 0.006))
    voxel = max(voxel, float((np.prod(extent + 4.0 * voxel) / config.max_voxels) ** (1.0 / 3.0)))
    low[2] -= 3.5 * voxel
    shape = np.ceil((high - low) / voxel).astype(int) + 1
    return Grid(origin=low, voxel_m=voxel, shape=(int(shape[0]), int(shape[1]), int(shape[2])))


def _with_borders(distance: Array, trust: Array, grid: Grid, base_m: float, truncation_m: float) -> tuple[Array, Array]:
    """Hold the sides and the top of the grid outside, and forget what was measured below the support."""
    distance, trust = distance.copy(), trust.copy()
    trust[:, :, grid.axis(2) < base_m] = 0.0
    for face in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1], np.s_[:, :, -1]):
        distance[face], trust[face] = truncation_m, 1.0
    return distance, trust
