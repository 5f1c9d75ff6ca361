"""Numbered RGB-D frames with a pose file each: 7-Scenes, and the shelf scenes of the Amazon Picking Challenge.

frame-000000.pose.txt is camera to world, 4×4, OpenCV axes [m]; frame-000000.depth.png is u16 mm, 65535 and 0 unknown;
frame-000000.color.png (or .jpg) shows the same view. camera-intrinsics.txt tells the camera, else it is 7-Scenes' own.
In the shelf scenes cam.info.txt tells camera and all poses, and a count of depth, its bits rotated right by three,
is a tenth of a millimetre (apc-vision-toolbox, README); the world is the robot's, which stands upright.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture
from cousins.capture.decoders import parsing
from cousins.capture.decoders.archives import Source
from cousins.capture.formats.frame_selection import each_good
from cousins.capture.formats.posed_frames import (
    STRUCTURED_LIGHT,
    Pixels,
    Shot,
    camera_of_matrix,
    folder_camera,
    write_posed,
)
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics

_DEPTH = re.compile(r"frame-(\d{6})\.depth\.png")
_POSE = re.compile(r"frame-\d{6}\.pose\.txt")
_SHELF = "cam.info.txt"
_SHELF_POSE = "Camera-to-world extrinsic matrix (camera pose) for frame-"
_SHELF_CAMERA = "Color camera intrinsic matrix"
_RATE_HZ = 30.0
"""Frames per second of the cameras that these data sets were recorded with."""
_UNKNOWN = 65535
_KINECT = Intrinsics(width=640, height=480, fx=585.0, fy=585.0, cx=320.0, cy=240.0)
"""Depth camera of 7-Scenes, from its own page."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> RgbdFolderReader:
    """Return the reader."""
    return RgbdFolderReader(config or Config())


class RgbdFolderReader:
    """Read numbered frames with poses."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by frame-*.pose.txt or cam.info.txt."""
        return _SHELF in source.names or any(_POSE.fullmatch(name) for name in source.names)

    def read(self, source: Source, destination: Path) -> Capture:
        """Write every frame that has depth and a pose."""
        numbers = sorted(found[1] for name in source.names if (found := _DEPTH.fullmatch(name)))
        if not numbers:
            raise CaptureError(
                f"no frame-*.depth.png in {source.label}",
                expected="depth images beside the poses",
                hint="Copy the whole sequence: colour, depth and pose of every frame.",
            )
        return (_read_shelf if _SHELF in source.names else _read_scene)(source, destination, numbers)


def _read_scene(source: Source, destination: Path, numbers: list[str]) -> Capture:
    warnings = ["Colour and depth are two cameras side by side: textures may be off by some pixels."]
    camera = folder_camera(source)
    if camera is None:
        warnings.append("No camera-intrinsics.txt: the camera is that of the 7-Scenes data set.")
    shots = each_good(
        numbers, lambda number: _shot(source, number, _pose(source, f"frame-{number}.pose.txt")), warnings
    )
    pixels = Pixels(
        metres=lambda counts: np.where(counts == _UNKNOWN, 0, counts) / 1000.0,
        camera=lambda _, size: camera(size) if camera is not None else _kinect(size),
    )
    return write_posed(
        source,
        destination,
        shots,
        pixels,
        app="RGB-D frames",
        scale=STRUCTURED_LIGHT,
        way_up="unknown",
        warnings=warnings,
    )


def _kinect(size: tuple[int, int]) -> Intrinsics:
    return camera_of_matrix(_KINECT.matrix * np.array([[size[0] / 640], [size[1] / 480], [1.0]]), size, where="camera")


def _read_shelf(source: Source, destination: Path, numbers: list[str]) -> Capture:
    tables = _tables(source.read(_SHELF, most=parsing.MAX_JSON_BYTES))
    k = _matrix(tables, _SHELF_CAMERA, 3)
    warnings: list[str] = []

    def shot(number: str) -> Shot:
        pose = _matrix(tables, _SHELF_POSE + number, 4)
        return _shot(source, number, parsing.pose(pose, where=f"{_SHELF}, frame {number}"))

    shots = each_good(numbers, shot, warnings)
    pixels = Pixels(
        metres=lambda counts: ((counts >> 3) | (counts << 13)).astype(np.uint16) / 10_000.0,
        camera=lambda _, size: camera_of_matrix(k, size, where=_SHELF),
    )
    return write_posed(
        source,
        destination,
        shots,
        pixels,
        app="RGB-D frames",
        scale=STRUCTURED_LIGHT,
        way_up="told",
        warnings=warnings,
    )


def _shot(source: Source, number: str, pose: Array) -> Shot:
    names = (f"frame-{number}.color.{ending}" for ending in ("png", "jpg"))
    color = next((name for name in names if name in source.names), None)
    return Shot(time_s=int(number) / _RATE_HZ, world_from_camera=pose, depth=f"frame-{number}.depth.png", color=color)


def _pose(source: Source, name: str) -> Array:
    rows = parsing.text_rows(source.read(name, most=1 << 16), 4, where=name)
    values = [parsing.real(cell, where=name) for row in rows for cell in row]
    if len(values) != 16:
        raise CaptureError(f"{name} of {len(values)} numbers", expected="16", hint="Copy the sequence again.")
    return parsing.pose(np.array(values).reshape(4, 4), where=name)


def _tables(data: bytes) -> dict[str, list[list[str]]]:
    """Return the rows of numbers below each `# heading`."""
    tables: dict[str, list[list[str]]] = {}
    heading = ""
    for line in parsing.text_lines(data, where=_SHELF):
        if line.startswith("#"):
            heading = line[1:].strip()
            tables[heading] = []
        elif line:
            tables.setdefault(heading, []).append(line.split())
    return tables


def _matrix(tables: dict[str, list[list[str]]], heading: str, side: int) -> Array:
    values = [parsing.real(cell, where=heading) for row in tables.get(heading, []) for cell in row]
    if len(values) != side * side:
        raise CaptureError(
            f"{_SHELF} with {len(values)} numbers below {heading!r}",
            expected=str(side * side),
            hint="Copy the sequence again.",
        )
    return np.array(values).reshape(side, side)
