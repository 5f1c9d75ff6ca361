"""Dense depth of posed photos, in metres under an assumed scale: structure from motion has no metric scale."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from cousins.errors import CaptureError
from cousins.geometry import Array
from cousins.photos.attention import crop_depth_to_focus, viewing_focus
from cousins.photos.structure_from_motion import PosedPhoto, SfmModel
from cousins.stereo.agreement import DepthMap
from cousins.stereo.depth import StereoConfig, depth_maps
from cousins.stereo.views import StereoView

ASSUMED_DISTANCE_M = 1.0
"""Assumed median distance of the scene from the camera [m]: people who photograph objects on a table or chair stand
half a metre to two metres from them."""
ASSUMED_ERROR = 0.5
"""Relative error of the assumed distance, one standard deviation."""
MIN_KNOWN_SHARE = 0.04
"""Least share of pixels with depth of a photo that is kept."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PhotoDepth:
    """A photo with its pose and depth, in assumed metres."""

    photo: PosedPhoto
    """The photo, with its pose in assumed metres."""
    depth: DepthMap
    """Depth of the photo in assumed metres."""


def estimate_photo_depths(model: SfmModel, *, config: StereoConfig | None = None) -> list[PhotoDepth]:
    """Return the photos whose depth other views confirm; raises CaptureError where fewer than two remain."""
    scale = _assumed_scale(model)
    photos = [_scaled(photo, scale) for photo in model.photos]
    views = [
        StereoView(
            gray=_gray(photo.jpeg),
            camera=photo.camera,
            world_from_camera=photo.world_from_camera,
            points=photo.points,
        )
        for photo in photos
    ]
    maps = depth_maps(views, scale * model.points, config=config)
    focus = viewing_focus([photo.world_from_camera for photo in photos])
    photo_depths = [
        (photo, _crop_to_focus(depth, photo, focus)) for photo, depth in zip(photos, maps, strict=True) if depth
    ]
    with_depth = [
        PhotoDepth(photo=photo, depth=depth)
        for photo, depth in photo_depths
        if (depth.depth > 0.0).mean() >= MIN_KNOWN_SHARE
    ]
    if len(with_depth) < 2:
        raise CaptureError(
            f"{len(photos)} photos, {len(with_depth)} of them with depth that others confirm",
            expected="things with a pattern, seen from several sides",
            hint="Lay printed paper under plain things, use more light, and take photos 10° apart.",
        )
    return with_depth


def _crop_to_focus(depth: DepthMap, photo: PosedPhoto, focus: tuple[Array, float] | None) -> DepthMap:
    """Return the depth within the viewing focus: farther away the scene is seen from too few sides."""
    if focus is None:
        return depth
    cropped = crop_depth_to_focus(depth.depth, depth.camera, photo.world_from_camera, *focus)
    return replace(depth, depth=cropped, confidence=np.where(cropped > 0.0, depth.confidence, 0).astype(np.uint8))


def _assumed_scale(model: SfmModel) -> float:
    """Return assumed metres per unit, so that the median point distance becomes `ASSUMED_DISTANCE_M`."""
    distances = [
        np.linalg.norm(model.points[photo.points] - photo.world_from_camera[:3, 3], axis=1) for photo in model.photos
    ]
    return ASSUMED_DISTANCE_M / float(np.median(np.concatenate(distances)))


def _scaled(photo: PosedPhoto, scale: float) -> PosedPhoto:
    pose = photo.world_from_camera.copy()
    pose[:3, 3] *= scale
    return replace(photo, world_from_camera=pose)


def _gray(jpeg: bytes) -> Array:
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255.0)
