"""Untrusted text into checked values: JSON of finite numbers, rigid poses, plausible cameras."""

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
"""Farthest camera position that is believed [m]."""
MAX_IMAGE_SIDE_PX = 20_000
"""Longest image side that is believed [px]."""
MIN_CENTER = 0.25
"""A principal point nearer to the edge than this share of the image is not believed: phones stay within 3 % of the
middle, and intrinsics read by rows for columns land on the edge."""
MAX_ROTATION_ERROR = 1e-3
"""Largest entry of |RᵀR − I| of a matrix that still counts as a rotation."""
EXACT_ROTATION_ERROR = 1e-8
"""Below this a rotation is taken as it is, so that reading what we wrote changes nothing."""


def parse_json(data: bytes, *, where: str) -> Any:
    """Parse JSON text of finite numbers; refuse anything larger, deeper or stranger."""
    if len(data) > MAX_JSON_BYTES:
        raise CaptureError(
            f"{where} of {len(data):,} bytes",
            expected=f"JSON of at most {MAX_JSON_BYTES:,} bytes",
            hint="Export the scan again.",
        )
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise CaptureError(
            f"{where} that is not clean JSON ({error})",
            expected="UTF-8 JSON with finite numbers only",
            hint="The file is damaged: export the scan again.",
        ) from error


def mapping(value: Any, *, where: str) -> Mapping[str, Any]:
    """Return the value if it is a JSON object."""
    if not isinstance(value, dict):
        _refuse(where, value, "a JSON object")
    return value


def sequence(value: Any, *, where: str, most: int = 1_000_000) -> Sequence[Any]:
    """Return the value if it is a JSON array of at most `most` entries."""
    if not isinstance(value, list):
        _refuse(where, value, "a JSON array")
    if len(value) > most:
        raise CaptureError(
            f"{where} of {len(value)} entries", expected=f"at most {most}", hint="Record a shorter scan."
        )
    return value


def text(value: Any, *, where: str, default: str | None = None) -> str:
    """Return the value if it is a string of reasonable length; None becomes `default` where there is one."""
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        _refuse(where, value, "a text")
    return " ".join(value.split())[:200]


def number(value: Any, *, where: str, low: float = -1e12, high: float = 1e12) -> float:
    """Return the value if it is a finite number within [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        _refuse(where, value, f"a number from {low:g} to {high:g}")
    return float(value)


def integer(value: Any, *, where: str, low: int, high: int) -> int:
    """Return the value if it is a whole number within [low, high]; 640.0 counts as 640."""
    checked = number(value, where=where, low=low, high=high)
    if checked != int(checked):
        _refuse(where, value, "a whole number")
    return int(checked)


def numbers(value: Any, count: int, *, where: str) -> Array:
    """Return a flat JSON array of exactly `count` finite numbers, float64 [count]."""
    items = sequence(value, where=where)
    if len(items) != count:
        _refuse(where, value, f"{count} numbers")
    return np.array([number(item, where=where) for item in items], dtype=np.float64)


def matrix(value: Any, rows: int, columns: int, *, where: str) -> Array:
    """Return a JSON array of `rows` arrays of `columns` finite numbers, float64 [rows, columns]."""
    items = sequence(value, where=where)
    if len(items) != rows:
        _refuse(where, value, f"{rows} rows of {columns} numbers")
    return np.stack([numbers(row, columns, where=where) for row in items])


def text_lines(data: bytes, *, where: str) -> list[str]:
    """Return the stripped lines of UTF-8 text of reasonable size."""
    if len(data) > MAX_JSON_BYTES:
        raise CaptureError(
            f"{where} of {len(data):,} bytes", expected=f"at most {MAX_JSON_BYTES:,}", hint="Export the scan again."
        )
    try:
        return [line.strip() for line in data.decode("utf-8-sig").split("\n")]
    except UnicodeDecodeError as error:
        raise CaptureError(
            f"{where} that is no text ({error.reason})", expected="UTF-8 text", hint="Export the scan again."
        ) from error


def text_rows(data: bytes, columns: int, *, where: str, separator: str | None = None) -> list[list[str]]:
    """Return the cells of each line of text; empty lines and those that start with # are passed over."""
    lines = text_lines(data, where=where)
    rows = [[cell.strip() for cell in line.split(separator)] for line in lines if line and not line.startswith("#")]
    for row in rows:
        if len(row) != columns:
            _refuse(where, row[:columns], f"rows of {columns} values")
    return rows


def real(cell: str, *, where: str) -> float:
    """Return the finite number that a text cell holds."""
    try:
        value = float(cell)
    except ValueError:
        _refuse(where, cell[:40], "a number")
    return number(value, where=where)


def pose(matrix_4x4: Array, *, where: str) -> Array:
    """Return a rigid pose, float64 [4, 4]; its rotation is made exactly orthonormal (nearest, by SVD)."""
    given = np.array(matrix_4x4, dtype=np.float64)
    if given.shape != (4, 4) or not np.isfinite(given).all():
        _refuse(where, matrix_4x4, "a pose of 4×4 finite numbers")
    if np.abs(given[3] - [0.0, 0.0, 0.0, 1.0]).max() > MAX_ROTATION_ERROR:
        turned = np.abs(given[:, 3] - [0.0, 0.0, 0.0, 1.0]).max() <= MAX_ROTATION_ERROR
        by_columns = "; this one has it as its last column: rows for columns" if turned else ""
        _refuse(where, given[3].tolist(), "a pose whose last row is 0 0 0 1" + by_columns)
    if np.abs(given[:3, 3]).max() > MAX_COORDINATE_M:
        _refuse(where, given[:3, 3].tolist(), f"a camera within {MAX_COORDINATE_M:g} m of the start")
    rotation = given[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(rotation.T @ rotation - np.eye(3)).max()
    if not error < MAX_ROTATION_ERROR or np.linalg.det(rotation) <= 0.0:
        _refuse(where, rotation.tolist(), f"a proper rotation, |RᵀR − I| < {MAX_ROTATION_ERROR:g} and det > 0")
    if error > EXACT_ROTATION_ERROR:
        left, _, right = np.linalg.svd(rotation)
        given[:3, :3] = left @ right
    given[3] = [0.0, 0.0, 0.0, 1.0]
    return given


def camera(*, width: Any, height: Any, fx: Any, fy: Any, cx: Any, cy: Any, where: str) -> Intrinsics:
    """Return a plausible pinhole camera: focal lengths and principal point of the order of the image size."""
    w = integer(width, where=f"{where} width", low=1, high=MAX_IMAGE_SIDE_PX)
    h = integer(height, where=f"{where} height", low=1, high=MAX_IMAGE_SIDE_PX)
    side = float(max(w, h))
    return Intrinsics(
        width=w,
        height=h,
        fx=number(fx, where=f"{where} fx", low=0.1 * side, high=50.0 * side),
        fy=number(fy, where=f"{where} fy", low=0.1 * side, high=50.0 * side),
        cx=number(cx, where=f"{where} principal point x", low=MIN_CENTER * w, high=(1.0 - MIN_CENTER) * w),
        cy=number(cy, where=f"{where} principal point y", low=MIN_CENTER * h, high=(1.0 - MIN_CENTER) * h),
    )


def _finite(literal: str) -> float:
    value = float(literal)
    if not np.isfinite(value):
        raise ValueError(f"number {literal[:20]} is not finite")
    return value


def _refuse_constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not a finite number")


def _refuse(where: str, value: Any, expected: str) -> NoReturn:
    shown = repr(value)
    raise CaptureError(
        f"{where} = {shown if len(shown) <= 120 else shown[:117] + '...'}",
        expected=expected,
        hint="The export is damaged or of another format: export it again, or name its format with --format.",
    )
