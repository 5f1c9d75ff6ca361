"""Exports given by a single file: one RGB-D frame selected by one of its images, or one film."""

from __future__ import annotations

import re
from pathlib import Path

from cousins.capture.decoders.archives import MAX_READ_BYTES, FolderFiles
from cousins.capture.formats.camera_files import is_camera_file

FRAME_IMAGE_NAME = re.compile(
    r"(?i)(?P<frame>|.*?[^.])[-_]?(?P<kind>depth|color|colour|rgb|image)\.(?P<ending>png|jpe?g|tiff?|npy)"
)
"""File name pattern of an image of a single RGB-D frame: frame name, kind of image and file type."""
FILM_NAME = re.compile(r"(?i)[^/]+\.(mov|mp4|m4v)")
"""File name pattern of a film."""
DEPTH_ENDINGS = ("png", "tif", "tiff", "npy")
"""Endings of depth images."""


class SingleFrameFiles:
    """The files of the RGB-D frame to which an image belongs."""

    def __init__(self, path: Path) -> None:
        """List the files of the image's frame in its folder, and the camera files of the folder."""
        match = FRAME_IMAGE_NAME.fullmatch(path.name)
        frame = match["frame"] if match else path.stem
        self._folder = FolderFiles(path.parent)
        self.label = frame or path.stem
        self.names = frozenset(
            name
            for name in self._folder.names
            if is_camera_file(name) or re.match(re.escape(frame) + r"([-_.]|(?i:depth|colou?r|rgb|image))", name)
        )

    def read(self, name: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes:
        """Return the bytes of one file."""
        return self._folder.read(name, max_bytes=max_bytes)


class SingleFilmFile:
    """A film file as an export; its file name is not kept."""

    def __init__(self, path: Path) -> None:
        """Present the film as if it were alone in its folder."""
        self._folder = FolderFiles(path.parent)
        self._name = path.name
        self.label = "film"
        self.names = frozenset({f"film{path.suffix.lower()}"})

    def read(self, name: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes:  # noqa: ARG002
        """Return the bytes of the film."""
        return self._folder.read(self._name, max_bytes=max_bytes)


def is_film(path: Path) -> bool:
    """Return whether a path is a film file."""
    return path.is_file() and FILM_NAME.fullmatch(path.name) is not None


def is_frame_image(path: Path) -> bool:
    """Return whether a path is an image file of a single RGB-D frame."""
    return path.is_file() and FRAME_IMAGE_NAME.fullmatch(path.name) is not None
