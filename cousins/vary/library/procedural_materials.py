"""Cover an asset with a material made by program."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from cousins.families.finishes import texture
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset

TILE_M: Final = 0.12
"""Side of a material's tile on the surface [m]."""
TILE_PX: Final = 128
"""The same in the texture [px]."""
MOST_TILES: Final = 8
"""Most tiles along a side of a texture: 1024 px."""


def covered(asset: Asset, material: str, *, pattern: str) -> Asset:
    """Return an asset in a material of `cousins.families.finishes`; the same pattern is drawn for the same word.

    Looks alone change: mass and friction are drawn by themselves. A mesh without texture coordinates takes the mean.
    """
    seed = zlib.crc32(f"{material}/{pattern}".encode())
    links = tuple(replace(link, visual=_painted(link.visual, material, seed)) for link in asset.links)
    return replace(asset, links=links)


def covered_mesh(mesh: Mesh, material: str, *, pattern: str) -> Mesh:
    """Return a mesh in a material, as `covered` does with assets."""
    return _painted(mesh, material, zlib.crc32(f"{material}/{pattern}".encode()))


def _painted(mesh: Mesh, material: str, seed: int) -> Mesh:
    tile = _tile(material, seed)
    if mesh.uv is None:
        mean = np.rint(tile.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
        return replace(mesh, colors=np.tile(mean, (len(mesh.vertices), 1)), texture=None)
    corners = mesh.vertices[mesh.faces]
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    count = int(np.clip(round(float(np.sqrt(2.0 * area)) / TILE_M), 1, MOST_TILES))
    return replace(mesh, colors=None, texture=np.tile(tile, (count, count, 1)))


@lru_cache(maxsize=64)
def _tile(material: str, seed: int) -> Array:
    return texture(material, np.random.default_rng(seed), TILE_PX)
