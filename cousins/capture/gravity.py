"""The way up, estimated from what the camera saw, for exports that do not say it.

Floors and table tops are wide, flat and seen from above; and people hold a phone level, upright or sideways, so one
image axis stays horizontal while they walk around. Each wide flat direction is scored by how much surface faces it
and how level the camera was held about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cousins.capture.quality.reprojection import surface
from cousins.geometry import Array, Intrinsics, rigid, rotation_about

MIN_SHARE = 0.08
"""Least share of the seen surface that must face up to call it a floor or table."""
MIN_LEVELNESS = 0.5
"""Least levelness of the camera about the estimated way up, 0..1."""
MIN_ADVANTAGE = 2.0
"""How many times better another way up must score to overrule the declared one."""
TRUSTED_TILT_RAD = np.deg2rad(3.0)
"""A declared up that is this close to the estimated one is kept as it is."""
MIN_YAW = float(np.sin(np.deg2rad(8.0)) ** 2)
"""Least spread of the cameras' x axes, mean square of a sine, that tells the plane in which they lie."""
MAX_ROLL = float(np.sin(np.deg2rad(12.0)) ** 2)
"""Greatest spread out of that plane: more, and the pictures were not held level."""
NEAR_HELD = float(np.cos(np.deg2rad(20.0)))
"""A level surface lies so near to what is level by how the pictures were held."""
HELD_SIGMA_RAD = float(np.deg2rad(10.0))
"""How far what things stand on may lean from level, one standard deviation: seats lean back, hands are not level."""
MIN_LEVEL_SHARE = 0.03
"""Least share of the seen surface that corrects it."""

_UPRIGHT_SLACK = 0.2
_COLUMNS = 64
"""Samples across the image."""
_CONE = np.cos(np.deg2rad(10.0))
_NARROW_CONE = np.cos(np.deg2rad(5.0))
_DIRECTIONS = 600
"""Directions tried on the sphere: about 8° apart."""
_FINE_DIRECTIONS = 6000
"""Directions tried near a known one: about 2.5° apart."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """What one frame contributes."""

    world_from_camera: Array
    """Pose in the export's own world, OpenCV camera axes, float64 [4, 4]."""
    depth_camera: Intrinsics
    """Camera of the depth image."""
    depth_m: Array
    """Planar depth [m] [h, w]; 0 or not finite = unknown."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Up:
    """An estimated way up."""

    direction: Array
    """Unit vector [3] in the export's world."""
    share: float
    """Share of the seen surface that faces it, 0..1."""
    score: float
    """The share times how level the camera was held about it."""
    upright: float
    """How far an image axis pointed along it on average, 0..1; 0 where the camera looked straight along it."""


def estimate_up(views: Sequence[View]) -> Up | None:
    """Return the way up, or None where no wide level surface was seen."""
    normals = _all_normals(views)
    if len(normals) < 100:
        return None
    directions = _sphere(_DIRECTIONS)
    shares = ((normals @ directions.T) > _CONE).mean(axis=0)
    scores = shares * _levelness(directions, views)
    best = directions[int(np.argmax(scores))]
    for cone in (_CONE, _NARROW_CONE, _NARROW_CONE):
        near = normals[normals @ best > cone]
        if len(near) == 0:
            return None
        best = near.mean(axis=0) / np.linalg.norm(near.mean(axis=0))
    up = rate_up(best, views, normals)
    return up if up.share >= MIN_SHARE and up.score >= MIN_LEVELNESS * up.share else None


def rate_up(direction: Array, views: Sequence[View], normals: Array) -> Up:
    """Return a direction [3] as a way up with its marks; `normals` [n, 3] are those of the seen surface."""
    share = float(((normals @ direction) > _CONE).mean())
    axes = np.stack([view.world_from_camera[:3, :2] for view in views])
    return Up(
        direction=direction,
        share=share,
        score=share * float(_levelness(direction[None], views)[0]),
        upright=float(np.abs(np.einsum("nij,i->nj", axes, direction).mean(axis=0)).max()),
    )


def level_of_upright(views: Sequence[View]) -> tuple[Array, str] | None:
    """Return the rotation that makes +z up for pictures that were taken upright, and a sentence; None if unclear.

    Phones turn their pictures by the gravity sensor and people hold them level: the x axes of all cameras lie in the
    horizontal plane. A wide surface near to that, if any, tells it better.
    """
    axes = np.stack([view.world_from_camera[:3, :2] for view in views])
    spread, directions = np.linalg.eigh(axes[:, :, 0].T @ axes[:, :, 0] / len(axes))
    if spread[1] < MIN_YAW or spread[0] > MAX_ROLL:
        return None
    held = directions[:, 0] * -np.sign(float(np.sum(axes[:, :, 1] @ directions[:, 0])) or 1.0)
    normals = _all_normals(views)
    tried = _sphere(_FINE_DIRECTIONS)
    tried = tried[tried @ held > NEAR_HELD]
    shares = ((normals @ tried.T) > _NARROW_CONE).mean(axis=0) if len(normals) else np.zeros(len(tried))
    likely = shares * np.exp(-0.5 * (np.arccos(np.clip(tried @ held, -1.0, 1.0)) / HELD_SIGMA_RAD) ** 2)
    chosen = int(np.argmax(likely))
    if shares[chosen] < MIN_LEVEL_SHARE:
        return _turn(held), "The way up was estimated from how the pictures were held: it may be some 5° off."
    best = tried[chosen]
    for _ in range(3):
        near = normals[normals @ best > _NARROW_CONE]
        best = near.mean(axis=0) / np.linalg.norm(near.mean(axis=0))
    off = float(np.rad2deg(np.arccos(np.clip(best @ held, -1.0, 1.0))))
    seen = f"{off:.0f}° from that ({float(shares[chosen]):.0%} of what was seen)"
    return _turn(best), f"The way up was estimated from how the pictures were held and a level surface {seen}."


def level_from_world(views: Sequence[View], *, declared_up: Array | None) -> tuple[Array, str]:
    """Return the rotation that makes +z up, float64 [4, 4], and a sentence that says what was done.

    `declared_up` [3] is where the format says up is, if it says so at all; it is kept unless the scene contradicts it.
    """
    up = estimate_up(views)
    told = np.array([0.0, 0.0, 1.0]) if declared_up is None else declared_up
    if up is None:
        return _turn(told), "The export does not say which way is up and no level surface was found: +z is a guess."
    tilt = float(np.arccos(np.clip(up.direction @ told, -1.0, 1.0)))
    if declared_up is not None and tilt < TRUSTED_TILT_RAD:
        return _turn(told), f"The way up was not told by the device; {up.share:.0%} of the surface confirms +z."
    if declared_up is not None and not _overrules(up, rate_up(told, views, _all_normals(views))):
        return _turn(told), "The way up was not told by the device; the format's +z was taken."
    turned = f", {np.rad2deg(tilt):.0f}° from the export's own +z" if declared_up is not None else ""
    sentence = f"The way up was estimated from level surfaces ({up.share:.0%} of what was seen){turned}."
    return _turn(up.direction), sentence


def _overrules(up: Up, declared: Up) -> bool:
    """Tell whether the scene contradicts the declared way up, and is not a wall that was faced head on.

    Either the phone was held about the estimated way up at least as plainly as about the declared one, or the
    estimated one is the y axis, as in files that were written without turning ARKit's world.
    """
    plain = up.upright >= declared.upright - _UPRIGHT_SLACK
    along_y = abs(float(up.direction[1])) > np.cos(TRUSTED_TILT_RAD)
    return up.score >= MIN_ADVANTAGE * declared.score and (plain or along_y)


def _all_normals(views: Sequence[View]) -> Array:
    return np.concatenate([_normals(view) for view in views]) if views else np.zeros((0, 3))


def _normals(view: View) -> Array:
    """Return world normals [n, 3] of flat places; they face the camera."""
    _, normals, _ = surface(view.depth_m, view.depth_camera, columns=_COLUMNS)
    return np.asarray(normals[normals.any(axis=-1)] @ view.world_from_camera[:3, :3].T)


def _levelness(directions: Array, views: Sequence[View]) -> Array:
    """Return 0..1 for each direction [n, 3]: 1 where one image axis was level about it in every frame."""
    rotations = np.stack([view.world_from_camera[:3, :3] for view in views])
    across = np.mean((rotations[:, :, 0] @ directions.T) ** 2, axis=0)
    along = np.mean((rotations[:, :, 1] @ directions.T) ** 2, axis=0)
    upside_down = np.mean(rotations[:, :, 1] @ directions.T, axis=0) > np.sin(np.deg2rad(10.0))
    upright = np.where(upside_down, 0.0, np.maximum(0.0, 1.0 - 4.0 * across))
    return np.maximum(upright, np.maximum(0.0, 1.0 - 4.0 * along))


def _sphere(count: int) -> Array:
    """Return `count` nearly even unit vectors [n, 3] (Fibonacci spiral)."""
    index = np.arange(count) + 0.5
    z = 1.0 - 2.0 * index / count
    angle = np.pi * (1.0 + 5.0**0.5) * index
    radius = np.sqrt(1.0 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)


def _turn(up: Array) -> Array:
    """Return the shortest rotation that takes `up` to +z, float64 [4, 4]."""
    axis = np.cross(up, [0.0, 0.0, 1.0])
    sine, cosine = float(np.linalg.norm(axis)), float(up[2])
    if sine < 1e-9:
        return np.eye(4) if cosine > 0 else np.diag([1.0, -1.0, -1.0, 1.0])
    return rigid(rotation_about(axis, float(np.arctan2(sine, cosine))))
