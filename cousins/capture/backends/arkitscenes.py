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
from cousins.capture.decoders.archives import Source
from cousins.capture.formats.frame_selection import each_good
from cousins.capture.formats.posed_frames import Pixels, Shot, camera_of_matrix, write_posed
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, invert, rigid, rotation_about

_DEPTH = re.compile(r"lowres_depth/(?P<stem>\d+_(?P<time>\d{1,9}\.\d{3}))\.png")
_TRACK = re.compile(r"[^/]+\.traj")
_MAX_RATE_HZ = 10.0
"""More frames a second show the same surface again."""
_SAME_CAMERA_MS = 1
"""Times are written in milliseconds and rounded either way."""
_SAME_POSE_S = 0.005


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> ArkitScenesReader:
    """Return the reader."""
    return ArkitScenesReader(config or Config())


class ArkitScenesReader:
    """Read one video of the data set."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by the .traj beside a low-resolution folder."""
        tracked = any(_TRACK.fullmatch(name) for name in source.names)
        return tracked and any(name.startswith(("lowres_depth/", "lowres_wide")) for name in source.names)

    def read(self, source: Source, destination: Path) -> Capture:
        """Write ten frames a second that have depth and a pose."""
        found = [match for name in sorted(source.names) if (match := _DEPTH.fullmatch(name))]
        if not found:
            raise CaptureError(
                f"no lowres_depth/*.png in {source.label}",
                expected="depth images",
                hint="Download the asset lowres_depth of this video too.",
            )
        times, rows = _track(source)
        timed = sorted((float(match["time"]), match["stem"]) for match in found)
        warnings: list[str] = []
        tracked = _tracked(timed, times, warnings)
        kept = _slowed(tracked, warnings)

        def shot(item: tuple[float, str]) -> Shot:
            pose = _pose(rows[int(np.argmin(np.abs(times - item[0])))], where=f".traj at {item[0]:.3f}")
            return Shot(
                time_s=item[0],
                world_from_camera=pose,
                depth=f"lowres_depth/{item[1]}.png",
                color=_color(source, item[1]),
            )

        pixels = Pixels(
            metres=lambda counts: counts / 1000.0,
            camera=lambda shot, size: _camera(source, shot, size),
            confidence=lambda shot: _confidence(source, shot),
        )
        return write_posed(
            source,
            destination,
            each_good(kept, shot, warnings),
            pixels,
            app="ARKitScenes",
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            way_up="told",
            warnings=warnings,
        )


def _track(source: Source) -> tuple[Array, list[list[str]]]:
    """Return the times [s] [n] and the rows of the .traj."""
    name = min(name for name in source.names if _TRACK.fullmatch(name))
    rows = parsing.text_rows(source.read(name, most=parsing.MAX_JSON_BYTES), 7, where=name)
    if not rows:
        raise CaptureError(f"{name} without poses", expected="poses", hint="Download the .traj again.")
    return np.array([parsing.real(row[0], where=name) for row in rows]), rows


def _tracked(timed: list[tuple[float, str]], times: Array, warnings: list[str]) -> list[tuple[float, str]]:
    """Return the (time, stem) of images near a pose; warn with the count of the others."""
    tracked = [item for item in timed if np.abs(times - item[0]).min() < _SAME_POSE_S]
    if not tracked:
        raise CaptureError(
            f"{len(timed)} depth images and {len(times)} poses of no common time",
            expected=f"poses within {_SAME_POSE_S:g} s of the images",
            hint="Download images and .traj of the same video.",
        )
    if len(tracked) < len(timed):
        warnings.append(f"{len(timed) - len(tracked)} of {len(timed)} frames have no pose and were left out.")
    return tracked


def _slowed(timed: list[tuple[float, str]], warnings: list[str]) -> list[tuple[float, str]]:
    """Return at most ten frames a second; warn with the count."""
    kept = [timed[0]]
    for item in timed[1:]:
        if round(item[0] - kept[-1][0], 3) >= 1.0 / _MAX_RATE_HZ:
            kept.append(item)
    if len(kept) < len(timed):
        warnings.append(f"{len(timed)} frames were thinned to {len(kept)}, at most {_MAX_RATE_HZ:g} a second.")
    return kept


def _pose(row: list[str], *, where: str) -> Array:
    """Return `world_from_camera` of a line of the .traj."""
    values = np.array([parsing.real(cell, where=where) for cell in row[1:]])
    angle = float(np.linalg.norm(values[:3]))
    if angle > 2.0 * np.pi:
        raise CaptureError(f"{where}: a turn of {angle:.3g} rad", expected="at most 2π", hint="Download it again.")
    rotation = rotation_about(values[:3], angle) if angle > 0.0 else np.eye(3)
    return invert(parsing.pose(rigid(rotation, values[3:]), where=where))


def _color(source: Source, stem: str) -> str | None:
    names = (f"lowres_wide/{stem}.{ending}" for ending in ("png", "jpg"))
    return next((name for name in names if name in source.names), None)


def _camera(source: Source, shot: Shot, size: tuple[int, int]) -> Intrinsics:
    """Return the camera of the .pincam of the same moment, to a millisecond."""
    video, time = Path(shot.depth).stem.rsplit("_", 1)
    stamp = round(float(time) * 1000.0)
    moments = (stamp + off for off in (0, -_SAME_CAMERA_MS, _SAME_CAMERA_MS))
    names = (f"lowres_wide_intrinsics/{video}_{ms // 1000}.{ms % 1000:03d}.pincam" for ms in moments)
    name = next((name for name in names if name in source.names), None)
    if name is None:
        raise CaptureError(
            f"no .pincam for {shot.depth}", expected="one", hint="Download the asset lowres_wide_intrinsics too."
        )
    rows = parsing.text_rows(source.read(name, most=1 << 16), 6, where=name)
    if len(rows) != 1:
        raise CaptureError(f"{name} of {len(rows)} lines", expected="one", hint="Download it again.")
    width, height, fx, fy, cx, cy = (parsing.real(cell, where=name) for cell in rows[0])
    k = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    whole = (
        parsing.integer(width, where=name, low=1, high=parsing.MAX_IMAGE_SIDE_PX),
        parsing.integer(height, where=name, low=1, high=parsing.MAX_IMAGE_SIDE_PX),
    )
    check_aspect(size, whole, where=name)
    return camera_of_matrix(k, whole, where=name).scaled(*size)


def _confidence(source: Source, shot: Shot) -> Array | None:
    name = shot.depth.replace("lowres_depth/", "confidence/", 1)
    return images.decode_gray(source.read(name), bits=8, where=name) if name in source.names else None
