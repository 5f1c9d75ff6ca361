"""Meshes as compact bytes: what an OBJ file holds to the micrometre, in a sixth of its size.

Positions are whole micrometres and texture coordinates whole millionths, as differences from the vertex before, each
number folded to be positive and its four bytes kept in four planes, so that the compressor finds zeros together.
Reading back gives the very numbers of `round_mesh`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from cousins.errors import PackError
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.pack.blobs import compress, decompress
from cousins.rounding import LENGTH_DIGITS

MAX_MESHES: Final = 4096
"""Most meshes in one blob."""
_SCALE: Final = 10.0**LENGTH_DIGITS
_HEAD: Final = np.dtype([("vertices", "<u4"), ("faces", "<u4"), ("colors", "<u4"), ("uv", "<u4")])


def mesh_bytes(meshes: Sequence[Mesh]) -> bytes:
    """Return meshes without their textures as bytes; equal for equal meshes."""
    heads = np.zeros(len(meshes), dtype=_HEAD)
    parts: list[bytes] = []
    for number, mesh in enumerate(meshes):
        count = len(mesh.vertices)
        heads[number] = (count, len(mesh.faces), mesh.colors is not None, mesh.uv is not None)
        parts += [_packed_bytes(_quantized(mesh.vertices)), _packed_bytes(np.asarray(mesh.faces))]
        if mesh.colors is not None:
            parts.append(np.ascontiguousarray(mesh.colors, dtype=np.uint8).tobytes())
        if mesh.uv is not None:
            parts.append(_packed_bytes(_quantized(mesh.uv)))
    return compress(len(meshes).to_bytes(4, "little") + heads.tobytes() + b"".join(parts))


def read_meshes(data: bytes) -> list[Mesh]:
    """Return the meshes of bytes that `mesh_bytes` wrote; raises `PackError` on anything else."""
    raw = decompress(data)
    count = int.from_bytes(raw[:4], "little")
    start = 4 + count * _HEAD.itemsize
    if count > MAX_MESHES or len(raw) < start:
        raise _invalid(f"{count} meshes in {len(raw)} bytes")
    heads = np.frombuffer(raw, dtype=_HEAD, count=count, offset=4)
    reader = _Reader(raw, start)
    meshes = [_read_mesh(reader, *(int(value) for value in head)) for head in heads.tolist()]
    if reader.place != len(raw):
        raise _invalid("bytes that are left over")
    return meshes


class _Reader:
    """Takes arrays from bytes, one after the other."""

    def __init__(self, raw: bytes, place: int) -> None:
        self.raw = raw
        self.place = place

    def bytes(self, rows: int, columns: int) -> Array:
        count = rows * columns
        if count > len(self.raw) - self.place:
            raise _invalid("a mesh that is cut short")
        array = np.frombuffer(self.raw, dtype=np.uint8, count=count, offset=self.place)
        self.place += count
        return array.reshape(rows, columns)

    def numbers(self, rows: int, columns: int) -> Array:
        planes = self.bytes(4, rows * columns)
        folded = np.ascontiguousarray(planes.T).view("<u4").reshape(columns, rows).T
        steps = (folded >> 1).astype(np.int64) ^ -(folded & 1).astype(np.int64)
        return np.cumsum(steps, axis=0)


def _read_mesh(reader: _Reader, vertices: int, faces: int, colors: int, uv: int) -> Mesh:
    if colors > 1 or uv > 1 or vertices == 0 or faces == 0:
        raise _invalid("a mesh of another kind")
    points = reader.numbers(vertices, 3) / _SCALE
    corners = reader.numbers(faces, 3)
    if corners.min() < 0 or corners.max() >= vertices:
        raise _invalid("a face index outside the vertices")
    return Mesh(
        vertices=points,
        faces=corners.astype(np.int32),
        colors=reader.bytes(vertices, 3).copy() if colors else None,
        uv=reader.numbers(vertices, 2) / _SCALE if uv else None,
    )


def _quantized(values: Array) -> Array:
    scaled = np.rint(np.asarray(values, dtype=np.float64) * _SCALE)
    if not np.all(np.abs(scaled) < 2**30):
        raise PackError(
            "a mesh with a vertex over a kilometre away, or none at all",
            expected="lengths in metres",
            hint="Look at the mesh that the asset was made from.",
        )
    return scaled.astype(np.int64)


def _packed_bytes(values: Array) -> bytes:
    """Return differences along the first axis, zigzag-folded, column after column, as four planes of bytes."""
    steps: Array = np.diff(np.asarray(values, dtype=np.int64), axis=0, prepend=0)
    folded = ((steps << 1) ^ (steps >> 63)).astype(np.uint32)
    flat = np.ascontiguousarray(folded.T).ravel().astype("<u4")
    return np.ascontiguousarray(flat.view(np.uint8).reshape(-1, 4).T).tobytes()


def _invalid(problem: str) -> PackError:
    return PackError(problem, expected="meshes that this version of cousins writes", hint="Pull the pack again.")
