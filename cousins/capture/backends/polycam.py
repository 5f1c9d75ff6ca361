"""Polycam, export "raw data": keyframes/ with cameras, images, depth and confidence, one each per time in microseconds.

A camera holds `fx fy cx cy width height` [px] and `t_00` to `t_23`, rows of camera to world in ARKit axes [m].
`corrected_cameras` and `corrected_images` are results of the app's own optimisation and undistortion; they are missing
in long recordings, and may lack `width` and `height`. Depth is u16 mm, confidence 0, 127, 255.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.formats.arkit import world_from_camera_from_arkit
from cousins.capture.formats.frame_selection import read_valid, subsample
from cousins.capture.formats.undistortion_border import fill_border
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.io.capture_json import depth_from_mm
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect, read_color
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics

_DEPTH_NAME = re.compile(r"keyframes/depth/(\d{1,18})\.png")
_CORRECTED_FOLDERS = ("keyframes/corrected_cameras/", "keyframes/corrected_images/")
_TRACKED_FOLDERS = ("keyframes/cameras/", "keyframes/images/")
_CONFIDENCE_LEVELS = {0: 0, 127: 1, 255: 2}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> PolycamReader:
    """Return the reader."""
    return PolycamReader(config or Config())


class PolycamReader:
    """Reader of "raw data" exports."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there is a folder keyframes/ with cameras."""
        return any(name.startswith((_CORRECTED_FOLDERS[0], _TRACKED_FOLDERS[0])) for name in source.names)

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write every frame that has depth and a camera."""
        stems = sorted((match[1] for name in source.names if (match := _DEPTH_NAME.fullmatch(name))), key=int)
        corrected = any(f"{_CORRECTED_FOLDERS[0]}{stem}.json" in source.names for stem in stems)
        cameras, pictures = _CORRECTED_FOLDERS if corrected else _TRACKED_FOLDERS
        posed = [stem for stem in stems if f"{cameras}{stem}.json" in source.names]
        if not posed:
            raise CaptureError(
                f"{len(stems)} depth images with a camera in {source.label}",
                expected="keyframes/depth/*.png beside keyframes/cameras/*.json",
                hint="Scan in LiDAR or Room mode with developer mode on and choose the export named Raw Data.",
            )
        warnings = [] if corrected else ["No corrected cameras: the poses are those of the live tracking."]
        if len(posed) < len(stems):
            warnings.append(f"{len(stems) - len(posed)} of {len(stems)} frames have no camera and were left out.")
        stems_kept = subsample(posed, warnings, prefer=lambda stem: f"{pictures}{stem}.jpg" in source.names)
        with CaptureWriter(
            destination,
            device="unknown",
            app="Polycam",
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            warnings=warnings,
        ) as writer:
            read_valid(stems_kept, lambda stem: _add_frame(writer, source, stem, cameras, pictures), writer.warnings)
            return writer.close()


def _add_frame(writer: CaptureWriter, source: ExportFiles, stem: str, cameras: str, pictures: str) -> None:
    context = f"{cameras}{stem}.json"
    record = parsing.mapping(parsing.parse_json(source.read(context), context=context), context=context)
    rows = [[record.get(f"t_{row}{column}") for column in range(4)] for row in range(3)]
    pose = parsing.pose(parsing.matrix([*rows, [0, 0, 0, 1]], 4, 4, context=f"{context} t_00 to t_23"), context=context)
    picture = f"{pictures}{stem}.jpg"
    camera = _camera(source, record, stem, picture)
    name = f"keyframes/depth/{stem}.png"
    depth = images.decode_gray(source.read(name), bits=16, context=name)
    check_aspect((depth.shape[1], depth.shape[0]), (camera.width, camera.height), context=name)
    color = read_color(source, picture)
    if color is not None and cameras == _CORRECTED_FOLDERS[0]:
        color = _fill_border(writer, color, picture)
    writer.add(
        timestamp_s=int(stem) * 1e-6,
        world_from_camera=world_from_camera_from_arkit(pose),
        depth_camera=camera.scaled(depth.shape[1], depth.shape[0]),
        depth_m=depth_from_mm(depth),
        confidence=_confidence(writer, source, stem),
        color_camera=None if color is None else camera,
        color=color,
    )


def _fill_border(writer: CaptureWriter, color: Array | bytes, context: str) -> Array | bytes:
    """Return the image with its black undistortion border filled, or unchanged where it has none."""
    filled = fill_border(images.decode_color(color, context=context) if isinstance(color, bytes) else color)
    if filled is None:
        return color
    writer.warn("Corrected images have a black rim: it was painted with the colour beside it.")
    return filled


def _camera(source: ExportFiles, record: Mapping[str, Any], stem: str, picture: str) -> Intrinsics:
    """Return the camera of the picture; its size is from the camera record, the picture, or the tracked camera."""
    context = f"camera {stem}"
    size = (record.get("width"), record.get("height"))
    tracked = f"{_TRACKED_FOLDERS[0]}{stem}.json"
    if None in size and picture in source.names:
        size = images.color_size(source.read(picture), context=picture)
    elif None in size and tracked in source.names:
        tracked_record = parsing.mapping(parsing.parse_json(source.read(tracked), context=tracked), context=tracked)
        size = (tracked_record.get("width"), tracked_record.get("height"))
    parameters = {key: record.get(key) for key in ("fx", "fy", "cx", "cy")}
    return parsing.camera(width=size[0], height=size[1], **parameters, context=context)


def _confidence(writer: CaptureWriter, source: ExportFiles, stem: str) -> Array | None:
    name = f"keyframes/confidence/{stem}.png"
    if name not in source.names:
        writer.warn("Some frames have no confidence image; their depth was trusted everywhere.")
        return None
    raw_levels = images.decode_gray(source.read(name), bits=8, context=name)
    table = np.full(256, 3, np.uint8)
    table[list(_CONFIDENCE_LEVELS)] = list(_CONFIDENCE_LEVELS.values())
    levels = table[raw_levels]
    if levels.max(initial=0) > 2:
        raise CaptureError(
            f"{name} with other values than 0, 127, 255",
            expected="Polycam's confidence",
            hint="The export is damaged or went through another tool: export it again.",
        )
    return np.asarray(levels)
