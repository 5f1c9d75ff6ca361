"""Record3D, export "EXR + JPG sequence": metadata.json, depth/<i>.exr in metres, rgb/<i>.jpg."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.decoders.exr import decode_exr_depth
from cousins.capture.formats import record3d
from cousins.capture.formats.frame_selection import read_valid, subsample
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array

_DEPTH_NAME = re.compile(r"depth/(\d{1,9})\.exr")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> Record3dExrReader:
    """Return the reader."""
    return Record3dExrReader(config or Config())


class Record3dExrReader:
    """Reader of "EXR + JPG sequence" exports."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there is a metadata.json with depth/ or rgb/; `read` then reports depth of another kind."""
        return "metadata.json" in source.names and any(name.startswith(("depth/", "rgb/")) for name in source.names)

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write every frame that has depth and a pose."""
        meta = record3d.parse_metadata(source.read("metadata.json"), context="metadata.json")
        numbers = sorted({int(match[1]) for name in source.names if (match := _DEPTH_NAME.fullmatch(name))})
        if not numbers:
            raise CaptureError(
                f"no depth/*.exr in {source.label}",
                expected="depth images",
                hint="In Record3D record with the LiDAR camera and share as EXR + JPG sequence.",
            )
        warnings = ["Record3D exports no confidence: depth was trusted everywhere."]
        numbers = subsample(numbers, warnings, prefer=lambda number: f"rgb/{number}.jpg" in source.names)
        frames = read_valid(numbers, lambda number: record3d.read_frame(meta, number), warnings)
        level, sentence = record3d.leveling_rotation(meta, frames, lambda frame: _depth(source, meta, frame))
        with CaptureWriter(
            destination,
            device="unknown",
            app="Record3D",
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            gravity_known=sentence is None,
            warnings=warnings + ([] if sentence is None else [sentence]),
        ) as writer:
            read_valid(frames, lambda frame: _add_frame(writer, source, meta, frame, level), writer.warnings)
            return writer.close()


def _depth(source: ExportFiles, meta: Mapping[str, Any], frame: record3d.Record3dFrame) -> Array:
    """Return planar depth [m], float32 [h, w], of one frame."""
    name = f"depth/{frame.number}.exr"
    depth = decode_exr_depth(source.read(name), context=name)
    height, width = depth.shape
    if (meta.get("dw", width), meta.get("dh", height)) != (width, height):
        raise CaptureError(
            f"{name} of {width}×{height} px",
            expected=f"{meta.get('dw')!r:.20}×{meta.get('dh')!r:.20} as metadata.json says",
            hint="The export mixes two recordings: share it again.",
        )
    check_aspect((width, height), (frame.camera.width, frame.camera.height), context=f"frame {frame.number}")
    return depth


def _add_frame(
    writer: CaptureWriter, source: ExportFiles, meta: Mapping[str, Any], frame: record3d.Record3dFrame, level: Array
) -> None:
    depth = _depth(source, meta, frame)
    name = f"rgb/{frame.number}.jpg"
    color = source.read(name) if name in source.names else None
    if color is not None:
        images.check_decodes(color, context=name)
    writer.add(
        timestamp_s=frame.time_s,
        world_from_camera=level @ frame.world_from_camera,
        depth_camera=frame.camera.scaled(depth.shape[1], depth.shape[0]),
        depth_m=depth,
        color_camera=frame.camera if color is not None else None,
        color=color,
    )
