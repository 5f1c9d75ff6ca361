"""Fixed structure of scenes: floors, table tops and walls, as boxes with textures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from cousins.geometry import Array, rigid
from cousins.meshes import Mesh
from sim.synthetic import primitives, procedural_textures

TEXELS_PER_M: Final = 150.0
"""Resolution of the textures of structure [px/m]."""
Color = tuple[int, int, int]
"""sRGB, 0 to 255."""
Structures = list[tuple[str, Mesh]]
"""Meshes in the world frame by name; the name begins with `floor`, `wall`, `table` or `board`, or with another word."""


def slab(low: Sequence[float], high: Sequence[float], color: Color, rng: np.random.Generator, *, grain: str) -> Mesh:
    """Return a box between two corners [m]; `grain` is `wood` or `plaster`."""
    size = np.asarray(high, dtype=np.float64) - np.asarray(low, dtype=np.float64)
    middle = 0.5 * (np.asarray(low) + np.asarray(high))
    side = int(np.clip(TEXELS_PER_M * float(size.max()), 128, 1024))
    if grain == "wood":
        cell = procedural_textures.wood((side, side), color, rng, planks=max(1, int(float(size.max()) / 0.25)))
    else:
        cell = procedural_textures.mottled((side, side), color, rng, mottle=4.0)
    texture = procedural_textures.atlas([cell] * 6, (side, side))
    return primitives.box(size, texture).transformed(rigid(None, np.array([middle[0], middle[1], float(low[2])])))


def floor(low: Sequence[float], high: Sequence[float], rng: np.random.Generator) -> tuple[str, Mesh]:
    """Return a floor with its top at z = 0, between two corners [m] in x and y."""
    return "floor", slab((*low, -0.05), (*high, 0.0), (150, 132, 112), rng, grain="wood")


def table(size_m: Sequence[float], top_m: float, rng: np.random.Generator) -> Structures:
    """Return a table about the z axis on four legs, its top at a height [m]."""
    x, y = 0.5 * size_m[0], 0.5 * size_m[1]
    tone = rng.uniform(0.7, 1.1)
    wood = (int(176 * tone), int(138 * tone), int(98 * tone))
    legs: Structures = []
    for number, (sx, sy) in enumerate([(-1, -1), (1, -1), (1, 1), (-1, 1)]):
        center = np.array([sx * (x - 0.05), sy * (y - 0.05)])
        leg = slab((*(center - 0.025), 0.0), (*(center + 0.025), top_m - 0.03), wood, rng, grain="wood")
        legs.append((f"leg_{number}", leg))
    return [("table", slab((-x, -y, top_m - 0.03), (x, y, top_m), wood, rng, grain="wood")), *legs]


def walls(
    rectangles: Sequence[tuple[Sequence[float], Sequence[float]]], rng: np.random.Generator, *, height_m: float = 2.4
) -> Structures:
    """Return walls between pairs of corners [m] in x and y, each with paint of its own."""
    structures: Structures = []
    for number, (low, high) in enumerate(rectangles):
        color = tuple(int(level) for level in rng.integers(180, 226, size=3))
        wall = slab((*low, 0.0), (*high, height_m), (color[0], color[1], color[2]), rng, grain="plaster")
        structures.append((f"wall_{number}", wall))
    return structures


def colored(mesh: Mesh, color: Color, rng: np.random.Generator) -> Mesh:
    """Return a mesh with one texture of a colour, mapped from above and from the side."""
    cell = procedural_textures.mottled((256, 256), color, rng, mottle=6.0)
    spots = mesh.vertices[:, :2] + mesh.vertices[:, 2:3] * np.array([0.7, 0.3])
    low, high = spots.min(axis=0), spots.max(axis=0)
    uv: Array = 0.02 + 0.96 * (spots - low) / np.maximum(high - low, 1e-9)
    return Mesh(vertices=mesh.vertices, faces=mesh.faces, uv=uv, texture=cell)
