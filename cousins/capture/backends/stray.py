"""Stray Scanner: rgb.mp4, depth/000000.png (u16 mm), confidence/000000.png, camera_matrix.csv, odometry.csv.

A row of odometry.csv is `timestamp, frame, x, y, z, qx, qy, qz, qw`, camera to world, OpenCV camera axes, world y up;
camera_matrix.csv is row by row, for the video. The first picture may be missing from the video, so the offset between
video pictures and depth images is determined by the agreement of their edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.decoders.video import decode_pictures
from cousins.capture.formats.arkit import Z_UP_FROM_Y_UP
from cousins.capture.formats.frame_selection import read_valid, subsample
from cousins.capture.formats.video_alignment import PICTURE_OFFSETS, best_offset, fastest_turning_frames
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.io.capture_json import depth_from_mm
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, rigid, rotation_from_quat_wxyz

_TRAJECTORY_FILE, _VIDEO_FILE, _MATRIX_FILE = "odometry.csv", "rgb.mp4", "camera_matrix.csv"
_PROBE_WIDTH_PX = 256
_VIDEO_WIDTHS_PX = (640, 1280, 1920, 3840)
"""Video widths of phones [px]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Row:
    """One line of odometry.csv."""

    index: int
    """Line number, from 0: the number of its video picture, up to the offset."""
    number: int
    """Number of its depth image."""
    time_s: float
    """Timestamp of the recording's clock [s]."""
    world_from_camera: Array
    """Pose, float64 [4, 4], z up."""

    @property
    def depth(self) -> str:
        """Name of its depth image."""
        return f"depth/{self.number:06d}.png"


def build(config: Config | None = None) -> StrayReader:
    """Return the reader."""
    return StrayReader(config or Config())


class StrayReader:
    """Reader of Stray Scanner recordings."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there are odometry.csv and camera_matrix.csv."""
        return _TRAJECTORY_FILE in source.names and _MATRIX_FILE in source.names

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write every frame that has depth and a pose, with its picture of the video."""
        lines = parsing.text_rows(
            source.read(_TRAJECTORY_FILE, max_bytes=parsing.MAX_JSON_BYTES), 9, context=_TRAJECTORY_FILE, separator=","
        )
        warnings: list[str] = []
        rows = read_valid(range(1, len(lines)), lambda line: _parse_row(lines[line], line - 1), warnings)
        posed = [row for row in rows if row.depth in source.names]
        if not posed:
            raise CaptureError(
                f"no depth images for {len(rows)} poses in {source.label}",
                expected="depth/000000.png",
                hint="Copy the whole folder of the recording.",
            )
        if len(posed) < len(rows):
            warnings.append(f"{len(rows) - len(posed)} of {len(rows)} frames have no depth and were left out.")
        rows_kept = subsample(posed, warnings)
        pictures = _pictures(source, posed, rows_kept, warnings)
        matrix = _matrix(source)
        with CaptureWriter(
            destination,
            device="unknown",
            app="Stray Scanner",
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            warnings=warnings,
        ) as writer:
            read_valid(rows_kept, lambda row: _add_frame(writer, source, row, matrix, pictures), writer.warnings)
            return writer.close()


def _parse_row(cells: list[str], index: int) -> _Row:
    context = f"{_TRAJECTORY_FILE} line {index + 2}"
    values = np.array([parsing.parse_float(cell, context=context) for cell in cells])
    length = float(np.linalg.norm(values[5:]))
    if abs(length - 1.0) > parsing.MAX_ROTATION_ERROR:
        raise CaptureError(
            f"{context}: quaternion of length {length:.4g}", expected="length 1", hint="Export it again."
        )
    pose = parsing.pose(rigid(rotation_from_quat_wxyz(values[[8, 5, 6, 7]]), values[2:5]), context=context)
    return _Row(
        index=index,
        number=parsing.integer(float(values[1]), context=f"{context} frame", low=0, high=10**6),
        time_s=float(values[0]),
        world_from_camera=np.asarray(Z_UP_FROM_Y_UP @ pose),
    )


def _matrix(source: ExportFiles) -> Array:
    rows = parsing.text_rows(source.read(_MATRIX_FILE, max_bytes=1 << 16), 3, context=_MATRIX_FILE, separator=",")
    if len(rows) != 3:
        raise CaptureError(f"{_MATRIX_FILE} of {len(rows)} rows", expected="3", hint="Export the recording again.")
    return np.array([[parsing.parse_float(cell, context=_MATRIX_FILE) for cell in row] for row in rows])


def _pictures(source: ExportFiles, posed: list[_Row], rows_kept: list[_Row], warnings: list[str]) -> dict[int, bytes]:
    """Return the JPEG of each kept row by its index; empty without a video."""
    if _VIDEO_FILE not in source.names:
        warnings.append("No rgb.mp4: the twin has no colour.")
        return {}
    video = source.read(_VIDEO_FILE)
    probe_rows = [posed[index] for index in fastest_turning_frames([row.world_from_camera for row in posed])]
    probe_numbers = [row.index + offset for row in probe_rows for offset in PICTURE_OFFSETS if row.index + offset >= 0]
    probe_jpegs, _ = decode_pictures(video, probe_numbers, width=_PROBE_WIDTH_PX, context=_VIDEO_FILE)
    pairs = []
    for row in probe_rows:
        jpegs_by_offset = {
            offset: probe_jpegs[row.index + offset] for offset in PICTURE_OFFSETS if row.index + offset in probe_jpegs
        }
        depth = images.decode_gray(source.read(row.depth), bits=16, context=row.depth)
        pairs.append(
            (depth, {key: images.decode_color(data, context=_VIDEO_FILE) for key, data in jpegs_by_offset.items()})
        )
    offset, sentence = best_offset(pairs)
    warnings.append(sentence)
    numbers = [row.index + offset for row in rows_kept if row.index + offset >= 0]
    full_jpegs, _ = decode_pictures(video, numbers, width=None, context=_VIDEO_FILE)
    jpegs = {row.index: full_jpegs[row.index + offset] for row in rows_kept if row.index + offset in full_jpegs}
    if len(jpegs) < len(rows_kept):
        warnings.append(f"{len(rows_kept) - len(jpegs)} of {len(rows_kept)} frames have no picture in the video.")
    return jpegs


def _add_frame(
    writer: CaptureWriter, source: ExportFiles, row: _Row, matrix: Array, pictures: dict[int, bytes]
) -> None:
    depth = images.decode_gray(source.read(row.depth), bits=16, context=row.depth)
    color = pictures.get(row.index)
    size = _size(next(iter(pictures.values()), None), matrix, depth)
    camera = _camera(matrix, size)
    check_aspect((depth.shape[1], depth.shape[0]), size, context=row.depth)
    writer.add(
        timestamp_s=row.time_s,
        world_from_camera=row.world_from_camera,
        depth_camera=camera.scaled(depth.shape[1], depth.shape[0]),
        depth_m=depth_from_mm(depth),
        confidence=_confidence(writer, source, row),
        color_camera=None if color is None else camera,
        color=color,
    )


def _size(picture: bytes | None, matrix: Array, depth: Array) -> tuple[int, int]:
    """Return (width, height) [px] of the video; without one, the video size whose centre is the principal point."""
    if picture is not None:
        return images.color_size(picture, context=_VIDEO_FILE)
    width = min(_VIDEO_WIDTHS_PX, key=lambda width: abs(width - 2.0 * float(matrix[0, 2])))
    return width, round(width * depth.shape[0] / depth.shape[1])


def _camera(matrix: Array, size: tuple[int, int]) -> Intrinsics:
    fx, fy, cx, cy = (float(value) for value in (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]))
    return parsing.camera(width=size[0], height=size[1], fx=fx, fy=fy, cx=cx, cy=cy, context=_MATRIX_FILE)


def _confidence(writer: CaptureWriter, source: ExportFiles, row: _Row) -> Array | None:
    name = f"confidence/{row.number:06d}.png"
    if name not in source.names:
        writer.warn("Some frames have no confidence image; their depth was trusted everywhere.")
        return None
    return images.decode_gray(source.read(name), bits=8, context=name)
