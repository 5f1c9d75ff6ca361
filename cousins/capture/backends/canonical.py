"""The canonical capture folder, as somebody else wrote or zipped it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cousins.capture.captures import Capture
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import Source
from cousins.capture.formats.frame_selection import each_good, thinned
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.io.capture_json import depth_from_mm, frame_of, header_of, read_record


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> CanonicalReader:
    """Return the reader."""
    return CanonicalReader(config or Config())


class CanonicalReader:
    """Read a capture folder; everything is checked as if it came from a stranger."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by capture.json."""
        return "capture.json" in source.names

    def read(self, source: Source, destination: Path) -> Capture:
        """Copy the capture frame by frame."""
        record = read_record(source.read("capture.json", most=parsing.MAX_JSON_BYTES))
        entries = parsing.sequence(record["frames"], where="frames")
        with CaptureWriter(destination, **header_of(record)) as writer:
            kept = thinned(range(len(entries)), writer.warnings, prefer=lambda i: f"rgb/{i:06d}.jpg" in source.names)
            each_good(kept, lambda index: _copy_frame(writer, source, index, entries[index]), writer.warnings)
            return writer.close()


def _copy_frame(writer: CaptureWriter, source: Source, index: int, entry: object) -> None:
    where = f"frame {index}"
    timestamp_s, pose, depth_camera, color_camera = frame_of(entry, where=where)
    depth = images.decode_gray(source.read(f"depth/{index:06d}.png"), bits=16, where=f"{where} depth")
    color = None
    if color_camera is not None:
        color = source.read(f"rgb/{index:06d}.jpg")
        images.check_decodes(color, where=f"{where} colour")
    writer.add(
        timestamp_s=timestamp_s,
        world_from_camera=pose,
        depth_camera=depth_camera,
        depth_m=depth_from_mm(depth),
        confidence=images.decode_gray(source.read(f"confidence/{index:06d}.png"), bits=8, where=f"{where} confidence"),
        color_camera=color_camera,
        color=color,
    )
