"""Record3D, a recording as the app keeps it (`.r3d`, a zip): `metadata`, rgbd/<i>.jpg, rgbd/<i>.depth, rgbd/<i>.conf.

Depth is LZFSE of float32 metres row by row, NaN where unknown; confidence is LZFSE of bytes 0, 1, 2 and is missing in
old files, as are `dw dh`. Files processed by other tools may hold uncompressed bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, lzfse, parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.formats import record3d
from cousins.capture.formats.frame_selection import read_valid, subsample
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array

_DEPTH_NAME = re.compile(r"rgbd/(\d{1,9})\.depth")
_MAX_SIDE_PX = 2000
"""Longest side of a depth image that is accepted [px]: phones give 256 and 640."""
_LIDAR_SIZE_PX = (192, 256)
"""Short and long side of the depth image of files without `dw dh` [px]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> Record3dR3dReader:
    """Return the reader."""
    return Record3dR3dReader(config or Config())


class Record3dR3dReader:
    """Reader of `.r3d` recordings."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there is a `metadata` file with rgbd/."""
        return "metadata" in source.names and any(name.startswith("rgbd/") for name in source.names)

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write every frame that has depth and a pose."""
        meta = record3d.parse_metadata(source.read("metadata"), context="metadata")
        numbers = sorted({int(match[1]) for name in source.names if (match := _DEPTH_NAME.fullmatch(name))})
        if not numbers:
            raise CaptureError(
                f"no rgbd/*.depth in {source.label}",
                expected="depth images",
                hint="In Record3D record with the LiDAR camera and share the recording as .r3d.",
            )
        warnings: list[str] = []
        numbers = subsample(numbers, warnings, prefer=lambda number: f"rgbd/{number}.jpg" in source.names)
        frames = read_valid(numbers, lambda number: record3d.read_frame(meta, number), warnings)
        size = _depth_size(meta, frames[0])
        level, sentence = record3d.leveling_rotation(meta, frames, lambda frame: _depth(source, frame.number, size))
        with CaptureWriter(
            destination,
            device="unknown",
            app="Record3D",
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            gravity_known=sentence is None,
            warnings=warnings + ([] if sentence is None else [sentence]),
        ) as writer:
            read_valid(frames, lambda frame: _add_frame(writer, source, frame, size, level), writer.warnings)
            return writer.close()


def _depth_size(meta: Mapping[str, Any], frame: record3d.Record3dFrame) -> tuple[int, int]:
    """Return (width, height) [px] of the depth images."""
    camera = frame.camera
    if meta.get("dw") is None or meta.get("dh") is None:
        size = _LIDAR_SIZE_PX if camera.height >= camera.width else _LIDAR_SIZE_PX[::-1]
    else:
        size = (
            parsing.integer(meta["dw"], context="dw", low=1, high=_MAX_SIDE_PX),
            parsing.integer(meta["dh"], context="dh", low=1, high=_MAX_SIDE_PX),
        )
    check_aspect(size, (camera.width, camera.height), context="metadata")
    return size


def _depth(source: ExportFiles, number: int, size: tuple[int, int]) -> Array:
    """Return planar depth [m], float32 [h, w]."""
    data = _read_unpacked(source, f"rgbd/{number}.depth", 4 * size[0] * size[1])
    return np.frombuffer(data, "<f4").reshape(size[1], size[0])


def _confidence(writer: CaptureWriter, source: ExportFiles, number: int, size: tuple[int, int]) -> Array | None:
    name = f"rgbd/{number}.conf"
    if name not in source.names:
        writer.warn("Some frames have no confidence image; their depth was trusted everywhere.")
        return None
    return np.frombuffer(_read_unpacked(source, name, size[0] * size[1]), np.uint8).reshape(size[1], size[0])


def _read_unpacked(source: ExportFiles, name: str, size: int) -> bytes:
    data = source.read(name, max_bytes=size + lzfse.MAX_OVERHEAD_BYTES)
    if len(data) == size and not data.startswith(b"bvx"):
        return data
    return lzfse.decode(data, size, context=name)


def _add_frame(
    writer: CaptureWriter, source: ExportFiles, frame: record3d.Record3dFrame, size: tuple[int, int], level: Array
) -> None:
    name = f"rgbd/{frame.number}.jpg"
    color = source.read(name) if name in source.names else None
    if color is not None:
        images.check_decodes(color, context=name)
    writer.add(
        timestamp_s=frame.time_s,
        world_from_camera=level @ frame.world_from_camera,
        depth_camera=frame.camera.scaled(*size),
        depth_m=_depth(source, frame.number, size),
        confidence=_confidence(writer, source, frame.number, size),
        color_camera=frame.camera if color is not None else None,
        color=color,
    )
