"""One frame picked out of a folder of many by naming one of its images; one film named by itself."""

from __future__ import annotations

import re
from pathlib import Path

from cousins.capture.decoders.archives import MAX_READ_BYTES, FolderSource

IMAGE = re.compile(r"(?i)(?P<frame>|.*?[^.])[-_]?(?P<kind>depth|color|colour|rgb|image)\.(?P<ending>png|jpe?g)")
"""Name of an image of a single RGB-D frame: what the frame is called, what it shows."""
FILM = re.compile(r"(?i)[^/]+\.(mov|mp4|m4v)")
"""Name of a film."""
CAMERAS = ("camera.json", "camera-intrinsics.txt")
"""Files that tell the camera of all frames of a folder."""


class PickedFrame:
    """The files of the frame that an image belongs to."""

    def __init__(self, path: Path) -> None:
        """List the files beside the image that are of its frame, or tell the camera of all."""
        found = IMAGE.fullmatch(path.name)
        frame = found["frame"] if found else path.stem
        self._folder = FolderSource(path.parent)
        self.label = frame or path.stem
        self.names = frozenset(
            name
            for name in self._folder.names
            if name in CAMERAS or re.match(re.escape(frame) + r"([-_.]|(?i:depth|colou?r|rgb|image))", name)
        )

    def read(self, name: str, *, most: int = MAX_READ_BYTES) -> bytes:
        """Return the bytes of one file."""
        return self._folder.read(name, most=most)


class LoneFilm:
    """A film that is the whole export; what it is called stays outside."""

    def __init__(self, path: Path) -> None:
        """Look at the film as if it lay in a folder of its own."""
        self._folder = FolderSource(path.parent)
        self._name = path.name
        self.label = "film"
        self.names = frozenset({f"film{path.suffix.lower()}"})

    def read(self, name: str, *, most: int = MAX_READ_BYTES) -> bytes:  # noqa: ARG002
        """Return the bytes of the film."""
        return self._folder.read(self._name, most=most)


def is_film(path: Path) -> bool:
    """Tell whether a path is a film file."""
    return path.is_file() and FILM.fullmatch(path.name) is not None


def is_image_of_frame(path: Path) -> bool:
    """Tell whether a path is an image file that names a frame."""
    return path.is_file() and IMAGE.fullmatch(path.name) is not None
