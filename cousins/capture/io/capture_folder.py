"""Write the canonical capture folder atomically, and read it with validation of every value.

    capture.json           device, app, scale, per-frame cameras, poses and timestamps
    rgb/000000.jpg         colour, where the frame has it
    depth/000000.png       planar depth, u16 millimetres, 0 = unknown
    confidence/000000.png  0 low, 1 medium, 2 high

The same calls give the same bytes. The folder is filled under a hidden sibling name and renamed at the end, so a
killed process leaves no folder that looks complete; the next writer removes its leftovers.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from cousins.capture.captures import Capture, Frame, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.jpeg import strip_metadata
from cousins.capture.io.capture_json import (
    MAX_DEPTH_M,
    SCHEMA,
    camera_record,
    depth_to_mm,
    frame_record,
    parse_capture_json,
    parse_frame,
    parse_header,
    rounded_pose,
)
from cousins.capture.io.folder_lock import lock_work_folder
from cousins.capture.io.frame_images import ConfidenceFile, DepthFile, read_file
from cousins.errors import CaptureError, ConventionError
from cousins.geometry import Array, Intrinsics

MAX_FRAMES = 20_000
"""Maximum number of frames of one capture: five and a half minutes at 60 Hz."""
MAX_TOTAL_PIXELS = 600_000_000
"""Maximum number of depth pixels of one capture: 12 000 LiDAR frames, 3 GB in the store of a scan."""

DEFAULT_NAME = "scan"
"""Name of a capture where the user gives none: file names of exports may identify a person."""

_RGB, _DEPTH, _CONFIDENCE = "rgb/{:06d}.jpg", "depth/{:06d}.png", "confidence/{:06d}.png"


class CaptureWriter:
    """Writer of a capture folder, frame by frame; as a context manager it deletes the folder unless it was closed."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str = DEFAULT_NAME,
        device: str,
        app: str,
        scale: Scale,
        gravity_known: bool = True,
        timed: bool = True,
        warnings: Sequence[str] = (),
    ) -> None:
        """Start writing a new or empty folder; raises CaptureError where it has content or another writer."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CaptureError(
                f"something at {folder}", expected="a new or empty folder", hint="Name another folder or remove it."
            )
        self.name, self.device, self.app = name, device, app
        self.scale, self.gravity_known, self.timed = scale, gravity_known, timed
        self.warnings = list(warnings)
        self._folder = folder
        self._part = folder.with_name(f".{folder.name}.partial")
        self._frames: list[dict[str, Any]] = []
        self._start_s = 0.0
        self._last_s = 0.0
        self._depth_seen, self._far_seen = False, False
        self._pixels = 0
        self._lock: int | None = lock_work_folder(self._part)
        for part in ("rgb", "depth", "confidence"):
            (self._part / part).mkdir()

    def add(
        self,
        *,
        timestamp_s: float,
        world_from_camera: Array,
        depth_camera: Intrinsics,
        depth_m: Array,
        confidence: Array | None = None,
        color_camera: Intrinsics | None = None,
        color: Array | bytes | None = None,
    ) -> None:
        """Add the next frame in time order; colour is uint8 [h, w, 3] or a JPEG file's bytes.

        `world_from_camera` is a pose [4, 4]. `depth_m` is planar depth [m], [h, w]; values that are not finite, not
        positive or beyond 65.535 m become unknown. `confidence` is uint8 [h, w] of 0, 1, 2; None means 2 everywhere.
        """
        index = len(self._frames)
        context = f"frame {index}"
        self._pixels += depth_m.size
        _check_size_limits(index + 1, self._pixels)
        confidence_levels = np.full(depth_m.shape, 2, np.uint8) if confidence is None else confidence
        _check_pixels(depth_m, confidence_levels, depth_camera, context=context)
        rigid = parsing.pose(world_from_camera, context=f"{context} pose")
        elapsed_s = self._elapsed_s(timestamp_s, context=context)
        if color is not None:
            (self._part / _RGB.format(index)).write_bytes(_checked_color(color, color_camera, context=context))
        depth_mm = depth_to_mm(depth_m)
        self._depth_seen |= bool(depth_mm.any())
        self._far_seen |= bool((depth_m[np.isfinite(depth_m)] > MAX_DEPTH_M).any())
        (self._part / _DEPTH.format(index)).write_bytes(images.encode_gray(depth_mm))
        (self._part / _CONFIDENCE.format(index)).write_bytes(images.encode_gray(confidence_levels.astype(np.uint8)))
        self._frames.append(
            frame_record(
                timestamp_s=elapsed_s,
                world_from_camera=rigid,
                depth_camera=depth_camera,
                color_camera=None if color is None else color_camera,
            )
        )
        self._last_s = elapsed_s

    def warn(self, sentence: str) -> None:
        """Add a warning about an assumption or loss of the reader; a repeated warning is kept once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def close(self) -> Capture:
        """Write capture.json, rename the folder to its final name, and return the capture.

        Raises CaptureError where no frame has depth, ConventionError where all depth is out of range.
        """
        if self._far_seen and not self._depth_seen:
            self.abort()
            raise ConventionError(
                f"{len(self._frames)} frames whose whole depth is more than {MAX_DEPTH_M} m away",
                expected="depth in metres",
                hint="The depth counts millimetres, or another unit than the format's: divide it, or export again.",
            )
        if not self._frames or not self._depth_seen:
            self.abort()
            observed = "no frames" if not self._frames else f"{len(self._frames)} frames without any known depth"
            raise CaptureError(
                observed, expected="posed depth frames", hint="Record the scan again from 0.5 to 3 m away."
            )
        record = {
            "schema": SCHEMA,
            "name": self.name,
            "device": self.device,
            "app": self.app,
            "scale": asdict(self.scale),
            "gravity_known": self.gravity_known,
            **({} if self.timed else {"timed": False}),
            "warnings": self.warnings,
            "frames": self._frames,
        }
        (self._part / "capture.json").write_bytes((json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
        self._part.rename(self._folder)
        self._release()
        return load_capture(self._folder)

    def abort(self) -> None:
        """Delete everything written so far."""
        shutil.rmtree(self._part, ignore_errors=True)
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self.abort()

    def _elapsed_s(self, timestamp_s: float, *, context: str) -> float:
        """Return the time since the first frame, rounded to microseconds."""
        if not self._frames:
            self._start_s = timestamp_s
        elapsed_s = round(timestamp_s - self._start_s, 6)
        if not elapsed_s >= self._last_s:
            raise CaptureError(
                f"{context} at {timestamp_s} s after one at {self._start_s + self._last_s} s",
                expected="frames in time order",
                hint="The export is damaged: export it again.",
            )
        return elapsed_s

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def load_capture(folder: Path) -> Capture:
    """Read a capture folder and check it; images stay on disk until used. Raises CaptureError where it is damaged."""
    record = parse_capture_json(read_file(folder / "capture.json", max_bytes=parsing.MAX_JSON_BYTES))
    entries = parsing.sequence(record["frames"], context="frames", max_length=MAX_FRAMES)
    if not entries:
        raise CaptureError(f"no frames in {folder}", expected="at least one", hint="Ingest the export again.")
    pixels = 0
    frames = []
    for index, entry in enumerate(entries):
        frame = _load_frame(folder, index, entry)
        pixels += frame.depth_camera.width * frame.depth_camera.height
        _check_size_limits(index + 1, pixels)
        frames.append(frame)
    return Capture(frames=tuple(frames), **parse_header(record))


def capture_digest(capture: Capture) -> str:
    """Return the SHA-256 of a capture's content (device, scale, cameras, poses, pixels), not of its name or path."""
    digest = hashlib.sha256()
    head = [capture.device, capture.app, asdict(capture.scale), capture.gravity_known, list(capture.warnings)]
    head += [] if capture.timed else ["no times"]
    digest.update(json.dumps(head, ensure_ascii=False).encode())
    for frame in capture.frames:
        values = [
            round(frame.timestamp_s, 6),
            rounded_pose(frame.world_from_camera),
            camera_record(frame.depth_camera),
            None if frame.color_camera is None else camera_record(frame.color_camera),
        ]
        digest.update(json.dumps(values).encode())
        digest.update(depth_to_mm(frame.depth_m).tobytes())
        digest.update(frame.confidence.astype(np.uint8).tobytes())
        if frame.color_path is not None:
            digest.update(hashlib.sha256(frame.color_path.read_bytes()).digest())
    return digest.hexdigest()


def _load_frame(folder: Path, index: int, entry: Any) -> Frame:
    context = f"frame {index}"
    timestamp_s, world_from_camera, depth_camera, color_camera = parse_frame(entry, context=context)
    shape = (depth_camera.height, depth_camera.width)
    depth = DepthFile(path=folder / _DEPTH.format(index), shape=shape)
    confidence = ConfidenceFile(path=folder / _CONFIDENCE.format(index), shape=shape)
    _check_pixels(depth.read(), confidence.read(), depth_camera, context=context)
    color_path = None if color_camera is None else folder / _RGB.format(index)
    if color_path is not None and not color_path.is_file():
        raise CaptureError(
            f"{context} without {color_path.name}", expected="its colour", hint="Ingest the export again."
        )
    return Frame(
        index=index,
        timestamp_s=timestamp_s,
        world_from_camera=world_from_camera,
        depth_camera=depth_camera,
        depth_m=depth,
        confidence=confidence,
        color_camera=color_camera,
        color_path=color_path,
    )


def _check_size_limits(frames: int, pixels: int) -> None:
    if frames > MAX_FRAMES or pixels > MAX_TOTAL_PIXELS:
        raise CaptureError(
            f"{frames:,} frames with {pixels:,} depth pixels",
            expected=f"at most {MAX_FRAMES:,} frames and {MAX_TOTAL_PIXELS:,} pixels",
            hint="Export every second or fourth frame, or scan a smaller area.",
        )


def _check_pixels(depth: Array, confidence: Array, camera: Intrinsics, *, context: str) -> None:
    shape = (camera.height, camera.width)
    if depth.shape != shape or confidence.shape != shape:
        raise CaptureError(
            f"{context}: depth of {depth.shape} and confidence of {confidence.shape} pixels",
            expected=f"{shape} as its camera says",
            hint="The export mixes image sizes: export it again.",
        )
    if confidence.max(initial=0) > 2:
        raise CaptureError(
            f"{context}: confidence {confidence.max()}",
            expected="0, 1 or 2",
            hint="The export is damaged: export it again.",
        )


def _checked_color(color: Array | bytes, camera: Intrinsics | None, *, context: str) -> bytes:
    """Return a JPEG without metadata; raises CaptureError where its size is not that of the camera."""
    data = strip_metadata(color, context=f"{context} colour") if isinstance(color, bytes) else images.encode_jpeg(color)
    size = images.color_size(data, context=f"{context} colour")
    if camera is None or size != (camera.width, camera.height):
        raise CaptureError(
            f"{context}: colour of {size[0]}×{size[1]} px",
            expected="a colour camera of that size",
            hint="The export mixes image sizes: export it again.",
        )
    return data
