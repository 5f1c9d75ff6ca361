"""From a capture and one segment to a watertight mesh that keeps thin parts thin and hollow parts hollow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Capture
from cousins.errors import StageError
from cousins.geometry import Array, invert, transform, unproject
from cousins.meshes import Mesh
from cousins.reconstruct.support import base_height_m
from cousins.reconstruct.surface.completion import SOLIDS, Solid, fit_solid
from cousins.reconstruct.surface.distance_field import Measured, close, combine, lay_floor, settle, trim
from cousins.reconstruct.surface.isosurface import LEAST_SEEN, seen_faces, skin
from cousins.reconstruct.surface.leg_repair import rejoin, stand
from cousins.reconstruct.surface.occluded import solid_share
from cousins.reconstruct.surface.view_evidence import Grid, View, gather, noise_m, view_of
from cousins.segment.segments import Segment, Segmentation

MANY_VIEWS = 10
"""With fewer views of the object, less evidence has to do."""
ONE_SIDE_RAD = np.pi
"""Seen over a smaller angle about the vertical, an object has a side that nobody saw [rad]."""
MOST_POINTS = 6000
"""Most points to which simple solids are fitted."""
WALL_M = 0.005
"""Thickness of a surface whose back no view saw and nothing closes [m]: common for shells, plates, cloth, boards."""

LEAST_SEEN_M2 = 0.0001
"""Least measured surface of an object [m²]: a square of 1 cm, four pixels wide at half a metre."""


@dataclass(frozen=True, kw_only=True)
class ShapeConfig:
    """How finely and how boldly a shape is rebuilt."""

    voxel_m: float | None = None
    """Edge of a voxel [m]; None chooses it from the object's size."""
    max_voxels: int = 3_000_000
    """Most voxels of one object; the voxel grows to keep it."""
    max_faces: int = 20_000
    """Most faces of the mesh."""


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
) -> Shape:
    """Rebuild one object from every frame of the capture.

    Raises StageError where the segment has too few points to bound it, or where nothing of it was measured.
    """
    config = ShapeConfig() if config is None else config
    low, high, base_m = _bounds(capture, segmentation, segment)
    views = [view_of(frame, segment.masks.get(frame.index)) for frame in capture.frames]
    views = [view for view in views if _reaches(view, low, high)]
    own_depth = np.concatenate([view.depth_m[view.own & (view.depth_m > 0.0)] for view in views if view.own.any()])
    sigma_m = float(noise_m(float(np.median(own_depth))))
    grid = _grid(low, high, base_m, sigma_m, config)
    truncation_m = max(3.0 * sigma_m, 3.0 * grid.voxel_m)
    few = min(1.0, sum(view.own.any() for view in views) / MANY_VIEWS)
    evidence = gather(views, grid, truncation_m=truncation_m)
    measured = combine(
        evidence, truncation_m=truncation_m, agree_m=0.5 * sigma_m, wall_m=1.6 * grid.voxel_m, share_of_views=few
    )
    low_m = max(sigma_m, 1.5 * grid.voxel_m)
    measured = lay_floor(measured, evidence, grid, base_m=base_m, low_m=low_m)
    completed, completions, fallbacks = _complete(measured, views, grid, base_m, sigma_m, truncation_m)
    distance, trust = _with_borders(completed.distance_m, completed.trust, grid, base_m, truncation_m)
    field = trim(close(distance, trust), grid.axis(2), base_m=base_m, low_m=low_m)
    if completions[-1] not in SOLIDS:
        stood = stand(rejoin(field, evidence, grid), evidence.free, grid, base_m=base_m)
        field, completions = stood.field, completions + stood.completions
    field = np.maximum(field, (base_m - grid.axis(2)).astype(np.float32)[None, None, :])
    mesh = skin(field, grid, max_faces=config.max_faces)
    observed = seen_faces(mesh, evidence, grid, least=LEAST_SEEN * few)
    demand_seen(segment.name, mesh, observed)
    return Shape(mesh=mesh, observed=observed, completions=completions, fallbacks=fallbacks)


def _complete(
    measured: Measured, views: list[View], grid: Grid, base_m: float, sigma_m: float, truncation_m: float
) -> tuple[Measured, tuple[str, ...], tuple[str, ...]]:
    """Decide about unseen space: by a simple solid where one side was seen only and it fits, by least closure else."""
    wall_m = max(WALL_M, 1.6 * grid.voxel_m)
    base = int(np.searchsorted(grid.axis(2), base_m))
    around = _covered_rad(views, grid)
    if around < ONE_SIDE_RAD:
        solid = fit_solid(_surface_points(views), base_m=base_m, tolerance_m=sigma_m)
        if solid is not None:
            share = _share_of(solid, grid, measured)
            done = settle(measured, share, wall_m=wall_m, truncation_m=truncation_m)
            return done, ("support contact", solid.name), ()
    share = solid_share(measured, shell_m=wall_m, base=base)
    done = settle(measured, share, wall_m=wall_m, truncation_m=truncation_m)
    if around >= ONE_SIDE_RAD:
        return done, ("support contact",), ()
    note = f"seen over {np.rad2deg(around):.0f} degrees only and like no simple solid: unseen sides are a guess"
    return done, ("support contact", "least closure"), (note,)


def demand_seen(name: str, mesh: Mesh, observed: Array) -> None:
    """Refuse a mesh of which no view measured enough to tell it from noise."""
    seen_m2 = float(mesh.to_trimesh().area_faces[observed].sum())
    if seen_m2 < LEAST_SEEN_M2:
        raise StageError(
            f"of {name} only {1e4 * seen_m2:.2f} cm² of surface was measured, wanted at least "
            f"{1e4 * LEAST_SEEN_M2:.0f} cm²: scan it from closer, or its mask holds another surface",
            stage="shape",
        )


def _covered_rad(views: list[View], grid: Grid) -> float:
    """Return the angle about the vertical from which the object was seen: a full turn less the widest gap [rad]."""
    middle = grid.origin + 0.5 * grid.voxel_m * np.array(grid.shape)
    eyes = np.array([invert(view.camera_from_world)[:2, 3] - middle[:2] for view in views if view.own.any()])
    angles = np.sort(np.arctan2(eyes[:, 1], eyes[:, 0]))
    gaps = np.diff(np.append(angles, angles[0] + 2.0 * np.pi))
    return float(2.0 * np.pi - gaps.max())


def _surface_points(views: list[View]) -> Array:
    """Return the measured points of the object's surface that hang on no edge, in the world [m], float64 [n, 3]."""
    clouds = []
    for view in views:
        v, u = np.nonzero(view.own & (view.weight > 0.0))
        z = view.depth_m[v, u].astype(np.float64)
        fx, fy, cx, cy = view.pinhole
        seen = np.stack([(u - cx) / fx * z, (v - cy) / fy * z, z], axis=1)
        clouds.append(transform(invert(view.camera_from_world), seen))
    cloud = np.concatenate(clouds)
    return cloud[:: max(1, len(cloud) // MOST_POINTS)]


def _share_of(solid: Solid, grid: Grid, measured: Measured) -> Array:
    """Return what a solid says by voxel (1 inside, 0 outside, soft over one voxel); free space stays free."""
    axes = np.meshgrid(grid.axis(0), grid.axis(1), grid.axis(2), indexing="ij", sparse=True)
    points = np.stack(np.broadcast_arrays(*axes), axis=-1).reshape(-1, 3)
    share = np.clip(0.5 - 0.5 * solid.distance_m(points) / grid.voxel_m, 0.0, 1.0).reshape(grid.shape)
    return np.where((measured.trust > 0.0) & (measured.distance_m > 0.0), 0.0, share).astype(np.float32)


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
    return low, high, base_height_m(segmentation, segment, low, high)


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
    voxel = config.voxel_m or float(np.clip(size / 130.0, 0.002, 0.006))
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
