"""Texture coordinates for surface that has no charts worth the name: two triangles to a square of the texture."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.meshes import Mesh

MARGIN_PX: Final = 1.0
"""Distance of a triangle from the sides of its square [px], so that filtering stays within its own gutter."""
MIN_SQUARE_PX: Final = 8
"""Smallest square [px]: triangles with legs of five texels."""


def min_texture_px(count: int) -> int:
    """Return the side of the smallest texture, a power of two, into which a number of triangles fits [px]."""
    return int(2 ** np.ceil(np.log2(MIN_SQUARE_PX * _squares(count))))


def pack_triangles(mesh: Mesh, size_px: int) -> Mesh:
    """Return the mesh with a texture coordinate of its own for each corner of each triangle; no vertices are shared.

    The texture has `size_px` by `size_px` texels; all triangles get squares of one size. Raises ValueError where it
    is smaller than `min_texture_px`.
    """
    count = len(mesh.faces)
    if size_px < min_texture_px(count):
        raise ValueError(f"{count} triangles need a texture of {min_texture_px(count)} px, got {size_px} px")
    squares = _squares(count)
    side_px = size_px / squares
    number = np.arange(count)
    corner_px = side_px * np.stack([number // 2 % squares, number // 2 // squares], axis=1)
    low, high = MARGIN_PX, side_px - MARGIN_PX
    gap = 2.0 * MARGIN_PX
    lower = np.array([[low, low], [high - gap, low], [low, high - gap]])
    upper = np.array([[high, high], [low + gap, high], [high, low + gap]])
    pixels = corner_px[:, None, :] + np.where((number % 2 == 0)[:, None, None], lower, upper)
    return Mesh(
        vertices=mesh.vertices[mesh.faces].reshape(-1, 3),
        faces=np.arange(3 * count, dtype=np.int32).reshape(-1, 3),
        uv=_uv(pixels.reshape(-1, 2), size_px),
        colors=None if mesh.colors is None else mesh.colors[mesh.faces].reshape(-1, 3),
    )


def _squares(count: int) -> int:
    """Return the number of squares along each side of a texture of `count` triangles."""
    return max(int(np.ceil(np.sqrt(np.ceil(count / 2)))), 1)


def _uv(pixels: Array, size_px: int) -> Array:
    """Return texture coordinates [n, 2], v upwards, of positions in the image [px] [n, 2], rows downwards."""
    return np.stack([pixels[:, 0] / size_px, 1.0 - pixels[:, 1] / size_px], axis=1)
