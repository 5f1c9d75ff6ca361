"""NeRFCapture: transforms.json with images/<n>.png and images/<n>.depth.png.

Recordings saved on the phone have `depth_integer_scale` 1: their depth is a float map converted to eight bits per
channel and enlarged, which loses the metric values (NeRFCapture issues 10 and 17). Poses and colour alone give no twin,
so the reader rejects them with advice. Recordings streamed to a computer have `integer_depth_scale` and are read as
those of instant-ngp.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cousins.capture.backends import transforms
from cousins.capture.captures import Capture
from cousins.capture.decoders import parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.errors import CaptureError

_TRANSFORMS_FILE = "transforms.json"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> NerfCaptureReader:
    """Return the reader."""
    return NerfCaptureReader(config or Config())


class NerfCaptureReader:
    """Reader of streamed recordings; recordings saved on the phone are rejected with an explanation."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether depth images are named after colour images, as in no other export with transforms.json."""
        return _TRANSFORMS_FILE in source.names and any(
            name.startswith("images/") and name.endswith(".depth.png") for name in source.names
        )

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write a streamed recording; raises CaptureError for one saved on the phone."""
        top = parsing.mapping(
            parsing.parse_json(source.read(_TRANSFORMS_FILE), context=_TRANSFORMS_FILE), context=_TRANSFORMS_FILE
        )
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
