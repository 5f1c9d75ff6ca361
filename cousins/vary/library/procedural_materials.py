"""Cover an asset with a procedural material."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from cousins.families.finishes import make_texture
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset

TILE_M: Final = 0.12
"""Side of a material's tile on the surface [m]."""
TILE_PX: Final = 128
"""Side of a material's tile in the texture [px]."""
MAX_TILES: Final = 8
"""Most tiles along a side of a texture: 1024 px."""


def with_material(asset: Asset, material: str, *, pattern: str) -> Asset:
    """Return an asset covered by a finish of `cousins.families.finishes`; the text `pattern` seeds its pattern.

    Only the appearance changes, not mass or friction. A mesh without texture coordinates takes the mean colour.
    """
    seed = zlib.crc32(f"{material}/{pattern}".encode())
    links = tuple(replace(link, visual=_textured(link.visual, material, seed)) for link in asset.links)
    return replace(asset, links=links)


def mesh_with_material(mesh: Mesh, material: str, *, pattern: str) -> Mesh:
    """Return a mesh covered by a material, as `with_material` does for assets."""
    return _textured(mesh, material, zlib.crc32(f"{material}/{pattern}".encode()))


def _textured(mesh: Mesh, material: str, seed: int) -> Mesh:
    tile = _tile(material, seed)
    if mesh.uv is None:
        mean = np.rint(tile.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
        return replace(mesh, colors=np.tile(mean, (len(mesh.vertices), 1)), texture=None)
    corners = mesh.vertices[mesh.faces]
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    count = int(np.clip(round(float(np.sqrt(2.0 * area)) / TILE_M), 1, MAX_TILES))
    return replace(mesh, colors=None, texture=np.tile(tile, (count, count, 1)))


@lru_cache(maxsize=64)
def _tile(material: str, seed: int) -> Array:
    return make_texture(material, np.random.default_rng(seed), TILE_PX)
