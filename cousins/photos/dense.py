"""From placed photos to posed depth frames of a size that is assumed: their world has no metre of its own."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from cousins.errors import CaptureError
from cousins.geometry import Array
from cousins.photos.attention import attended, nearby
from cousins.photos.structure_from_motion import Motion, Placed
from cousins.stereo.agreement import DepthMap
from cousins.stereo.depth import StereoConfig, depth_maps
from cousins.stereo.views import View

ASSUMED_DISTANCE_M = 1.0
"""What a photo shows is taken to be so far away [m]: people who photograph things on a table or chair stand half a
metre to two metres from them."""
ASSUMED_ERROR = 0.5
"""Relative error of that, one standard deviation."""
LEAST_KNOWN = 0.04
"""Share of a photo's pixels that must have depth for it to be kept."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shown:
    """A photo with its pose and depth, in assumed metres."""

    photo: Placed
    """The photo; its pose in assumed metres."""
    depth: DepthMap
    """Its depth in assumed metres."""


def dense(motion: Motion, *, config: StereoConfig | None = None) -> list[Shown]:
    """Return the photos whose depth others confirm; raises CaptureError where that is next to nothing."""
    scale = _assumed_scale(motion)
    photos = [_scaled(photo, scale) for photo in motion.photos]
    views = [
        View(
            gray=_gray(photo.jpeg),
            camera=photo.camera,
            world_from_camera=photo.world_from_camera,
            points=photo.points,
        )
        for photo in photos
    ]
    maps = depth_maps(views, scale * motion.points, config=config)
    focus = attended([photo.world_from_camera for photo in photos])
    found = [(photo, _of_focus(depth, photo, focus)) for photo, depth in zip(photos, maps, strict=True) if depth]
    shown = [Shown(photo=photo, depth=depth) for photo, depth in found if (depth.depth > 0.0).mean() >= LEAST_KNOWN]
    if len(shown) < 2:
        raise CaptureError(
            f"{len(photos)} photos, {len(shown)} of them with depth that others confirm",
            expected="things with a pattern, seen from several sides",
            hint="Lay printed paper under plain things, use more light, and take photos 10° apart.",
        )
    return shown


def _of_focus(depth: DepthMap, photo: Placed, focus: tuple[Array, float] | None) -> DepthMap:
    """Return the depth of what the photos look at: beyond, it is seen from too few sides to be built."""
    if focus is None:
        return depth
    kept = nearby(depth.depth, depth.camera, photo.world_from_camera, *focus)
    return replace(depth, depth=kept, confidence=np.where(kept > 0.0, depth.confidence, 0).astype(np.uint8))


def _assumed_scale(motion: Motion) -> float:
    """Return assumed metres per unit: the median distance of the points seen is `ASSUMED_DISTANCE_M`."""
    distances = [
        np.linalg.norm(motion.points[photo.points] - photo.world_from_camera[:3, 3], axis=1) for photo in motion.photos
    ]
    return ASSUMED_DISTANCE_M / float(np.median(np.concatenate(distances)))


def _scaled(photo: Placed, scale: float) -> Placed:
    pose = photo.world_from_camera.copy()
    pose[:3, 3] *= scale
    return replace(photo, world_from_camera=pose)


def _gray(jpeg: bytes) -> Array:
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255.0)
