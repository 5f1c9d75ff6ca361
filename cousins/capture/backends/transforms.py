"""transforms.json of nerfstudio and instant-ngp, with depth.

`transform_matrix` is camera to world, row by row, OpenGL camera axes, nominally z up. Pixel (0, 0) is the *corner* of
the first pixel. Keys are per frame or at the top level. Two depth units: `depth_file_path` (nerfstudio) counts
thousandths of the pose's unit, `depth_path` (instant-ngp) counts `integer_depth_scale` of it.
`applied_scale` is the number of saved units per metre.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.decoders.depth_images import METRIC_WARNING, decode_depth, is_metric
from cousins.capture.decoders.jpeg import is_jpeg
from cousins.capture.formats.arkit import GL_FROM_CV
from cousins.capture.formats.frame_selection import read_valid, subsample
from cousins.capture.gravity import PosedDepth, level_from_surfaces
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect, natural_order
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, rigid

_TRANSFORMS_FILE = "transforms.json"
_CAMERA_MODELS = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
_DISTORTION_KEYS = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
_MAX_DISTORTION_PX = 0.5
"""Largest lens distortion that is ignored [px]: below the sharpness of a phone's picture."""
_LEVEL_FRAMES = 16
"""Number of frames from which the up direction is estimated."""
_NERFSTUDIO_UNIT = 0.001
_SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".npy", ".tiff", ".tif")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _FrameRecord:
    """One frame's record, completed with the top-level defaults."""

    record: Mapping[str, Any]
    """The merged JSON record."""
    context: str
    """Name of the frame in error messages."""
    depth: str
    """Name of the depth image in the export."""
    metres_per_count: float
    """Length of one count of the depth image [m]."""
    applied_scale: float
    """Number of saved units per metre."""
    color: str | None
    """Name of the colour image in the export."""
    pose: Array
    """`world_from_camera` [m], OpenCV axes, the export's own world."""


def build(config: Config | None = None) -> TransformsReader:
    """Return the reader."""
    return TransformsReader(config or Config())


class TransformsReader:
    """Reader of folders with transforms.json."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there is a transforms.json, without depth images named as NeRFCapture does."""
        return _TRANSFORMS_FILE in source.names and not any(
            name.startswith("images/") and name.endswith(".depth.png") for name in source.names
        )

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write every frame that has depth, with +z up."""
        top = parsing.mapping(
            parsing.parse_json(source.read(_TRANSFORMS_FILE), context=_TRANSFORMS_FILE), context=_TRANSFORMS_FILE
        )
        entries = parsing.sequence(top.get("frames"), context="frames")
        warnings: list[str] = []
        records = read_valid(
            range(len(entries)), lambda index: _frame_record(source, top, entries[index], f"frames[{index}]"), warnings
        )
        posed = _sorted_frames([frame for frame in records if frame is not None])
        frames = subsample(posed, warnings, prefer=lambda frame: frame.color is not None)
        if not frames:
            raise _no_depth(source, entries)
        if is_metric(decode_depth(source.read(frames[0].depth), context=frames[0].depth)):
            warnings.append(METRIC_WARNING)
        level, sentence = level_from_surfaces(_posed_depths(source, frames), declared_up=np.array([0.0, 0.0, 1.0]))
        with CaptureWriter(
            destination,
            device="unknown",
            app="transforms.json",
            scale=Scale(source="transforms.json", error=LIDAR_SCALE_ERROR),
            gravity_known=False,
            timed=all("timestamp" in frame.record for frame in frames),
            warnings=[sentence, "transforms.json holds no confidence: depth was trusted everywhere.", *warnings],
        ) as writer:
            if len(posed) < len(records):
                writer.warn(f"{len(records) - len(posed)} of {len(entries)} frames have no depth and were left out.")
            read_valid(
                range(len(frames)),
                lambda index: _add_frame(writer, source, frames[index], level, index),
                writer.warnings,
            )
            return writer.close()


def _no_depth(source: ExportFiles, entries: Sequence[Any]) -> CaptureError:
    """Return the error about an export none of whose frames has a depth image, with the reason."""
    paths = [entry.get("depth_file_path", entry.get("depth_path")) for entry in entries if isinstance(entry, Mapping)]
    named = [path for path in paths if isinstance(path, str)]
    if named:
        return CaptureError(
            f"none of the {len(named)} depth images that {_TRANSFORMS_FILE} names, such as {named[0][:80]!r}",
            expected="them beside it",
            hint="Copy the folder of its depth images too, beside the file.",
        )
    return CaptureError(
        f"{len(entries)} frames without depth images in {source.label}",
        expected="depth_file_path (16-bit PNG or .npy, millimetres) or depth_path with integer_depth_scale",
        hint="Export with depth, as `ns-process-data record3d` does, or scan the folder of its images alone.",
    )


def _frame_record(source: ExportFiles, top: Mapping[str, Any], entry: Any, context: str) -> _FrameRecord | None:
    """Return one frame's record, or None where its depth image is missing."""
    record = {
        **{key: value for key, value in top.items() if key != "frames"},
        **parsing.mapping(entry, context=context),
    }
    applied_scale = parsing.number(record.get("applied_scale", 1.0), context="applied_scale", low=1e-6, high=1e6)
    if record.get("depth_file_path") is not None:
        depth, unit = _find(source, record["depth_file_path"], context=context), _NERFSTUDIO_UNIT
    elif record.get("depth_path") is not None:
        depth, unit = _find(source, record["depth_path"], context=context), _ngp_unit(record)
    else:
        return None
    if depth is None:
        return None
    matrix = parsing.matrix(record.get("transform_matrix"), 4, 4, context=f"{context} transform_matrix")
    saved_pose = parsing.pose(matrix, context=f"{context} transform_matrix") @ GL_FROM_CV
    return _FrameRecord(
        record=record,
        context=context,
        depth=depth,
        metres_per_count=unit / applied_scale,
        applied_scale=applied_scale,
        color=None if record.get("file_path") is None else _find(source, record["file_path"], context=context),
        pose=rigid(saved_pose[:3, :3], saved_pose[:3, 3] / applied_scale),
    )


def _ngp_unit(record: Mapping[str, Any]) -> float:
    value = record.get("integer_depth_scale", record.get("depth_integer_scale"))
    if value is None:
        raise CaptureError(
            "depth_path without integer_depth_scale",
            expected="the length of one count of the depth image",
            hint="Add integer_depth_scale to transforms.json, 0.001 if depth is in millimetres.",
        )
    return parsing.number(value, context="integer_depth_scale", low=1e-9, high=1.0)


def _find(source: ExportFiles, path: Any, *, context: str) -> str | None:
    """Return the name of the file that a path refers to, also without its extension; None where it is missing.

    Of a path of another computer, absolute or with a drive, the last parts that lead to a file count.
    """
    text = parsing.text(path, context=f"{context} path").replace("\\", "/")
    parts = PurePosixPath(text).parts
    is_foreign = text.startswith("/") or re.match(r"[A-Za-z]:", text) is not None
    for start in range(1, len(parts)) if is_foreign else (0,):
        name = "/".join(parts[start:])
        match = next((name + suffix for suffix in _SUFFIXES if name + suffix in source.names), None)
        if match is not None:
            return match
    return None


def _sorted_frames(frames: list[_FrameRecord]) -> list[_FrameRecord]:
    """Return the frames sorted by time where every frame has one, otherwise by file name as nerfstudio does."""
    if all("timestamp" in frame.record for frame in frames):
        return sorted(frames, key=lambda frame: _time_s(frame, 0))
    return sorted(frames, key=lambda frame: natural_order(frame.depth))


def _time_s(frame: _FrameRecord, index: int) -> float:
    if "timestamp" not in frame.record:
        return index / 30.0
    return parsing.number(frame.record["timestamp"], context=f"{frame.context} timestamp")


def _posed_depths(source: ExportFiles, frames: list[_FrameRecord]) -> list[PosedDepth]:
    def posed_depth(index: int) -> PosedDepth:
        frame = frames[index]
        depth = _depth_m(source, frame)
        camera = _camera(source, frame, depth).scaled(depth.shape[1], depth.shape[0])
        return PosedDepth(world_from_camera=frame.pose, depth_camera=camera, depth_m=depth)

    indices = np.unique(np.linspace(0, len(frames) - 1, _LEVEL_FRAMES).astype(int))
    return read_valid(indices.tolist(), posed_depth, [])


def _depth_m(source: ExportFiles, frame: _FrameRecord) -> Array:
    counts = decode_depth(source.read(frame.depth), context=frame.depth)
    return counts.astype(np.float64) * (1.0 / frame.applied_scale if is_metric(counts) else frame.metres_per_count)


def _camera(source: ExportFiles, frame: _FrameRecord, depth: Array) -> Intrinsics:
    """Return the camera of the colour image, or of the depth image where there is neither colour nor a size."""
    record, context = frame.record, frame.context
    model = record.get("camera_model", "OPENCV")
    if model not in _CAMERA_MODELS:
        raise CaptureError(
            f"camera_model {model!r:.40}",
            expected="one of " + ", ".join(_CAMERA_MODELS),
            hint="Undistort the images first (`colmap image_undistorter`).",
        )
    width, height = record.get("w"), record.get("h")
    if width is None or height is None:
        by_depth = (depth.shape[1], depth.shape[0])
        width, height = (
            by_depth if frame.color is None else images.color_size(source.read(frame.color), context=frame.color)
        )
    parsing.integer(width, context=f"{context} w", low=1, high=parsing.MAX_IMAGE_SIDE_PX)
    parsing.integer(height, context=f"{context} h", low=1, high=parsing.MAX_IMAGE_SIDE_PX)
    focal = _focal_px(record, width, context=context)
    camera = parsing.camera(
        width=width,
        height=height,
        fx=focal,
        fy=record.get("fl_y", focal),
        cx=parsing.number(record.get("cx", width / 2), context=f"{context} cx") - 0.5,
        cy=parsing.number(record.get("cy", height / 2), context=f"{context} cy") - 0.5,
        context=context,
    )
    _check_undistorted(record, camera, context=context)
    check_aspect((depth.shape[1], depth.shape[0]), (camera.width, camera.height), context=context)
    return camera


def _focal_px(record: Mapping[str, Any], width: float, *, context: str) -> float:
    if record.get("fl_x") is not None:
        return parsing.number(record["fl_x"], context=f"{context} fl_x")
    angle = parsing.number(
        record.get("camera_angle_x"), context=f"{context} fl_x or camera_angle_x", low=0.01, high=3.1
    )
    return 0.5 * width / math.tan(0.5 * angle)


def _check_undistorted(record: Mapping[str, Any], camera: Intrinsics, *, context: str) -> None:
    """Raise CaptureError where lens distortion (Brown's model) displaces an image corner noticeably."""
    values = record.get("distortion_params")
    coefficients = (
        [record.get(key, 0.0) for key in _DISTORTION_KEYS]
        if values is None
        else parsing.sequence(values, context=context)
    )
    largest = max((abs(parsing.number(value, context=f"{context} distortion")) for value in coefficients), default=0.0)
    corner = math.hypot(camera.width / camera.fx, camera.height / camera.fy) / 2.0
    moved_px = largest * corner**2 * max(corner, 1.0) * max(camera.fx, camera.fy)
    if moved_px > _MAX_DISTORTION_PX:
        raise CaptureError(
            f"{context}: lens distortion of about {moved_px:.1f} px",
            expected="straight images",
            hint="Undistort the images first (`colmap image_undistorter`).",
        )


def _add_frame(writer: CaptureWriter, source: ExportFiles, frame: _FrameRecord, level: Array, index: int) -> None:
    depth = _depth_m(source, frame)
    camera = _camera(source, frame, depth)
    color: Array | bytes | None = None
    if frame.color is not None:
        data = source.read(frame.color)
        images.check_decodes(data, context=frame.color)
        camera = camera.scaled(*images.color_size(data, context=frame.color))
        color = data if is_jpeg(data) else images.decode_color(data, context=frame.color)
    writer.add(
        timestamp_s=_time_s(frame, index),
        world_from_camera=level @ frame.pose,
        depth_camera=camera.scaled(depth.shape[1], depth.shape[0]),
        depth_m=depth,
        color_camera=camera if color is not None else None,
        color=color,
    )
