"""Numbered RGB-D frames with a pose file each: 7-Scenes, and the shelf scenes of the Amazon Picking Challenge.

frame-000000.pose.txt is camera to world, 4×4, OpenCV axes [m]; frame-000000.depth.png is u16 mm, 65535 and 0 unknown;
frame-000000.color.png (or .jpg) is colour of the same view. camera-intrinsics.txt holds the camera; the default is that
of 7-Scenes. In the shelf scenes cam.info.txt holds camera and all poses, and a depth count, its bits rotated right by
three, is a tenth of a millimetre (apc-vision-toolbox, README); the world is the robot's base frame, with z up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture
from cousins.capture.decoders import parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.formats.camera_files import camera_from_matrix, read_folder_camera
from cousins.capture.formats.frame_selection import read_valid
from cousins.capture.formats.posed_frames import (
    STRUCTURED_LIGHT_SCALE,
    DepthDecoder,
    PosedFrame,
    write_posed_frames,
)
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics

_DEPTH_NAME = re.compile(r"frame-(\d{6})\.depth\.png")
_POSE_NAME = re.compile(r"frame-\d{6}\.pose\.txt")
_SHELF_FILE = "cam.info.txt"
_SHELF_POSE_HEADING = "Camera-to-world extrinsic matrix (camera pose) for frame-"
_SHELF_CAMERA_HEADING = "Color camera intrinsic matrix"
_RATE_HZ = 30.0
"""Assumed frame rate [Hz]: the formats have no timestamps, and their frames may be a selection."""
_UNKNOWN_COUNT = 65535
_KINECT_CAMERA = Intrinsics(width=640, height=480, fx=585.0, fy=585.0, cx=320.0, cy=240.0)
"""Depth camera of 7-Scenes, from its own page."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> RgbdFolderReader:
    """Return the reader."""
    return RgbdFolderReader(config or Config())


class RgbdFolderReader:
    """Reader of numbered frames with poses."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there are frame-*.pose.txt files or a cam.info.txt."""
        return _SHELF_FILE in source.names or any(_POSE_NAME.fullmatch(name) for name in source.names)

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write every frame that has depth and a pose."""
        numbers = sorted(match[1] for name in source.names if (match := _DEPTH_NAME.fullmatch(name)))
        if not numbers:
            raise CaptureError(
                f"no frame-*.depth.png in {source.label}",
                expected="depth images beside the poses",
                hint="Copy the whole sequence: colour, depth and pose of every frame.",
            )
        return (_read_shelf if _SHELF_FILE in source.names else _read_scene)(source, destination, numbers)


def _read_scene(source: ExportFiles, destination: Path, numbers: list[str]) -> Capture:
    warnings = ["Colour and depth are two cameras side by side: textures may be off by some pixels."]
    camera = read_folder_camera(source)
    if camera is None:
        warnings.append("No camera-intrinsics.txt: the camera is that of the 7-Scenes data set.")
    frames = read_valid(
        numbers, lambda number: _posed_frame(source, number, _pose(source, f"frame-{number}.pose.txt")), warnings
    )
    decoder = DepthDecoder(
        metres=lambda counts: np.where(counts == _UNKNOWN_COUNT, 0, counts) / 1000.0,
        camera=lambda _, size: camera(size) if camera is not None else _scaled_kinect_camera(size),
    )
    return write_posed_frames(
        source,
        destination,
        frames,
        decoder,
        app="RGB-D frames",
        scale=STRUCTURED_LIGHT_SCALE,
        up_source="unknown",
        timed=False,
        warnings=warnings,
    )


def _scaled_kinect_camera(size: tuple[int, int]) -> Intrinsics:
    return camera_from_matrix(
        _KINECT_CAMERA.matrix * np.array([[size[0] / 640], [size[1] / 480], [1.0]]), size, context="camera"
    )


def _read_shelf(source: ExportFiles, destination: Path, numbers: list[str]) -> Capture:
    tables = _tables(source.read(_SHELF_FILE, max_bytes=parsing.MAX_JSON_BYTES))
    k = _matrix(tables, _SHELF_CAMERA_HEADING, 3)
    warnings: list[str] = []

    def read_frame(number: str) -> PosedFrame:
        pose = _matrix(tables, _SHELF_POSE_HEADING + number, 4)
        return _posed_frame(source, number, parsing.pose(pose, context=f"{_SHELF_FILE}, frame {number}"))

    frames = read_valid(numbers, read_frame, warnings)
    decoder = DepthDecoder(
        metres=lambda counts: ((counts >> 3) | (counts << 13)).astype(np.uint16) / 10_000.0,
        camera=lambda _, size: camera_from_matrix(k, size, context=_SHELF_FILE),
    )
    return write_posed_frames(
        source,
        destination,
        frames,
        decoder,
        app="RGB-D frames",
        scale=STRUCTURED_LIGHT_SCALE,
        up_source="measured",
        timed=False,
        warnings=warnings,
    )


def _posed_frame(source: ExportFiles, number: str, pose: Array) -> PosedFrame:
    names = (f"frame-{number}.color.{ending}" for ending in ("png", "jpg"))
    color = next((name for name in names if name in source.names), None)
    return PosedFrame(
        time_s=int(number) / _RATE_HZ, world_from_camera=pose, depth=f"frame-{number}.depth.png", color=color
    )


def _pose(source: ExportFiles, name: str) -> Array:
    rows = parsing.text_rows(source.read(name, max_bytes=1 << 16), 4, context=name)
    values = [parsing.parse_float(cell, context=name) for row in rows for cell in row]
    if len(values) != 16:
        raise CaptureError(f"{name} of {len(values)} numbers", expected="16", hint="Copy the sequence again.")
    return parsing.pose(np.array(values).reshape(4, 4), context=name)


def _tables(data: bytes) -> dict[str, list[list[str]]]:
    """Return the rows of cells below each `# heading`."""
    tables: dict[str, list[list[str]]] = {}
    heading = ""
    for line in parsing.text_lines(data, context=_SHELF_FILE):
        if line.startswith("#"):
            heading = line[1:].strip()
            tables[heading] = []
        elif line:
            tables.setdefault(heading, []).append(line.split())
    return tables


def _matrix(tables: dict[str, list[list[str]]], heading: str, side: int) -> Array:
    values = [parsing.parse_float(cell, context=heading) for row in tables.get(heading, []) for cell in row]
    if len(values) != side * side:
        raise CaptureError(
            f"{_SHELF_FILE} with {len(values)} numbers below {heading!r}",
            expected=str(side * side),
            hint="Copy the sequence again.",
        )
    return np.array(values).reshape(side, side)
