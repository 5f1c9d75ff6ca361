"""capture.json and its values: what the canonical folder says, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from cousins.capture.captures import Scale
from cousins.capture.decoders import parsing
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics

SCHEMA = "cousins-capture-1"
"""Value of `schema` in capture.json."""
POSE_DECIMALS = 9
"""Decimals of a stored pose: far below what any tracker knows, above what differs between machines."""
CAMERA_DECIMALS = 6
"""Decimals of a stored camera [px]."""
MAX_DEPTH_M = 65.535
"""Deepest depth that a capture folder holds [m]."""

_KEYS = frozenset({"name", "device", "app", "scale", "gravity_known", "warnings", "frames"})


def read_record(data: bytes) -> Mapping[str, Any]:
    """Parse capture.json and check its schema and keys."""
    record = parsing.mapping(parsing.parse_json(data, where="capture.json"), where="capture.json")
    if record.get("schema") != SCHEMA:
        raise CaptureError(
            f"capture.json of schema {str(record.get('schema'))[:40]!r}",
            expected=repr(SCHEMA),
            hint="Ingest the original export again with this version.",
        )
    missing = sorted(_KEYS - set(record))
    if missing:
        raise CaptureError(f"capture.json without {missing[0]}", expected="every key", hint="Ingest the export again.")
    return record


def header_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what capture.json says about the whole capture, as the fields of `Capture` without its frames."""
    scale = parsing.mapping(record["scale"], where="scale")
    if not isinstance(record["gravity_known"], bool):
        raise CaptureError(
            f"gravity_known = {record['gravity_known']!r:.40}",
            expected="true or false",
            hint="Ingest the export again.",
        )
    return {
        "name": parsing.text(record["name"], where="name"),
        "device": parsing.text(record["device"], where="device"),
        "app": parsing.text(record["app"], where="app"),
        "scale": Scale(
            source=parsing.text(scale.get("source"), where="scale source"),
            error=parsing.number(scale.get("error"), where="scale error", low=0.0, high=10.0),
        ),
        "gravity_known": record["gravity_known"],
        "warnings": tuple(
            parsing.text(item, where="warning")
            for item in parsing.sequence(record["warnings"], where="warnings", most=1000)
        ),
    }


def frame_of(entry: Any, *, where: str) -> tuple[float, Array, Intrinsics, Intrinsics | None]:
    """Return timestamp [s], pose, depth camera and colour camera of one frame's record."""
    values = parsing.mapping(entry, where=where)
    color = values.get("color_camera")
    rows = parsing.matrix(values.get("world_from_camera"), 4, 4, where=f"{where} pose")
    return (
        parsing.number(values.get("timestamp_s"), where=f"{where} timestamp"),
        parsing.pose(rows, where=f"{where} pose"),
        _camera_of(values.get("depth_camera"), where=f"{where} depth camera"),
        None if color is None else _camera_of(color, where=f"{where} colour camera"),
    )


def frame_record(
    *, timestamp_s: float, world_from_camera: Array, depth_camera: Intrinsics, color_camera: Intrinsics | None
) -> dict[str, Any]:
    """Return one frame's record, rounded."""
    return {
        "timestamp_s": timestamp_s,
        "world_from_camera": rounded_pose(world_from_camera),
        "depth_camera": camera_record(depth_camera),
        "color_camera": None if color_camera is None else camera_record(color_camera),
    }


def rounded_pose(pose: Array) -> list[list[float]]:
    """Return the pose as rows of rounded numbers without negative zeros."""
    rows: list[list[float]] = (np.round(pose, POSE_DECIMALS) + 0.0).tolist()
    return rows


def camera_record(camera: Intrinsics) -> dict[str, Any]:
    """Return a camera as JSON, rounded."""
    return {key: round(value, CAMERA_DECIMALS) for key, value in asdict(camera).items()}


def depth_to_mm(depth_m: Array) -> Array:
    """Return depth as uint16 millimetres [h, w]; unknown, negative and too far become 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        millimetres = np.round(np.asarray(depth_m, dtype=np.float64) * 1000.0)
        known = (millimetres > 0) & (millimetres <= 65535)
    return np.where(known, millimetres, 0).astype(np.uint16)


def depth_from_mm(depth_mm: Array) -> Array:
    """Return float32 metres of integer millimetres."""
    return (depth_mm.astype(np.float64) / 1000.0).astype(np.float32)


def _camera_of(value: Any, *, where: str) -> Intrinsics:
    record = parsing.mapping(value, where=where)
    wanted = ("width", "height", "fx", "fy", "cx", "cy")
    return parsing.camera(**{key: record.get(key) for key in wanted}, where=where)
