"""The seam of capture back-ends: who recognises an export, and what each must answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cousins import plugins
from cousins.capture.captures import Capture
from cousins.capture.decoders import images
from cousins.capture.decoders.archives import Source, Subfolder, folders
from cousins.capture.decoders.jpeg import is_jpeg
from cousins.errors import CaptureError
from cousins.geometry import Array

PACKAGE = "cousins.capture.backends"
"""Where the back-ends live; a back-end's file name is the name of its format."""
LIDAR_SCALE_ERROR = 0.01
"""Relative error of a length seen by a phone's LiDAR: ±1 cm on objects above 10 cm (Luetzenburg et al.,
Sci. Rep. 11:22221, 2021), taken as 1 % of a metre."""
ASPECT_TOLERANCE = 0.02
"""How far the shapes of depth and colour may differ and still be one view."""

_SEARCH_DEPTH = 2
"""An export may lie this many folders deep."""
_MAX_PLACES = 64
"""A source with more folders side by side is no single export, and is not searched."""
_FOREIGN: Mapping[str, tuple[str, str]] = {
    r"\.(usdz|obj|glb|ply|stl)$": (
        "a finished mesh",
        "A twin needs the posed depth frames: in the app choose the export named all data or raw data.",
    ),
    r"(?i)\.(jpe?g|heic|mov|mp4)$": (
        "photos or video among other files",
        "Put the photos, or one film, into a folder of their own, or scan with a LiDAR phone.",
    ),
}
"""Exports that we know and cannot read, by a file in them: what they are, what to do."""


class Reader(Protocol):
    """Read one app's export; every foreign convention ends here."""

    def recognises(self, source: Source) -> bool:
        """Tell by its files' names whether the export is of this format."""

    def read(self, source: Source, destination: Path) -> Capture:
        """Write the export as a canonical folder; leave nothing there when it cannot be trusted."""


def find_reader(source: Source, *, format: str | None = None) -> tuple[Reader, Source]:
    """Return the reader of the export and the folder of it where the export starts."""
    names = plugins.names(PACKAGE) if format is None else [format]
    readers: dict[str, Reader] = {
        name: plugins.load(PACKAGE, name, kind="capture format").build(None) for name in names
    }
    if not source.names:
        raise CaptureError(f"nothing in {source.label}", expected="a phone export", hint="Export the scan again.")
    for depth in range(_SEARCH_DEPTH + 1):
        places = [folder for folder in folders(source.names, depth=depth) if folder.count("/") == depth]
        if len(places) > _MAX_PLACES:
            break
        views = [Subfolder(source, folder) for folder in places]
        found = [(name, view) for view in views for name, reader in readers.items() if reader.recognises(view)]
        if len(found) > 1:
            raise CaptureError(
                f"{len(found)} exports in {source.label}: {_listed(found, source)}",
                expected="one",
                hint="Name the folder of one of them, or its format with --format.",
            )
        if found:
            return readers[found[0][0]], found[0][1]
    raise _unknown(source, names)


def natural_order(name: str) -> tuple[tuple[int, int | str], ...]:
    """Return a sort key under which `2.jpg` comes before `10.jpg`."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d{1,18})", name))


def check_aspect(depth_size: tuple[int, int], color_size: tuple[int, int], *, where: str) -> None:
    """Refuse depth and colour images, each (width, height) [px], that cannot be of one view."""
    ratio = depth_size[0] * color_size[1] / (depth_size[1] * color_size[0])
    if abs(ratio - 1.0) > ASPECT_TOLERANCE:
        raise CaptureError(
            f"{where}: depth of {depth_size[0]}×{depth_size[1]} and colour of {color_size[0]}×{color_size[1]} px",
            expected="images of the same shape",
            hint="The export mixes portrait and landscape or two scans: export it again.",
        )


def read_color(source: Source, name: str | None) -> Array | bytes | None:
    """Return a JPEG's bytes or a PNG's pixels, uint8 [h, w, 3], checked; None where the export has no such file."""
    if name is None or name not in source.names:
        return None
    data = source.read(name)
    if not is_jpeg(data):
        return images.decode_color(data, where=name)
    images.check_decodes(data, where=name)
    return data


def _listed(found: list[tuple[str, Subfolder]], source: Source) -> str:
    return ", ".join(f"{name} ({len(view.names)} of {len(source.names)} files)" for name, view in found[:5])


def _unknown(source: Source, names: list[str]) -> CaptureError:
    ordered = sorted(source.names)
    for pattern, (kind, advice) in _FOREIGN.items():
        if any(re.search(pattern, name) for name in ordered):
            return CaptureError(
                f"{kind} in {source.label}", expected="posed depth frames in a format we read", hint=advice
            )
    return CaptureError(
        f"{source.label} with {len(ordered)} file{'s' if len(ordered) > 1 else ''}, such as {ordered[0][:80]}",
        expected="a phone export of format " + ", ".join(names),
        hint="Pass what the app exported, unchanged; cousins scan EXPORT -o SCENE --format NAME forces a format.",
    )
