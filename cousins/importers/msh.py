"""MuJoCo's binary meshes: four counts, then positions, normals, texture coordinates and faces."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from cousins.errors import CaptureError
from cousins.meshes import Mesh

MAX_MSH_BYTES: Final = 256 << 20
"""Largest file that is read [bytes]."""
MAX_COORDINATE: Final = 1e4
"""Largest coordinate that is believed."""


def read_msh(path: Path) -> Mesh:
    """Return a mesh in its file's unit; raises CaptureError on anything that is none."""
    size = path.stat().st_size
    if not 16 <= size <= MAX_MSH_BYTES:
        raise _invalid(path, f"{size} bytes")
    data = path.read_bytes()
    vertices, normals, texture_coordinates, faces = (int(count) for count in np.frombuffer(data, "<i4", 4))
    if min(vertices, normals, texture_coordinates, faces) < 0 or vertices < 3 or faces < 1:
        raise _invalid(path, f"{vertices} vertices and {faces} faces")
    if len(data) != 16 + 12 * (vertices + normals + faces) + 8 * texture_coordinates:
        raise _invalid(path, f"{len(data)} bytes for {vertices} vertices and {faces} faces")
    points = np.frombuffer(data, "<f4", 3 * vertices, 16).reshape(-1, 3).astype(np.float64)
    triangles = np.frombuffer(data, "<i4", 3 * faces, len(data) - 12 * faces).reshape(-1, 3)
    if not np.all(np.isfinite(points)) or float(np.abs(points).max()) > MAX_COORDINATE:
        raise _invalid(path, "corners that are no places")
    if triangles.min() < 0 or triangles.max() >= vertices:
        raise _invalid(path, "faces that point nowhere")
    return Mesh(vertices=points, faces=triangles.astype(np.int32))


def _invalid(path: Path, problem: str) -> CaptureError:
    return CaptureError(
        f"{problem} in {path.name[:80]!r}", expected="a mesh in MuJoCo's MSH format", hint="Export it as OBJ."
    )
