"""Stray Scanner: rgb.mp4, depth/000000.png (u16 mm), confidence/000000.png, camera_matrix.csv, odometry.csv.

A row of odometry.csv is `timestamp, frame, x, y, z, qx, qy, qz, qw`, camera to world, OpenCV camera axes, world y up;
camera_matrix.csv is row by row, for the video. The app's first picture may lie before the start of the video, so that
the video is one picture short: which picture goes with which depth is told by where their edges agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import Source
from cousins.capture.decoders.video import decode_pictures
from cousins.capture.formats.arkit import Z_UP_FROM_Y_UP
from cousins.capture.formats.frame_selection import each_good, thinned
from cousins.capture.formats.video_alignment import OFFSETS, best_offset, probes
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.io.capture_json import depth_from_mm
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, rigid, rotation_from_quat_wxyz

_TRACK, _VIDEO, _MATRIX = "odometry.csv", "rgb.mp4", "camera_matrix.csv"
_PROBE_WIDTH = 256
_WIDTHS_PX = (640, 1280, 1920, 3840)
"""Widths that phones film in [px]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Row:
    """A line of odometry.csv."""

    index: int
    """Its place among the lines: the picture it belongs to, but for the offset."""
    number: int
    """Number of its depth image."""
    time_s: float
    """Time of the recording's clock [s]."""
    world_from_camera: Array
    """Pose, float64 [4, 4], z up."""

    @property
    def depth(self) -> str:
        """Its depth image."""
        return f"depth/{self.number:06d}.png"


def build(config: Config | None = None) -> StrayReader:
    """Return the reader."""
    return StrayReader(config or Config())


class StrayReader:
    """Read a recording."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by odometry.csv and camera_matrix.csv."""
        return _TRACK in source.names and _MATRIX in source.names

    def read(self, source: Source, destination: Path) -> Capture:
        """Write every frame that has depth and a pose, with its picture of the video."""
        lines = parsing.text_rows(source.read(_TRACK, most=parsing.MAX_JSON_BYTES), 9, where=_TRACK, separator=",")
        warnings: list[str] = []
        rows = each_good(range(1, len(lines)), lambda line: _row(lines[line], line - 1), warnings)
        posed = [row for row in rows if row.depth in source.names]
        if not posed:
            raise CaptureError(
                f"no depth images for {len(rows)} poses in {source.label}",
                expected="depth/000000.png",
                hint="Copy the whole folder of the recording.",
            )
        if len(posed) < len(rows):
            warnings.append(f"{len(rows) - len(posed)} of {len(rows)} frames have no depth and were left out.")
        kept = thinned(posed, warnings)
        pictures = _pictures(source, posed, kept, warnings)
        matrix = _matrix(source)
        with CaptureWriter(
            destination,
            device="unknown",
            app="Stray Scanner",
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            warnings=warnings,
        ) as writer:
            each_good(kept, lambda row: _add_frame(writer, source, row, matrix, pictures), writer.warnings)
            return writer.close()


def _row(cells: list[str], index: int) -> _Row:
    where = f"{_TRACK} line {index + 2}"
    values = np.array([parsing.real(cell, where=where) for cell in cells])
    length = float(np.linalg.norm(values[5:]))
    if abs(length - 1.0) > parsing.MAX_ROTATION_ERROR:
        raise CaptureError(f"{where}: quaternion of length {length:.4g}", expected="length 1", hint="Export it again.")
    pose = parsing.pose(rigid(rotation_from_quat_wxyz(values[[8, 5, 6, 7]]), values[2:5]), where=where)
    return _Row(
        index=index,
        number=parsing.integer(float(values[1]), where=f"{where} frame", low=0, high=10**6),
        time_s=float(values[0]),
        world_from_camera=np.asarray(Z_UP_FROM_Y_UP @ pose),
    )


def _matrix(source: Source) -> Array:
    rows = parsing.text_rows(source.read(_MATRIX, most=1 << 16), 3, where=_MATRIX, separator=",")
    if len(rows) != 3:
        raise CaptureError(f"{_MATRIX} of {len(rows)} rows", expected="3", hint="Export the recording again.")
    return np.array([[parsing.real(cell, where=_MATRIX) for cell in row] for row in rows])


def _pictures(source: Source, posed: list[_Row], kept: list[_Row], warnings: list[str]) -> dict[int, bytes]:
    """Return the JPEG of each kept row by its index; none without a video."""
    if _VIDEO not in source.names:
        warnings.append("No rgb.mp4: the twin has no colour.")
        return {}
    video = source.read(_VIDEO)
    chosen = [posed[index] for index in probes([row.world_from_camera for row in posed])]
    wanted = [row.index + offset for row in chosen for offset in OFFSETS if row.index + offset >= 0]
    small, _ = decode_pictures(video, wanted, width=_PROBE_WIDTH, where=_VIDEO)
    pairs = []
    for row in chosen:
        near = {offset: small[row.index + offset] for offset in OFFSETS if row.index + offset in small}
        depth = images.decode_gray(source.read(row.depth), bits=16, where=row.depth)
        pairs.append((depth, {key: images.decode_color(data, where=_VIDEO) for key, data in near.items()}))
    offset, sentence = best_offset(pairs)
    warnings.append(sentence)
    numbers = [row.index + offset for row in kept if row.index + offset >= 0]
    large, _ = decode_pictures(video, numbers, width=None, where=_VIDEO)
    found = {row.index: large[row.index + offset] for row in kept if row.index + offset in large}
    if len(found) < len(kept):
        warnings.append(f"{len(kept) - len(found)} of {len(kept)} frames have no picture in the video.")
    return found


def _add_frame(writer: CaptureWriter, source: Source, row: _Row, matrix: Array, pictures: dict[int, bytes]) -> None:
    depth = images.decode_gray(source.read(row.depth), bits=16, where=row.depth)
    color = pictures.get(row.index)
    size = _size(next(iter(pictures.values()), None), matrix, depth)
    camera = _camera(matrix, size)
    check_aspect((depth.shape[1], depth.shape[0]), size, where=row.depth)
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
    """Return (width, height) [px] of the video; without one, the film size whose middle is the principal point."""
    if picture is not None:
        return images.color_size(picture, where=_VIDEO)
    width = min(_WIDTHS_PX, key=lambda width: abs(width - 2.0 * float(matrix[0, 2])))
    return width, round(width * depth.shape[0] / depth.shape[1])


def _camera(matrix: Array, size: tuple[int, int]) -> Intrinsics:
    fx, fy, cx, cy = (float(value) for value in (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]))
    return parsing.camera(width=size[0], height=size[1], fx=fx, fy=fy, cx=cx, cy=cy, where=_MATRIX)


def _confidence(writer: CaptureWriter, source: Source, row: _Row) -> Array | None:
    name = f"confidence/{row.number:06d}.png"
    if name not in source.names:
        writer.warn("Some frames have no confidence image; their depth was trusted everywhere.")
        return None
    return images.decode_gray(source.read(name), bits=8, where=name)
