"""ARKitScenes (Apple): lowres_wide, lowres_depth and confidence at 60 Hz, a .pincam each, one .traj.

Files are `<video>_<time .3f>.png`; a .pincam is `w h fx fy cx cy`; a line of the .traj is `time rx ry rz tx ty tz`,
*world to camera*, axis times angle [rad] and metres, OpenCV axes, z up. Depth is u16 mm, confidence 0, 1, 2
(ARKitScenes, DATA.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.formats.camera_files import camera_from_matrix
from cousins.capture.formats.frame_selection import read_valid
from cousins.capture.formats.posed_frames import DepthDecoder, PosedFrame, write_posed_frames
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, invert, rigid, rotation_about

_DEPTH_NAME = re.compile(r"lowres_depth/(?P<stem>\d+_(?P<time>\d{1,9}\.\d{3}))\.png")
_TRAJECTORY_NAME = re.compile(r"[^/]+\.traj")
_MAX_RATE_HZ = 10.0
"""Maximum frame rate [Hz]: a higher rate shows the same surface again."""
_MAX_CAMERA_OFFSET_MS = 1
"""Largest difference between the times of an image and its camera file: times are rounded to milliseconds."""
_MAX_POSE_OFFSET_S = 0.005


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> ArkitScenesReader:
    """Return the reader."""
    return ArkitScenesReader(config or Config())


class ArkitScenesReader:
    """Reader of one video of the data set."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there is a .traj file with a low-resolution image folder."""
        tracked = any(_TRAJECTORY_NAME.fullmatch(name) for name in source.names)
        return tracked and any(name.startswith(("lowres_depth/", "lowres_wide")) for name in source.names)

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write the frames that have depth and a pose, at most ten per second."""
        depth_matches = [match for name in sorted(source.names) if (match := _DEPTH_NAME.fullmatch(name))]
        if not depth_matches:
            raise CaptureError(
                f"no lowres_depth/*.png in {source.label}",
                expected="depth images",
                hint="Download the asset lowres_depth of this video too.",
            )
        times, rows = _read_trajectory(source)
        timed = sorted((float(match["time"]), match["stem"]) for match in depth_matches)
        warnings: list[str] = []
        tracked = _match_poses(timed, times, warnings)
        limited = _limit_rate(tracked, warnings)

        def read_frame(item: tuple[float, str]) -> PosedFrame:
            pose = _pose(rows[int(np.argmin(np.abs(times - item[0])))], context=f".traj at {item[0]:.3f}")
            return PosedFrame(
                time_s=item[0],
                world_from_camera=pose,
                depth=f"lowres_depth/{item[1]}.png",
                color=_color(source, item[1]),
            )

        decoder = DepthDecoder(
            metres=lambda counts: counts / 1000.0,
            camera=lambda frame, size: _camera(source, frame, size),
            confidence=lambda frame: _confidence(source, frame),
        )
        return write_posed_frames(
            source,
            destination,
            read_valid(limited, read_frame, warnings),
            decoder,
            app="ARKitScenes",
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            up_source="measured",
            warnings=warnings,
        )


def _read_trajectory(source: ExportFiles) -> tuple[Array, list[list[str]]]:
    """Return the times [n] [s] and the rows of the .traj file."""
    name = min(name for name in source.names if _TRAJECTORY_NAME.fullmatch(name))
    rows = parsing.text_rows(source.read(name, max_bytes=parsing.MAX_JSON_BYTES), 7, context=name)
    if not rows:
        raise CaptureError(f"{name} without poses", expected="poses", hint="Download the .traj again.")
    return np.array([parsing.parse_float(row[0], context=name) for row in rows]), rows


def _match_poses(timed: list[tuple[float, str]], times: Array, warnings: list[str]) -> list[tuple[float, str]]:
    """Return the (time, stem) of images near a pose in time; warn with the count of the others."""
    tracked = [item for item in timed if np.abs(times - item[0]).min() < _MAX_POSE_OFFSET_S]
    if not tracked:
        raise CaptureError(
            f"{len(timed)} depth images and {len(times)} poses of no common time",
            expected=f"poses within {_MAX_POSE_OFFSET_S:g} s of the images",
            hint="Download images and .traj of the same video.",
        )
    if len(tracked) < len(timed):
        warnings.append(f"{len(timed) - len(tracked)} of {len(timed)} frames have no pose and were left out.")
    return tracked


def _limit_rate(timed: list[tuple[float, str]], warnings: list[str]) -> list[tuple[float, str]]:
    """Return the (time, stem) of at most ten frames per second; warn with the count."""
    limited = [timed[0]]
    for item in timed[1:]:
        if round(item[0] - limited[-1][0], 3) >= 1.0 / _MAX_RATE_HZ:
            limited.append(item)
    if len(limited) < len(timed):
        warnings.append(f"{len(timed)} frames were thinned to {len(limited)}, at most {_MAX_RATE_HZ:g} a second.")
    return limited


def _pose(row: list[str], *, context: str) -> Array:
    """Return `world_from_camera` [4, 4] of a line of the .traj file."""
    values = np.array([parsing.parse_float(cell, context=context) for cell in row[1:]])
    angle = float(np.linalg.norm(values[:3]))
    if angle > 2.0 * np.pi:
        raise CaptureError(f"{context}: a turn of {angle:.3g} rad", expected="at most 2π", hint="Download it again.")
    rotation = rotation_about(values[:3], angle) if angle > 0.0 else np.eye(3)
    return invert(parsing.pose(rigid(rotation, values[3:]), context=context))


def _color(source: ExportFiles, stem: str) -> str | None:
    names = (f"lowres_wide/{stem}.{ending}" for ending in ("png", "jpg"))
    return next((name for name in names if name in source.names), None)


def _camera(source: ExportFiles, frame: PosedFrame, size: tuple[int, int]) -> Intrinsics:
    """Return the camera of the .pincam file with the same time, to a millisecond."""
    video, time = Path(frame.depth).stem.rsplit("_", 1)
    time_ms = round(float(time) * 1000.0)
    times_ms = (time_ms + offset_ms for offset_ms in (0, -_MAX_CAMERA_OFFSET_MS, _MAX_CAMERA_OFFSET_MS))
    names = (f"lowres_wide_intrinsics/{video}_{ms // 1000}.{ms % 1000:03d}.pincam" for ms in times_ms)
    name = next((name for name in names if name in source.names), None)
    if name is None:
        raise CaptureError(
            f"no .pincam for {frame.depth}", expected="one", hint="Download the asset lowres_wide_intrinsics too."
        )
    rows = parsing.text_rows(source.read(name, max_bytes=1 << 16), 6, context=name)
    if len(rows) != 1:
        raise CaptureError(f"{name} of {len(rows)} lines", expected="one", hint="Download it again.")
    width, height, fx, fy, cx, cy = (parsing.parse_float(cell, context=name) for cell in rows[0])
    k = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    image_size = (
        parsing.integer(width, context=name, low=1, high=parsing.MAX_IMAGE_SIDE_PX),
        parsing.integer(height, context=name, low=1, high=parsing.MAX_IMAGE_SIDE_PX),
    )
    check_aspect(size, image_size, context=name)
    return camera_from_matrix(k, image_size, context=name).scaled(*size)


def _confidence(source: ExportFiles, frame: PosedFrame) -> Array | None:
    name = frame.depth.replace("lowres_depth/", "confidence/", 1)
    return images.decode_gray(source.read(name), bits=8, context=name) if name in source.names else None
