"""Triangle meshes: what every stage passes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from cousins.geometry import Array, transform


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mesh:
    """A triangle mesh, with colour by vertex or by texture if there is any."""

    vertices: Array
    """Positions [m], float64 [n, 3]."""
    faces: Array
    """Vertex indices, int32 [m, 3], counter-clockwise seen from outside."""
    colors: Array | None = None
    """sRGB colour by vertex, uint8 [n, 3]."""
    uv: Array | None = None
    """Texture coordinates by vertex, float64 [n, 2]; v = 0 is the bottom row (seams duplicate vertices)."""
    texture: Array | None = None
    """sRGB texture, uint8 [h, w, 3]; row 0 is the top (v = 1)."""

    def transformed(self, a_from_b: Array) -> Mesh:
        """Return the mesh moved by a rigid pose."""
        return Mesh(
            vertices=transform(a_from_b, self.vertices),
            faces=self.faces,
            colors=self.colors,
            uv=self.uv,
            texture=self.texture,
        )

    def to_trimesh(self) -> trimesh.Trimesh:
        """Return the geometry alone as trimesh's type; the vertices stay in order, none is merged."""
        return trimesh.Trimesh(self.vertices, self.faces, process=False)

    @staticmethod
    def from_trimesh(mesh: trimesh.Trimesh) -> Mesh:
        """Return the geometry of trimesh's type."""
        return Mesh(vertices=np.asarray(mesh.vertices, dtype=np.float64), faces=np.asarray(mesh.faces, dtype=np.int32))


def concatenate(meshes: list[Mesh]) -> Mesh:
    """Return one mesh of many; colours are kept where all have them, textures are dropped."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    colored = bool(meshes) and all(mesh.colors is not None for mesh in meshes)
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]) if meshes else np.zeros((0, 3)),
        faces=(
            np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]).astype(np.int32)
            if meshes
            else np.zeros((0, 3), dtype=np.int32)
        ),
        colors=np.concatenate([mesh.colors for mesh in meshes if mesh.colors is not None]) if colored else None,
    )
