"""The subject of photos that circle something: what they all show, standing on its support, without background.

Everything is relative to the distance between cameras and focus, since photos have no metre. Surface far from the focus
is cut. Walls, doors and other upright planes that reach out of the focus are cut though they touch the subject; so is
what stands on the support and reaches out of the focus. Of the support, a disc around the subject is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, label

from cousins.geometry import Array, Intrinsics, invert, project, transform, unproject

FOCUS_RADIUS_SHARE = 0.75
"""Focus radius as a share of the camera distance; farther away the views have little parallax."""
MIN_INWARD_COSINE = 0.85
"""Least mean cosine between viewing directions and the focus: below, the cameras look around, not at one place."""
VOXEL_SHARE = 1.0 / 60.0
"""Side of a voxel as a share of the camera distance: some four pixels of a depth image."""
RIM_SHARE = 0.9
"""Share of the focus radius beyond which a surface reaches out of the focus."""
LEVEL_COSINE, UPRIGHT_COSINE = float(np.cos(np.deg2rad(15.0))), float(np.sin(np.deg2rad(10.0)))
"""Cosines to the way up of surface that may support, at least, and that may be a wall, at most."""
MIN_SUPPORT_SHARE = 0.02
"""Least share of the surface in focus that is a support."""
MIN_WALL_SHARE = 0.03
"""Least share of the surface in focus that is a wall."""
WALL_DIRECTIONS = 72
"""Azimuths of walls that are tried: 5° apart."""
MIN_SHOWN_SHARE = 0.5
"""Least share of the pictures in whose frame the subject lies."""
FOCUS_SIGMA_SHARE = 0.4
"""Distance from the focus at which a surface counts 0.6 times as much, as a share of the focus radius."""
MAX_GAP_VOXELS = 4.0
"""Largest height above the support of the lowest surface of what stands on it [voxels]: its foot may lack depth."""
MIN_COMPONENT_SHARE = 0.002
"""Least share of the voxels of the subject's component of another thing that is kept: smaller ones are noise."""
MIN_RIM_SHARE = 0.02
"""Least share of a surface beyond the rim that reaches out of the focus: a few voxels of noise do not."""
MIN_VOXEL_POINTS = 3
"""Least number of depth pixels of all views that a voxel holds: fewer are stray."""
SUPPORT_DEPTH_VOXELS = 6.0
"""Depth of the support's front edge below its surface, and of the lean of seats [voxels]: a tenth of the distance."""
SUPPORT_MARGIN = 1.5
"""Radius of the disc of support that is kept, by the radius of what stands on it."""
_SURFACE = ("surface_points", "surface_normals")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """A depth image with its camera, pose and surface normals."""

    camera: Intrinsics
    """Camera of the depth image."""
    depth: Array
    """Planar depth [h, w] in the unit of the poses; 0 = unknown."""
    world_from_camera: Array
    """Pose in a world whose +z is up, float64 [4, 4]."""
    surface_points: Array
    """World-frame samples of flat surface, float64 [n, 3]."""
    surface_normals: Array
    """Their unit normals, facing the camera, float64 [n, 3]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Subject:
    """The part of space that is kept."""

    origin: Array
    """Corner of the voxel grid [3]."""
    voxel: float
    """Side of a voxel."""
    voxels: Array
    """Voxels of the subject and its support, bool [x, y, z]."""

    def mask(self, view: View) -> Array:
        """Return the pixels of a view whose surface is kept, bool [h, w]."""
        cells = _cells(transform(view.world_from_camera, unproject(view.depth, view.camera)), self)
        inside = np.all((cells >= 0) & (cells < self.voxels.shape), axis=-1) & (view.depth > 0.0)
        x, y, z = np.where(inside[..., None], cells, 0).transpose(2, 0, 1)
        return np.asarray(inside & self.voxels[x, y, z])


def viewing_focus(poses: Sequence[Array]) -> tuple[Array, float] | None:
    """Return the point [3] that cameras with `poses` [4, 4] look at, and its distance; None without a focus."""
    centers = np.stack([pose[:3, 3] for pose in poses])
    directions = np.stack([pose[:3, 2] for pose in poses])
    projections = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    total = projections.sum(axis=0)
    if np.linalg.eigvalsh(total)[0] < 0.01 * len(poses):
        return None
    middle = np.linalg.solve(total, (projections @ centers[:, :, None]).sum(axis=0)[:, 0])
    offsets = middle - centers
    distances = np.linalg.norm(offsets, axis=1)
    if float(np.mean(np.sum(directions * offsets, axis=1) / np.maximum(distances, 1e-9))) < MIN_INWARD_COSINE:
        return None
    return middle, float(np.median(distances))


def find_subject(views: Sequence[View]) -> Subject | None:
    """Return what the views circle, or all surface in focus where nothing stands there; None without a focus."""
    focus = viewing_focus([view.world_from_camera for view in views])
    if focus is None:
        return None
    middle, distance = focus
    radius, voxel = FOCUS_RADIUS_SHARE * distance, VOXEL_SHARE * distance
    count = int(np.ceil(2.0 * radius / voxel)) + 1
    grid = Subject(origin=middle - radius, voxel=voxel, voxels=np.zeros((count, count, count), dtype=bool))
    surface, normals = (np.concatenate([getattr(view, name) for view in views]) for name in _SURFACE)
    near = np.linalg.norm(surface - middle, axis=1) < radius
    surface, normals = surface[near], normals[near]
    support_z = _support_height(surface, normals, middle, voxel)
    walls = _walls(surface, normals, middle, radius, voxel)
    points = np.concatenate([_points(view) for view in views])
    points = points[np.linalg.norm(points - middle, axis=1) < radius]
    is_thing = np.ones(len(points), dtype=bool) if support_z is None else points[:, 2] > support_z + 1.5 * voxel
    for normal, offset in walls:
        is_thing &= points @ normal - offset > 1.5 * voxel
    voxels = _foreground(_occupied(points[is_thing], grid), views, grid, middle, support_z)
    if not voxels.any():
        voxels = _occupied(points, grid)
    elif support_z is not None:
        voxels |= _occupied(_support_disc(points, support_z, _centers(voxels, grid), voxel), grid)
    return Subject(origin=grid.origin, voxel=voxel, voxels=binary_dilation(voxels, np.ones((3, 3, 3))))


def _support_height(points: Array, normals: Array, middle: Array, voxel: float) -> float | None:
    """Return the height of the widest level surface in focus that is not above the focus; None where there is none."""
    level = (normals[:, 2] > LEVEL_COSINE) & (points[:, 2] < middle[2] + 2.0 * voxel)
    heights = points[level, 2]
    if len(heights) < MIN_SUPPORT_SHARE * len(points) or len(heights) < 10:
        return None
    bins = np.floor((heights - heights.min()) / voxel).astype(int)
    peak = int(np.argmax(_in_three_bins(bins)))
    return float(np.median(heights[np.abs(bins - peak) <= 1]))


def _walls(points: Array, normals: Array, middle: Array, radius: float, voxel: float) -> list[tuple[Array, float]]:
    """Return upright planes (normal [3], offset) behind the focus that reach out of it.

    A face of the subject ends within the focus.
    """
    walls = []
    upright = np.abs(normals[:, 2]) < UPRIGHT_COSINE
    at_rim = np.linalg.norm(points - middle, axis=1) > RIM_SHARE * radius
    for azimuth in np.arange(WALL_DIRECTIONS) * 2.0 * np.pi / WALL_DIRECTIONS:
        normal = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
        facing = upright & (normals @ normal > LEVEL_COSINE)
        if facing.sum() < MIN_WALL_SHARE * len(points):
            continue
        offsets = points[facing] @ normal
        bins = np.floor((offsets - offsets.min()) / voxel).astype(int)
        counts = _in_three_bins(bins)
        for peak in np.flatnonzero(counts >= MIN_WALL_SHARE * len(points)):
            member = np.abs(bins - peak) <= 1
            offset = float(np.median(offsets[member]))
            is_behind = middle @ normal - offset > 2.0 * voxel
            if is_behind and at_rim[facing][member].mean() > MIN_RIM_SHARE:
                walls.append((normal, offset))
    return walls


def _in_three_bins(bins: Array) -> Array:
    """Return the number of members of each bin and its two neighbours [k], of bin numbers [n]."""
    padded = np.pad(np.bincount(bins), 1)
    return np.asarray(padded[:-2] + padded[1:-1] + padded[2:])


def _foreground(occupied: Array, views: Sequence[View], grid: Subject, middle: Array, support_z: float | None) -> Array:
    """Return the voxels [x, y, z] of the thing in focus, and of those that stand beside it and end within the focus."""
    components, count = label(occupied, np.ones((3, 3, 3)))
    if count == 0:
        return occupied
    centers = _centers(occupied, grid)
    framed = _framed_share(views, centers)
    number = components[occupied]
    off = np.linalg.norm(centers - middle, axis=1) / np.linalg.norm(middle - grid.origin) * np.sqrt(3.0)
    weight = np.where(framed >= MIN_SHOWN_SHARE, np.exp(-0.5 * (off / FOCUS_SIGMA_SHARE) ** 2), 0.0)
    best = int(np.argmax(np.bincount(number, weight, count + 1)))
    sizes = np.bincount(number, minlength=count + 1)
    rim = np.bincount(number, off > RIM_SHARE, count + 1) / np.maximum(sizes, 1)
    framed_mean = np.bincount(number, framed, count + 1) / np.maximum(sizes, 1)
    is_kept = (rim < MIN_RIM_SHARE) & (framed_mean >= MIN_SHOWN_SHARE) & (sizes >= MIN_COMPONENT_SHARE * sizes[best])
    if support_z is not None:
        bottoms = np.full(count + 1, np.inf)
        np.minimum.at(bottoms, number, centers[:, 2])
        is_kept &= bottoms <= support_z + MAX_GAP_VOXELS * grid.voxel
    is_kept[best], is_kept[0] = True, False
    return np.asarray(is_kept[components])


def _support_disc(points: Array, support_z: float, foreground: Array, voxel: float) -> Array:
    """Return the points of the support within a disc around what stands on it; `foreground` [m, 3] are its places."""
    center = 0.5 * (foreground[:, :2].min(axis=0) + foreground[:, :2].max(axis=0))
    reach = SUPPORT_MARGIN * float(np.linalg.norm(foreground[:, :2] - center, axis=1).max()) + 2.0 * voxel
    depth = (support_z - points[:, 2]) / voxel
    level = (depth >= -1.5) & (depth <= SUPPORT_DEPTH_VOXELS)
    return np.asarray(points[level & (np.linalg.norm(points[:, :2] - center, axis=1) < reach)])


def _framed_share(views: Sequence[View], points: Array) -> Array:
    """Return the share [n] of views in whose frame each point [n, 3] lies."""
    counts = np.zeros(len(points))
    for view in views:
        pixels, _ = project(transform(invert(view.world_from_camera), points), view.camera)
        with np.errstate(invalid="ignore"):
            counts += np.all((pixels >= 0.0) & (pixels < [view.camera.width, view.camera.height]), axis=-1)
    return counts / len(views)


def _occupied(points: Array, grid: Subject) -> Array:
    """Return the voxels [x, y, z] that hold at least `MIN_VOXEL_POINTS` points [n, 3]."""
    cells = _cells(points, grid)
    cells = cells[np.all((cells >= 0) & (cells < grid.voxels.shape), axis=-1)]
    flat = np.ravel_multi_index(tuple(cells.T), grid.voxels.shape)
    counts = np.bincount(flat, minlength=grid.voxels.size)
    return np.asarray(counts.reshape(grid.voxels.shape) >= MIN_VOXEL_POINTS)


def _points(view: View) -> Array:
    """Return the world-frame points [n, 3] of a view's depth."""
    return transform(view.world_from_camera, unproject(view.depth, view.camera)[view.depth > 0.0])


def _centers(voxels: Array, grid: Subject) -> Array:
    """Return the centres [n, 3] of marked voxels."""
    return np.asarray(grid.origin + (np.argwhere(voxels) + 0.5) * grid.voxel)


def _cells(points: Array, grid: Subject) -> Array:
    """Return the voxel index [..., 3] of points [..., 3]."""
    return np.floor((points - grid.origin) / grid.voxel).astype(np.int64)
