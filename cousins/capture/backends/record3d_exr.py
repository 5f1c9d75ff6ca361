"""Record3D, export "EXR + JPG sequence": metadata.json, depth/<i>.exr in metres, rgb/<i>.jpg."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images
from cousins.capture.decoders.archives import Source
from cousins.capture.decoders.exr import decode_exr_depth
from cousins.capture.formats import record3d
from cousins.capture.formats.frame_selection import each_good, thinned
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array

_DEPTH = re.compile(r"depth/(\d{1,9})\.exr")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> Record3dExrReader:
    """Return the reader."""
    return Record3dExrReader(config or Config())


class Record3dExrReader:
    """Read an "EXR + JPG sequence" export."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by metadata.json beside depth/*.exr (or depth of another kind, to be able to say so)."""
        return "metadata.json" in source.names and any(name.startswith(("depth/", "rgb/")) for name in source.names)

    def read(self, source: Source, destination: Path) -> Capture:
        """Write every frame that has depth and a pose."""
        meta = record3d.parse_metadata(source.read("metadata.json"), where="metadata.json")
        numbers = sorted({int(found[1]) for name in source.names if (found := _DEPTH.fullmatch(name))})
        if not numbers:
            raise CaptureError(
                f"no depth/*.exr in {source.label}",
                expected="depth images",
                hint="In Record3D record with the LiDAR camera and share as EXR + JPG sequence.",
            )
        warnings = ["Record3D exports no confidence: depth was trusted everywhere."]
        numbers = thinned(numbers, warnings, prefer=lambda number: f"rgb/{number}.jpg" in source.names)
        shots = each_good(numbers, lambda number: record3d.shot_of(meta, number), warnings)
        level, sentence = record3d.level(meta, shots, lambda shot: _depth(source, meta, shot))
        with CaptureWriter(
            destination,
            device="unknown",
            app="Record3D",
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            gravity_known=sentence is None,
            warnings=warnings + ([] if sentence is None else [sentence]),
        ) as writer:
            each_good(shots, lambda shot: _add_frame(writer, source, meta, shot, level), writer.warnings)
            return writer.close()


def _depth(source: Source, meta: Mapping[str, Any], shot: record3d.Shot) -> Array:
    """Return one depth image [m]."""
    name = f"depth/{shot.number}.exr"
    depth = decode_exr_depth(source.read(name), where=name)
    height, width = depth.shape
    if (meta.get("dw", width), meta.get("dh", height)) != (width, height):
        raise CaptureError(
            f"{name} of {width}×{height} px",
            expected=f"{meta.get('dw')!r:.20}×{meta.get('dh')!r:.20} as metadata.json says",
            hint="The export mixes two recordings: share it again.",
        )
    check_aspect((width, height), (shot.camera.width, shot.camera.height), where=f"frame {shot.number}")
    return depth


def _add_frame(
    writer: CaptureWriter, source: Source, meta: Mapping[str, Any], shot: record3d.Shot, level: Array
) -> None:
    depth = _depth(source, meta, shot)
    name = f"rgb/{shot.number}.jpg"
    color = source.read(name) if name in source.names else None
    if color is not None:
        images.check_decodes(color, where=name)
    writer.add(
        timestamp_s=shot.time_s,
        world_from_camera=level @ shot.world_from_camera,
        depth_camera=shot.camera.scaled(depth.shape[1], depth.shape[0]),
        depth_m=depth,
        color_camera=shot.camera if color is not None else None,
        color=color,
    )
