"""Photos (JPEG, HEIC, PNG and others) of one scene, or a film (MOV, MP4), without depth, poses or scale.

Camera poses are estimated by `cousins.photos.structure_from_motion`, depth by `cousins.stereo`. The scale is assumed
until it is measured by printed tags or a typed distance. Names of files, places and people are not kept in the capture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.decoders.images import is_depth_image
from cousins.capture.directions import rotation_to_z
from cousins.capture.edge_lines import edge_plane_normals
from cousins.capture.formats.frame_selection import subsample
from cousins.capture.formats.single_frame import FILM_NAME
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.quality.reprojection import surface_normals
from cousins.capture.readers import natural_order
from cousins.capture.way_up import UpView, describe_way_up, estimate_way_up
from cousins.errors import CaptureError
from cousins.geometry import Array, transform
from cousins.photos.child_process import require_package
from cousins.photos.dense import PhotoDepth, estimate_photo_depths, gray_of
from cousins.photos.film import extract_keyframes
from cousins.photos.metre import assumed_metre
from cousins.photos.pictures import Picture, decode_photos
from cousins.photos.structure_from_motion import MIN_PHOTOS, estimate_camera_poses
from cousins.photos.subject import View, find_subject
from cousins.stereo.depth import StereoConfig

MAX_PHOTOS = 40
"""Maximum number of photos or film keyframes: one turn at 10° spacing; each costs some 6 s of processor time."""
MAX_FILM_BYTES = 2 << 30
"""Largest film [bytes]."""
MAX_BROKEN_SHARE = 0.2
"""Largest share of broken photos that are left out."""

_PHOTO_NAME = re.compile(r"(?i)[^/]+\.(jpe?g|jpe|jfif|heic|heif|png|webp|tiff?|bmp|avif)")
_HEIC_NAME = re.compile(r"(?i).*\.hei[cf]")
_STRUCTURED_DATA_NAME = re.compile(
    r"(?i)(?!(.*/)?source\.json).*\.(json|csv|traj|pincam|mat|exr|np[yz]|depth|conf|usd[acz]?|glb|obj|ply"
    r"|pose\.txt|info\.txt)"
)
"""Names of files with depth, poses or shape: an export that has them is of another format."""
_MEASURED_IMAGE_NAME = re.compile(
    r"(?i)(.*[^a-z])?(depth|disp(arity)?|conf(idence)?|mask|label|normals?)s?([^a-z].*)?\.[^./]+"
)
"""Names of images that hold measurements instead of colours."""
_LOSSLESS_NAME = re.compile(r"(?i).*\.(png|tiff?)")
"""Names of images that may hold depth: their first bytes are read."""
_PROBED_IMAGES = 4
"""Number of lossless images of an export whose first bytes are read."""
_NORMAL_COLUMNS = 64
"""Samples across a depth image at which normals are measured."""
_HOLD_UPRIGHT = "Hold the camera level and take in the floor, or walls and furniture."


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
        measured = (_STRUCTURED_DATA_NAME, _MEASURED_IMAGE_NAME)
        if not pictures or any(pattern.fullmatch(name) for name in source.names for pattern in measured):
            return False
        lossless = sorted(name for name in source.names if _LOSSLESS_NAME.fullmatch(name))
        probed = [lossless[index] for index in range(0, len(lossless), max(1, len(lossless) // _PROBED_IMAGES))]
        return not any(is_depth_image(source.read(name)) for name in probed)

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
        metre = assumed_metre(model)
        photos_with_depth = estimate_photo_depths(model, metre, config=self.config.stereo)
        if len(photos_with_depth) < len(model.photos):
            warnings.append(f"{len(model.photos) - len(photos_with_depth)} pictures show nothing that others confirm.")
        way_up = estimate_way_up(_up_views(photos_with_depth, pictures))
        warnings.append(describe_way_up(way_up, advice=_HOLD_UPRIGHT))
        level = rotation_to_z(way_up.direction)
        photos_with_depth, cut_share = _cut_background(photos_with_depth, level)
        if cut_share > 0.0:
            warnings.append(f"The background was cut off: {cut_share:.0%} of the surface that the pictures show.")
        with CaptureWriter(
            destination,
            name="film" if film else "photos",
            device="unknown",
            app="film" if film else "photos",
            scale=Scale(source=metre.source, error=metre.error),
            gravity_known=way_up.sure,
            timed=film is not None,
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


def _up_views(photos: list[PhotoDepth], pictures: list[Picture]) -> list[UpView]:
    """Return what every photo knows about the way up."""
    views = []
    for item in photos:
        rotation = item.photo.world_from_camera[:3, :3]
        _, normals, _ = surface_normals(item.depth.depth, item.depth.camera, columns=_NORMAL_COLUMNS)
        views.append(
            UpView(
                world_from_camera=item.photo.world_from_camera,
                surface_normals=normals[normals.any(axis=-1)] @ rotation.T,
                edge_normals=edge_plane_normals(gray_of(item.photo.jpeg), item.photo.camera) @ rotation.T,
                oriented=pictures[item.photo.index].oriented,
            )
        )
    return views


def _cut_background(photos: list[PhotoDepth], level: Array) -> tuple[list[PhotoDepth], float]:
    """Return the photos with depth of the subject alone, and the share of the depth that was cut.

    `level` [4, 4] makes +z up. Photos without a common focus keep all their depth.
    """
    views = [_subject_view(item, level) for item in photos]
    subject = find_subject(views)
    if subject is None:
        return photos, 0.0
    masks = [subject.mask(view) for view in views]
    cut = [
        replace(
            item,
            depth=replace(
                item.depth,
                depth=np.where(mask, item.depth.depth, np.float32(0.0)),
                confidence=np.where(mask, item.depth.confidence, 0).astype(np.uint8),
            ),
        )
        for item, mask in zip(photos, masks, strict=True)
    ]
    pixels = sum(int((view.depth > 0.0).sum()) for view in views)
    return cut, 1.0 - sum(int(mask.sum()) for mask in masks) / pixels


def _subject_view(item: PhotoDepth, level: Array) -> View:
    pose = level @ item.photo.world_from_camera
    points, normals, _ = surface_normals(item.depth.depth, item.depth.camera, columns=_NORMAL_COLUMNS)
    is_flat = normals.any(axis=-1)
    return View(
        camera=item.depth.camera,
        depth=item.depth.depth,
        world_from_camera=pose,
        surface_points=transform(pose, points[is_flat]),
        surface_normals=normals[is_flat] @ pose[:3, :3].T,
    )
