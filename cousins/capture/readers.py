"""The interface of capture readers (`Reader`), and detection of the reader for an export."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cousins import plugins
from cousins.capture.captures import Capture
from cousins.capture.decoders import images
from cousins.capture.decoders.archives import ExportFiles, SubfolderFiles, list_folders
from cousins.capture.decoders.jpeg import is_jpeg
from cousins.capture.formats.near_misses import describe_near_miss
from cousins.errors import CaptureError
from cousins.geometry import Array

PACKAGE = "cousins.capture.backends"
"""Package of the readers; a reader's module name is the name of its format."""
LIDAR_SCALE_ERROR = 0.01
"""Relative error of a length measured by a phone's LiDAR: ±1 cm on objects above 10 cm (Luetzenburg et al.,
Sci. Rep. 11:22221, 2021), taken as 1 % of a metre."""
ASPECT_TOLERANCE = 0.02
"""Largest relative difference between the aspect ratios of depth and colour images of one view."""

_SEARCH_DEPTH = 2
"""Maximum folder depth at which an export is searched."""
_MAX_SIBLING_FOLDERS = 64
"""Maximum number of sibling folders that are searched: more is no single export."""
_UNSUPPORTED_EXPORTS: Mapping[str, tuple[str, str]] = {
    r"\.(usdz|obj|glb|ply|stl)$": (
        "a finished mesh",
        "A twin needs the posed depth frames: in the app choose the export named all data or raw data.",
    ),
    r"(?i)\.(jpe?g|heic|mov|mp4)$": (
        "photos or video among other files",
        "Put the photos, or one film, into a folder of their own, or scan with a LiDAR phone.",
    ),
}
"""Known exports that cannot be read, by a pattern of a file name: description and advice."""


class Reader(Protocol):
    """Reader of one app's export; it converts the app's conventions to those of the project."""

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether the export is of this format, by its file names alone."""

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write the export as a canonical capture folder and return it; on CaptureError nothing is left there."""


def find_reader(source: ExportFiles, *, format: str | None = None) -> tuple[Reader, ExportFiles]:
    """Return the reader of the export and the subfolder at which the export starts.

    Raises CaptureError where no reader or more than one recognises it, UnknownNameError for an unknown `format`.
    """
    names = plugins.backend_names(PACKAGE) if format is None else [format]
    readers: dict[str, Reader] = {
        name: plugins.load_backend(PACKAGE, name, kind="capture format").build(None) for name in names
    }
    if not source.names:
        raise CaptureError(f"nothing in {source.label}", expected="a phone export", hint="Export the scan again.")
    for depth in range(_SEARCH_DEPTH + 1):
        start_folders = [folder for folder in list_folders(source.names, depth=depth) if folder.count("/") == depth]
        if len(start_folders) > _MAX_SIBLING_FOLDERS:
            break
        candidates = [SubfolderFiles(source, folder) for folder in start_folders]
        matches = [
            (name, candidate)
            for candidate in candidates
            for name, reader in readers.items()
            if reader.recognises(candidate)
        ]
        if len(matches) > 1:
            raise CaptureError(
                f"{len(matches)} exports in {source.label}: {_format_matches(matches, source)}",
                expected="one",
                hint="Name the folder of one of them, or its format with --format.",
            )
        if matches:
            return readers[matches[0][0]], matches[0][1]
        if format is None:
            _require_no_near_miss(candidates, source)
    raise _unknown_format_error(source, names)


def natural_order(name: str) -> tuple[tuple[int, int | str], ...]:
    """Return a sort key of a file name under which `2.jpg` comes before `10.jpg`."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d{1,18})", name))


def check_aspect(depth_size: tuple[int, int], color_size: tuple[int, int], *, context: str) -> None:
    """Raise CaptureError where depth and colour sizes, each (width, height) [px], have different aspect ratios."""
    ratio = depth_size[0] * color_size[1] / (depth_size[1] * color_size[0])
    if abs(ratio - 1.0) > ASPECT_TOLERANCE:
        raise CaptureError(
            f"{context}: depth of {depth_size[0]}×{depth_size[1]} and colour of {color_size[0]}×{color_size[1]} px",
            expected="images of the same shape",
            hint="The export mixes portrait and landscape or two scans: export it again.",
        )


def read_color(source: ExportFiles, name: str | None) -> Array | bytes | None:
    """Return a JPEG's bytes or a PNG's pixels, uint8 [h, w, 3], validated; None where the export has no such file."""
    if name is None or name not in source.names:
        return None
    data = source.read(name)
    if not is_jpeg(data):
        return images.decode_color(data, context=name)
    images.check_decodes(data, context=name)
    return data


def _format_matches(matches: list[tuple[str, SubfolderFiles]], source: ExportFiles) -> str:
    return ", ".join(f"{name} ({len(candidate.names)} of {len(source.names)} files)" for name, candidate in matches[:5])


def _require_no_near_miss(candidates: list[SubfolderFiles], source: ExportFiles) -> None:
    """Raise CaptureError where a folder holds a format but for one file: below it only a part would be read."""
    for candidate in candidates:
        near_miss = describe_near_miss(candidate.names)
        if near_miss is not None:
            raise CaptureError(
                f"{near_miss[0]} in {source.label}",
                expected=near_miss[1],
                hint="Copy it too, into the same folder; of photos without depth name their own folder.",
            )


def _unknown_format_error(source: ExportFiles, names: list[str]) -> CaptureError:
    ordered = sorted(source.names)
    for pattern, (kind, advice) in _UNSUPPORTED_EXPORTS.items():
        if any(re.search(pattern, name) for name in ordered):
            return CaptureError(
                f"{kind} in {source.label}", expected="posed depth frames in a format we read", hint=advice
            )
    return CaptureError(
        f"{source.label} with {len(ordered)} file{'s' if len(ordered) > 1 else ''}, such as {ordered[0][:80]}",
        expected="a phone export of format " + ", ".join(names),
        hint="Pass what the app exported, unchanged; `cousins scan EXPORT -o SCENE --format NAME` forces a format.",
    )
