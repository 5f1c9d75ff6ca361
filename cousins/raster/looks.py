"""Shading data of a mesh: corner normals split at creases, and texture mipmaps.

Preparing the data costs more than drawing the mesh once, so it is computed once per mesh and reused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from PIL import Image

from cousins.geometry import Array
from cousins.meshes import Mesh

CREASE_RAD = np.deg2rad(40.0)
"""Faces whose normals differ by a larger angle are shaded with a hard edge between them."""
MAX_LEVELS = 7
"""Maximum number of mipmap levels."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ShadingData:
    """Normals and mipmaps that shading needs beyond the geometry of one mesh."""

    corner_normals: Array
    """Unit normal by face and corner, float32 [m, 3, 3]."""
    face_normals: Array
    """Unit normal by face, float32 [m, 3]."""
    texels: Array
    """All mipmap levels one after the other, uint8 [k, 3]; empty without texture."""
    levels: Array
    """Start, height and width of each mipmap level in `texels`, int64 [levels, 3]."""
    texels_per_m: Array
    """Texture resolution by face [1/m], float32 [m]; 0 without texture."""


def prepare_shading(mesh: Mesh, *, crease_rad: float = CREASE_RAD) -> ShadingData:
    """Return the shading data of a mesh; `crease_rad` = 0 gives flat shading."""
    faces = np.asarray(mesh.faces, dtype=np.int64)
    corners = np.asarray(mesh.vertices, dtype=np.float64)[faces]
    area_vectors = 0.5 * np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    face_areas = np.linalg.norm(area_vectors, axis=1)
    unit_normals = area_vectors / np.maximum(face_areas, 1e-30)[:, None]
    welded = _weld_vertices(mesh.vertices)[faces]
    order = np.argsort(welded, axis=None, kind="stable")
    starts = np.searchsorted(welded.reshape(-1)[order], np.arange(welded.max(initial=-1) + 2))
    normals = _corner_normals(welded, area_vectors, unit_normals, order // 3, starts, np.cos(crease_rad))
    texels, levels = _mipmaps(mesh.texture if mesh.uv is not None else None)
    return ShadingData(
        corner_normals=normals,
        face_normals=unit_normals.astype(np.float32),
        texels=texels,
        levels=levels,
        texels_per_m=_texels_per_m(mesh, faces, face_areas),
    )


def _weld_vertices(vertices: Array) -> Array:
    """Return an index by vertex, int64 [n]; vertices at the same position (to a micrometre) share it."""
    keys = np.round(np.asarray(vertices) * 1e6).astype(np.int64)
    if not len(keys):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort(keys.T)
    new = np.any(np.diff(keys[order], axis=0) != 0, axis=1)
    numbers = np.empty(len(keys), dtype=np.int64)
    numbers[order] = np.concatenate([[0], np.cumsum(new)])
    return numbers


def _texels_per_m(mesh: Mesh, faces: Array, sizes: Array) -> Array:
    """Return the texture resolution by face [1/m], float32 [m]."""
    if mesh.uv is None or mesh.texture is None:
        return np.zeros(len(faces), dtype=np.float32)
    height, width = mesh.texture.shape[:2]
    corners = (np.asarray(mesh.uv) * np.array([width, height]))[faces]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    texels = 0.5 * np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    return np.sqrt(texels / np.maximum(sizes, 1e-18)).astype(np.float32)


def _mipmaps(texture: Array | None) -> tuple[Array, Array]:
    """Return all mipmap levels as one list of texels [k, 3], and their start, height and width [levels, 3]."""
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
def _corner_normals(
    welded: Array, area_vectors: Array, unit_normals: Array, adjacent_faces: Array, starts: Array, limit: float
) -> Array:
    """Return corner normals [m, 3, 3]: the area-weighted mean of the faces that meet there without a crease."""
    normals = np.empty((len(welded), 3, 3), dtype=np.float32)
    for f in range(len(welded)):
        for k in range(3):
            x, y, z = area_vectors[f, 0], area_vectors[f, 1], area_vectors[f, 2]
            vertex = welded[f, k]
            for entry in range(starts[vertex], starts[vertex + 1]):
                g = adjacent_faces[entry]
                cosine = (
                    unit_normals[f, 0] * unit_normals[g, 0]
                    + unit_normals[f, 1] * unit_normals[g, 1]
                    + unit_normals[f, 2] * unit_normals[g, 2]
                )
                if g != f and cosine >= limit:
                    x, y, z = x + area_vectors[g, 0], y + area_vectors[g, 1], z + area_vectors[g, 2]
            length = max(np.sqrt(x * x + y * y + z * z), 1e-30)
            normals[f, k, 0], normals[f, k, 1], normals[f, k, 2] = x / length, y / length, z / length
    return normals
