"""Recording metadata common to both exports of Record3D.

`w h` of colour and `dw dh` of depth [px]; `K` nine numbers column by column, for colour; `perFrameIntrinsicCoeffs`
[fx, fy, cx, cy] where the app is new enough; `poses` [qx, qy, qz, qw, x, y, z], camera to world in ARKit axes, of all
recorded frames, indexed by file number; `initPose` the same seven numbers; `frameTimestamps` [s] or `fps`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cousins.capture.decoders import parsing
from cousins.capture.formats.arkit import world_from_camera_from_arkit
from cousins.capture.formats.frame_selection import read_valid
from cousins.capture.gravity import PosedDepth, level_from_surfaces
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, rigid, rotation_angle_rad, rotation_from_quat_wxyz

_SAME_ROTATION_RAD = 1e-3
"""Rotations closer than this are considered equal: trackers jitter more."""
_MAX_TURN_PER_FRAME_RAD = 0.1
"""Largest turn from frame to frame that is believed [rad]: 6 rad/s at 60 Hz."""
_LEVEL_FRAMES = 16
"""Number of frames from which the up direction is estimated."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Record3dFrame:
    """Time, pose and camera of one recorded frame, without its pixels."""

    number: int
    """Number of the frame in the recording."""
    time_s: float
    """Timestamp of the recording's clock [s]."""
    world_from_camera: Array
    """Pose, float64 [4, 4], OpenCV axes; z up unless the gravity direction was lost."""
    camera: Intrinsics
    """Camera of the colour image."""


def parse_metadata(data: bytes, *, context: str) -> Mapping[str, Any]:
    """Parse the metadata; raises CaptureError for recordings whose camera was not tracked."""
    meta = parsing.mapping(parsing.parse_json(data, context=context), context=context)
    rows = parsing.sequence(meta.get("poses"), context="poses")
    if len(rows) > 1 and all(row == rows[0] for row in rows):
        raise CaptureError(
            "the same pose for every frame",
            expected="a tracked recording",
            hint="Face-camera recordings are not tracked: record again with the LiDAR camera.",
        )
    return meta


def read_frame(meta: Mapping[str, Any], number: int) -> Record3dFrame:
    """Return one frame's pose, time and camera."""
    start = _pose(meta["initPose"], context="initPose") if meta.get("initPose") is not None else np.eye(4)
    pose = start @ _pose(_entry(meta, "poses", number), context=f"poses[{number}]")
    return Record3dFrame(
        number=number,
        time_s=_time_s(meta, number),
        world_from_camera=world_from_camera_from_arkit(pose),
        camera=_camera(meta, number),
    )


def leveling_rotation(
    meta: Mapping[str, Any], frames: Sequence[Record3dFrame], read_depth: Callable[[Record3dFrame], Array]
) -> tuple[Array, str | None]:
    """Return the rotation [4, 4] that makes +z up, and a warning where the up direction had to be estimated."""
    if not _starts_at_identity(meta):
        return np.eye(4), None
    indices = np.unique(np.linspace(0, len(frames) - 1, _LEVEL_FRAMES).astype(int))

    def posed_depth(index: int) -> PosedDepth:
        frame, depth = frames[index], read_depth(frames[index])
        camera = frame.camera.scaled(depth.shape[1], depth.shape[0])
        return PosedDepth(world_from_camera=frame.world_from_camera, depth_camera=camera, depth_m=depth)

    return level_from_surfaces(read_valid(indices.tolist(), posed_depth, []), declared_up=None)


def _entry(meta: Mapping[str, Any], key: str, number: int) -> Any:
    rows = parsing.sequence(meta.get(key), context=key)
    if number >= len(rows):
        raise CaptureError(
            f"frame {number} but {len(rows)} {key}",
            expected="one for every frame",
            hint="The export is cut off: share the recording again.",
        )
    return rows[number]


def _pose(row: Any, *, context: str) -> Array:
    values = parsing.numbers(row, 7, context=context)
    if abs(float(np.linalg.norm(values[:4])) - 1.0) > parsing.MAX_ROTATION_ERROR:
        raise CaptureError(
            f"{context} of quaternion length {np.linalg.norm(values[:4]):.4g}",
            expected="length 1",
            hint="The recording is damaged: share it again.",
        )
    return parsing.pose(rigid(rotation_from_quat_wxyz(values[[3, 0, 1, 2]]), values[4:]), context=context)


def _starts_at_identity(meta: Mapping[str, Any]) -> bool:
    """Return whether poses are relative to the first camera without its initial pose: the gravity direction is lost.

    Where the first poses are broken, the first whole one stands for them, with the turn that a hand makes in between.
    """
    if meta.get("initPose") is not None and _turn_rad(meta["initPose"]) >= _SAME_ROTATION_RAD:
        return False
    rows = parsing.sequence(meta["poses"], context="poses")
    number, turn_rad = next(
        ((number, turn) for number, turn in enumerate(map(_turn_or_none, rows)) if turn is not None), (0, np.inf)
    )
    return turn_rad < _SAME_ROTATION_RAD + number * _MAX_TURN_PER_FRAME_RAD


def _turn_rad(row: Any) -> float:
    return rotation_angle_rad(_pose(row, context="first pose")[:3, :3])


def _turn_or_none(row: Any) -> float | None:
    """Return the angle of a pose's rotation [rad]; None for a broken pose."""
    try:
        return _turn_rad(row)
    except CaptureError:
        return None


def _time_s(meta: Mapping[str, Any], number: int) -> float:
    """Return the time of a frame [s]: as recorded, or from the frame rate."""
    if meta.get("frameTimestamps") is None:
        return number / parsing.number(meta.get("fps", 60), context="fps", low=0.1, high=1000.0)
    return parsing.number(_entry(meta, "frameTimestamps", number), context=f"frameTimestamps[{number}]")


def _camera(meta: Mapping[str, Any], number: int) -> Intrinsics:
    if meta.get("perFrameIntrinsicCoeffs") is not None:
        context = f"perFrameIntrinsicCoeffs[{number}]"
        fx, fy, cx, cy = parsing.numbers(_entry(meta, "perFrameIntrinsicCoeffs", number), 4, context=context)
    else:
        k = parsing.numbers(meta.get("K"), 9, context="K").reshape(3, 3).T
        fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
    return parsing.camera(
        width=meta.get("w"),
        height=meta.get("h"),
        fx=float(fx),
        fy=float(fy),
        cx=float(cx),
        cy=float(cy),
        context="metadata",
    )
