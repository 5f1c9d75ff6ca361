"""Reconstruct one segment as a watertight mesh that keeps thin parts thin and hollow parts hollow."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.errors import StageError
from cousins.geometry import Array, invert, project, transform, unproject_pixels
from cousins.meshes import Mesh
from cousins.reconstruct.support import base_height_m
from cousins.reconstruct.surface.distance_field import (
    MeasuredField,
    close_field,
    combine_directions,
    separate_floor_from_support,
    trim_fringe,
)
from cousins.reconstruct.surface.hidden_base import extend_hidden_base
from cousins.reconstruct.surface.isosurface import MIN_OBSERVED_WEIGHT, extract_surface, observed_faces
from cousins.reconstruct.surface.leg_repair import rejoin_thin_parts, repair_legs
from cousins.reconstruct.surface.look_through import carve_looked_through
from cousins.reconstruct.surface.relief_solid import relief_field
from cousins.reconstruct.surface.support_contact import continue_sides
from cousins.reconstruct.surface.unseen import CLOSED_COMPLETIONS, ShapeLimits, complete_unseen
from cousins.reconstruct.surface.view_evidence import (
    MIN_DEPTH_M,
    DepthObservation,
    Evidence,
    VoxelGrid,
    add_evidence,
    no_evidence,
    noise_m,
    prepare_observation,
)
from cousins.segment.frame_masks import PackedMask
from cousins.segment.segments import Segment, Segmentation

FULL_EVIDENCE_VIEWS = 10
"""Views of the object from which the full evidence thresholds apply; with fewer they are lowered in proportion."""
MAX_REFINEMENT = 4
"""Most pixels along each side into which a pixel is refined."""
MAX_SAMPLES = 3_000_000
"""Largest number of an object's pixels, over all frames, that are held at a time: 150 MB of points."""
SIDE_TOLERANCE_SIGMAS = 0.6
"""Difference from the side above that is noise in a side's foot, in standard deviations of one depth."""
FLAT_TOLERANCE_SIGMAS = 0.6
"""Distance from its plane at which a vertex belongs to a flat face, in standard deviations of one depth; not less than
a voxel, by which edges are rounded."""
MAX_FLAT_TOLERANCE_M = 0.003
"""The same at most [m], so that what is small and far away is not made of facets."""
MIN_VIEWED_HEIGHT_M = 1e-4
"""Height above the support below which no view can observe a face [m]: rounding of the mesh's coordinates."""

MIN_SEEN_NORMAL_Z = -0.5
"""Least upward part of the normal of a face of a low object that views from above measure: all but its underside."""
MIN_MEASURED_AREA_M2 = 0.0001
"""Smallest measured surface of an object [m²]: a square of 1 cm, four pixels wide at half a metre."""


@dataclass(frozen=True, kw_only=True)
class ShapeConfig:
    """Resolution of the reconstruction."""

    voxel_m: float | None = None
    """Edge of a voxel [m]; None chooses it from the object's size."""
    max_voxels: int = 3_000_000
    """Largest number of voxels of one object; the voxel size grows to stay within it."""
    max_faces: int = 20_000
    """Largest number of faces of the mesh."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReconstructedShape:
    """Reconstructed geometry of one object."""

    mesh: Mesh
    """Watertight, outward faces, in the world frame."""
    observed: Array
    """True where some view observed the face, bool [m]."""
    completions: tuple[str, ...]
    """Methods that completed unobserved surface, in order: `support contact`, `box`, ..."""
    fallbacks: tuple[str, ...]
    """Fallbacks that were used, one sentence each."""


def reconstruct_shape(
    capture: Capture,
    segmentation: Segmentation,
    segment: Segment,
    *,
    config: ShapeConfig | None = None,
) -> ReconstructedShape:
    """Return the shape of one object, reconstructed from every frame of the capture.

    Raises StageError where the segment has too few points to bound it, or where too little of it was measured.
    """
    config = ShapeConfig() if config is None else config
    if segment.relief_cell_m > 0.0:
        return _low_shape(segmentation, segment, config)
    low, high, base_m = _bounds(capture, segmentation, segment)
    frames = [frame for frame in capture.frames if _is_in_view(frame, low, high)]
    depth_m = _median_depth_m(frames, segment)
    sigma_m = float(noise_m(depth_m))
    grid = _voxel_grid(low, high, base_m, sigma_m, config)
    limits = ShapeLimits(base_m=base_m, sigma_m=sigma_m, truncation_m=max(3.0 * sigma_m, 3.0 * grid.voxel_m))
    views = [frame for frame in frames if segment.masks.is_visible(frame.index)]
    view_share = min(1.0, len(views) / FULL_EVIDENCE_VIEWS)
    refined = _refinement(views, depth_m, grid)
    evidence = no_evidence(grid)
    for frame in frames:
        add_evidence(evidence, _observation(frame, segment, grid, refined), grid, truncation_m=limits.truncation_m)
    measured = _measured_field(evidence, frames, grid, limits, view_share)
    completed, completions, fallbacks = complete_unseen(measured, grid, limits, covered_rad=_covered_rad(views, grid))
    distance, trust = _with_borders(completed.distance_m, completed.trust, grid, base_m, limits.truncation_m)
    low_m = max(sigma_m, 1.5 * grid.voxel_m)
    field = trim_fringe(close_field(distance, trust), grid.centers_m(2), base_m=base_m, low_m=low_m)
    if completions[-1] not in CLOSED_COMPLETIONS:
        repaired = repair_legs(rejoin_thin_parts(field, evidence, grid), evidence.free_views, grid, base_m=base_m)
        is_free = (measured.trust > 0.0) & (measured.distance_m > 0.0)
        field, is_extended = extend_hidden_base(repaired.field, is_free, grid, base_m=base_m)
        completions += repaired.completions + (("hidden base",) if is_extended else ())
    field = np.maximum(field, (base_m - grid.centers_m(2)).astype(np.float32)[None, None, :])
    flat_m = max(min(FLAT_TOLERANCE_SIGMAS * sigma_m, MAX_FLAT_TOLERANCE_M), grid.voxel_m)
    mesh = extract_surface(field, grid, max_faces=config.max_faces, flat_tolerance_m=flat_m)
    observed = observed_faces(mesh, evidence, grid, min_weight=MIN_OBSERVED_WEIGHT * view_share)
    observed &= mesh.vertices[mesh.faces][:, :, 2].max(axis=1) > base_m + MIN_VIEWED_HEIGHT_M
    require_measured_surface(segment.name, mesh, observed)
    return ReconstructedShape(mesh=mesh, observed=observed, completions=completions, fallbacks=fallbacks)


def _measured_field(
    evidence: Evidence, frames: list[Frame], grid: VoxelGrid, limits: ShapeLimits, view_share: float
) -> MeasuredField:
    """Return the distance field of what was measured, with what frames looked through carved and the foot cleaned."""
    base_m, sigma_m = limits.base_m, limits.sigma_m
    measured = combine_directions(
        evidence,
        truncation_m=limits.truncation_m,
        agree_m=0.5 * sigma_m,
        wall_m=1.6 * grid.voxel_m,
        share_of_views=view_share,
    )
    low_m = max(sigma_m, 1.5 * grid.voxel_m)
    measured = separate_floor_from_support(measured, evidence, grid, base_m=base_m, low_m=low_m)
    measured = carve_looked_through(measured, frames, grid, base_m=base_m)
    zone_m = limits.truncation_m + grid.voxel_m
    return continue_sides(
        measured, evidence, grid, base_m=base_m, zone_m=zone_m, tolerance_m=SIDE_TOLERANCE_SIGMAS * sigma_m
    )


def _low_shape(segmentation: Segmentation, segment: Segment, config: ShapeConfig) -> ReconstructedShape:
    """Return the shape of an object that was measured as a height map; it lies flat on its support."""
    tops = segment.points
    base_m = base_height_m(segmentation, segment, tops.min(axis=0), tops.max(axis=0))
    plane = next((plane for plane in segmentation.planes if plane.name == segment.support), None)
    height_m = tops[:, 2] - base_m if plane is None else tops @ plane.normal - plane.offset_m
    field, grid = relief_field(
        tops, height_m, cell_m=segment.relief_cell_m, base_m=base_m, max_voxels=config.max_voxels
    )
    mesh = extract_surface(field, grid, max_faces=config.max_faces)
    observed = np.asarray(mesh.to_trimesh().face_normals[:, 2] > MIN_SEEN_NORMAL_Z)
    require_measured_surface(segment.name, mesh, observed)
    return ReconstructedShape(mesh=mesh, observed=observed, completions=("support contact",), fallbacks=())


def require_measured_surface(name: str, mesh: Mesh, observed: Array) -> None:
    """Raise StageError for a mesh whose observed faces (bool [m]) have too little area to exceed noise."""
    measured_m2 = float(mesh.to_trimesh().area_faces[observed].sum())
    if measured_m2 < MIN_MEASURED_AREA_M2:
        raise StageError(
            f"of {name} only {1e4 * measured_m2:.2f} cm² of surface was measured, wanted at least "
            f"{1e4 * MIN_MEASURED_AREA_M2:.0f} cm²: scan it from closer, or its mask holds another surface",
            stage="shape",
        )


def _median_depth_m(frames: list[Frame], segment: Segment) -> float:
    """Return the median depth of the object's pixels [m]; of very many, every n-th."""
    stride, depths = max(1, segment.masks.pixels // MAX_SAMPLES), []
    for frame in frames:
        if segment.masks.is_visible(frame.index):
            depth_m = frame.depth_m
            depths.append(depth_m[segment.masks[frame.index] & np.isfinite(depth_m) & (depth_m > 0.0)][::stride])
    return float(np.median(np.concatenate(depths)))


def _refinement(views: list[Frame], depth_m: float, grid: VoxelGrid) -> int:
    """Return into how many pixels along each side the pixels of few views are refined, 0 where views are many.

    `depth_m` is the median depth of the object [m].
    """
    if not views or len(views) >= FULL_EVIDENCE_VIEWS:
        return 0
    pixel_m = depth_m / min(view.depth_camera.fx for view in views)
    return int(np.clip(np.ceil(pixel_m / grid.voxel_m), 1, MAX_REFINEMENT))


def _observation(frame: Frame, segment: Segment, grid: VoxelGrid, refined: int) -> DepthObservation:
    """Return the part of a frame that may show the grid, and the object's mask, prepared for integration."""
    packed = segment.masks.packed.get(frame.index)
    window = object_window(frame, grid, packed)
    return prepare_observation(frame, None if packed is None else packed.unpacked(), window, refined=refined)


def object_window(frame: Frame, grid: VoxelGrid, mask: PackedMask | None) -> tuple[slice, slice]:
    """Return rows and columns of the depth image that hold all of the grid, with a pixel for rounding, and the mask."""
    camera = frame.depth_camera
    ends = [(grid.centers_m(axis)[0], grid.centers_m(axis)[-1]) for axis in range(3)]
    corners = transform(invert(frame.world_from_camera), np.array(list(itertools.product(*ends))))
    if (corners[:, 2] < MIN_DEPTH_M).any():
        return slice(0, camera.height), slice(0, camera.width)
    pixels, _ = project(corners, camera)
    low, high = np.floor(pixels.min(axis=0)).astype(int) - 1, np.ceil(pixels.max(axis=0)).astype(int) + 2
    if mask is not None and mask.size[0]:
        low = np.minimum(low, mask.corner[::-1])
        high = np.maximum(high, np.add(mask.corner, mask.size)[::-1])
    low, high = np.clip([low, high], 0, [camera.width, camera.height])
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _covered_rad(views: list[Frame], grid: VoxelGrid) -> float:
    """Return the angle about the vertical over which the object was viewed [rad]: a full turn less the widest gap."""
    middle = grid.origin + 0.5 * grid.voxel_m * np.array(grid.shape)
    eyes = np.array([view.world_from_camera[:2, 3] - middle[:2] for view in views])
    angles = np.sort(np.arctan2(eyes[:, 1], eyes[:, 0]))
    gaps = np.diff(np.append(angles, angles[0] + 2.0 * np.pi))
    return float(2.0 * np.pi - gaps.max())


def _bounds(capture: Capture, segmentation: Segmentation, segment: Segment) -> tuple[Array, Array, float]:
    """Return the object's bounding box in the world [m] ([3] and [3]) and the height of its support [m]."""
    points = [segment.points] if len(segment.points) else []
    stride = max(3, segment.masks.pixels // MAX_SAMPLES)
    for frame in capture.frames:
        mask = segment.masks.get(frame.index)
        if mask is not None:
            is_measured = mask & (frame.depth_m > 0.0) & (frame.confidence >= 1)
            rows, columns = np.nonzero(is_measured)
            measured = unproject_pixels(frame.depth_m, rows, columns, frame.depth_camera)
            points.append(transform(frame.world_from_camera, measured)[::stride].copy())
    cloud = np.concatenate(points) if points else np.zeros((0, 3))
    if len(cloud) < 50:
        raise StageError(f"{segment.name} has {len(cloud)} points, wanted at least 50", stage="shape")
    low, high = np.percentile(cloud, [0.3, 99.7], axis=0)
    return low, high, base_height_m(segmentation, segment, low, high)


def _is_in_view(frame: Frame, low: Array, high: Array) -> bool:
    """Return whether any of the box is in view."""
    camera = frame.depth_camera
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    camera_corners = transform(invert(frame.world_from_camera), corners)
    if (camera_corners[:, 2] < 0.05).all():
        return False
    z = np.maximum(camera_corners[:, 2], 0.05)
    u = camera_corners[:, 0] / z * camera.fx + camera.cx
    v = camera_corners[:, 1] / z * camera.fy + camera.cy
    return bool(u.max() > 0 and v.max() > 0 and u.min() < camera.width and v.min() < camera.height)


def _voxel_grid(low: Array, high: Array, base_m: float, sigma_m: float, config: ShapeConfig) -> VoxelGrid:
    """Return a voxel grid around the object, with a voxel size chosen from the object's size."""
    margin = 3.0 * sigma_m
    low = np.array([low[0] - margin, low[1] - margin, min(base_m, low[2] + margin)])
    high = high + margin
    extent = high - low
    size = float(np.max(extent) - 2.0 * margin)
    voxel = config.voxel_m or float(np.clip(size / 130.0, 0.002, 0.006))
    voxel = max(voxel, float((np.prod(extent + 4.0 * voxel) / config.max_voxels) ** (1.0 / 3.0)))
    low[2] -= 3.5 * voxel
    shape = np.ceil((high - low) / voxel).astype(int) + 1
    return VoxelGrid(origin=low, voxel_m=voxel, shape=(int(shape[0]), int(shape[1]), int(shape[2])))


def _with_borders(
    distance: Array, trust: Array, grid: VoxelGrid, base_m: float, truncation_m: float
) -> tuple[Array, Array]:
    """Set the sides and the top of the grid to outside, and clear measurements below the support."""
    distance, trust = distance.copy(), trust.copy()
    trust[:, :, grid.centers_m(2) < base_m] = 0.0
    for face in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1], np.s_[:, :, -1]):
        distance[face], trust[face] = truncation_m, 1.0
    return distance, trust
