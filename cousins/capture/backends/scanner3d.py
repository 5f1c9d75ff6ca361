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
from cousins.capture.decoders.archives import Source
from cousins.capture.formats.arkit import world_from_camera_of_arkit
from cousins.capture.formats.frame_selection import each_good, thinned
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.io.capture_json import depth_from_mm
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array

_FRAME = re.compile(r"frame_(\d{5,9})\.json")
_VERSION = re.compile(r"\d{1,4}(\.\d{1,6}){0,3}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> Scanner3dReader:
    """Return the reader."""
    return Scanner3dReader(config or Config())


class Scanner3dReader:
    """Read an "all data" export."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by frame_*.json next to each other."""
        return any(_FRAME.fullmatch(name) for name in source.names)

    def read(self, source: Source, destination: Path) -> Capture:
        """Write every frame that has depth."""
        numbers = sorted(found[1] for name in source.names if (found := _FRAME.fullmatch(name)))
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
        kept = thinned(posed, warnings, prefer=lambda number: f"frame_{number}.jpg" in source.names)
        records = dict(each_good(kept, lambda number: (number, _record(source, number)), warnings))
        posed = sorted(records, key=lambda number: float(records[number]["time"]))
        with CaptureWriter(
            destination,
            device="unknown",
            app=_app(source),
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            warnings=warnings,
        ) as writer:
            size = _color_size(source, posed, records)
            each_good(posed, lambda number: _add_frame(writer, source, number, records[number], size), writer.warnings)
            return writer.close()


def _record(source: Source, number: str) -> Mapping[str, Any]:
    """Return a frame's record; its time is a number."""
    name = f"frame_{number}.json"
    record = parsing.mapping(parsing.parse_json(source.read(name), where=name), where=name)
    parsing.number(record.get("time"), where=f"{name} time")
    return record


def _app(source: Source) -> str:
    if "info.json" not in source.names:
        return "3D Scanner App"
    info = parsing.mapping(parsing.parse_json(source.read("info.json"), where="info.json"), where="info.json")
    version = parsing.text(info.get("appVersionString"), where="appVersionString", default="")
    return f"3D Scanner App {version}" if _VERSION.fullmatch(version) else "3D Scanner App"


def _color_size(source: Source, posed: list[str], records: Mapping[str, Mapping[str, Any]]) -> tuple[int, int]:
    """Return (width, height) [px] of the image that the intrinsics are for.

    A colour image tells; without any, the projection matrix does: P[0][0] = 2 fx / w.
    """
    for number in posed:
        name = f"frame_{number}.jpg"
        if name in source.names:
            return images.color_size(source.read(name), where=name)
    where = f"frame_{posed[0]}.json projectionMatrix"
    projection = parsing.numbers(records[posed[0]].get("projectionMatrix"), 16, where=where).reshape(4, 4)
    k = _matrix(records[posed[0]], posed[0])
    for value in (projection[0, 0], projection[1, 1]):
        parsing.number(float(value), where=where, low=0.01, high=100.0)
    return round(2.0 * k[0, 0] / projection[0, 0]), round(2.0 * k[1, 1] / projection[1, 1])


def _matrix(record: Mapping[str, Any], number: str) -> Array:
    return parsing.numbers(record.get("intrinsics"), 9, where=f"frame_{number}.json intrinsics").reshape(3, 3)


def _add_frame(
    writer: CaptureWriter, source: Source, number: str, record: Mapping[str, Any], size: tuple[int, int]
) -> None:
    where = f"frame_{number}"
    pose = parsing.numbers(record.get("cameraPoseARFrame"), 16, where=f"{where}.json cameraPoseARFrame").reshape(4, 4)
    k = _matrix(record, number)
    camera = parsing.camera(
        width=size[0], height=size[1], fx=k[0, 0], fy=k[1, 1], cx=k[0, 2], cy=k[1, 2], where=f"{where}.json"
    )
    depth = images.decode_gray(source.read(f"depth_{number}.png"), bits=16, where=f"depth_{number}.png")
    check_aspect((depth.shape[1], depth.shape[0]), size, where=where)
    color = source.read(f"{where}.jpg") if f"{where}.jpg" in source.names else None
    if color is not None:
        images.check_decodes(color, where=f"{where}.jpg")
    writer.add(
        timestamp_s=float(record["time"]),
        world_from_camera=world_from_camera_of_arkit(parsing.pose(pose, where=f"{where}.json cameraPoseARFrame")),
        depth_camera=camera.scaled(depth.shape[1], depth.shape[0]),
        depth_m=depth_from_mm(depth),
        confidence=_confidence(writer, source, number),
        color_camera=camera if color is not None else None,
        color=color,
    )


def _confidence(writer: CaptureWriter, source: Source, number: str) -> Array | None:
    name = f"conf_{number}.png"
    if name not in source.names:
        writer.warn("Some frames have no confidence image; their depth was trusted everywhere.")
        return None
    return images.decode_gray(source.read(name), bits=8, where=name)
