"""Parse untrusted text into validated values: JSON of finite numbers, rigid poses, plausible cameras.

`context` names the value in error messages; every function raises CaptureError for invalid input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics

MAX_JSON_BYTES = 64 << 20
"""Largest JSON file that is parsed [bytes]."""
MAX_COORDINATE_M = 10_000.0
"""Largest absolute camera coordinate that is accepted [m]."""
MAX_IMAGE_SIDE_PX = 20_000
"""Longest image side that is accepted [px]."""
MIN_CENTER_SHARE = 0.25
"""Least distance of the principal point from the image edge, as a share of the image size: phones stay within 3 %
of the centre, and transposed intrinsics put it on the edge."""
MAX_ROTATION_ERROR = 1e-3
"""Largest entry of |RᵀR − I| of a matrix that still counts as a rotation."""
EXACT_ROTATION_ERROR = 1e-8
"""Below this error a rotation is not orthonormalised, so that reading our own files changes nothing."""


def parse_json(data: bytes, *, context: str) -> Any:
    """Return parsed JSON with finite numbers only; text that is too large, too deep or malformed is rejected."""
    if len(data) > MAX_JSON_BYTES:
        raise CaptureError(
            f"{context} of {len(data):,} bytes",
            expected=f"JSON of at most {MAX_JSON_BYTES:,} bytes",
            hint="Export the scan again.",
        )
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant, parse_float=_finite_float)
    except (ValueError, RecursionError) as error:
        raise CaptureError(
            f"{context} that is not clean JSON ({error})",
            expected="UTF-8 JSON with finite numbers only",
            hint="The file is damaged: export the scan again.",
        ) from error


def mapping(value: Any, *, context: str) -> Mapping[str, Any]:
    """Return the value if it is a JSON object."""
    if not isinstance(value, dict):
        _refuse(context, value, "a JSON object")
    return value


def sequence(value: Any, *, context: str, max_length: int = 1_000_000) -> Sequence[Any]:
    """Return the value if it is a JSON array of at most `max_length` entries."""
    if not isinstance(value, list):
        _refuse(context, value, "a JSON array")
    if len(value) > max_length:
        raise CaptureError(
            f"{context} of {len(value)} entries", expected=f"at most {max_length}", hint="Record a shorter scan."
        )
    return value


def text(value: Any, *, context: str, default: str | None = None) -> str:
    """Return the value if it is a string of reasonable length; None becomes `default` where there is one."""
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        _refuse(context, value, "a text")
    return " ".join(value.split())[:200]


def number(value: Any, *, context: str, low: float = -1e12, high: float = 1e12) -> float:
    """Return the value if it is a finite number within [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        _refuse(context, value, f"a number from {low:g} to {high:g}")
    return float(value)


def integer(value: Any, *, context: str, low: int, high: int) -> int:
    """Return the value if it is an integer within [low, high]; 640.0 counts as 640."""
    checked = number(value, context=context, low=low, high=high)
    if checked != int(checked):
        _refuse(context, value, "a whole number")
    return int(checked)


def numbers(value: Any, count: int, *, context: str) -> Array:
    """Return a flat JSON array of exactly `count` finite numbers, float64 [count]."""
    items = sequence(value, context=context)
    if len(items) != count:
        _refuse(context, value, f"{count} numbers")
    return np.array([number(item, context=context) for item in items], dtype=np.float64)


def matrix(value: Any, rows: int, columns: int, *, context: str) -> Array:
    """Return a JSON array of `rows` arrays of `columns` finite numbers, float64 [rows, columns]."""
    items = sequence(value, context=context)
    if len(items) != rows:
        _refuse(context, value, f"{rows} rows of {columns} numbers")
    return np.stack([numbers(row, columns, context=context) for row in items])


def text_lines(data: bytes, *, context: str) -> list[str]:
    """Return the stripped lines of UTF-8 text of reasonable size."""
    if len(data) > MAX_JSON_BYTES:
        raise CaptureError(
            f"{context} of {len(data):,} bytes", expected=f"at most {MAX_JSON_BYTES:,}", hint="Export the scan again."
        )
    try:
        return [line.strip() for line in data.decode("utf-8-sig").split("\n")]
    except UnicodeDecodeError as error:
        raise CaptureError(
            f"{context} that is no text ({error.reason})", expected="UTF-8 text", hint="Export the scan again."
        ) from error


def text_rows(data: bytes, columns: int, *, context: str, separator: str | None = None) -> list[list[str]]:
    """Return the cells of each line of text, of exactly `columns` each; empty lines and comments (#) are skipped."""
    lines = text_lines(data, context=context)
    rows = [[cell.strip() for cell in line.split(separator)] for line in lines if line and not line.startswith("#")]
    for row in rows:
        if len(row) != columns:
            _refuse(context, row[:columns], f"rows of {columns} values")
    return rows


def parse_float(cell: str, *, context: str) -> float:
    """Return the finite number that a text cell holds."""
    try:
        value = float(cell)
    except ValueError:
        _refuse(context, cell[:40], "a number")
    return number(value, context=context)


def pose(matrix_4x4: Array, *, context: str) -> Array:
    """Return a validated rigid pose, float64 [4, 4]; its rotation is projected to the nearest orthonormal one (SVD)."""
    result = np.array(matrix_4x4, dtype=np.float64)
    if result.shape != (4, 4) or not np.isfinite(result).all():
        _refuse(context, matrix_4x4, "a pose of 4×4 finite numbers")
    if np.abs(result[3] - [0.0, 0.0, 0.0, 1.0]).max() > MAX_ROTATION_ERROR:
        turned = np.abs(result[:, 3] - [0.0, 0.0, 0.0, 1.0]).max() <= MAX_ROTATION_ERROR
        by_columns = "; this one has it as its last column: rows for columns" if turned else ""
        _refuse(context, result[3].tolist(), "a pose whose last row is 0 0 0 1" + by_columns)
    if np.abs(result[:3, 3]).max() > MAX_COORDINATE_M:
        _refuse(context, result[:3, 3].tolist(), f"a camera within {MAX_COORDINATE_M:g} m of the start")
    rotation = result[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(rotation.T @ rotation - np.eye(3)).max()
    if not error < MAX_ROTATION_ERROR or np.linalg.det(rotation) <= 0.0:
        _refuse(context, rotation.tolist(), f"a proper rotation, |RᵀR − I| < {MAX_ROTATION_ERROR:g} and det > 0")
    if error > EXACT_ROTATION_ERROR:
        left, _, right = np.linalg.svd(rotation)
        result[:3, :3] = left @ right
    result[3] = [0.0, 0.0, 0.0, 1.0]
    return result


def camera(*, width: Any, height: Any, fx: Any, fy: Any, cx: Any, cy: Any, context: str) -> Intrinsics:
    """Return a plausible pinhole camera: focal lengths and principal point of the order of the image size."""
    w = integer(width, context=f"{context} width", low=1, high=MAX_IMAGE_SIDE_PX)
    h = integer(height, context=f"{context} height", low=1, high=MAX_IMAGE_SIDE_PX)
    side = float(max(w, h))
    return Intrinsics(
        width=w,
        height=h,
        fx=number(fx, context=f"{context} fx", low=0.1 * side, high=50.0 * side),
        fy=number(fy, context=f"{context} fy", low=0.1 * side, high=50.0 * side),
        cx=number(
            cx, context=f"{context} principal point x", low=MIN_CENTER_SHARE * w, high=(1.0 - MIN_CENTER_SHARE) * w
        ),
        cy=number(
            cy, context=f"{context} principal point y", low=MIN_CENTER_SHARE * h, high=(1.0 - MIN_CENTER_SHARE) * h
        ),
    )


def _finite_float(literal: str) -> float:
    value = float(literal)
    if not np.isfinite(value):
        raise ValueError(f"number {literal[:20]} is not finite")
    return value


def _refuse_constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not a finite number")


def _refuse(context: str, value: Any, expected: str) -> NoReturn:
    value_text = repr(value)
    raise CaptureError(
        f"{context} = {value_text if len(value_text) <= 120 else value_text[:117] + '...'}",
        expected=expected,
        hint="The export is damaged or of another format: export it again, or name its format with --format.",
    )
