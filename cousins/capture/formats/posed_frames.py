"""Write captures from folders with one depth image per frame, its camera and pose, and optional colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.decoders.depth_images import METRIC_WARNING, decode_depth, is_metric
from cousins.capture.formats.frame_selection import read_valid, subsample
from cousins.capture.gravity import PosedDepth, level_from_surfaces
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.readers import check_aspect, read_color
from cousins.geometry import Array, Intrinsics

STRUCTURED_LIGHT_SCALE = Scale(source="structured light", error=0.02)
"""Scale of structured-light cameras with factory calibration only, which are off by a few percent (Teichman, Miller and
Thrun, RSS 2013)."""

_LEVEL_FRAMES = 16
"""Number of frames from which the up direction is estimated."""

UpSource = Literal["measured", "declared", "unknown"]
"""Origin of the up direction: `measured` by the gravity sensor, `declared` as +z by the format, or `unknown`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PosedFrame:
    """File names, time and pose of one frame, without its pixels."""

    time_s: float
    """Timestamp of the recording's clock [s]."""
    world_from_camera: Array
    """Pose, float64 [4, 4], OpenCV axes."""
    depth: str
    """Name of the depth image in the export."""
    color: str | None
    """Name of the colour image of the same view; None or a missing file means no colour."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DepthDecoder:
    """Decoder of the depth images of an export."""

    metres: Callable[[Array], Array]
    """Converts the counts of a depth image [h, w] to metres, 0 = unknown."""
    camera: Callable[[PosedFrame, tuple[int, int]], Intrinsics]
    """Returns the camera of a depth image of a size (width, height) [px]."""
    confidence: Callable[[PosedFrame], Array | None] = lambda _: None
    """Returns the confidence 0, 1, 2, uint8 [h, w], or None where the export has none."""

    def depth(self, source: ExportFiles, frame: PosedFrame) -> tuple[Array, Intrinsics]:
        """Return planar depth [m] [h, w] and its camera."""
        counts = decode_depth(source.read(frame.depth), context=frame.depth)
        depth_m = counts if is_metric(counts) else self.metres(counts)
        return depth_m, self.camera(frame, (counts.shape[1], counts.shape[0]))


def write_posed_frames(
    source: ExportFiles,
    destination: Path,
    frames: Sequence[PosedFrame],
    decoder: DepthDecoder,
    *,
    app: str,
    scale: Scale,
    up_source: UpSource,
    timed: bool = True,
    warnings: Sequence[str] = (),
) -> Capture:
    """Write the frames in order of time as a capture: subsampled, with +z up, without broken frames."""
    all_warnings = list(warnings)
    ordered = sorted(frames, key=lambda frame: frame.time_s)
    selected = subsample(ordered, all_warnings, prefer=lambda frame: frame.color in source.names)
    if selected and is_metric(decode_depth(source.read(selected[0].depth), context=selected[0].depth)):
        all_warnings.append(METRIC_WARNING)
    level = np.eye(4)
    if up_source != "measured":
        declared = np.array([0.0, 0.0, 1.0]) if up_source == "declared" else None
        level, sentence = level_from_surfaces(_posed_depths(source, selected, decoder), declared_up=declared)
        all_warnings.append(sentence)
    with CaptureWriter(
        destination,
        device="unknown",
        app=app,
        scale=scale,
        gravity_known=up_source == "measured",
        timed=timed,
        warnings=all_warnings,
    ) as writer:
        read_valid(selected, lambda frame: _add_frame(writer, source, frame, decoder, level), writer.warnings)
        return writer.close()


def _posed_depths(source: ExportFiles, frames: Sequence[PosedFrame], decoder: DepthDecoder) -> list[PosedDepth]:
    def posed_depth(index: int) -> PosedDepth:
        depth, camera = decoder.depth(source, frames[index])
        return PosedDepth(world_from_camera=frames[index].world_from_camera, depth_camera=camera, depth_m=depth)

    indices = np.unique(np.linspace(0, len(frames) - 1, _LEVEL_FRAMES).astype(int))
    return read_valid(indices.tolist(), posed_depth, [])


def _add_frame(
    writer: CaptureWriter, source: ExportFiles, frame: PosedFrame, decoder: DepthDecoder, level: Array
) -> None:
    depth, camera = decoder.depth(source, frame)
    color = read_color(source, frame.color)
    color_camera = None
    if color is not None:
        size = images.color_size(color, context=frame.depth) if isinstance(color, bytes) else color.shape[1::-1]
        check_aspect((camera.width, camera.height), (size[0], size[1]), context=frame.depth)
        color_camera = camera.scaled(size[0], size[1])
    writer.add(
        timestamp_s=frame.time_s,
        world_from_camera=level @ frame.world_from_camera,
        depth_camera=camera,
        depth_m=depth,
        confidence=decoder.confidence(frame),
        color_camera=color_camera,
        color=color,
    )
