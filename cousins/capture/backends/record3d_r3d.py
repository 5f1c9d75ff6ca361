"""Record3D, a recording as the app keeps it (`.r3d`, a zip): `metadata`, rgbd/<i>.jpg, rgbd/<i>.depth, rgbd/<i>.conf.

Depth is LZFSE of float32 metres row by row, NaN where unknown; confidence is LZFSE of bytes 0, 1, 2 and is missing in
old files, as are `dw dh`. Files that went through other tools hold the bytes as they are.
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
from cousins.capture.decoders.archives import Source
from cousins.capture.formats import record3d
from cousins.capture.formats.frame_selection import each_good, thinned
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array

_DEPTH = re.compile(r"rgbd/(\d{1,9})\.depth")
_MAX_SIDE_PX = 2000
"""Longest side of a depth image that is believed [px]: phones give 256 and 640."""
_LIDAR_PX = (192, 256)
"""Short and long side of the depth image of files that do not tell it [px]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> Record3dR3dReader:
    """Return the reader."""
    return Record3dR3dReader(config or Config())


class Record3dR3dReader:
    """Read a `.r3d` recording."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by `metadata` beside rgbd/."""
        return "metadata" in source.names and any(name.startswith("rgbd/") for name in source.names)

    def read(self, source: Source, destination: Path) -> Capture:
        """Write every frame that has depth and a pose."""
        meta = record3d.parse_metadata(source.read("metadata"), where="metadata")
        numbers = sorted({int(found[1]) for name in source.names if (found := _DEPTH.fullmatch(name))})
        if not numbers:
            raise CaptureError(
                f"no rgbd/*.depth in {source.label}",
                expected="depth images",
                hint="In Record3D record with the LiDAR camera and share the recording as .r3d.",
            )
        warnings: list[str] = []
        numbers = thinned(numbers, warnings, prefer=lambda number: f"rgbd/{number}.jpg" in source.names)
        shots = each_good(numbers, lambda number: record3d.shot_of(meta, number), warnings)
        size = _depth_size(meta, shots[0])
        level, sentence = record3d.level(meta, shots, lambda shot: _depth(source, shot.number, size))
        with CaptureWriter(
            destination,
            device="unknown",
            app="Record3D",
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            gravity_known=sentence is None,
            warnings=warnings + ([] if sentence is None else [sentence]),
        ) as writer:
            each_good(shots, lambda shot: _add_frame(writer, source, shot, size, level), writer.warnings)
            return writer.close()


def _depth_size(meta: Mapping[str, Any], shot: record3d.Shot) -> tuple[int, int]:
    """Return (width, height) [px] of the depth images."""
    camera = shot.camera
    if meta.get("dw") is None or meta.get("dh") is None:
        size = _LIDAR_PX if camera.height >= camera.width else _LIDAR_PX[::-1]
    else:
        size = (
            parsing.integer(meta["dw"], where="dw", low=1, high=_MAX_SIDE_PX),
            parsing.integer(meta["dh"], where="dh", low=1, high=_MAX_SIDE_PX),
        )
    check_aspect(size, (camera.width, camera.height), where="metadata")
    return size


def _depth(source: Source, number: int, size: tuple[int, int]) -> Array:
    """Return planar depth [m], float32 [h, w]."""
    data = _unpacked(source, f"rgbd/{number}.depth", 4 * size[0] * size[1])
    return np.frombuffer(data, "<f4").reshape(size[1], size[0])


def _confidence(writer: CaptureWriter, source: Source, number: int, size: tuple[int, int]) -> Array | None:
    name = f"rgbd/{number}.conf"
    if name not in source.names:
        writer.warn("Some frames have no confidence image; their depth was trusted everywhere.")
        return None
    return np.frombuffer(_unpacked(source, name, size[0] * size[1]), np.uint8).reshape(size[1], size[0])


def _unpacked(source: Source, name: str, size: int) -> bytes:
    data = source.read(name, most=size + lzfse.MAX_OVERHEAD_BYTES)
    if len(data) == size and not data.startswith(b"bvx"):
        return data
    return lzfse.decode(data, size, where=name)


def _add_frame(writer: CaptureWriter, source: Source, shot: record3d.Shot, size: tuple[int, int], level: Array) -> None:
    name = f"rgbd/{shot.number}.jpg"
    color = source.read(name) if name in source.names else None
    if color is not None:
        images.check_decodes(color, where=name)
    writer.add(
        timestamp_s=shot.time_s,
        world_from_camera=level @ shot.world_from_camera,
        depth_camera=shot.camera.scaled(*size),
        depth_m=_depth(source, shot.number, size),
        confidence=_confidence(writer, source, shot.number, size),
        color_camera=shot.camera if color is not None else None,
        color=color,
    )
