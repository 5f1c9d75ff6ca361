"""transforms.json of nerfstudio and instant-ngp, with depth.

`transform_matrix` is camera to world, row by row, OpenGL camera axes, nominally z up. Pixel (0, 0) is the *corner* of
the first pixel. Keys stand on the frame or on top. Two unit systems for depth: `depth_file_path` (nerfstudio) counts
thousandths of the pose's unit, `depth_path` (instant-ngp) counts `integer_depth_scale` of it.
`applied_scale` is how many saved units a metre became.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import Source
from cousins.capture.decoders.jpeg import is_jpeg
from cousins.capture.formats.arkit import GL_FROM_CV
from cousins.capture.formats.frame_selection import each_good, thinned
from cousins.capture.gravity import View, level_from_world
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.capture.readers import LIDAR_SCALE_ERROR, check_aspect, natural_order
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, rigid

_NAME = "transforms.json"
_MODELS = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
_DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
_MAX_DISTORTION_PX = 0.5
"""Distortion that moves no pixel farther is ignored: below the sharpness of a phone's picture."""
_LEVEL_FRAMES = 16
"""Frames looked at to find the way up."""
_THOUSANDTH = 0.001
_SUFFIXES = ("", ".png", ".jpg", ".jpeg")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Shot:
    """One frame's record with the defaults from the top of the file filled in."""

    record: Mapping[str, Any]
    """The merged record."""
    where: str
    """Its name in messages."""
    depth: str
    """Depth image in the export."""
    metres_per_count: float
    """Length of one count of the depth image [m]."""
    color: str | None
    """Colour image in the export."""
    pose: Array
    """`world_from_camera` [m], OpenCV axes, the export's own world."""


def build(config: Config | None = None) -> TransformsReader:
    """Return the reader."""
    return TransformsReader(config or Config())


class TransformsReader:
    """Read a folder with transforms.json."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by transforms.json, unless depth lies where NeRFCapture puts it."""
        return _NAME in source.names and not any(
            name.startswith("images/") and name.endswith(".depth.png") for name in source.names
        )

    def read(self, source: Source, destination: Path) -> Capture:
        """Write every frame that has depth, levelled."""
        top = parsing.mapping(parsing.parse_json(source.read(_NAME), where=_NAME), where=_NAME)
        entries = parsing.sequence(top.get("frames"), where="frames")
        warnings: list[str] = []
        found = each_good(
            range(len(entries)), lambda index: _shot(source, top, entries[index], f"frames[{index}]"), warnings
        )
        posed = _in_order([shot for shot in found if shot is not None])
        shots = thinned(posed, warnings, prefer=lambda shot: shot.color is not None)
        if not shots:
            raise CaptureError(
                f"{len(entries)} frames without depth images in {source.label}",
                expected="depth_file_path (16-bit PNG, millimetres) or depth_path with integer_depth_scale",
                hint="Export with depth, as `ns-process-data record3d` does, or scan the folder of its images alone.",
            )
        level, sentence = level_from_world(_views(source, shots), declared_up=np.array([0.0, 0.0, 1.0]))
        with CaptureWriter(
            destination,
            device="unknown",
            app="transforms.json",
            scale=Scale(source="transforms.json", error=LIDAR_SCALE_ERROR),
            gravity_known=False,
            warnings=[sentence, "transforms.json holds no confidence: depth was trusted everywhere.", *warnings],
        ) as writer:
            if len(posed) < len(found):
                writer.warn(f"{len(found) - len(posed)} of {len(entries)} frames have no depth and were left out.")
            each_good(
                range(len(shots)), lambda index: _add_frame(writer, source, shots[index], level, index), writer.warnings
            )
            return writer.close()


def _shot(source: Source, top: Mapping[str, Any], entry: Any, where: str) -> _Shot | None:
    """Return the frame with everything but its pixels, or None when its depth image is missing."""
    record = {**{key: value for key, value in top.items() if key != "frames"}, **parsing.mapping(entry, where=where)}
    applied = parsing.number(record.get("applied_scale", 1.0), where="applied_scale", low=1e-6, high=1e6)
    if record.get("depth_file_path") is not None:
        depth, unit = _find(source, record["depth_file_path"], where=where), _THOUSANDTH
    elif record.get("depth_path") is not None:
        depth, unit = _find(source, record["depth_path"], where=where), _ngp_unit(record)
    else:
        return None
    if depth is None:
        return None
    matrix = parsing.matrix(record.get("transform_matrix"), 4, 4, where=f"{where} transform_matrix")
    saved = parsing.pose(matrix, where=f"{where} transform_matrix") @ GL_FROM_CV
    return _Shot(
        record=record,
        where=where,
        depth=depth,
        metres_per_count=unit / applied,
        color=None if record.get("file_path") is None else _find(source, record["file_path"], where=where),
        pose=rigid(saved[:3, :3], saved[:3, 3] / applied),
    )


def _ngp_unit(record: Mapping[str, Any]) -> float:
    value = record.get("integer_depth_scale", record.get("depth_integer_scale"))
    if value is None:
        raise CaptureError(
            "depth_path without integer_depth_scale",
            expected="the length of one count of the depth image",
            hint="Add integer_depth_scale to transforms.json, 0.001 if depth is in millimetres.",
        )
    return parsing.number(value, where="integer_depth_scale", low=1e-9, high=1.0)


def _find(source: Source, path: Any, *, where: str) -> str | None:
    """Return the member that a path means; its ending may be left out."""
    plain = PurePosixPath(parsing.text(path, where=f"{where} path")).as_posix()
    return next((plain + suffix for suffix in _SUFFIXES if plain + suffix in source.names), None)


def _in_order(shots: list[_Shot]) -> list[_Shot]:
    """Sort by time where every frame has one, else by file name as nerfstudio does."""
    if all("timestamp" in shot.record for shot in shots):
        return sorted(shots, key=lambda shot: _time_s(shot, 0))
    return sorted(shots, key=lambda shot: natural_order(shot.depth))


def _time_s(shot: _Shot, index: int) -> float:
    if "timestamp" not in shot.record:
        return index / 30.0
    return parsing.number(shot.record["timestamp"], where=f"{shot.where} timestamp")


def _views(source: Source, shots: list[_Shot]) -> list[View]:
    def view(index: int) -> View:
        shot = shots[index]
        depth = _depth_m(source, shot)
        camera = _camera(source, shot, depth).scaled(depth.shape[1], depth.shape[0])
        return View(world_from_camera=shot.pose, depth_camera=camera, depth_m=depth)

    chosen = np.unique(np.linspace(0, len(shots) - 1, _LEVEL_FRAMES).astype(int))
    return each_good(chosen.tolist(), view, [])


def _depth_m(source: Source, shot: _Shot) -> Array:
    counts = images.decode_gray(source.read(shot.depth), bits=16, where=shot.depth)
    return counts.astype(np.float64) * shot.metres_per_count


def _camera(source: Source, shot: _Shot, depth: Array) -> Intrinsics:
    """Return the camera of the colour image, or of the depth image where there is no colour and no size."""
    record, where = shot.record, shot.where
    model = record.get("camera_model", "OPENCV")
    if model not in _MODELS:
        raise CaptureError(
            f"camera_model {model!r:.40}",
            expected="one of " + ", ".join(_MODELS),
            hint="Undistort the images first (`colmap image_undistorter`).",
        )
    width, height = record.get("w"), record.get("h")
    if width is None or height is None:
        by_depth = (depth.shape[1], depth.shape[0])
        width, height = by_depth if shot.color is None else images.color_size(source.read(shot.color), where=shot.color)
    parsing.integer(width, where=f"{where} w", low=1, high=parsing.MAX_IMAGE_SIDE_PX)
    parsing.integer(height, where=f"{where} h", low=1, high=parsing.MAX_IMAGE_SIDE_PX)
    focal = _focal_px(record, width, where=where)
    camera = parsing.camera(
        width=width,
        height=height,
        fx=focal,
        fy=record.get("fl_y", focal),
        cx=parsing.number(record.get("cx", width / 2), where=f"{where} cx") - 0.5,
        cy=parsing.number(record.get("cy", height / 2), where=f"{where} cy") - 0.5,
        where=where,
    )
    _check_straight(record, camera, where=where)
    check_aspect((depth.shape[1], depth.shape[0]), (camera.width, camera.height), where=where)
    return camera


def _focal_px(record: Mapping[str, Any], width: float, *, where: str) -> float:
    if record.get("fl_x") is not None:
        return parsing.number(record["fl_x"], where=f"{where} fl_x")
    angle = parsing.number(record.get("camera_angle_x"), where=f"{where} fl_x or camera_angle_x", low=0.01, high=3.1)
    return 0.5 * width / math.tan(0.5 * angle)


def _check_straight(record: Mapping[str, Any], camera: Intrinsics, *, where: str) -> None:
    """Refuse lens distortion that moves a corner of the image noticeably (Brown's model)."""
    values = record.get("distortion_params")
    given = [record.get(key, 0.0) for key in _DISTORTION] if values is None else parsing.sequence(values, where=where)
    largest = max((abs(parsing.number(value, where=f"{where} distortion")) for value in given), default=0.0)
    corner = math.hypot(camera.width / camera.fx, camera.height / camera.fy) / 2.0
    moved_px = largest * corner**2 * max(corner, 1.0) * max(camera.fx, camera.fy)
    if moved_px > _MAX_DISTORTION_PX:
        raise CaptureError(
            f"{where}: lens distortion of about {moved_px:.1f} px",
            expected="straight images",
            hint="Undistort the images first (`colmap image_undistorter`).",
        )


def _add_frame(writer: CaptureWriter, source: Source, shot: _Shot, level: Array, index: int) -> None:
    depth = _depth_m(source, shot)
    camera = _camera(source, shot, depth)
    color: Array | bytes | None = None
    if shot.color is not None:
        data = source.read(shot.color)
        images.check_decodes(data, where=shot.color)
        camera = camera.scaled(*images.color_size(data, where=shot.color))
        color = data if is_jpeg(data) else images.decode_color(data, where=shot.color)
    writer.add(
        timestamp_s=_time_s(shot, index),
        world_from_camera=level @ shot.pose,
        depth_camera=camera.scaled(depth.shape[1], depth.shape[0]),
        depth_m=depth,
        color_camera=camera if color is not None else None,
        color=color,
    )
