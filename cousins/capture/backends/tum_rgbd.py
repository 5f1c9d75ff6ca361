"""TUM RGB-D: rgb.txt and depth.txt list images by time, groundtruth.txt poses; they are matched by nearest time.

A pose is `time tx ty tz qx qy qz qw`, camera to world, OpenCV axes, z up; depth is u16, 5000 counts a metre, 0 unknown
(vision.in.tum.de/data/datasets/rgbd-dataset/file_formats).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from cousins.capture.captures import Capture
from cousins.capture.decoders import parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.formats.camera_files import camera_from_matrix, read_folder_camera
from cousins.capture.formats.frame_selection import read_valid
from cousins.capture.formats.posed_frames import (
    STRUCTURED_LIGHT_SCALE,
    DepthDecoder,
    PosedFrame,
    write_posed_frames,
)
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, rigid, rotation_from_quat_wxyz

_COUNTS_PER_METRE = 5000.0
_MAX_TIME_OFFSET_S = 0.02
"""Largest time difference of matched images and poses [s]: half the time between frames at 25 Hz."""
_DEFAULT_CAMERA = Intrinsics(width=640, height=480, fx=525.0, fy=525.0, cx=319.5, cy=239.5)
"""Camera that the data set's page recommends for its registered images."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> TumRgbdReader:
    """Return the reader."""
    return TumRgbdReader(config or Config())


class TumRgbdReader:
    """Reader of sequences of the TUM benchmark."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there is a groundtruth.txt with a list of images."""
        return "groundtruth.txt" in source.names and not source.names.isdisjoint(("rgb.txt", "depth.txt"))

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write every depth image that has a pose."""
        depth_times, depth_names = _images(source, "depth.txt")
        color_times, color_names = _images(source, "rgb.txt") if "rgb.txt" in source.names else (np.zeros(0), [])
        times, poses = _poses(source)
        warnings = ["The export holds no confidence: depth was trusted everywhere."]

        def read_frame(index: int) -> PosedFrame | None:
            time_s = float(depth_times[index])
            row, picture = _nearest(times, time_s), _nearest(color_times, time_s)
            if row is None:
                return None
            return PosedFrame(
                time_s=time_s,
                world_from_camera=_pose(poses[row], context=f"groundtruth.txt at {time_s:.3f}"),
                depth=depth_names[index],
                color=None if picture is None else color_names[picture],
            )

        read_frames = read_valid(range(len(depth_names)), read_frame, warnings)
        frames = [frame for frame in read_frames if frame is not None]
        if not frames:
            raise CaptureError(
                f"{len(depth_names)} depth images and {len(poses)} poses of no common time",
                expected=f"poses within {_MAX_TIME_OFFSET_S:g} s of the depth images",
                hint="Copy depth.txt and groundtruth.txt of one sequence.",
            )
        if len(frames) < len(read_frames):
            warnings.append(
                f"{len(read_frames) - len(frames)} of {len(read_frames)} depth images have no pose and were left out."
            )
        return write_posed_frames(
            source,
            destination,
            frames,
            _depth_decoder(source, warnings),
            app="TUM RGB-D",
            scale=STRUCTURED_LIGHT_SCALE,
            up_source="declared",
            warnings=warnings,
        )


def _depth_decoder(source: ExportFiles, warnings: list[str]) -> DepthDecoder:
    camera = read_folder_camera(source)
    if camera is None:
        warnings.append("No camera.json: the camera is the data set's default, fx = fy = 525 px.")
    return DepthDecoder(
        metres=lambda counts: counts / _COUNTS_PER_METRE,
        camera=lambda _, size: camera(size) if camera is not None else _default_camera(size),
    )


def _default_camera(size: tuple[int, int]) -> Intrinsics:
    return camera_from_matrix(_DEFAULT_CAMERA.scaled(*size).matrix, size, context="camera")


def _images(source: ExportFiles, name: str) -> tuple[Array, list[str]]:
    """Return the times [n] [s], ascending, and the names of the listed images that exist."""
    entries = []
    for time_s, path in parsing.text_rows(source.read(name, max_bytes=parsing.MAX_JSON_BYTES), 2, context=name):
        relative_path = PurePosixPath(path).as_posix()
        if relative_path in source.names:
            entries.append((parsing.parse_float(time_s, context=name), relative_path))
    if not entries and name == "depth.txt":
        raise CaptureError(
            f"no depth image of depth.txt in {source.label}",
            expected="the folder depth/",
            hint="Copy the whole sequence.",
        )
    entries.sort()
    return np.array([time_s for time_s, _ in entries]), [path for _, path in entries]


def _poses(source: ExportFiles) -> tuple[Array, list[list[str]]]:
    """Return the times [n] [s], ascending, and the rows of groundtruth.txt."""
    name = "groundtruth.txt"
    rows = parsing.text_rows(source.read(name, max_bytes=parsing.MAX_JSON_BYTES), 8, context=name)
    timed = sorted(((parsing.parse_float(row[0], context=name), row) for row in rows), key=lambda item: item[0])
    return np.array([time_s for time_s, _ in timed]), [row for _, row in timed]


def _pose(row: list[str], *, context: str) -> Array:
    values = np.array([parsing.parse_float(cell, context=context) for cell in row[1:]])
    length = float(np.linalg.norm(values[3:]))
    if abs(length - 1.0) > 10.0 * parsing.MAX_ROTATION_ERROR:
        raise CaptureError(
            f"{context}: quaternion of length {length:.4g}", expected="length 1", hint="Copy the sequence again."
        )
    return parsing.pose(rigid(rotation_from_quat_wxyz(values[[6, 3, 4, 5]]), values[:3]), context=context)


def _nearest(times: Array, time_s: float) -> int | None:
    """Return the index of the nearest of ascending times [n] [s]; None where it is farther than the tolerance."""
    if len(times) == 0:
        return None
    after = int(np.searchsorted(times, time_s))
    nearest = min(
        (index for index in (after - 1, after) if 0 <= index < len(times)), key=lambda i: abs(times[i] - time_s)
    )
    return nearest if abs(times[nearest] - time_s) <= _MAX_TIME_OFFSET_S else None
