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
from cousins.capture.decoders.archives import Source
from cousins.capture.formats.frame_selection import each_good
from cousins.capture.formats.posed_frames import (
    STRUCTURED_LIGHT,
    Pixels,
    Shot,
    camera_of_matrix,
    folder_camera,
    write_posed,
)
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, rigid, rotation_from_quat_wxyz

_COUNTS_PER_METRE = 5000.0
_MAX_APART_S = 0.02
"""Times farther apart are not of one moment: half the time between frames at 25 per second."""
_DEFAULT = Intrinsics(width=640, height=480, fx=525.0, fy=525.0, cx=319.5, cy=239.5)
"""Camera that the data set's page advises for its registered images."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> TumRgbdReader:
    """Return the reader."""
    return TumRgbdReader(config or Config())


class TumRgbdReader:
    """Read a sequence of the TUM benchmark."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by groundtruth.txt beside a list of images."""
        return "groundtruth.txt" in source.names and not source.names.isdisjoint(("rgb.txt", "depth.txt"))

    def read(self, source: Source, destination: Path) -> Capture:
        """Write every depth image that has a pose."""
        depth_times, depth_names = _images(source, "depth.txt")
        color_times, color_names = _images(source, "rgb.txt") if "rgb.txt" in source.names else (np.zeros(0), [])
        times, poses = _poses(source)
        warnings = ["The export holds no confidence: depth was trusted everywhere."]

        def shot(index: int) -> Shot | None:
            time_s = float(depth_times[index])
            row, picture = _nearest(times, time_s), _nearest(color_times, time_s)
            if row is None:
                return None
            return Shot(
                time_s=time_s,
                world_from_camera=_pose(poses[row], where=f"groundtruth.txt at {time_s:.3f}"),
                depth=depth_names[index],
                color=None if picture is None else color_names[picture],
            )

        found = each_good(range(len(depth_names)), shot, warnings)
        shots = [item for item in found if item is not None]
        if not shots:
            raise CaptureError(
                f"{len(depth_names)} depth images and {len(poses)} poses of no common time",
                expected=f"poses within {_MAX_APART_S:g} s of the depth images",
                hint="Copy depth.txt and groundtruth.txt of one sequence.",
            )
        if len(shots) < len(found):
            warnings.append(f"{len(found) - len(shots)} of {len(found)} depth images have no pose and were left out.")
        return write_posed(
            source,
            destination,
            shots,
            _pixels(source, warnings),
            app="TUM RGB-D",
            scale=STRUCTURED_LIGHT,
            way_up="declared",
            warnings=warnings,
        )


def _pixels(source: Source, warnings: list[str]) -> Pixels:
    camera = folder_camera(source)
    if camera is None:
        warnings.append("No camera.json: the camera is the data set's default, fx = fy = 525 px.")
    return Pixels(
        metres=lambda counts: counts / _COUNTS_PER_METRE,
        camera=lambda _, size: camera(size) if camera is not None else _default(size),
    )


def _default(size: tuple[int, int]) -> Intrinsics:
    return camera_of_matrix(_DEFAULT.scaled(*size).matrix, size, where="camera")


def _images(source: Source, name: str) -> tuple[Array, list[str]]:
    """Return the times [s] [n], ascending, and the names of listed images that are there."""
    entries = []
    for time_s, path in parsing.text_rows(source.read(name, most=parsing.MAX_JSON_BYTES), 2, where=name):
        plain = PurePosixPath(path).as_posix()
        if plain in source.names:
            entries.append((parsing.real(time_s, where=name), plain))
    if not entries and name == "depth.txt":
        raise CaptureError(
            f"no depth image of depth.txt in {source.label}",
            expected="the folder depth/",
            hint="Copy the whole sequence.",
        )
    entries.sort()
    return np.array([time_s for time_s, _ in entries]), [path for _, path in entries]


def _poses(source: Source) -> tuple[Array, list[list[str]]]:
    """Return the times [s] [n], ascending, and the rows of groundtruth.txt."""
    name = "groundtruth.txt"
    rows = parsing.text_rows(source.read(name, most=parsing.MAX_JSON_BYTES), 8, where=name)
    timed = sorted(((parsing.real(row[0], where=name), row) for row in rows), key=lambda item: item[0])
    return np.array([time_s for time_s, _ in timed]), [row for _, row in timed]


def _pose(row: list[str], *, where: str) -> Array:
    values = np.array([parsing.real(cell, where=where) for cell in row[1:]])
    length = float(np.linalg.norm(values[3:]))
    if abs(length - 1.0) > 10.0 * parsing.MAX_ROTATION_ERROR:
        raise CaptureError(
            f"{where}: quaternion of length {length:.4g}", expected="length 1", hint="Copy the sequence again."
        )
    return parsing.pose(rigid(rotation_from_quat_wxyz(values[[6, 3, 4, 5]]), values[:3]), where=where)


def _nearest(times: Array, time_s: float) -> int | None:
    """Return the index of the nearest of ascending times [s], None where it is too far."""
    if len(times) == 0:
        return None
    after = int(np.searchsorted(times, time_s))
    near = min((index for index in (after - 1, after) if 0 <= index < len(times)), key=lambda i: abs(times[i] - time_s))
    return near if abs(times[near] - time_s) <= _MAX_APART_S else None
