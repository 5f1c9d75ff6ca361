"""NeRFCapture: transforms.json with images/<n>.png and images/<n>.depth.png.

What the phone itself saves tells `depth_integer_scale` 1: its depth is a float map drawn through eight bits a channel
and enlarged, the metres are lost (NeRFCapture issues 10 and 17). Poses and colour alone give no twin, so the reader
says what to do instead. What was streamed to a computer tells `integer_depth_scale` and is read as instant-ngp's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cousins.capture.backends import transforms
from cousins.capture.captures import Capture
from cousins.capture.decoders import parsing
from cousins.capture.decoders.archives import Source
from cousins.errors import CaptureError

_NAME = "transforms.json"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> NerfCaptureReader:
    """Return the reader."""
    return NerfCaptureReader(config or Config())


class NerfCaptureReader:
    """Read a streamed recording; say why one that the phone saved cannot become a twin."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by depth images named after colour images, which no other writer of transforms.json does."""
        return _NAME in source.names and any(
            name.startswith("images/") and name.endswith(".depth.png") for name in source.names
        )

    def read(self, source: Source, destination: Path) -> Capture:
        """Write a streamed recording; refuse one that the phone saved."""
        top = parsing.mapping(parsing.parse_json(source.read(_NAME), where=_NAME), where=_NAME)
        if "integer_depth_scale" in top:
            return transforms.build().read(source, destination)
        frames = sum(name.endswith(".depth.png") for name in source.names)
        raise CaptureError(
            f"a NeRFCapture recording of {frames} frames in {source.label}, whose saved depth lost its metres: "
            "only its poses and colour could be used, and they make no twin",
            expected="depth in metres or millimetres",
            hint="Scan with 3D Scanner App (export all data), Record3D or Polycam (raw data); or stream from "
            "NeRFCapture to a computer (online mode), which keeps the depth.",
        )
