"""Stray Scanner: rgb.mp4, depth/000000.png or .npy (u16 mm), confidence/000000.png, camera_matrix.csv, odometry.csv.

A row of odometry.csv is `timestamp, frame, x, y, z, qx, qy, qz, qw`, camera to world, OpenCV camera axes, world y up;
newer ones add `fx, fy, cx, cy` of the frame and a distortion centre. camera_matrix.csv is row by row, for the video, of
the last frame. The first picture may be missing from the video, so the offset between
video pictures and depth images is determined by the agreement of their edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.decoders.depth_images import decode_depth
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
_POSE_COLUMNS = ("timestamp", "frame", "x", "y", "z", "qx", "qy", "qz", "qw")
_CAMERA_COLUMNS = ("fx", "fy", "cx", "cy")
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
    depth: str
    """Name of its depth image; empty where there is none."""
    matrix: Array
    """Its camera for the video, float64 [3, 3]."""


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
        lines = _table(source)
        matrix = _matrix(source)
        warnings: list[str] = []
        rows = read_valid(range(len(lines)), lambda line: _parse_row(source, lines[line], line, matrix), warnings)
        posed = [row for row in rows if row.depth]
        if not posed:
            raise CaptureError(
                f"no depth images for {len(rows)} poses in {source.label}",
                expected="depth/000000.png, or .npy of the first versions",
                hint="Copy the whole folder of the recording.",
            )
        if len(posed) < len(rows):
            warnings.append(f"{len(rows) - len(posed)} of {len(rows)} frames have no depth and were left out.")
        rows_kept = subsample(posed, warnings)
        pictures = _pictures(source, posed, rows_kept, warnings)
        with CaptureWriter(
            destination,
            device="unknown",
            app="Stray Scanner",
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            warnings=warnings,
        ) as writer:
            read_valid(rows_kept, lambda row: _add_frame(writer, source, row, pictures), writer.warnings)
            return writer.close()


def _table(source: ExportFiles) -> list[dict[str, str]]:
    """Return the rows of the trajectory by column name; columns may be added, none may miss."""
    lines = parsing.text_lines(
        source.read(_TRAJECTORY_FILE, max_bytes=parsing.MAX_JSON_BYTES), context=_TRAJECTORY_FILE
    )
    rows = [[cell.strip() for cell in line.split(",")] for line in lines if line and not line.startswith("#")]
    header = rows[0] if rows else []
    absent = [name for name in _POSE_COLUMNS if name not in header]
    if absent or any(len(row) != len(header) for row in rows):
        raise CaptureError(
            f"{_TRAJECTORY_FILE} " + (f"without {', '.join(absent)}" if absent else "with rows of unequal length"),
            expected="columns " + ", ".join(_POSE_COLUMNS) + ", in every row",
            hint="Copy the whole folder of the recording again.",
        )
    return [dict(zip(header, row, strict=True)) for row in rows[1:]]


def _parse_row(source: ExportFiles, cells: dict[str, str], index: int, matrix: Array) -> _Row:
    context = f"{_TRAJECTORY_FILE} line {index + 2}"
    values = np.array([parsing.parse_float(cells[name], context=context) for name in _POSE_COLUMNS])
    length = float(np.linalg.norm(values[5:]))
    if abs(length - 1.0) > parsing.MAX_ROTATION_ERROR:
        raise CaptureError(
            f"{context}: quaternion of length {length:.4g}", expected="length 1", hint="Export it again."
        )
    pose = parsing.pose(rigid(rotation_from_quat_wxyz(values[[8, 5, 6, 7]]), values[2:5]), context=context)
    number = parsing.integer(float(values[1]), context=f"{context} frame", low=0, high=10**6)
    names = (f"depth/{number:06d}.{ending}" for ending in ("png", "npy"))
    if all(cells.get(name) for name in _CAMERA_COLUMNS):
        fx, fy, cx, cy = (parsing.parse_float(cells[name], context=context) for name in _CAMERA_COLUMNS)
        matrix = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    return _Row(
        index=index,
        number=number,
        time_s=float(values[0]),
        world_from_camera=np.asarray(Z_UP_FROM_Y_UP @ pose),
        depth=next((name for name in names if name in source.names), ""),
        matrix=matrix,
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
        depth = decode_depth(source.read(row.depth), context=row.depth)
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


def _add_frame(writer: CaptureWriter, source: ExportFiles, row: _Row, pictures: dict[int, bytes]) -> None:
    depth = decode_depth(source.read(row.depth), context=row.depth)
    color = pictures.get(row.index)
    size = _size(next(iter(pictures.values()), None), row.matrix, depth)
    camera = _camera(row.matrix, size)
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
