"""Photos (JPEG, HEIC) of one scene, or a film (MOV, MP4): no depth, no poses, no scale; all is found from the pictures.

Where they were taken from is found by `cousins.photos.structure_from_motion`, depth by `cousins.stereo`. The metre is
assumed until something measures it: printed tags, a typed distance. Names of files, places and people stay outside the
capture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders.archives import Source
from cousins.capture.formats.frame_selection import thinned
from cousins.capture.formats.single_frame import FILM
from cousins.capture.gravity import View, level_from_world, level_of_upright
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.readers import natural_order
from cousins.errors import CaptureError
from cousins.photos.child_process import need
from cousins.photos.dense import ASSUMED_ERROR, Shown, dense
from cousins.photos.film import keyframes
from cousins.photos.pictures import Picture, decode_photos
from cousins.photos.structure_from_motion import LEAST_PHOTOS, find_motion
from cousins.stereo.depth import StereoConfig

MAX_PHOTOS = 40
"""Most photos or pictures of a film that are used: at 10° apart, once around; each costs some 6 s of processor time."""
MAX_FILM_BYTES = 2 << 30
"""Largest film [bytes]."""
MAX_BROKEN_SHARE = 0.2
"""Share of photos that may be broken and are left out."""

_PHOTO = re.compile(r"(?i)[^/]+\.(jpe?g|heic|heif)")
_HEIC = re.compile(r"(?i).*\.hei[cf]")
_TELLS = re.compile(
    r"(?i)(?!(.*/)?source\.json).*\.(json|csv|traj|pincam|mat|png|exr|tiff?|np[yz]|depth|conf|usd[acz]?|glb|obj|ply"
    r"|pose\.txt|info\.txt)"
)
"""Files that tell depth, poses or shape: what has them is no heap of photos, but an export of another kind."""
_GRAVITY_VIEWS = 16


@dataclass(frozen=True, kw_only=True)
class Config:
    """How photos become depth."""

    stereo: StereoConfig = field(default_factory=StereoConfig)
    """How depth is searched."""


def build(config: Config | None = None) -> PhotosReader:
    """Return the reader."""
    return PhotosReader(config or Config())


class PhotosReader:
    """Read photos or a film."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by photos or a film beside nothing that tells depth or poses."""
        pictures = any(_PHOTO.fullmatch(name) or FILM.fullmatch(name) for name in source.names)
        return pictures and not any(_TELLS.fullmatch(name) for name in source.names)

    def read(self, source: Source, destination: Path) -> Capture:
        """Write every picture whose place and depth could be found."""
        warnings: list[str] = []
        photos = sorted((name for name in source.names if _PHOTO.fullmatch(name)), key=natural_order)
        films = sorted(name for name in source.names if FILM.fullmatch(name))
        film = films[0] if films and len(photos) < LEAST_PHOTOS else None
        pictures = _film(source, films, warnings) if film else _photos(source, photos, warnings)
        motion = find_motion(pictures, ordered=film is not None)
        if len(motion.photos) < len(pictures):
            warnings.append(
                f"{len(pictures) - len(motion.photos)} of {len(pictures)} pictures do not fit to the others and were "
                "left out."
            )
        shown = dense(motion, config=self.config.stereo)
        if len(shown) < len(motion.photos):
            warnings.append(f"{len(motion.photos) - len(shown)} pictures show nothing that others confirm.")
        views = _views(shown)
        held = level_of_upright(views)
        level, sentence = level_from_world(views, declared_up=None) if held is None else held
        warnings.append(sentence)
        with CaptureWriter(
            destination,
            name="film" if film else "photos",
            device="unknown",
            app="film" if film else "photos",
            scale=Scale(source="assumed", error=ASSUMED_ERROR),
            gravity_known=held is not None,
            warnings=warnings,
        ) as writer:
            for one in shown:
                time_s = pictures[one.photo.index].time_s
                writer.add(
                    timestamp_s=float(one.photo.index) if time_s is None else time_s,
                    world_from_camera=level @ one.photo.world_from_camera,
                    depth_camera=one.depth.camera,
                    depth_m=one.depth.depth,
                    confidence=one.depth.confidence,
                    color_camera=one.photo.camera,
                    color=one.photo.jpeg,
                )
            return writer.close()


def _photos(source: Source, names: list[str], warnings: list[str]) -> list[Picture]:
    if len(names) < LEAST_PHOTOS:
        raise CaptureError(
            f"{len(names)} photo{'s' if len(names) > 1 else ''} without depth in {source.label}",
            expected=f"{LEAST_PHOTOS} photos or more of one scene, a film, or posed depth frames",
            hint="Walk around the things and take 20 photos or a film of half a minute; or scan with a LiDAR phone.",
        )
    if any(_HEIC.fullmatch(name) for name in names):
        need("pillow_heif", what="HEIC photos", package="pillow-heif")
    kept = thinned(names, warnings, most=MAX_PHOTOS)
    found = decode_photos([source.read(name) for name in kept])
    pictures = [one for one in found if isinstance(one, Picture)]
    broken = [one for one in found if isinstance(one, CaptureError)]
    if len(broken) > MAX_BROKEN_SHARE * len(kept):
        raise broken[0]
    if broken:
        warnings.append(f"{len(broken)} of {len(kept)} photos are broken and were left out.")
    return pictures


def _film(source: Source, names: list[str], warnings: list[str]) -> list[Picture]:
    if len(names) > 1:
        raise CaptureError(f"{len(names)} films in {source.label}", expected="one", hint="Name the file of one film.")
    pictures = keyframes(source.read(names[0], most=MAX_FILM_BYTES), most=MAX_PHOTOS)
    warnings.append(f"{len(pictures)} sharp pictures were taken out of the film.")
    return pictures


def _views(shown: list[Shown]) -> list[View]:
    chosen = np.unique(np.linspace(0, len(shown) - 1, _GRAVITY_VIEWS).astype(int))
    return [
        View(
            world_from_camera=shown[index].photo.world_from_camera,
            depth_camera=shown[index].depth.camera,
            depth_m=shown[index].depth.depth,
        )
        for index in chosen
    ]
