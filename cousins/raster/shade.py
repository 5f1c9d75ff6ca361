"""Shade a raster: texture, vertex colour or grey under one directional light and ambient light.

Diffuse shading in linear light: a directional lamp plus an ambient term that is brighter from above.
Textures are filtered bilinearly within and between mipmap levels chosen by the pixel's footprint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.raster.looks import ShadingData, prepare_shading
from cousins.raster.scan import Raster, in_bands

GREY = (186, 186, 190)
"""sRGB colour of a mesh that has none."""
BACKGROUND = (255, 255, 255)
"""sRGB colour where nothing is seen."""
_TABLE_SIZE = 4096


@dataclass(frozen=True, kw_only=True)
class ShadingLight:
    """A directional lamp and ambient light."""

    direction: tuple[float, float, float] = (0.35, -0.45, 0.82)
    """Direction from the scene towards the lamp in the world frame; any length."""
    lamp: float = 0.62
    """Irradiance of a surface that faces the lamp; 1 shows the albedo unchanged."""
    ambient: float = 0.48
    """Ambient irradiance of a surface that faces up."""
    ground: float = 0.55
    """Ambient irradiance of a surface that faces down, as a fraction of `ambient`."""


def shade(
    raster: Raster,
    meshes: Sequence[Mesh],
    *,
    shading_data: Sequence[ShadingData] | None = None,
    light: ShadingLight | None = None,
    visibility: Array | None = None,
    background: tuple[int, int, int] | Array = BACKGROUND,
) -> Array:
    """Return the colour image, uint8 [h, w, 3], of a raster of the same meshes in the world frame.

    `shading_data` can be prepared once for several views; `visibility` [h, w, 2] scales lamp and
    ambient light by pixel (shadows); `background` is an sRGB colour or an image of the raster's size.
    """
    light = ShadingLight() if light is None else light
    prepared = [prepare_shading(mesh) for mesh in meshes] if shading_data is None else shading_data
    shape = raster.depth_m.shape
    visibility_map = (
        np.ones((1, 1, 2), dtype=np.float32) if visibility is None else np.asarray(visibility, dtype=np.float32)
    )
    lamp_direction = np.asarray(light.direction, dtype=np.float64)
    lamp_direction = lamp_direction / np.linalg.norm(lamp_direction)
    terms = np.array([light.lamp, light.ambient, light.ground, raster.camera.fx])
    image = np.empty((*shape, 3), dtype=np.uint8)
    image[:] = np.asarray(background, dtype=np.uint8)
    drawn = set(np.unique(raster.body).tolist()) - {-1}
    for number, (mesh, data) in enumerate(zip(meshes, prepared, strict=True)):
        if number not in drawn:
            continue
        paint = _painter(raster, number, mesh, data, (lamp_direction, terms, visibility_map, image))
        in_bands(paint, shape)
    return image


def _painter(
    raster: Raster, number: int, mesh: Mesh, data: ShadingData, lighting: tuple[Array, Array, Array, Array]
) -> Callable[[int, int], None]:
    """Return a function that shades one mesh in a band of rows; `lighting` is lamp, terms, visibility, image."""
    mode, values = _albedo_source(mesh)
    raster_arrays = (raster.body, raster.face, raster.barycentric, raster.depth_m)
    vertices, faces = np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64)
    geometry = (vertices, faces, data.corner_normals, data.face_normals)
    texture = (data.texels, data.levels, data.texels_per_m)
    eye = np.ascontiguousarray(raster.world_from_camera[:3, 3])
    lamp_direction, terms, visibility, image = lighting

    def paint(start: int, stop: int) -> None:
        _shade_mesh(
            start,
            stop,
            number,
            raster_arrays,
            geometry,
            mode,
            values,
            texture,
            eye,
            lamp_direction,
            terms,
            visibility,
            _TABLES,
            image,
        )

    return paint


def _albedo_source(mesh: Mesh) -> tuple[int, Array]:
    """Return the albedo mode and its values, float32 [n, 2 or 3]: 2 texture coordinates, 1 vertex colours, 0 grey."""
    if mesh.texture is not None and mesh.uv is not None:
        return 2, np.asarray(mesh.uv, dtype=np.float32)
    if mesh.colors is not None:
        return 1, np.asarray(mesh.colors[:, :3], dtype=np.float32)
    return 0, np.array([GREY], dtype=np.float32)


def _tables() -> tuple[Array, Array]:
    """Return sRGB to linear and linear to sRGB, each float32 [table] over 0 to 1 (IEC 61966-2-1)."""
    x = np.linspace(0.0, 1.0, _TABLE_SIZE)
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-12) ** (1 / 2.4) - 0.055)
    return linear.astype(np.float32), srgb.astype(np.float32)


_TABLES = _tables()


@njit(cache=True, nogil=True)
def _texel(texels: Array, start: int, height: int, width: int, u: float, v: float, out: Array, weight: float) -> None:
    """Add a bilinear sample of one mipmap level, times `weight`, to `out`; coordinates repeat."""
    x, y = u * width - 0.5, (1.0 - v) * height - 0.5
    left, top = np.floor(x), np.floor(y)
    fx, fy = x - left, y - top
    for dy in range(2):
        for dx in range(2):
            part = weight * (fx if dx else 1.0 - fx) * (fy if dy else 1.0 - fy)
            row, column = (int(top) + dy) % height, (int(left) + dx) % width
            place = start + row * width + column
            for k in range(3):
                out[k] += part * texels[place, k]


@njit(cache=True, nogil=True)
def _sample(texels: Array, levels: Array, footprint: float, u: float, v: float, out: Array) -> None:
    """Write the texture at (u, v), filtered for a pixel that covers `footprint` texels."""
    level = min(max(np.log2(max(footprint, 1e-6)), 0.0), len(levels) - 1.0)
    low = int(level)
    part = level - low
    _texel(texels, levels[low, 0], levels[low, 1], levels[low, 2], u, v, out, 1.0 - part)
    if part > 0.0:
        _texel(texels, levels[low + 1, 0], levels[low + 1, 1], levels[low + 1, 2], u, v, out, part)


@njit(cache=True, nogil=True)
def _irradiance(
    weights: Array,
    normals: Array,
    flat: Array,
    towards_eye: Array,
    lamp_direction: Array,
    terms: Array,
    visibility: Array,
) -> float:
    """Return the irradiance at a point of a face whose corner normals are `normals` [3, 3]."""
    x = weights[0] * normals[0, 0] + weights[1] * normals[1, 0] + weights[2] * normals[2, 0]
    y = weights[0] * normals[0, 1] + weights[1] * normals[1, 1] + weights[2] * normals[2, 1]
    z = weights[0] * normals[0, 2] + weights[1] * normals[1, 2] + weights[2] * normals[2, 2]
    scale = 1.0 / max(np.sqrt(x * x + y * y + z * z), 1e-12)
    if flat[0] * towards_eye[0] + flat[1] * towards_eye[1] + flat[2] * towards_eye[2] < 0.0:
        scale = -scale
    facing = max((x * lamp_direction[0] + y * lamp_direction[1] + z * lamp_direction[2]) * scale, 0.0)
    up = 0.5 + 0.5 * z * scale
    return terms[0] * facing * visibility[0] + terms[1] * visibility[1] * (up + terms[2] * (1.0 - up))


@njit(cache=True, nogil=True)
def _albedo(
    face: int,
    weights: Array,
    footprint_m: float,
    faces: Array,
    mode: int,
    values: Array,
    texels: Array,
    levels: Array,
    texels_per_m: Array,
    out: Array,
) -> None:
    """Write the sRGB albedo [3] of a point of a face, for a pixel that covers `footprint_m`."""
    out[:] = 0.0
    if mode == 0:
        for k in range(3):
            out[k] = values[0, k]
        return
    u, v = 0.0, 0.0
    for corner in range(3):
        vertex = faces[face, corner]
        if mode == 1:
            for k in range(3):
                out[k] += weights[corner] * values[vertex, k]
        else:
            u += weights[corner] * values[vertex, 0]
            v += weights[corner] * values[vertex, 1]
    if mode == 2:
        _sample(texels, levels, texels_per_m[face] * footprint_m, u, v, out)


@njit(cache=True, nogil=True)
def _shade_mesh(
    start: int,
    stop: int,
    number: int,
    raster_arrays: tuple[Array, Array, Array, Array],
    geometry: tuple[Array, Array, Array, Array],
    mode: int,
    values: Array,
    texture: tuple[Array, Array, Array],
    eye: Array,
    lamp_direction: Array,
    terms: Array,
    visibility: Array,
    tables: tuple[Array, Array],
    image: Array,
) -> None:
    """Write the colour of every pixel of rows `start` to `stop` that shows mesh `number`."""
    body, face, barycentric, depth_m = raster_arrays
    vertices, faces, corner_normals, face_normals = geometry
    texels, levels, texels_per_m = texture
    linear, srgb = tables
    albedo, towards = np.empty(3), np.empty(3)
    last = len(linear) - 1
    for y in range(start, stop):
        for x in range(body.shape[1]):
            if body[y, x] != number:
                continue
            f, w = face[y, x], barycentric[y, x]
            for k in range(3):
                point = w[0] * vertices[faces[f, 0], k] + w[1] * vertices[faces[f, 1], k]
                towards[k] = eye[k] - (point + w[2] * vertices[faces[f, 2], k])
            _albedo(f, w, depth_m[y, x] / terms[3], faces, mode, values, texels, levels, texels_per_m, albedo)
            visible = visibility[y, x] if visibility.shape[0] > 1 else visibility[0, 0]
            light = _irradiance(w, corner_normals[f], face_normals[f], towards, lamp_direction, terms, visible)
            for k in range(3):
                radiance = linear[int(min(max(albedo[k] / 255.0, 0.0), 1.0) * last + 0.5)] * light
                image[y, x, k] = np.uint8(srgb[int(min(radiance, 1.0) * last + 0.5)] * 255.0 + 0.5)
