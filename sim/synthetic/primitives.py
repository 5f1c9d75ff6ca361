"""Procedural textured, watertight meshes: boxes, solids of revolution, tubes and their unions."""

from __future__ import annotations

from collections.abc import Sequence

import manifold3d
import numpy as np

from cousins.geometry import Array
from cousins.meshes import Mesh

SEGMENTS = 96
"""Vertices of a circular outline."""


def box(size_m: Sequence[float], texture: Array) -> Mesh:
    """Return a box that stands on z = 0 about the z axis.

    `texture` [h, w, 3] is an atlas of 3×2 equal cells: front (-y), right (+x), back (+y) above left (-x), top, bottom.
    """
    x, y, z = size_m[0] / 2, size_m[1] / 2, size_m[2]
    sides = [
        [(-x, -y, 0), (x, -y, 0), (x, -y, z), (-x, -y, z)],
        [(x, -y, 0), (x, y, 0), (x, y, z), (x, -y, z)],
        [(x, y, 0), (-x, y, 0), (-x, y, z), (x, y, z)],
        [(-x, y, 0), (-x, -y, 0), (-x, -y, z), (-x, y, z)],
        [(-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z)],
        [(-x, y, 0), (x, y, 0), (x, -y, 0), (-x, -y, 0)],
    ]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64)
    inset = 6.0 / min(texture.shape[:2])
    corners = inset + (1.0 - 2.0 * inset) * corners
    uv = [(corners + np.array([k % 3, 1 - k // 3])) / [3.0, 2.0] for k in range(6)]
    faces = np.concatenate([np.array([[0, 1, 2], [0, 2, 3]]) + 4 * k for k in range(6)])
    return Mesh(
        vertices=np.array(sides, dtype=np.float64).reshape(-1, 3),
        faces=faces.astype(np.int32),
        uv=np.concatenate(uv),
        texture=texture,
    )


def revolution(profile: Sequence[tuple[float, float, float]], texture: Array) -> Mesh:
    """Return the solid of revolution of a profile of (radius [m], height [m], v) about the z axis.

    The profile starts and ends on the axis and runs from the bottom over the outside to the top (and down again
    inside), so that the surface faces outward. The texture [h, w, 3] wraps around once; v is its height, 0 at the
    bottom row.
    """
    rows = np.array(profile, dtype=np.float64)
    turn = np.linspace(0.0, 2.0 * np.pi, SEGMENTS + 1)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    circle[-1] = circle[0]
    rings = np.concatenate(
        [
            rows[:, None, 0, None] * circle[None],
            np.broadcast_to(rows[:, None, 1, None], (len(rows), SEGMENTS + 1, 1)),
        ],
        axis=2,
    )
    u, v = np.broadcast_arrays(np.linspace(0.0, 1.0, SEGMENTS + 1)[None], rows[:, 2, None])
    return Mesh(
        vertices=rings.reshape(-1, 3),
        faces=_grid_faces(rows[:, 0] <= 0.0, SEGMENTS + 1),
        uv=np.stack([u, v], axis=-1).reshape(-1, 2),
        texture=texture,
    )


def tube(path: Array, radii_m: tuple[float, float], *, uv: tuple[float, float], texture: Array) -> Mesh:
    """Return a closed tube of elliptic section along a path [n, 3] in the x-z plane, capped at both ends.

    `radii_m` are across the plane (y) and in it; all vertices share one texture coordinate `uv`.
    """
    count, turn = 24, np.linspace(0.0, 2.0 * np.pi, 25)[:-1]
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    across = np.array([0.0, 1.0, 0.0])
    inward = np.cross(tangent, across)
    offset = (
        radii_m[0] * np.cos(turn)[None, :, None] * across + radii_m[1] * np.sin(turn)[None, :, None] * inward[:, None]
    )
    rings = (path[:, None] + offset).reshape(-1, 3)
    vertices = np.concatenate([rings, path[:1], path[-1:]])
    faces = []
    for i in range(len(path) - 1):
        for j in range(count):
            a, b = i * count + j, i * count + (j + 1) % count
            faces += [(a, b, b + count), (a, b + count, a + count)]
    first, last = len(rings), len(rings) + 1
    end = (len(path) - 1) * count
    for j in range(count):
        faces += [(first, (j + 1) % count, j), (last, end + j, end + (j + 1) % count)]
    return Mesh(
        vertices=vertices,
        faces=np.array(faces, dtype=np.int32),
        uv=np.tile(np.array(uv), (len(vertices), 1)),
        texture=texture,
    )


def union(first: Mesh, second: Mesh, *, removed: Mesh) -> Mesh:
    """Return the union of `first` and `second` minus `removed`; all share the texture of `first`."""
    solid = (_solid(first) + _solid(second)) - _solid(removed)
    mesh = solid.to_mesh()
    values = np.asarray(mesh.vert_properties, dtype=np.float64)
    return Mesh(
        vertices=values[:, :3],
        faces=np.asarray(mesh.tri_verts, dtype=np.int32),
        uv=values[:, 3:5],
        texture=first.texture,
    )


def _solid(mesh: Mesh) -> manifold3d.Manifold:
    """Return a textured mesh as a solid with its texture seams merged."""
    assert mesh.uv is not None
    values = np.concatenate([mesh.vertices, mesh.uv], axis=1).astype(np.float32)
    shell = manifold3d.Mesh(vert_properties=values, tri_verts=np.asarray(mesh.faces, dtype=np.uint32))
    shell.merge()
    solid = manifold3d.Manifold(shell)
    assert solid.status() == manifold3d.Error.NoError, solid.status()
    return solid


def _grid_faces(poles: Array, columns: int) -> Array:
    """Return the faces of a grid of rings, int32 [m, 3]; quads at a pole become triangles."""
    faces = []
    for i in range(len(poles) - 1):
        for j in range(columns - 1):
            a, b = i * columns + j, i * columns + j + 1
            if not poles[i]:
                faces.append((a, b, b + columns))
            if not poles[i + 1]:
                faces.append((a, b + columns, a + columns))
    return np.array(faces, dtype=np.int32)
