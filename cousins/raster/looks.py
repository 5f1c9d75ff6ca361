"""How a mesh looks close up: normals that respect creases, and textures that do not flicker.

Preparing a look costs more than drawing it once, so it is made once per mesh and kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from PIL import Image

from cousins.geometry import Array
from cousins.meshes import Mesh

CREASE_RAD = np.deg2rad(40.0)
"""Faces that meet at a sharper angle are shaded with an edge between them."""
MAX_LEVELS = 7
"""Halvings of a texture that are kept."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Look:
    """What shading needs of one mesh beyond its geometry."""

    corner_normals: Array
    """Unit normal by face and corner, float32 [m, 3, 3]."""
    face_normals: Array
    """Unit normal by face, float32 [m, 3]."""
    texels: Array
    """The texture and its halvings one after the other, uint8 [k, 3]; empty without texture."""
    levels: Array
    """Start, height and width of each halving in `texels`, int64 [levels, 3]."""
    texels_per_m: Array
    """Texture resolution by face [1/m], float32 [m]; 0 without texture."""


def look_of(mesh: Mesh, *, crease_rad: float = CREASE_RAD) -> Look:
    """Prepare a mesh for shading; `crease_rad` 0 gives flat faces."""
    faces = np.asarray(mesh.faces, dtype=np.int64)
    corners = np.asarray(mesh.vertices, dtype=np.float64)[faces]
    areas = 0.5 * np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sizes = np.linalg.norm(areas, axis=1)
    units = areas / np.maximum(sizes, 1e-30)[:, None]
    welded = _welded(mesh.vertices)[faces]
    order = np.argsort(welded, axis=None, kind="stable")
    starts = np.searchsorted(welded.reshape(-1)[order], np.arange(welded.max(initial=-1) + 2))
    normals = _smooth(welded, areas, units, order // 3, starts, np.cos(crease_rad))
    texels, levels = _pyramid(mesh.texture if mesh.uv is not None else None)
    return Look(
        corner_normals=normals,
        face_normals=units.astype(np.float32),
        texels=texels,
        levels=levels,
        texels_per_m=_resolution(mesh, faces, sizes),
    )


def _welded(vertices: Array) -> Array:
    """Return a number by vertex [n] that vertices in the same place share (to a micrometre)."""
    keys = np.round(np.asarray(vertices) * 1e6).astype(np.int64)
    if not len(keys):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort(keys.T)
    new = np.any(np.diff(keys[order], axis=0) != 0, axis=1)
    numbers = np.empty(len(keys), dtype=np.int64)
    numbers[order] = np.concatenate([[0], np.cumsum(new)])
    return numbers


def _resolution(mesh: Mesh, faces: Array, sizes: Array) -> Array:
    """Return texels per metre by face [m]."""
    if mesh.uv is None or mesh.texture is None:
        return np.zeros(len(faces), dtype=np.float32)
    height, width = mesh.texture.shape[:2]
    corners = (np.asarray(mesh.uv) * np.array([width, height]))[faces]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    texels = 0.5 * np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    return np.sqrt(texels / np.maximum(sizes, 1e-18)).astype(np.float32)


def _pyramid(texture: Array | None) -> tuple[Array, Array]:
    """Return a texture and its halvings as one list of texels [k, 3], with their places [levels, 3]."""
    if texture is None:
        return np.zeros((0, 3), dtype=np.uint8), np.zeros((0, 3), dtype=np.int64)
    image = Image.fromarray(np.ascontiguousarray(texture[..., :3]))
    parts, places, start = [], [], 0
    while True:
        parts.append(np.asarray(image).reshape(-1, 3))
        places.append((start, image.height, image.width))
        start += image.height * image.width
        if len(parts) == MAX_LEVELS or min(image.size) <= 1:
            return np.concatenate(parts), np.array(places, dtype=np.int64)
        image = image.resize((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.BOX)


@njit(cache=True, nogil=True)
def _smooth(welded: Array, areas: Array, units: Array, around: Array, starts: Array, limit: float) -> Array:
    """Return corner normals [m, 3, 3]: the area-weighted mean of the faces that meet there without a crease."""
    normals = np.empty((len(welded), 3, 3), dtype=np.float32)
    for f in range(len(welded)):
        for k in range(3):
            x, y, z = areas[f, 0], areas[f, 1], areas[f, 2]
            vertex = welded[f, k]
            for entry in range(starts[vertex], starts[vertex + 1]):
                g = around[entry]
                cosine = units[f, 0] * units[g, 0] + units[f, 1] * units[g, 1] + units[f, 2] * units[g, 2]
                if g != f and cosine >= limit:
                    x, y, z = x + areas[g, 0], y + areas[g, 1], z + areas[g, 2]
            length = max(np.sqrt(x * x + y * y + z * z), 1e-30)
            normals[f, k, 0], normals[f, k, 1], normals[f, k, 2] = x / length, y / length, z / length
    return normals
