"""Encode and decode the records of capture.json."""

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
"""Decimals of a stored pose: far finer than any tracker, coarser than the differences between machines."""
CAMERA_DECIMALS = 6
"""Decimals of a stored camera [px]."""
MAX_DEPTH_M = 65.535
"""Largest depth that a capture folder can hold [m]."""

_REQUIRED_KEYS = frozenset({"name", "device", "app", "scale", "gravity_known", "warnings", "frames"})


def parse_capture_json(data: bytes) -> Mapping[str, Any]:
    """Parse capture.json; raises CaptureError where its schema or keys are wrong."""
    record = parsing.mapping(parsing.parse_json(data, context="capture.json"), context="capture.json")
    if record.get("schema") != SCHEMA:
        raise CaptureError(
            f"capture.json of schema {str(record.get('schema'))[:40]!r}",
            expected=repr(SCHEMA),
            hint="Ingest the original export again with this version.",
        )
    missing = sorted(_REQUIRED_KEYS - set(record))
    if missing:
        raise CaptureError(f"capture.json without {missing[0]}", expected="every key", hint="Ingest the export again.")
    return record


def parse_header(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Capture` other than `frames`, from the record of capture.json."""
    scale = parsing.mapping(record["scale"], context="scale")
    flags = {"gravity_known": record["gravity_known"], "timed": record.get("timed", True)}
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise CaptureError(f"{name} = {value!r:.40}", expected="true or false", hint="Ingest the export again.")
    return {
        "name": parsing.text(record["name"], context="name"),
        "device": parsing.text(record["device"], context="device"),
        "app": parsing.text(record["app"], context="app"),
        "scale": Scale(
            source=parsing.text(scale.get("source"), context="scale source"),
            error=parsing.number(scale.get("error"), context="scale error", low=0.0, high=10.0),
        ),
        **flags,
        "warnings": tuple(
            parsing.text(item, context="warning")
            for item in parsing.sequence(record["warnings"], context="warnings", max_length=1000)
        ),
    }


def parse_frame(entry: Any, *, context: str) -> tuple[float, Array, Intrinsics, Intrinsics | None]:
    """Return timestamp [s], `world_from_camera` [4, 4], depth camera and colour camera of one frame's record."""
    values = parsing.mapping(entry, context=context)
    color = values.get("color_camera")
    rows = parsing.matrix(values.get("world_from_camera"), 4, 4, context=f"{context} pose")
    return (
        parsing.number(values.get("timestamp_s"), context=f"{context} timestamp"),
        parsing.pose(rows, context=f"{context} pose"),
        _parse_camera(values.get("depth_camera"), context=f"{context} depth camera"),
        None if color is None else _parse_camera(color, context=f"{context} colour camera"),
    )


def frame_record(
    *, timestamp_s: float, world_from_camera: Array, depth_camera: Intrinsics, color_camera: Intrinsics | None
) -> dict[str, Any]:
    """Return one frame's JSON record, with pose [4, 4] and cameras rounded."""
    return {
        "timestamp_s": timestamp_s,
        "world_from_camera": rounded_pose(world_from_camera),
        "depth_camera": camera_record(depth_camera),
        "color_camera": None if color_camera is None else camera_record(color_camera),
    }


def rounded_pose(pose: Array) -> list[list[float]]:
    """Return a pose [4, 4] as rows of rounded numbers without negative zeros."""
    rows: list[list[float]] = (np.round(pose, POSE_DECIMALS) + 0.0).tolist()
    return rows


def camera_record(camera: Intrinsics) -> dict[str, Any]:
    """Return a camera's JSON record, rounded."""
    return {key: round(value, CAMERA_DECIMALS) for key, value in asdict(camera).items()}


def depth_to_mm(depth_m: Array) -> Array:
    """Return depth [h, w] as uint16 millimetres [h, w]; unknown, negative and too large values become 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        millimetres = np.round(np.asarray(depth_m, dtype=np.float64) * 1000.0)
        is_known = (millimetres > 0) & (millimetres <= 65535)
    return np.where(is_known, millimetres, 0).astype(np.uint16)


def depth_from_mm(depth_mm: Array) -> Array:
    """Return depth in metres, float32 [h, w], of integer millimetres [h, w]."""
    return (depth_mm.astype(np.float64) / 1000.0).astype(np.float32)


def _parse_camera(value: Any, *, context: str) -> Intrinsics:
    record = parsing.mapping(value, context=context)
    keys = ("width", "height", "fx", "fy", "cx", "cy")
    return parsing.camera(**{key: record.get(key) for key in keys}, context=context)
