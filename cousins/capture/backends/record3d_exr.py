"""Record3D, export "EXR + JPG sequence": metadata.json, depth/<i>.exr in metres, rgb/<i>.jpg.

metadata.json: `w h` of colour and `dw dh` of depth [px]; `K` nine numbers column by column, for colour;
`perFrameIntrinsicCoeffs` [fx, fy, cx, cy] where the app is new enough; `poses` [qx, qy, qz, qw, x, y, z], camera to
world in ARKit axes, of all recorded frames: the file name counts into it; `initPose` the same seven numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cousins.capture import images, parsing
from cousins.capture.archives import Source
from cousins.capture.arkit import world_from_camera_of_arkit
from cousins.capture.captures import Capture, Scale
from cousins.capture.exr import decode_exr_depth
from cousins.capture.folder import CaptureWriter
from cousins.capture.gravity import View, level_from_world
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, rigid, rotation_angle_rad, rotation_from_quat_wxyz

_DEPTH = re.compile(r"depth/(\d{1,9})\.exr")
_SAME_ROTATION_RAD = 1e-3
"""Rotations closer than this are the same: trackers jitter more."""
_LEVEL_FRAMES = 16
"""Frames looked at to find the way up."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> Record3dExrReader:
    """Return the reader."""
    return Record3dExrReader(config or Config())


class Record3dExrReader:
    """Read an "EXR + JPG sequence" export."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by metadata.json beside depth/*.exr (or depth of another kind, to be able to say so)."""
        return "metadata.json" in source.names and any(name.startswith(("depth/", "rgb/")) for name in source.names)

    def read(self, source: Source, destination: Path) -> Capture:
        """Write every frame that has depth and a pose."""
        meta = parsing.mapping(
            parsing.parse_json(source.read("metadata.json"), where="metadata.json"), where="metadata"
        )
        numbers = sorted({int(found[1]) for name in source.names if (found := _DEPTH.fullmatch(name))})
        if not numbers:
            raise CaptureError(
                f"no depth/*.exr in {source.label}",
                expected="depth images",
                hint="In Record3D record with the LiDAR camera and share as EXR + JPG sequence.",
            )
        poses = [world_from_camera_of_arkit(pose) for pose in _poses(meta, numbers)]
        times_s = _times_s(meta, numbers)
        warnings = ["Record3D exports no confidence: depth was trusted everywhere."]
        gravity_known = not _starts_at_identity(meta)
        if not gravity_known:
            level, sentence = level_from_world(_views(source, meta, numbers, poses), declared_up=None)
            poses = [level @ pose for pose in poses]
            warnings.append(sentence)
        with CaptureWriter(
            destination,
            name=source.label,
            device="unknown",
            app="Record3D",
            scale=Scale(source="lidar", error=LIDAR_SCALE_ERROR),
            gravity_known=gravity_known,
            warnings=warnings,
        ) as writer:
            for number, pose, time_s in zip(numbers, poses, times_s, strict=True):
                _add_frame(writer, source, meta, number, pose, time_s)
            return writer.close()


def _poses(meta: Mapping[str, Any], numbers: list[int]) -> list[Array]:
    """Return ARKit camera-to-world matrices of the numbered frames, `initPose` composed in."""
    rows = parsing.sequence(meta.get("poses"), where="poses")
    if numbers[-1] >= len(rows):
        raise CaptureError(
            f"depth/{numbers[-1]}.exr but {len(rows)} poses",
            expected="a pose for every frame",
            hint="The export is cut off: share the recording again.",
        )
    start = _pose(meta["initPose"], where="initPose") if meta.get("initPose") is not None else np.eye(4)
    poses = [start @ _pose(rows[number], where=f"poses[{number}]") for number in numbers]
    if len(poses) > 1 and all(np.abs(pose - poses[0]).max() < 1e-9 for pose in poses):
        raise CaptureError(
            "the same pose for every frame",
            expected="a tracked recording",
            hint="Face-camera recordings are not tracked: record again with the LiDAR camera.",
        )
    return poses


def _pose(row: Any, *, where: str) -> Array:
    values = parsing.numbers(row, 7, where=where)
    if abs(float(np.linalg.norm(values[:4])) - 1.0) > parsing.MAX_ROTATION_ERROR:
        raise CaptureError(
            f"{where} of quaternion length {np.linalg.norm(values[:4]):.4g}",
            expected="length 1",
            hint="The recording is damaged: share it again.",
        )
    return rigid(rotation_from_quat_wxyz(values[[3, 0, 1, 2]]), values[4:])


def _starts_at_identity(meta: Mapping[str, Any]) -> bool:
    """Tell whether poses count from the first camera and nothing says how that was held: the way up is lost."""
    first = parsing.sequence(meta["poses"], where="poses")[0]
    rows = [first] if meta.get("initPose") is None else [first, meta["initPose"]]
    return all(rotation_angle_rad(_pose(row, where="first pose")[:3, :3]) < _SAME_ROTATION_RAD for row in rows)


def _views(source: Source, meta: Mapping[str, Any], numbers: list[int], poses: list[Array]) -> list[View]:
    """Return a few frames, evenly spread."""
    chosen = np.unique(np.linspace(0, len(numbers) - 1, _LEVEL_FRAMES).astype(int))
    views = []
    for index in chosen:
        number = numbers[index]
        depth, camera = _depth(source, meta, number)
        views.append(View(world_from_camera=poses[index], depth_camera=camera, depth_m=depth))
    return views


def _times_s(meta: Mapping[str, Any], numbers: list[int]) -> list[float]:
    """Return the times of the numbered frames [s]: as recorded, or counted at the frame rate."""
    if meta.get("frameTimestamps") is None:
        rate = parsing.number(meta.get("fps", 60), where="fps", low=0.1, high=1000.0)
        return [number / rate for number in numbers]
    times = parsing.sequence(meta["frameTimestamps"], where="frameTimestamps")
    if numbers[-1] >= len(times):
        raise CaptureError(
            f"depth/{numbers[-1]}.exr but {len(times)} timestamps",
            expected="one each",
            hint="Share the recording again.",
        )
    return [parsing.number(times[number], where=f"frameTimestamps[{number}]") for number in numbers]


def _camera(meta: Mapping[str, Any], number: int) -> Intrinsics:
    per_frame = meta.get("perFrameIntrinsicCoeffs")
    if per_frame is not None:
        rows = parsing.sequence(per_frame, where="perFrameIntrinsicCoeffs")
        if number >= len(rows):
            raise CaptureError(f"{len(rows)} intrinsics", expected="one per frame", hint="Share the recording again.")
        fx, fy, cx, cy = parsing.numbers(rows[number], 4, where=f"perFrameIntrinsicCoeffs[{number}]")
    else:
        k = parsing.numbers(meta.get("K"), 9, where="K").reshape(3, 3).T
        fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
    return parsing.camera(
        width=meta.get("w"),
        height=meta.get("h"),
        fx=float(fx),
        fy=float(fy),
        cx=float(cx),
        cy=float(cy),
        where="metadata.json",
    )


def _depth(source: Source, meta: Mapping[str, Any], number: int) -> tuple[Array, Intrinsics]:
    """Return one depth image [m] and its camera."""
    depth = decode_exr_depth(source.read(f"depth/{number}.exr"), where=f"depth/{number}.exr")
    height, width = depth.shape
    if (meta.get("dw", width), meta.get("dh", height)) != (width, height):
        raise CaptureError(
            f"depth/{number}.exr of {width}×{height} px",
            expected=f"{meta.get('dw')!r:.20}×{meta.get('dh')!r:.20} as metadata.json says",
            hint="The export mixes two recordings: share it again.",
        )
    camera = _camera(meta, number)
    check_aspect((width, height), (camera.width, camera.height), where=f"frame {number}")
    return depth, camera.scaled(width, height)


def _add_frame(
    writer: CaptureWriter, source: Source, meta: Mapping[str, Any], number: int, pose: Array, time_s: float
) -> None:
    depth, depth_camera = _depth(source, meta, number)
    name = f"rgb/{number}.jpg"
    color = source.read(name) if name in source.names else None
    if color is not None:
        images.check_decodes(color, where=name)
    writer.add(
        timestamp_s=time_s,
        world_from_camera=pose,
        depth_camera=depth_camera,
        depth_m=depth,
        color_camera=_camera(meta, number) if color is not None else None,
        color=color,
    )
