"""The canonical capture folder, or a zip of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cousins.capture.captures import Capture
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.formats.frame_selection import read_valid, subsample
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.io.capture_json import depth_from_mm, parse_capture_json, parse_frame, parse_header


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> CanonicalReader:
    """Return the reader."""
    return CanonicalReader(config or Config())


class CanonicalReader:
    """Reader of capture folders; all content is validated as untrusted input."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there is a capture.json."""
        return "capture.json" in source.names

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Copy the capture frame by frame."""
        record = parse_capture_json(source.read("capture.json", max_bytes=parsing.MAX_JSON_BYTES))
        entries = parsing.sequence(record["frames"], context="frames")
        with CaptureWriter(destination, **parse_header(record)) as writer:
            indices = subsample(
                range(len(entries)), writer.warnings, prefer=lambda i: f"rgb/{i:06d}.jpg" in source.names
            )
            read_valid(indices, lambda index: _copy_frame(writer, source, index, entries[index]), writer.warnings)
            return writer.close()


def _copy_frame(writer: CaptureWriter, source: ExportFiles, index: int, entry: object) -> None:
    context = f"frame {index}"
    timestamp_s, pose, depth_camera, color_camera = parse_frame(entry, context=context)
    depth = images.decode_gray(source.read(f"depth/{index:06d}.png"), bits=16, context=f"{context} depth")
    color = None
    if color_camera is not None:
        color = source.read(f"rgb/{index:06d}.jpg")
        images.check_decodes(color, context=f"{context} colour")
    writer.add(
        timestamp_s=timestamp_s,
        world_from_camera=pose,
        depth_camera=depth_camera,
        depth_m=depth_from_mm(depth),
        confidence=images.decode_gray(
            source.read(f"confidence/{index:06d}.png"), bits=8, context=f"{context} confidence"
        ),
        color_camera=color_camera,
        color=color,
    )
