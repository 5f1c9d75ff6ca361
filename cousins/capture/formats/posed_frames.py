"""What readers of plain folders share: one depth image a frame, its camera and pose, colour of the same view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import Source
from cousins.capture.formats.frame_selection import each_good, thinned
from cousins.capture.gravity import View, level_from_world
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.readers import check_aspect, read_color
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics

STRUCTURED_LIGHT = Scale(source="structured light", error=0.02)
"""Depth cameras with a projected pattern and only factory calibration are off by a few percent (Teichman, Miller and
Thrun, RSS 2013)."""

_LEVEL_FRAMES = 16
"""Frames looked at to find the way up."""

WayUp = Literal["told", "declared", "unknown"]
"""`told` by the device's gravity sensor, `declared` as +z by the format, or `unknown`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shot:
    """One frame without its pixels."""

    time_s: float
    """Time of the recording's clock [s]."""
    world_from_camera: Array
    """Pose, float64 [4, 4], OpenCV axes."""
    depth: str
    """Depth image in the export."""
    color: str | None
    """Colour image of the same view; None or a missing file means none."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pixels:
    """How the depth images of an export are read."""

    metres: Callable[[Array], Array]
    """Turns the counts of a 16-bit image into metres, 0 = unknown."""
    camera: Callable[[Shot, tuple[int, int]], Intrinsics]
    """Camera of a depth image of a size (width, height) [px]."""
    confidence: Callable[[Shot], Array | None] = lambda _: None
    """Confidence 0, 1, 2, or None where the export has none."""

    def depth(self, source: Source, shot: Shot) -> tuple[Array, Intrinsics]:
        """Return planar depth [m] [h, w] and its camera."""
        counts = images.decode_gray(source.read(shot.depth), bits=16, where=shot.depth)
        return self.metres(counts), self.camera(shot, (counts.shape[1], counts.shape[0]))


def write_posed(
    source: Source,
    destination: Path,
    shots: Sequence[Shot],
    pixels: Pixels,
    *,
    app: str,
    scale: Scale,
    way_up: WayUp,
    warnings: Sequence[str] = (),
) -> Capture:
    """Write the frames in order of time: thinned, levelled, broken ones left out."""
    said = list(warnings)
    ordered = sorted(shots, key=lambda shot: shot.time_s)
    kept = thinned(ordered, said, prefer=lambda shot: shot.color in source.names)
    level = np.eye(4)
    if way_up != "told":
        declared = np.array([0.0, 0.0, 1.0]) if way_up == "declared" else None
        level, sentence = level_from_world(_views(source, kept, pixels), declared_up=declared)
        said.append(sentence)
    with CaptureWriter(
        destination,
        device="unknown",
        app=app,
        scale=scale,
        gravity_known=way_up == "told",
        warnings=said,
    ) as writer:
        each_good(kept, lambda shot: _add_frame(writer, source, shot, pixels, level), writer.warnings)
        return writer.close()


def folder_camera(source: Source) -> Callable[[tuple[int, int]], Intrinsics] | None:
    """Return the camera that a folder tells, for a depth image of a size; None where it tells none.

    camera.json holds fx, fy, cx, cy, width, height; camera-intrinsics.txt the 3×3 matrix for the depth image.
    """
    if "camera.json" in source.names:
        record = parsing.mapping(
            parsing.parse_json(source.read("camera.json"), where="camera.json"), where="camera.json"
        )
        wanted = {key: record.get(key) for key in ("width", "height", "fx", "fy", "cx", "cy")}
        told = parsing.camera(**wanted, where="camera.json")
        return lambda size: _of_size(told, size)
    if "camera-intrinsics.txt" in source.names:
        rows = parsing.text_rows(source.read("camera-intrinsics.txt"), 3, where="camera-intrinsics.txt")
        if len(rows) != 3:
            raise CaptureError(
                f"camera-intrinsics.txt of {len(rows)} rows", expected="3", hint="Write the 3×3 camera matrix."
            )
        k = np.array([[parsing.real(cell, where="camera-intrinsics.txt") for cell in row] for row in rows])
        return lambda size: camera_of_matrix(k, size, where="camera-intrinsics.txt")
    return None


def camera_of_matrix(k: Array, size: tuple[int, int], *, where: str) -> Intrinsics:
    """Return the checked camera of a matrix [3, 3] for an image of a size (width, height) [px]."""
    fx, fy, cx, cy = (float(value) for value in (k[0, 0], k[1, 1], k[0, 2], k[1, 2]))
    return parsing.camera(width=size[0], height=size[1], fx=fx, fy=fy, cx=cx, cy=cy, where=where)


def _of_size(camera: Intrinsics, size: tuple[int, int]) -> Intrinsics:
    check_aspect(size, (camera.width, camera.height), where="camera.json")
    return camera.scaled(*size)


def _views(source: Source, shots: Sequence[Shot], pixels: Pixels) -> list[View]:
    def view(index: int) -> View:
        depth, camera = pixels.depth(source, shots[index])
        return View(world_from_camera=shots[index].world_from_camera, depth_camera=camera, depth_m=depth)

    chosen = np.unique(np.linspace(0, len(shots) - 1, _LEVEL_FRAMES).astype(int))
    return each_good(chosen.tolist(), view, [])


def _add_frame(writer: CaptureWriter, source: Source, shot: Shot, pixels: Pixels, level: Array) -> None:
    depth, camera = pixels.depth(source, shot)
    color = read_color(source, shot.color)
    color_camera = None
    if color is not None:
        size = images.color_size(color, where=shot.depth) if isinstance(color, bytes) else color.shape[1::-1]
        check_aspect((camera.width, camera.height), (size[0], size[1]), where=shot.depth)
        color_camera = camera.scaled(size[0], size[1])
    writer.add(
        timestamp_s=shot.time_s,
        world_from_camera=level @ shot.world_from_camera,
        depth_camera=camera,
        depth_m=depth,
        confidence=pixels.confidence(shot),
        color_camera=color_camera,
        color=color,
    )
