"""Meshes as one binary glTF 2.0 file: y up, textures as JPEG, groups as nodes; the same bytes each time."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.raster import prepare_shading

GLTF_FROM_WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""glTF is y up and looks along -z (glTF 2.0, section 3.4)."""
_FLOAT, _UINT, _UBYTE = 5126, 5125, 5121
_ARRAY, _ELEMENTS = 34962, 34963


@dataclass(frozen=True, kw_only=True)
class Part:
    """One mesh of a file."""

    name: str
    """Name of the node."""
    mesh: Mesh
    """Geometry in the world frame."""
    group: str = "visual"
    """`visual` or `collision`, kept as the node's extra."""
    tint: tuple[float, float, float] | None = None
    """sRGB colour 0 to 1 of a mesh that has none of its own."""


@dataclass(eq=False)
class _File:
    """A file while it grows."""

    texture_px: int
    quality: int
    blob: bytearray = field(default_factory=bytearray)
    lists: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {
            key: [] for key in ("bufferViews", "accessors", "meshes", "nodes", "materials", "textures", "images")
        }
    )

    def add(self, key: str, value: dict[str, Any]) -> int:
        self.lists[key].append(value)
        return len(self.lists[key]) - 1

    def view(self, data: bytes, *, target: int | None = None) -> int:
        self.blob += b"\0" * (-len(self.blob) % 4)
        entry: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.blob), "byteLength": len(data)}
        self.blob += data
        return self.add("bufferViews", entry if target is None else entry | {"target": target})

    def accessor(self, values: Array, kind: str, component: int, target: int, **extra: Any) -> int:
        view = self.view(np.ascontiguousarray(values).tobytes(), target=target)
        return self.add(
            "accessors",
            {"bufferView": view, "componentType": component, "count": len(values), "type": kind, **extra},
        )


def glb(parts: Sequence[Part], *, texture_px: int = 2048, quality: int = 88) -> bytes:
    """Return a GLB of the parts; textures are reduced to `texture_px` a side and coded as JPEG at `quality`."""
    file = _File(texture_px=texture_px, quality=quality)
    for part in parts:
        if len(part.mesh.faces):
            _add_part(file, part)
    head: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "cousins"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(file.lists["nodes"])))}],
        "buffers": [{"byteLength": len(file.blob) + -len(file.blob) % 4}],
    }
    head |= {key: value for key, value in file.lists.items() if value}
    text = json.dumps(head, separators=(",", ":"), sort_keys=True).encode()
    text += b" " * (-len(text) % 4)
    data = bytes(file.blob) + b"\0" * (-len(file.blob) % 4)
    chunks = b"".join(
        len(chunk).to_bytes(4, "little") + kind + chunk for kind, chunk in ((b"JSON", text), (b"BIN\0", data))
    )
    return b"glTF" + (2).to_bytes(4, "little") + (12 + len(chunks)).to_bytes(4, "little") + chunks


def fit_glb(parts: Sequence[Part], most_bytes: int) -> bytes:
    """Return a GLB of at most `most_bytes`, with textures as large as that allows; geometry is never reduced."""
    data = b""
    for texture_px in (2048, 1024, 512, 256):
        data = glb(parts, texture_px=texture_px)
        if len(data) <= most_bytes:
            break
    return data


def _add_part(file: _File, part: Part) -> None:
    mesh = part.mesh
    vertices, normals, faces, source = _split_at_creases(mesh)
    points = (vertices @ GLTF_FROM_WORLD.T).astype(np.float32)
    attributes = {
        "POSITION": file.accessor(
            points, "VEC3", _FLOAT, _ARRAY, min=points.min(axis=0).tolist(), max=points.max(axis=0).tolist()
        ),
        "NORMAL": file.accessor((normals @ GLTF_FROM_WORLD.T).astype(np.float32), "VEC3", _FLOAT, _ARRAY),
    }
    if mesh.texture is not None and mesh.uv is not None:
        coordinates = np.stack([mesh.uv[:, 0], 1.0 - mesh.uv[:, 1]], axis=1)[source]
        attributes["TEXCOORD_0"] = file.accessor(coordinates.astype(np.float32), "VEC2", _FLOAT, _ARRAY)
    elif mesh.colors is not None:
        colors = np.concatenate([_linear(mesh.colors / 255.0), np.ones((len(mesh.colors), 1))], axis=1)[source]
        attributes["COLOR_0"] = file.accessor(
            np.rint(colors * 255).astype(np.uint8), "VEC4", _UBYTE, _ARRAY, normalized=True
        )
    indices = file.accessor(faces.reshape(-1).astype(np.uint32), "SCALAR", _UINT, _ELEMENTS)
    primitive = {"attributes": attributes, "indices": indices, "material": _material(file, part)}
    number = file.add("meshes", {"primitives": [primitive], "name": part.name})
    file.add("nodes", {"mesh": number, "name": part.name, "extras": {"group": part.group}})


def _split_at_creases(mesh: Mesh) -> tuple[Array, Array, Array, Array]:
    """Return vertices, normals and faces with vertices doubled along creases, and each one's old number."""
    corner_normals = prepare_shading(mesh).corner_normals.reshape(-1, 3)
    corners = np.asarray(mesh.faces, dtype=np.int64).reshape(-1)
    rounded = np.rint(corner_normals * 512.0).astype(np.int64) + 512
    keys = (corners << 33) | (rounded[:, 0] << 22) | (rounded[:, 1] << 11) | rounded[:, 2]
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    source = corners[first]
    return mesh.vertices[source], corner_normals[first], number.reshape(-1, 3), source


def _material(file: _File, part: Part) -> int:
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 0.9}
    mesh = part.mesh
    if mesh.texture is not None and mesh.uv is not None:
        image = file.add("images", {"bufferView": file.view(_jpeg(mesh.texture, file)), "mimeType": "image/jpeg"})
        surface["baseColorTexture"] = {"index": file.add("textures", {"source": image})}
    elif mesh.colors is None:
        tint = np.array(part.tint if part.tint is not None else (0.73, 0.73, 0.745))
        surface["baseColorFactor"] = [*(round(float(value), 4) for value in _linear(tint)), 1.0]
    return file.add("materials", {"pbrMetallicRoughness": surface, "name": part.name})


def _jpeg(texture: Array, file: _File) -> bytes:
    image = Image.fromarray(texture)
    image.thumbnail((file.texture_px, file.texture_px), Image.Resampling.BOX)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=file.quality, subsampling=0)
    return stream.getvalue()


def _linear(srgb: Array) -> Array:
    """Return linear light of sRGB values 0 to 1 (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
