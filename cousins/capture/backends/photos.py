"""Photos (JPEG, HEIC) of one scene, or a film (MOV, MP4), without depth, poses or scale.

Camera poses are estimated by `cousins.photos.structure_from_motion`, depth by `cousins.stereo`. The scale is assumed
until it is measured by printed tags or a typed distance. Names of files, places and people are not kept in the capture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.formats.frame_selection import subsample
from cousins.capture.formats.single_frame import FILM_NAME
from cousins.capture.gravity import PosedDepth, level_from_camera_poses, level_from_surfaces
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.readers import natural_order
from cousins.errors import CaptureError
from cousins.photos.child_process import require_package
from cousins.photos.dense import ASSUMED_ERROR, PhotoDepth, estimate_photo_depths
from cousins.photos.film import extract_keyframes
from cousins.photos.pictures import Picture, decode_photos
from cousins.photos.structure_from_motion import MIN_PHOTOS, estimate_camera_poses
from cousins.stereo.depth import StereoConfig

MAX_PHOTOS = 40
"""Maximum number of photos or film keyframes: one turn at 10° spacing; each costs some 6 s of processor time."""
MAX_FILM_BYTES = 2 << 30
"""Largest film [bytes]."""
MAX_BROKEN_SHARE = 0.2
"""Largest share of broken photos that are left out."""

_PHOTO_NAME = re.compile(r"(?i)[^/]+\.(jpe?g|heic|heif)")
_HEIC_NAME = re.compile(r"(?i).*\.hei[cf]")
_STRUCTURED_DATA_NAME = re.compile(
    r"(?i)(?!(.*/)?source\.json).*\.(json|csv|traj|pincam|mat|png|exr|tiff?|np[yz]|depth|conf|usd[acz]?|glb|obj|ply"
    r"|pose\.txt|info\.txt)"
)
"""Names of files with depth, poses or shape: an export that has them is of another format."""
_LEVEL_FRAMES = 16


@dataclass(frozen=True, kw_only=True)
class Config:
    """Parameters of the photo reader."""

    stereo: StereoConfig = field(default_factory=StereoConfig)
    """Parameters of the depth search."""


def build(config: Config | None = None) -> PhotosReader:
    """Return the reader."""
    return PhotosReader(config or Config())


class PhotosReader:
    """Reader of photos or a film."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there are photos or a film, and no file with depth or poses."""
        pictures = any(_PHOTO_NAME.fullmatch(name) or FILM_NAME.fullmatch(name) for name in source.names)
        return pictures and not any(_STRUCTURED_DATA_NAME.fullmatch(name) for name in source.names)

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write every picture whose pose and depth could be estimated."""
        warnings: list[str] = []
        photos = sorted((name for name in source.names if _PHOTO_NAME.fullmatch(name)), key=natural_order)
        films = sorted(name for name in source.names if FILM_NAME.fullmatch(name))
        film = films[0] if films and len(photos) < MIN_PHOTOS else None
        pictures = _decode_film(source, films, warnings) if film else _decode_photo_files(source, photos, warnings)
        model = estimate_camera_poses(pictures, ordered=film is not None)
        if len(model.photos) < len(pictures):
            warnings.append(
                f"{len(pictures) - len(model.photos)} of {len(pictures)} pictures do not fit to the others and were "
                "left out."
            )
        photos_with_depth = estimate_photo_depths(model, config=self.config.stereo)
        if len(photos_with_depth) < len(model.photos):
            warnings.append(f"{len(model.photos) - len(photos_with_depth)} pictures show nothing that others confirm.")
        views = _posed_depths(photos_with_depth)
        up_from_poses = level_from_camera_poses(views)
        level, sentence = level_from_surfaces(views, declared_up=None) if up_from_poses is None else up_from_poses
        warnings.append(sentence)
        with CaptureWriter(
            destination,
            name="film" if film else "photos",
            device="unknown",
            app="film" if film else "photos",
            scale=Scale(source="assumed", error=ASSUMED_ERROR),
            gravity_known=up_from_poses is not None,
            warnings=warnings,
        ) as writer:
            for photo_depth in photos_with_depth:
                time_s = pictures[photo_depth.photo.index].time_s
                writer.add(
                    timestamp_s=float(photo_depth.photo.index) if time_s is None else time_s,
                    world_from_camera=level @ photo_depth.photo.world_from_camera,
                    depth_camera=photo_depth.depth.camera,
                    depth_m=photo_depth.depth.depth,
                    confidence=photo_depth.depth.confidence,
                    color_camera=photo_depth.photo.camera,
                    color=photo_depth.photo.jpeg,
                )
            return writer.close()


def _decode_photo_files(source: ExportFiles, names: list[str], warnings: list[str]) -> list[Picture]:
    if len(names) < MIN_PHOTOS:
        raise CaptureError(
            f"{len(names)} photo{'s' if len(names) > 1 else ''} without depth in {source.label}",
            expected=f"{MIN_PHOTOS} photos or more of one scene, a film, or posed depth frames",
            hint="Walk around the things and take 20 photos or a film of half a minute; or scan with a LiDAR phone.",
        )
    if any(_HEIC_NAME.fullmatch(name) for name in names):
        require_package("pillow_heif", purpose="HEIC photos", package="pillow-heif")
    names_kept = subsample(names, warnings, max_count=MAX_PHOTOS)
    decoded = decode_photos([source.read(name) for name in names_kept])
    pictures = [picture for picture in decoded if isinstance(picture, Picture)]
    broken = [picture for picture in decoded if isinstance(picture, CaptureError)]
    if len(broken) > MAX_BROKEN_SHARE * len(names_kept):
        raise broken[0]
    if broken:
        warnings.append(f"{len(broken)} of {len(names_kept)} photos are broken and were left out.")
    return pictures


def _decode_film(source: ExportFiles, names: list[str], warnings: list[str]) -> list[Picture]:
    if len(names) > 1:
        raise CaptureError(f"{len(names)} films in {source.label}", expected="one", hint="Name the file of one film.")
    pictures = extract_keyframes(source.read(names[0], max_bytes=MAX_FILM_BYTES), max_count=MAX_PHOTOS)
    warnings.append(f"{len(pictures)} sharp pictures were taken out of the film.")
    return pictures


def _posed_depths(photos: list[PhotoDepth]) -> list[PosedDepth]:
    indices = np.unique(np.linspace(0, len(photos) - 1, _LEVEL_FRAMES).astype(int))
    return [
        PosedDepth(
            world_from_camera=photos[index].photo.world_from_camera,
            depth_camera=photos[index].depth.camera,
            depth_m=photos[index].depth.depth,
        )
        for index in indices
    ]
