"""OBJ files: written with a fixed number of digits, read back strictly."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image

from cousins.errors import SceneError
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.rounding import round_length

MAX_TEXTURE_PX: Final = 8192
"""Largest side of a texture that is read."""


def obj_files(mesh: Mesh, stem: str, *, png: Callable[[Array], bytes] | None = None) -> dict[str, bytes]:
    """Return the OBJ files of a mesh: `stem.obj`, and with a texture `stem.mtl` and `stem.png`, by path.

    Equal meshes give equal bytes; `png` encodes the texture, uint8 [h, w, 3].

    Vertices and texture coordinates share one index, so that reading restores the mesh to the micrometre.
    """
    name = stem.rsplit("/", 1)[-1]
    vertices = round_length(mesh.vertices)
    if mesh.colors is None:
        lines = _format_rows("v %.6f %.6f %.6f\n", vertices)
    else:
        lines = _format_rows("v %.6f %.6f %.6f %.4f %.4f %.4f\n", np.hstack([vertices, mesh.colors / 255.0]))
    faces = np.asarray(mesh.faces, dtype=np.int64) + 1
    if mesh.uv is None:
        return {f"{stem}.obj": (lines + _format_rows("f %d %d %d\n", faces)).encode()}
    lines += _format_rows("vt %.6f %.6f\n", np.round(mesh.uv, 6) + 0.0)
    lines += _format_rows("f %d/%d %d/%d %d/%d\n", np.repeat(faces, 2, axis=1))
    if mesh.texture is None:
        return {f"{stem}.obj": lines.encode()}
    header = f"mtllib {name}.mtl\nusemtl {name}\n"
    material = f"newmtl {name}\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nd 1\nillum 1\nmap_Kd {name}.png\n"
    return {
        f"{stem}.obj": (header + lines).encode(),
        f"{stem}.mtl": material.encode(),
        f"{stem}.png": (png or png_bytes)(mesh.texture),
    }


def round_mesh(mesh: Mesh) -> Mesh:
    """Return the mesh as `read_obj` returns it after `obj_files` wrote it."""
    return Mesh(
        vertices=round_length(mesh.vertices),
        faces=np.asarray(mesh.faces, dtype=np.int32),
        colors=mesh.colors,
        uv=None if mesh.uv is None else np.round(mesh.uv, 6) + 0.0,
        texture=mesh.texture,
    )


def png_bytes(image: Array) -> bytes:
    """Return a uint8 image [h, w, 3] as PNG without metadata."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image, dtype=np.uint8)).save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def read_obj(data: bytes, *, source: str, texture: bytes | None = None) -> Mesh:
    """Return the mesh of an OBJ file that `obj_files` wrote; raises `SceneError` on anything else."""
    rows: dict[bytes, list[bytes]] = {b"v": [], b"vt": [], b"f": []}
    for line in data.splitlines():
        key, _, rest = line.partition(b" ")
        if key in rows:
            rows[key].append(rest)
        elif key not in (b"mtllib", b"usemtl", b"", b"#"):
            raise _invalid(source, f"a line that begins with {key[:20]!r}", "v, vt and f lines")
    points = _parse_rows(rows[b"v"], source=source)
    if len(points) == 0 or points.shape[1] not in (3, 6):
        raise _invalid(source, f"vertices of shape {points.shape}", "3 or 6 numbers a vertex")
    uv = _parse_rows(rows[b"vt"], source=source) if rows[b"vt"] else None
    if uv is not None and uv.shape != (len(points), 2):
        raise _invalid(source, f"texture coordinates of shape {uv.shape}", f"({len(points)}, 2)")
    columns = 3 if uv is None else 6
    faces = _parse_rows([row.replace(b"/", b" ") for row in rows[b"f"]], source=source)
    if len(faces) == 0 or faces.shape[1] != columns:
        raise _invalid(source, f"faces of shape {faces.shape}", f"{columns} indices a triangle")
    if faces.min() < 1 or faces.max() > len(points) or np.any(faces != np.floor(faces)):
        raise _invalid(source, "a face index outside the vertices", f"integers from 1 to {len(points)}")
    return Mesh(
        vertices=points[:, :3].copy(),
        faces=(faces[:, :: columns // 3] - 1).astype(np.int32),
        colors=None if points.shape[1] == 3 else np.round(np.clip(points[:, 3:], 0, 1) * 255.0).astype(np.uint8),
        uv=uv,
        texture=None if texture is None else read_png(texture, source=source),
    )


def _format_rows(pattern: str, values: Array) -> str:
    return (pattern * len(values)) % tuple(values.ravel().tolist())


def _parse_rows(rows: list[bytes], *, source: str) -> Array:
    if not rows:
        return np.zeros((0, 0))
    width = len(rows[0].split())
    try:
        values = np.array(b" ".join(rows).split(), dtype=np.float64)
    except ValueError as error:
        raise _invalid(source, "a word that is no number", "numbers") from error
    if width == 0 or len(values) != width * len(rows) or not np.all(np.isfinite(values)):
        raise _invalid(source, "ragged or non-finite lines", f"{width} finite numbers a line")
    return values.reshape(len(rows), width)


def read_png(data: bytes, *, source: str) -> Array:
    """Return a PNG as uint8 [h, w, 3]; raises `SceneError` where it is no PNG or too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                if max(image.size) > MAX_TEXTURE_PX:
                    raise _invalid(source, f"a texture of {image.size} px", f"at most {MAX_TEXTURE_PX} px a side")
                return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _invalid(source, f"an unreadable texture ({error})", "a PNG") from error


def _invalid(source: str, problem: str, expected: str) -> SceneError:
    return SceneError(f"{problem} in {source}", expected=expected, hint="Write the scene folder anew.")
