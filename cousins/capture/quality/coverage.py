"""From where a capture saw its scene: directions around it, and what was seen from one side only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Frame
from cousins.capture.quality.reprojection import sample_points
from cousins.geometry import Array, transform

SIDES = ("front", "right", "back", "left")
"""Sides of the scene as the person stood at the first frame: front is toward them, right at their right hand."""

_VOXEL_M = 0.1
_POINTS_PER_FRAME = 1500
_MIN_SAMPLES = 3
"""A voxel that was hit less often says nothing about how it was seen."""
_MAX_FRAMES = 60
_INWARD = 0.7
"""Mean cosine between looking and the scene's centre above which the camera went around the scene."""
_NARROW = np.cos(np.deg2rad(10.0))
"""Mean length of view directions above which they all come from within some ±10°."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Coverage:
    """What was seen from where."""

    center: Array
    """Middle of what the camera looked at [3], world [m]."""
    inward: bool
    """True when the camera looked at one place from around it; False when it looked around a room."""
    azimuth_rad: float
    """How much of the full circle the camera stood on around the centre (or looked at, in a room)."""
    gap_rad: float
    """Largest arc of that circle that was left out."""
    unvisited: tuple[str, ...]
    """Those of `SIDES` on which the camera never stood."""
    elevation_rad: tuple[float, float]
    """Lowest and highest elevation from which the centre was seen."""
    narrow: dict[str, float]
    """By side: share of the surface there that was seen from one direction only, 0..1."""
    weight: dict[str, float]
    """By side: share of the scene's surface that lies there, 0..1."""
    distance_m: float
    """Median distance of the camera from what it saw [m]."""


def measure_coverage(frames: Sequence[Frame], rng: np.random.Generator) -> Coverage | None:
    """Return the coverage, or None where there is no trusted depth."""
    chosen = [frames[index] for index in np.unique(np.linspace(0, len(frames) - 1, _MAX_FRAMES).astype(int))]
    clouds = [sample_points(frame, _POINTS_PER_FRAME, rng) for frame in chosen]
    if sum(len(cloud) for cloud in clouds) < 100:
        return None
    centers = np.stack([frame.world_from_camera[:3, 3] for frame in chosen])
    forward = np.stack([frame.world_from_camera[:3, 2] for frame in chosen])
    distance_m = float(np.median(np.concatenate([cloud[:, 2] for cloud in clouds])))
    points = np.concatenate(
        [transform(frame.world_from_camera, cloud) for frame, cloud in zip(chosen, clouds, strict=True)]
    )
    viewers = np.repeat(centers, [len(cloud) for cloud in clouds], axis=0)
    center = np.median(centers + forward * distance_m, axis=0)
    away = centers - center
    reach = np.maximum(np.linalg.norm(away, axis=1), 1e-9)
    inward = bool(np.mean(-np.sum(forward * away, axis=1) / reach) > _INWARD)
    around = away if inward else forward
    azimuths = np.unwrap(np.arctan2(around[:, 1], around[:, 0]))
    gap_rad = _largest_gap_rad(azimuths)
    visited = set(_side(azimuths - azimuths[0]).tolist())
    elevations = np.arcsin(np.clip(away[:, 2] / reach, -1.0, 1.0))
    narrow, weight = _narrow_by_side(points, viewers, center, azimuths[0], radius_m=0.75 * float(np.median(reach)))
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
    """Return the largest arc without a view [rad]."""
    ordered = np.sort(np.mod(azimuths, 2.0 * np.pi))
    return float(np.diff(np.append(ordered, ordered[0] + 2.0 * np.pi)).max())


def _side(relative_rad: Array) -> Array:
    """Return the index into `SIDES` of azimuths [n] counted from where the person first stood."""
    return np.mod(np.rint(relative_rad / (0.5 * np.pi)), 4).astype(int)


def _narrow_by_side(
    points: Array, viewers: Array, center: Array, start_rad: float, *, radius_m: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Return by side the share of voxels whose views all came from one direction, and the share of voxels there."""
    near = np.linalg.norm(points - center, axis=1) < radius_m
    points, viewers = points[near], viewers[near]
    if len(points) == 0:
        return dict.fromkeys(SIDES, 0.0), dict.fromkeys(SIDES, 0.0)
    cells, cell = np.unique(np.floor(points / _VOXEL_M).astype(np.int64), axis=0, return_inverse=True)
    toward = viewers - points
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    sums = np.stack([np.bincount(cell.ravel(), toward[:, axis], len(cells)) for axis in range(3)], axis=1)
    counts = np.bincount(cell.ravel(), minlength=len(cells))
    judged = counts >= _MIN_SAMPLES
    narrow = (np.linalg.norm(sums, axis=1) / counts > _NARROW)[judged]
    offset = (cells[judged] + 0.5) * _VOXEL_M - center
    side = _side(np.arctan2(offset[:, 1], offset[:, 0]) - start_rad)
    shares = {
        name: float(narrow[side == index].mean()) if (side == index).any() else 0.0 for index, name in enumerate(SIDES)
    }
    weights = {name: float((side == index).sum()) / max(len(side), 1) for index, name in enumerate(SIDES)}
    return shares, weights
