"""Dense depth of posed photos, in metres under an assumed scale: structure from motion has no metric scale."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from cousins.errors import CaptureError
from cousins.geometry import Array
from cousins.photos.metre import Metre
from cousins.photos.structure_from_motion import PosedPhoto, SfmModel
from cousins.stereo.agreement import DepthMap
from cousins.stereo.depth import StereoConfig, depth_maps
from cousins.stereo.views import StereoView

MIN_KNOWN_SHARE = 0.04
"""Least share of pixels with depth of a photo that is kept."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PhotoDepth:
    """A photo with its pose and depth, in assumed metres."""

    photo: PosedPhoto
    """The photo, with its pose in assumed metres."""
    depth: DepthMap
    """Depth of the photo in assumed metres."""


def estimate_photo_depths(model: SfmModel, metre: Metre, *, config: StereoConfig | None = None) -> list[PhotoDepth]:
    """Return the photos whose depth other views confirm; raises CaptureError where fewer than two remain."""
    scale = metre.per_unit
    photos = [_scaled(photo, scale) for photo in model.photos]
    views = [
        StereoView(
            gray=gray_of(photo.jpeg),
            camera=photo.camera,
            world_from_camera=photo.world_from_camera,
            points=photo.points,
        )
        for photo in photos
    ]
    maps = depth_maps(views, scale * model.points, config=config)
    with_depth = [
        PhotoDepth(photo=photo, depth=depth)
        for photo, depth in zip(photos, maps, strict=True)
        if depth and (depth.depth > 0.0).mean() >= MIN_KNOWN_SHARE
    ]
    if len(with_depth) < 2:
        raise CaptureError(
            f"{len(photos)} photos, {len(with_depth)} of them with depth that others confirm",
            expected="things with a pattern, seen from several sides",
            hint="Lay printed paper under plain things, use more light, and take photos 10° apart.",
        )
    return with_depth


def _scaled(photo: PosedPhoto, scale: float) -> PosedPhoto:
    pose = photo.world_from_camera.copy()
    pose[:3, 3] *= scale
    return replace(photo, world_from_camera=pose)


def gray_of(jpeg: bytes) -> Array:
    """Return the brightness 0..1 of a picture, float32 [h, w]."""
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / np.float32(255.0)
