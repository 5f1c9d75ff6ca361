"""The triangle mesh type that the stages exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cousins.geometry import Array, transform

if TYPE_CHECKING:
    import trimesh


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mesh:
    """A triangle mesh with optional vertex colours or a texture."""

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
        """Return the mesh in frame a, moved by the rigid pose `a_from_b` [4, 4]."""
        return Mesh(
            vertices=transform(a_from_b, self.vertices),
            faces=self.faces,
            colors=self.colors,
            uv=self.uv,
            texture=self.texture,
        )

    def triangle_areas_m2(self) -> Array:
        """Return the area of each triangle [m²], float64 [m]."""
        corners = np.asarray(self.vertices, dtype=np.float64)[self.faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return np.asarray(0.5 * np.linalg.norm(normals, axis=1))

    def surface_points(self, spacing_m: float) -> Array:
        """Return points [n, 3] on the surface, no further than about `spacing_m` apart.

        They are the vertices and a grid in each triangle.
        """
        vertices = np.asarray(self.vertices, dtype=np.float64)
        triangles = vertices[self.faces]
        longest = np.sqrt(((triangles - np.roll(triangles, 1, axis=1)) ** 2).sum(axis=2)).max(axis=1)
        steps = np.maximum(np.ceil(longest / spacing_m).astype(np.int64), 1)
        parts = [vertices]
        for count in np.unique(steps[steps > 1]).tolist():
            first, second = (grid.ravel() for grid in np.meshgrid(np.arange(count + 1), np.arange(count + 1)))
            is_inside = first + second <= count
            weights = np.stack([first, second, count - first - second], axis=1)[is_inside] / count
            parts.append(np.einsum("kc,ncd->nkd", weights, triangles[steps == count]).reshape(-1, 3))
        return np.concatenate(parts)

    def to_trimesh(self) -> trimesh.Trimesh:
        """Return the geometry without colours as a `trimesh.Trimesh`; vertices keep their order and are not merged."""
        import trimesh  # imported here: it takes seconds, and a `Scene` does not need it

        return trimesh.Trimesh(self.vertices, self.faces, process=False)

    @staticmethod
    def from_trimesh(mesh: trimesh.Trimesh) -> Mesh:
        """Return the geometry of a `trimesh.Trimesh` as a `Mesh`, without colours."""
        return Mesh(vertices=np.asarray(mesh.vertices, dtype=np.float64), faces=np.asarray(mesh.faces, dtype=np.int32))


def concatenate(meshes: list[Mesh]) -> Mesh:
    """Return all meshes as one; vertex colours are kept where every mesh has them, textures are dropped."""
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


def mean_rgba(mesh: Mesh) -> Array:
    """Return the mean colour [4], 0 to 1, for formats without vertex colours; mid grey for a mesh without colours."""
    if mesh.colors is None or len(mesh.colors) == 0:
        return np.array([0.6, 0.6, 0.6, 1.0])
    return np.append(np.round(mesh.colors.mean(axis=0) / 255.0, 4), 1.0)
