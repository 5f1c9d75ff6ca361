"""The canonical capture folder: written whole or not at all, read with every value checked.

    capture.json           device, app, scale, per-frame cameras, poses and timestamps
    rgb/000000.jpg         colour, where the frame has it
    depth/000000.png       planar depth, u16 millimetres, 0 = unknown
    confidence/000000.png  0 low, 1 medium, 2 high

The same calls give the same bytes. The folder is filled under a hidden sibling name and renamed at the end,
so a killed process leaves no capture folder that looks complete.
"""

from __future__ import annotations

import fcntl
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

from cousins.capture import images, parsing
from cousins.capture.captures import Capture, Frame, Scale
from cousins.capture.jpeg import strip_metadata
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics

SCHEMA = "cousins-capture-1"
"""Value of `schema` in capture.json."""
MAX_FRAMES = 20_000
"""Most frames of one capture: at 60 per second five and a half minutes."""
POSE_DECIMALS = 9
"""Decimals of a stored pose: far below what any tracker knows, above what differs between machines."""


class CaptureWriter:
    """Write a capture folder frame by frame; used as a context it leaves nothing behind unless closed."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        device: str,
        app: str,
        scale: Scale,
        gravity_known: bool = True,
        warnings: Sequence[str] = (),
    ) -> None:
        """Start a folder that does not exist yet, or is empty."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CaptureError(
                f"something at {folder}", expected="a new or empty folder", hint="Name another folder or remove it."
            )
        self.name, self.device, self.app = name, device, app
        self.scale, self.gravity_known, self.warnings = scale, gravity_known, list(warnings)
        self._folder = folder
        self._part = folder.with_name(f".{folder.name}.partial")
        self._frames: list[dict[str, Any]] = []
        self._start_s = 0.0
        self._last_s = 0.0
        self._lock: int | None = _claim(self._part)
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

        `depth_m` is planar depth [m] [h, w]; what is not finite, not positive or beyond 65.535 m becomes unknown.
        `confidence` is uint8 [h, w] of 0, 1, 2; None means 2 everywhere.
        """
        index = len(self._frames)
        where = f"frame {index}"
        if index >= MAX_FRAMES:
            raise CaptureError(f"more than {MAX_FRAMES} frames", expected="fewer", hint="Export fewer frames.")
        if not np.isfinite(timestamp_s) or (self._frames and timestamp_s - self._start_s < self._last_s):
            raise CaptureError(f"{where} at {timestamp_s} s", expected="frames in time order", hint="Export again.")
        trust = np.full(depth_m.shape, 2, np.uint8) if confidence is None else confidence
        shape = (depth_camera.height, depth_camera.width)
        if depth_m.shape != shape or trust.shape != shape:
            raise CaptureError(
                f"{where}: depth of {depth_m.shape} and confidence of {trust.shape} pixels",
                expected=f"{shape} as its camera says",
                hint="The export mixes image sizes: export it again.",
            )
        if trust.max(initial=0) > 2:
            raise CaptureError(f"{where}: confidence {trust.max()}", expected="0, 1 or 2", hint="Export again.")
        rigid = parsing.pose(world_from_camera, where=f"{where} pose")
        if color is not None:
            self._write_color(index, color, color_camera, where=where)
        if not self._frames:
            self._start_s = timestamp_s
        self._last_s = round(timestamp_s - self._start_s, 6)
        _write(self._part / "depth" / f"{index:06d}.png", images.encode_gray(depth_to_mm(depth_m)))
        _write(self._part / "confidence" / f"{index:06d}.png", images.encode_gray(trust.astype(np.uint8)))
        self._frames.append(
            {
                "timestamp_s": self._last_s,
                "world_from_camera": [[round(float(x), POSE_DECIMALS) + 0.0 for x in row] for row in rigid],
                "depth_camera": _camera_record(depth_camera),
                "color_camera": None if color is None or color_camera is None else _camera_record(color_camera),
            }
        )

    def warn(self, sentence: str) -> None:
        """Keep what a reader had to guess or drop; a sentence said twice is kept once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def close(self) -> Capture:
        """Write capture.json, give the folder its name and return what was written."""
        if not self._frames:
            self.abort()
            raise CaptureError("no frames", expected="at least one posed depth frame", hint="Record the scan again.")
        record = {
            "schema": SCHEMA,
            "name": self.name,
            "device": self.device,
            "app": self.app,
            "scale": asdict(self.scale),
            "gravity_known": self.gravity_known,
            "warnings": self.warnings,
            "frames": self._frames,
        }
        _write(self._part / "capture.json", (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
        self._part.rename(self._folder)
        self._release()
        return load_capture(self._folder)

    def abort(self) -> None:
        """Remove everything written so far."""
        shutil.rmtree(self._part, ignore_errors=True)
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self.abort()

    def _write_color(self, index: int, color: Array | bytes, camera: Intrinsics | None, *, where: str) -> None:
        data = strip_metadata(color, where=f"{where} colour") if isinstance(color, bytes) else images.encode_jpeg(color)
        size = images.color_size(data, where=f"{where} colour")
        if camera is None or size != (camera.width, camera.height):
            raise CaptureError(
                f"{where}: colour of {size[0]}×{size[1]} px",
                expected="a colour camera of that size",
                hint="The export mixes image sizes: export it again.",
            )
        _write(self._part / "rgb" / f"{index:06d}.jpg", data)

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def load_capture(folder: Path) -> Capture:
    """Read a capture folder into memory; colour stays on disk."""
    record = read_record(_read(folder / "capture.json", most=parsing.MAX_JSON_BYTES))
    frames = tuple(
        _load_frame(folder, index, entry)
        for index, entry in enumerate(parsing.sequence(record["frames"], where="frames", most=MAX_FRAMES))
    )
    if not frames:
        raise CaptureError(f"no frames in {folder}", expected="at least one", hint="Ingest the export again.")
    return Capture(frames=frames, **header_of(record))


def read_record(data: bytes) -> Any:
    """Parse capture.json and check its schema and keys."""
    record = parsing.mapping(parsing.parse_json(data, where="capture.json"), where="capture.json")
    if record.get("schema") != SCHEMA:
        raise CaptureError(
            f"capture.json of schema {str(record.get('schema'))[:40]!r}",
            expected=repr(SCHEMA),
            hint="Ingest the original export again with this version.",
        )
    missing = sorted({"name", "device", "app", "scale", "gravity_known", "warnings", "frames"} - set(record))
    if missing:
        raise CaptureError(f"capture.json without {missing[0]}", expected="every key", hint="Ingest the export again.")
    return record


def header_of(record: Any) -> dict[str, Any]:
    """Return what capture.json says about the whole capture, as the fields of `Capture` without its frames."""
    scale = parsing.mapping(record["scale"], where="scale")
    return {
        "name": parsing.text(record["name"], where="name"),
        "device": parsing.text(record["device"], where="device"),
        "app": parsing.text(record["app"], where="app"),
        "scale": Scale(
            source=parsing.text(scale.get("source"), where="scale source"),
            error=parsing.number(scale.get("error"), where="scale error", low=0.0, high=10.0),
        ),
        "gravity_known": record["gravity_known"] is True,
        "warnings": tuple(
            parsing.text(item, where="warning") for item in parsing.sequence(record["warnings"], where="warnings")
        ),
    }


def frame_of(entry: Any, *, where: str) -> tuple[float, Array, Intrinsics, Intrinsics | None]:
    """Return timestamp [s], pose, depth camera and colour camera of one record in capture.json."""
    values = parsing.mapping(entry, where=where)
    color = values.get("color_camera")
    return (
        parsing.number(values.get("timestamp_s"), where=f"{where} timestamp"),
        parsing.pose(
            parsing.matrix(values.get("world_from_camera"), 4, 4, where=f"{where} pose"), where=f"{where} pose"
        ),
        _camera_of(values.get("depth_camera"), where=f"{where} depth camera"),
        None if color is None else _camera_of(color, where=f"{where} colour camera"),
    )


def depth_to_mm(depth_m: Array) -> Array:
    """Return depth as uint16 millimetres [h, w]; unknown, negative and too far become 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        millimetres = np.round(np.asarray(depth_m, dtype=np.float64) * 1000.0)
        known = (millimetres > 0) & (millimetres <= 65535)
    return np.where(known, millimetres, 0).astype(np.uint16)


def depth_from_mm(depth_mm: Array) -> Array:
    """Return float32 metres of integer millimetres."""
    return (depth_mm.astype(np.float64) / 1000.0).astype(np.float32)


def capture_digest(capture: Capture) -> str:
    """Return the SHA-256 of what the capture holds (not of its name or place): cameras, poses, pixels."""
    digest = hashlib.sha256()
    head = [capture.device, capture.app, asdict(capture.scale), capture.gravity_known, list(capture.warnings)]
    digest.update(json.dumps(head, ensure_ascii=False).encode())
    for frame in capture.frames:
        color = None if frame.color_camera is None else asdict(frame.color_camera)
        pose = np.round(frame.world_from_camera, POSE_DECIMALS) + 0.0
        values = [round(frame.timestamp_s, 6), pose.tolist(), asdict(frame.depth_camera), color]
        digest.update(json.dumps(values).encode())
        digest.update(depth_to_mm(frame.depth_m).tobytes())
        digest.update(frame.confidence.astype(np.uint8).tobytes())
        if frame.color_path is not None:
            digest.update(hashlib.sha256(frame.color_path.read_bytes()).digest())
    return digest.hexdigest()


def _load_frame(folder: Path, index: int, entry: Any) -> Frame:
    where = f"frame {index}"
    timestamp_s, world_from_camera, depth_camera, color_camera = frame_of(entry, where=where)
    depth = images.decode_gray(_read(folder / "depth" / f"{index:06d}.png"), where=f"{where} depth")
    confidence = images.decode_gray(_read(folder / "confidence" / f"{index:06d}.png"), where=f"{where} confidence")
    shape = (depth_camera.height, depth_camera.width)
    if depth.shape != shape or confidence.shape != shape or confidence.max(initial=0) > 2:
        raise CaptureError(f"{where}: depth of {depth.shape} px", expected=f"{shape}", hint="Ingest the export again.")
    color_path = None if color_camera is None else folder / "rgb" / f"{index:06d}.jpg"
    if color_path is not None and not color_path.is_file():
        raise CaptureError(f"{where} without {color_path.name}", expected="its colour", hint="Ingest the export again.")
    return Frame(
        index=index,
        timestamp_s=timestamp_s,
        world_from_camera=world_from_camera,
        depth_camera=depth_camera,
        depth_m=depth_from_mm(depth),
        confidence=confidence.astype(np.uint8),
        color_camera=color_camera,
        color_path=color_path,
    )


def _camera_record(camera: Intrinsics) -> dict[str, Any]:
    return {key: round(value, 6) for key, value in asdict(camera).items()}


def _camera_of(value: Any, *, where: str) -> Intrinsics:
    record = parsing.mapping(value, where=where)
    wanted = ("width", "height", "fx", "fy", "cx", "cy")
    return parsing.camera(**{key: record.get(key) for key in wanted}, where=where)


def _claim(part: Path) -> int:
    """Make an empty working folder, take its lock and return it; what a killed process left there is removed."""
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.exists():
        shutil.rmtree(part) if _unlocked(part) else None
    try:
        part.mkdir()
    except FileExistsError as error:
        raise CaptureError(
            f"another process writing {part}", expected="one writer", hint="Wait for it or name another folder."
        ) from error
    lock = os.open(part, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def _unlocked(part: Path) -> bool:
    lock = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _read(path: Path, *, most: int = 256 << 20) -> bytes:
    try:
        if path.stat().st_size > most:
            raise CaptureError(f"{path.name} above {most:,} bytes", expected="less", hint="Ingest the export again.")
        return path.read_bytes()
    except OSError as error:
        raise CaptureError(
            f"no readable {path.parent.name}/{path.name}",
            expected="a whole capture folder",
            hint="Ingest the export again.",
        ) from error


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
