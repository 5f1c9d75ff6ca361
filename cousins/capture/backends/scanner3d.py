"""3D Scanner App (Laan Labs), export "all data": one JSON, depth and confidence image per frame, some colour.

frame_00000.json holds `cameraPoseARFrame` (camera to world, ARKit axes, row by row), `intrinsics` (3×3, row by row,
for the colour image) and `time` [s]; depth_00000.png is u16 mm, conf_00000.png 0, 1, 2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.formats.arkit import world_from_camera_from_arkit
from cousins.capture.formats.frame_selection import read_valid, subsample
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.io.capture_json import depth_from_mm
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array

_FRAME_NAME = re.compile(r"frame_(\d{5,9})\.json")
_VERSION = re.compile(r"\d{1,4}(\.\d{1,6}){0,3}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> Scanner3dReader:
    """Return the reader."""
    return Scanner3dReader(config or Config())


class Scanner3dReader:
    """Reader of "all data" exports."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there are frame_*.json files."""
        return any(_FRAME_NAME.fullmatch(name) for name in source.names)

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write every frame that has depth."""
        numbers = sorted(match[1] for name in source.names if (match := _FRAME_NAME.fullmatch(name)))
        posed = [number for number in numbers if f"depth_{number}.png" in source.names]
        if not posed:
            raise CaptureError(
                f"{len(numbers)} frames without depth_*.png in {source.label}",
                expected="depth images",
                hint="Scan in LiDAR mode (not Photo) and choose the export named All Data.",
            )
        warnings: list[str] = []
        if len(posed) < len(numbers):
            warnings.append(f"{len(numbers) - len(posed)} of {len(numbers)} frames have no depth and were left out.")
        numbers_kept = subsample(posed, warnings, prefer=lambda number: f"frame_{number}.jpg" in source.names)
        records = dict(read_valid(numbers_kept, lambda number: (number, _read_record(source, number)), warnings))
        posed = sorted(records, key=lambda number: float(records[number]["time"]))
        with CaptureWriter(
            destination,
            device="unknown",
            app=_app(source),
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            warnings=warnings,
        ) as writer:
            size = _color_size(source, posed, records)
            read_valid(posed, lambda number: _add_frame(writer, source, number, records[number], size), writer.warnings)
            return writer.close()


def _read_record(source: ExportFiles, number: str) -> Mapping[str, Any]:
    """Return a frame's record, validated to have a numeric time."""
    name = f"frame_{number}.json"
    record = parsing.mapping(parsing.parse_json(source.read(name), context=name), context=name)
    parsing.number(record.get("time"), context=f"{name} time")
    return record


def _app(source: ExportFiles) -> str:
    if "info.json" not in source.names:
        return "3D Scanner App"
    info = parsing.mapping(parsing.parse_json(source.read("info.json"), context="info.json"), context="info.json")
    version = parsing.text(info.get("appVersionString"), context="appVersionString", default="")
    return f"3D Scanner App {version}" if _VERSION.fullmatch(version) else "3D Scanner App"


def _color_size(source: ExportFiles, posed: list[str], records: Mapping[str, Mapping[str, Any]]) -> tuple[int, int]:
    """Return (width, height) [px] of the image to which the intrinsics refer.

    It is the size of a colour image; without any it follows from the projection matrix: P[0][0] = 2 fx / w.
    """
    for number in posed:
        name = f"frame_{number}.jpg"
        if name in source.names:
            return images.color_size(source.read(name), context=name)
    context = f"frame_{posed[0]}.json projectionMatrix"
    projection = parsing.numbers(records[posed[0]].get("projectionMatrix"), 16, context=context).reshape(4, 4)
    k = _matrix(records[posed[0]], posed[0])
    for value in (projection[0, 0], projection[1, 1]):
        parsing.number(float(value), context=context, low=0.01, high=100.0)
    return round(2.0 * k[0, 0] / projection[0, 0]), round(2.0 * k[1, 1] / projection[1, 1])


def _matrix(record: Mapping[str, Any], number: str) -> Array:
    return parsing.numbers(record.get("intrinsics"), 9, context=f"frame_{number}.json intrinsics").reshape(3, 3)


def _add_frame(
    writer: CaptureWriter, source: ExportFiles, number: str, record: Mapping[str, Any], size: tuple[int, int]
) -> None:
    context = f"frame_{number}"
    pose = parsing.numbers(record.get("cameraPoseARFrame"), 16, context=f"{context}.json cameraPoseARFrame").reshape(
        4, 4
    )
    k = _matrix(record, number)
    camera = parsing.camera(
        width=size[0], height=size[1], fx=k[0, 0], fy=k[1, 1], cx=k[0, 2], cy=k[1, 2], context=f"{context}.json"
    )
    depth = images.decode_gray(source.read(f"depth_{number}.png"), bits=16, context=f"depth_{number}.png")
    check_aspect((depth.shape[1], depth.shape[0]), size, context=context)
    color = source.read(f"{context}.jpg") if f"{context}.jpg" in source.names else None
    if color is not None:
        images.check_decodes(color, context=f"{context}.jpg")
    writer.add(
        timestamp_s=float(record["time"]),
        world_from_camera=world_from_camera_from_arkit(parsing.pose(pose, context=f"{context}.json cameraPoseARFrame")),
        depth_camera=camera.scaled(depth.shape[1], depth.shape[0]),
        depth_m=depth_from_mm(depth),
        confidence=_confidence(writer, source, number),
        color_camera=camera if color is not None else None,
        color=color,
    )


def _confidence(writer: CaptureWriter, source: ExportFiles, number: str) -> Array | None:
    name = f"conf_{number}.png"
    if name not in source.names:
        writer.warn("Some frames have no confidence image; their depth was trusted everywhere.")
        return None
    return images.decode_gray(source.read(name), bits=8, context=name)
