"""View coverage of a capture: camera directions around the scene, and surfaces seen from one direction only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Frame
from cousins.capture.quality.reprojection import sample_points
from cousins.geometry import Array, transform

SIDES = ("front", "right", "back", "left")
"""Sides of the scene relative to the person at the first frame: front faces the person, right is to their right."""

MAX_WALL_FLATNESS, MAX_WALL_SLOPE = 0.25, 0.3
"""Largest thickness of a wall with what hangs on it, as a share of its width, and vertical part of its normal."""
EYE_BAND_SHARE = 0.2
"""Height above and below the camera in which surface blocks its way, as a share of its distance from the scene."""
MIN_OBSTACLE_SHARE = 0.3
"""Least distance of an obstacle from the scene's centre, as a share of the camera's: nearer is the thing itself."""
MIN_BLOCKING_SHARE = 0.005
"""Least share of all samples that blocks a side: fewer are stray."""
_VOXEL_M = 0.1
_POINTS_PER_FRAME = 1500
_MIN_VOXEL_SAMPLES = 3
"""Least number of samples of a voxel whose viewing directions are evaluated."""
_MAX_FRAMES = 60
_MIN_INWARD_COSINE = 0.7
"""Mean cosine between viewing directions and the scene's centre above which the camera moved around the scene."""
_MIN_NARROW_LENGTH = np.cos(np.deg2rad(10.0))
"""Length of the mean unit viewing direction above which all directions lie within about ±10°."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Coverage:
    """View coverage of a capture."""

    center: Array
    """Centre of the viewed region [3], world frame [m]."""
    inward: bool
    """True where the camera moved around the scene and looked at it; False where it looked around a room."""
    azimuth_rad: float
    """Azimuth range of the camera positions around the centre (of the viewing directions in a room) [rad]."""
    gap_rad: float
    """Largest gap in that range [rad]."""
    unvisited: tuple[str, ...]
    """Those of `SIDES` on which the camera never was though somebody could stand there."""
    elevation_rad: tuple[float, float]
    """Lowest and highest elevation of the camera as seen from the centre [rad]."""
    narrow: dict[str, float]
    """By side: share of its surface that was seen from one direction only, 0..1."""
    weight: dict[str, float]
    """By side: share of the scene's surface on that side, 0..1."""
    distance_m: float
    """Median distance between camera and surface [m]."""


def measure_coverage(frames: Sequence[Frame], rng: np.random.Generator) -> Coverage | None:
    """Return the view coverage of the frames, or None where there is too little trusted depth."""
    sampled = [frames[index] for index in np.unique(np.linspace(0, len(frames) - 1, _MAX_FRAMES).astype(int))]
    clouds = [sample_points(frame, _POINTS_PER_FRAME, rng) for frame in sampled]
    if sum(len(cloud) for cloud in clouds) < 100:
        return None
    centers = np.stack([frame.world_from_camera[:3, 3] for frame in sampled])
    forward = np.stack([frame.world_from_camera[:3, 2] for frame in sampled])
    distance_m = float(np.median(np.concatenate([cloud[:, 2] for cloud in clouds])))
    points = np.concatenate(
        [transform(frame.world_from_camera, cloud) for frame, cloud in zip(sampled, clouds, strict=True)]
    )
    viewers = np.repeat(centers, [len(cloud) for cloud in clouds], axis=0)
    center = np.median(centers + forward * distance_m, axis=0)
    offsets = centers - center
    distances = np.maximum(np.linalg.norm(offsets, axis=1), 1e-9)
    inward = bool(np.mean(-np.sum(forward * offsets, axis=1) / distances) > _MIN_INWARD_COSINE)
    directions = offsets if inward else forward
    azimuths = np.unwrap(np.arctan2(directions[:, 1], directions[:, 0]))
    gap_rad = _largest_gap_rad(azimuths)
    visited = set(_side_index(azimuths - azimuths[0]).tolist())
    visited |= _blocked_sides(points, center, eyes=centers, start_rad=azimuths[0], distance_m=distance_m)
    elevations = np.arcsin(np.clip(offsets[:, 2] / distances, -1.0, 1.0))
    narrow, weight = _narrow_by_side(points, viewers, center, azimuths[0], radius_m=0.75 * float(np.median(distances)))
    return Coverage(
        center=center,
        inward=inward,
        azimuth_rad=2.0 * np.pi - gap_rad,
        gap_rad=gap_rad,
        unvisited=tuple(side for index, side in enumerate(SIDES) if index not in visited),
        elevation_rad=(float(elevations.min()), float(elevations.max())),
        narrow=narrow,
        weight=weight,
        distance_m=distance_m,
    )


def _largest_gap_rad(azimuths: Array) -> float:
    """Return the largest gap between azimuths [n] [rad]."""
    ordered = np.sort(np.mod(azimuths, 2.0 * np.pi))
    return float(np.diff(np.append(ordered, ordered[0] + 2.0 * np.pi)).max())


def _side_index(relative_rad: Array) -> Array:
    """Return the index into `SIDES` of azimuths [n] [rad] relative to the first camera."""
    return np.mod(np.rint(relative_rad / (0.5 * np.pi)), 4).astype(int)


def _blocked_sides(points: Array, center: Array, *, eyes: Array, start_rad: float, distance_m: float) -> set[int]:
    """Return the indices into `SIDES` of those where nobody can stand.

    A wall or a door that is most of what was seen blocks all sides but the one in front of it; otherwise surface at the
    height of the camera that is nearer than the camera blocks its side. `points` [n, 3], `eyes` [m, 3].
    """
    offsets = points - center
    near = offsets[np.linalg.norm(offsets, axis=1) < distance_m]
    if len(near) < 10:
        return set()
    _, lengths, axes = np.linalg.svd(near - near.mean(axis=0), full_matrices=False)
    if lengths[2] < MAX_WALL_FLATNESS * lengths[1] and abs(axes[2, 2]) < MAX_WALL_SLOPE:
        return set(range(len(SIDES)))
    reach = float(np.median(np.linalg.norm((eyes - center)[:, :2], axis=1)))
    ranges = np.linalg.norm(offsets[:, :2], axis=1)
    at_eye = np.abs(points[:, 2] - float(np.median(eyes[:, 2]))) < EYE_BAND_SHARE * distance_m
    obstacles = offsets[at_eye & (ranges > MIN_OBSTACLE_SHARE * reach) & (ranges < reach)]
    sides = _side_index(np.arctan2(obstacles[:, 1], obstacles[:, 0]) - start_rad)
    counts = np.bincount(sides, minlength=len(SIDES))
    return set(np.flatnonzero(counts >= MIN_BLOCKING_SHARE * len(points)).tolist())


def _narrow_by_side(
    points: Array, camera_centers: Array, center: Array, start_rad: float, *, radius_m: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Return by side the share of voxels seen from one direction only, and the share of all voxels on that side."""
    near = np.linalg.norm(points - center, axis=1) < radius_m
    points, camera_centers = points[near], camera_centers[near]
    if len(points) == 0:
        return dict.fromkeys(SIDES, 0.0), dict.fromkeys(SIDES, 0.0)
    cells, cell = np.unique(np.floor(points / _VOXEL_M).astype(np.int64), axis=0, return_inverse=True)
    toward = camera_centers - points
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    sums = np.stack([np.bincount(cell.ravel(), toward[:, axis], len(cells)) for axis in range(3)], axis=1)
    counts = np.bincount(cell.ravel(), minlength=len(cells))
    is_sampled = counts >= _MIN_VOXEL_SAMPLES
    narrow = (np.linalg.norm(sums, axis=1) / counts > _MIN_NARROW_LENGTH)[is_sampled]
    offset = (cells[is_sampled] + 0.5) * _VOXEL_M - center
    side = _side_index(np.arctan2(offset[:, 1], offset[:, 0]) - start_rad)
    shares = {
        name: float(narrow[side == index].mean()) if (side == index).any() else 0.0 for index, name in enumerate(SIDES)
    }
    weights = {name: float((side == index).sum()) / max(len(side), 1) for index, name in enumerate(SIDES)}
    return shares, weights
