"""Estimate the gravity direction from depth and camera poses, for exports that do not contain it.

Floors and table tops are wide, flat and seen from above; and people hold a phone level, upright or sideways, so one
image axis stays horizontal while they walk around. Each candidate direction is scored by the share of surface normals
along it and by how level the camera was held with respect to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cousins.capture.directions import fibonacci_sphere, rotation_to_z
from cousins.capture.quality.reprojection import surface_normals
from cousins.geometry import Array, Intrinsics

MIN_LEVEL_SURFACE_SHARE = 0.08
"""Least share of the visible surface that must face up to count as a floor or table."""
MIN_LEVELNESS = 0.5
"""Least levelness of the camera with respect to the estimated up direction, 0..1."""
MIN_ADVANTAGE = 2.0
"""Ratio by which another up direction must outscore the declared one to replace it."""
MAX_RIVAL = 0.5
"""Score of another direction relative to the best one from which the way up is unsure: a wall that is level in all
views may fill twice as much of them as the floor."""
HOW_TO_SHOW_UP = "keep a floor or table in view and the phone upright, or record with an app that stores gravity"
"""What to do where the way up is unsure."""
TRUSTED_TILT_RAD = np.deg2rad(3.0)
"""A declared up direction within this angle of the estimated one is kept [rad]."""
MIN_SIGMA_DEG = 0.3
"""Least error of an estimated way up that is stated [deg]: floors are not level to more."""

_UPRIGHT_TOLERANCE = 0.2
_SAMPLE_COLUMNS = 64
"""Depth samples across the image."""
_CONE_COSINE = np.cos(np.deg2rad(10.0))
_NARROW_CONE_COSINE = np.cos(np.deg2rad(5.0))
_RIVAL_COSINE = np.cos(np.deg2rad(30.0))
"""Directions further apart than 30° are different surfaces."""
_CANDIDATES = 6
"""Number of directions that are refined: the six sides of a room."""
_MIN_VIEW_NORMALS = 30
"""Fewest normals of a view that measure its level surface."""
_COARSE_DIRECTIONS = 600
"""Number of candidate directions on the sphere: about 8° apart."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PosedDepth:
    """Depth image of one frame with its camera and pose."""

    world_from_camera: Array
    """Pose in the export's own world, OpenCV camera axes, float64 [4, 4]."""
    depth_camera: Intrinsics
    """Camera of the depth image."""
    depth_m: Array
    """Planar depth [m], [h, w]; 0 or not finite = unknown."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class UpEstimate:
    """An estimated up direction with its scores."""

    direction: Array
    """Unit vector [3] in the export's world."""
    share: float
    """Share of the visible surface whose normals are along it, 0..1."""
    score: float
    """`share` times the levelness of the camera with respect to it."""
    upright: float
    """Mean absolute component of an image axis along it, 0..1; 0 where the camera looked straight along it."""
    sigma_deg: float = 0.0
    """Standard deviation of the direction from one view to another [deg]: noise, drift and uneven ground."""
    rival: float = 0.0
    """Score of the best direction at least 30° away relative to this one's, 0..1: near 1 either may be up."""


def estimate_up(views: Sequence[PosedDepth]) -> UpEstimate | None:
    """Return the estimated up direction, or None where no wide level surface is visible."""
    normals = _all_normals(views)
    if len(normals) < 100:
        return None
    directions = fibonacci_sphere(_COARSE_DIRECTIONS)
    shares = ((normals @ directions.T) > _CONE_COSINE).mean(axis=0)
    scores = shares * _levelness(directions, views)
    candidates = [score_up(_refined(directions[k], normals), views, normals) for k in _peaks(directions, scores)]
    candidates.sort(key=lambda candidate: -candidate.score)
    up = candidates[0]
    if up.share < MIN_LEVEL_SURFACE_SHARE or up.score < MIN_LEVELNESS * up.share:
        return None
    rivals = [other.score for other in candidates[1:] if other.direction @ up.direction < _RIVAL_COSINE]
    return replace(up, sigma_deg=_spread_deg(up.direction, views), rival=max(rivals, default=0.0) / up.score)


def _peaks(directions: Array, scores: Array) -> list[int]:
    """Return the directions [n, 3] with the best scores [n], no two within `_RIVAL_COSINE`, best first."""
    peaks: list[int] = []
    for k in np.argsort(-scores, kind="stable"):
        if all(directions[k] @ directions[other] < _RIVAL_COSINE for other in peaks):
            peaks.append(int(k))
        if len(peaks) == _CANDIDATES:
            break
    return peaks


def _refined(direction: Array, normals: Array) -> Array:
    """Return the mean of the normals [n, 3] about a direction [3], in cones that narrow."""
    for cone in (_CONE_COSINE, _NARROW_CONE_COSINE, _NARROW_CONE_COSINE):
        near = normals[normals @ direction > cone]
        if len(near):
            direction = near.mean(axis=0) / np.linalg.norm(near.mean(axis=0))
    return direction


def _spread_deg(direction: Array, views: Sequence[PosedDepth]) -> float:
    """Return the robust standard deviation of the level surface's direction between views [deg]."""
    angles = []
    for view in views:
        normals = _normals(view)
        near = normals[normals @ direction > _NARROW_CONE_COSINE]
        if len(near) >= _MIN_VIEW_NORMALS:
            mean = near.mean(axis=0) / np.linalg.norm(near.mean(axis=0))
            angles.append(float(np.rad2deg(np.arccos(np.clip(mean @ direction, -1.0, 1.0)))))
    return float(np.median(angles)) if angles else 0.0


def score_up(direction: Array, views: Sequence[PosedDepth], normals: Array) -> UpEstimate:
    """Return the scores of a direction [3] as up direction; `normals` [n, 3] are those of the visible surface."""
    share = float(((normals @ direction) > _CONE_COSINE).mean())
    axes = np.stack([view.world_from_camera[:3, :2] for view in views])
    return UpEstimate(
        direction=direction,
        share=share,
        score=share * float(_levelness(direction[None], views)[0]),
        upright=float(np.abs(np.einsum("nij,i->nj", axes, direction).mean(axis=0)).max()),
    )


def level_from_surfaces(views: Sequence[PosedDepth], *, declared_up: Array | None) -> tuple[Array, str]:
    """Return the rotation that makes +z up, float64 [4, 4], and a warning that describes how it was obtained.

    `declared_up` [3] is the up direction that the format defines, if any; it is kept unless the scene contradicts it.
    """
    up = estimate_up(views)
    fallback_up = np.array([0.0, 0.0, 1.0]) if declared_up is None else declared_up
    if up is None:
        return rotation_to_z(fallback_up), (
            "The export does not say which way is up and no level surface was found: +z is a guess. To be sure, "
            f"{HOW_TO_SHOW_UP}."
        )
    tilt = float(np.arccos(np.clip(up.direction @ fallback_up, -1.0, 1.0)))
    if declared_up is not None and tilt < TRUSTED_TILT_RAD:
        return rotation_to_z(
            fallback_up
        ), f"The way up was not told by the device; {up.share:.0%} of the surface confirms +z."
    if declared_up is not None and not _contradicts_declared(up, score_up(fallback_up, views, _all_normals(views))):
        return rotation_to_z(fallback_up), "The way up was not told by the device; the format's +z was taken."
    tilt_text = f", {np.rad2deg(tilt):.0f}° from the export's own +z" if declared_up is not None else ""
    measured = f"({up.share:.0%} of what was seen){tilt_text}, to about {max(up.sigma_deg, MIN_SIGMA_DEG):.1f}°"
    sentence = f"The way up was estimated from level surfaces {measured}."
    if up.rival > MAX_RIVAL:
        sentence += f" It is unsure: surfaces of another direction are as likely level. To be sure, {HOW_TO_SHOW_UP}."
    return rotation_to_z(up.direction), sentence


def _contradicts_declared(up: UpEstimate, declared: UpEstimate) -> bool:
    """Return whether the scene contradicts the declared up direction and is not a wall seen head-on.

    Either the phone was held at least as upright with respect to the estimated direction as to the declared one, or the
    estimated direction is the y axis, as in files written without converting ARKit's y-up world.
    """
    is_held_level = up.upright >= declared.upright - _UPRIGHT_TOLERANCE
    is_y_axis = abs(float(up.direction[1])) > np.cos(TRUSTED_TILT_RAD)
    return up.score >= MIN_ADVANTAGE * declared.score and (is_held_level or is_y_axis)


def _all_normals(views: Sequence[PosedDepth]) -> Array:
    return np.concatenate([_normals(view) for view in views]) if views else np.zeros((0, 3))


def _normals(view: PosedDepth) -> Array:
    """Return world-frame normals [n, 3] of flat surface samples; they face the camera."""
    _, normals, _ = surface_normals(view.depth_m, view.depth_camera, columns=_SAMPLE_COLUMNS)
    return np.asarray(normals[normals.any(axis=-1)] @ view.world_from_camera[:3, :3].T)


def _levelness(directions: Array, views: Sequence[PosedDepth]) -> Array:
    """Return the levelness [n], 0..1, of each direction [n, 3]: 1 where an image axis is level in every frame."""
    rotations = np.stack([view.world_from_camera[:3, :3] for view in views])
    across = np.mean((rotations[:, :, 0] @ directions.T) ** 2, axis=0)
    along = np.mean((rotations[:, :, 1] @ directions.T) ** 2, axis=0)
    upside_down = np.mean(rotations[:, :, 1] @ directions.T, axis=0) > np.sin(np.deg2rad(10.0))
    upright = np.where(upside_down, 0.0, np.maximum(0.0, 1.0 - 4.0 * across))
    return np.maximum(upright, np.maximum(0.0, 1.0 - 4.0 * along))
