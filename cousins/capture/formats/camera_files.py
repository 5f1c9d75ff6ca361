"""Files that hold the camera of RGB-D frames, by the names that programs give them.

camera.json and camera_params.json hold `fx fy cx cy` (or `x_offset y_offset`, or a matrix) with `width height`;
camera-intrinsics.txt, intrinsics.K.txt and FRAME.intrinsics.K.txt hold the 3×3 matrix row by row, for the depth image
or for the colour image, whichever its centre fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cousins.capture.decoders import parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.readers import check_aspect
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics

Size = tuple[int, int]
"""Width and height [px]."""

CAMERA_JSON = re.compile(r"(?i)(camera|camera[_-]?(params|parameters|info|intrinsics?)|intrinsics?)\.json")
"""Names of files with the camera as JSON."""
CAMERA_MATRIX = re.compile(r"(?i)([^/]*[._-])?(camera[_-])?intrinsics?(\.K)?\.txt|K\.txt")
"""Names of files with the camera as a matrix."""
_NESTED_KEYS = ("intrinsics", "intrinsic", "camera", "depth", "color", "rgb")
_MATRIX_KEYS = ("K", "camera_matrix", "intrinsic_matrix", "cam_K", "intrinsics")
_ALIASES = {
    "cx": ("cx", "ppx", "x_offset", "principal_point_x"),
    "cy": ("cy", "ppy", "y_offset", "principal_point_y"),
    "fx": ("fx", "focal_x", "fl_x"),
    "fy": ("fy", "focal_y", "fl_y"),
    "width": ("width", "img_width", "w"),
    "height": ("height", "img_height", "h"),
}
_CENTER_SHARE = 0.1
"""Farthest that a principal point lies from the centre of the image that its matrix is for, as a share of its size."""


def is_camera_file(name: str) -> bool:
    """Return whether a file of a folder holds the camera of its frames."""
    return CAMERA_JSON.fullmatch(name) is not None or CAMERA_MATRIX.fullmatch(name) is not None


def read_folder_camera(source: ExportFiles, *, color_size: Size | None = None) -> Callable[[Size], Intrinsics] | None:
    """Return a function from the depth image's size (width, height) [px] to its camera; None without such a file."""
    names = sorted(
        (name for name in source.names if is_camera_file(name)), key=lambda name: (name != "camera.json", name)
    )
    if not names:
        return None
    name = names[0]
    if CAMERA_JSON.fullmatch(name):
        return _json_camera(source.read(name), name, color_size)
    rows = parsing.text_lines(source.read(name, max_bytes=1 << 16), context=name)
    cells = [cell for row in rows if not row.startswith("#") for cell in re.split(r"[\s,;]+", row) if cell]
    k = _matrix([parsing.parse_float(cell, context=name) for cell in cells], name)
    return lambda size: _fitted(k, size, color_size, name)


def camera_from_matrix(k: Array, size: Size, *, context: str) -> Intrinsics:
    """Return the validated camera of a matrix [3, 3] for an image of a size (width, height) [px]."""
    fx, fy, cx, cy = (float(value) for value in (k[0, 0], k[1, 1], k[0, 2], k[1, 2]))
    return parsing.camera(width=size[0], height=size[1], fx=fx, fy=fy, cx=cx, cy=cy, context=context)


def _json_camera(data: bytes, name: str, color_size: Size | None) -> Callable[[Size], Intrinsics]:
    top = parsing.mapping(parsing.parse_json(data, context=name), context=name)
    nested = [top[key] for key in _NESTED_KEYS if isinstance(top.get(key), Mapping)]
    for record in (top, *nested):
        values = {key: _first(record, keys) for key, keys in _ALIASES.items()}
        sizes = {
            key: values[key] if values[key] is not None else _first(top, _ALIASES[key]) for key in ("width", "height")
        }
        matrix = next((record[key] for key in _MATRIX_KEYS if isinstance(record.get(key), Sequence)), None)
        if values["fx"] is None and matrix is not None:
            flat = [item for row in matrix for item in (row if isinstance(row, list) else [row])]
            k = _matrix([parsing.number(value, context=name) for value in flat], name)
            values |= {"fx": k[0, 0], "fy": k[1, 1], "cx": k[0, 2], "cy": k[1, 2]}
        if values["fx"] is None:
            continue
        fx, fy, cx, cy = (values[key] for key in ("fx", "fy", "cx", "cy"))
        if sizes["width"] is not None:
            camera = parsing.camera(**sizes, fx=fx, fy=values["fx"] if fy is None else fy, cx=cx, cy=cy, context=name)
            return lambda size: _scaled(camera, size, name)
        numbers = [parsing.number(value, context=name) for value in (fx, fx if fy is None else fy, cx, cy)]
        k = np.array([[numbers[0], 0.0, numbers[2]], [0.0, numbers[1], numbers[3]], [0.0, 0.0, 1.0]])
        return lambda size: _fitted(k, size, color_size, name)
    raise _camera_error(f"{name} without fx, fy, cx, cy")


def _first(record: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((record[key] for key in keys if record.get(key) is not None), None)


def _matrix(values: list[float], name: str) -> Array:
    """Return a 3×3 matrix [3, 3], row by row or, as Open3D writes it, column by column."""
    if len(values) != 9:
        raise _camera_error(f"{name} of {len(values)} numbers")
    k = np.array(values).reshape(3, 3)
    return k.T if k[0, 2] == 0.0 and k[2, 0] != 0.0 else k


def _fitted(k: Array, size: Size, color_size: Size | None, name: str) -> Intrinsics:
    """Return the depth camera of a matrix [3, 3] for the depth or the colour image, whose centre it fits better."""

    def miss(choice: Size) -> float:
        return max(abs(float(k[0, 2]) / choice[0] - 0.5), abs(float(k[1, 2]) / choice[1] - 0.5))

    best = min([size] if color_size is None else [size, color_size], key=miss)
    if best != size and miss(best) > _CENTER_SHARE:
        best = size
    return _scaled(camera_from_matrix(k, best, context=name), size, name)


def _scaled(camera: Intrinsics, size: Size, name: str) -> Intrinsics:
    check_aspect(size, (camera.width, camera.height), context=name)
    return camera.scaled(*size)


def _camera_error(problem: str) -> CaptureError:
    return CaptureError(
        problem,
        expected="the camera: fx, fy, cx, cy, width and height, or the 3×3 matrix",
        hint='Write camera.json beside the images: {"fx": 525, "fy": 525, "cx": 319.5, "cy": 239.5, "width": 640, '
        '"height": 480}, with the values of your camera.',
    )
