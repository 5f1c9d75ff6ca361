"""Draw the README's contact sheet: one instance of each family.

python docs/families.py docs/families.png [SEED]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from cousins.affordances.hulls import link_poses
from cousins.families.family import family_names, load_family
from cousins.geometry import Array, Intrinsics, look_at
from cousins.raster import render, shade
from cousins.reconstruct.assets import Asset

COLUMNS = 10
TILE_PX = 128
FINER = 3
BACKGROUND = (236, 237, 240)


def picture(asset: Asset) -> Array:
    """Return an asset seen from the front, the right and above, uint8 [TILE_PX, TILE_PX, 3]."""
    poses = link_poses(asset)
    meshes = [link.visual.transformed(poses[link.name]) for link in asset.links]
    side = TILE_PX * FINER
    middle = (side - 1) / 2
    camera = Intrinsics(width=side, height=side, fx=1.7 * side, fy=1.7 * side, cx=middle, cy=middle)
    away = np.array([0.46, -0.79, 0.41]) * 2.0 * float(np.linalg.norm(asset.size_m))
    image = shade(render(meshes, camera, look_at(away, np.zeros(3))), meshes, background=BACKGROUND)
    return np.rint(image.reshape(TILE_PX, FINER, TILE_PX, FINER, 3).mean(axis=(1, 3))).astype(np.uint8)


seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
tiles = []
for number, name in enumerate(family_names()):
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    object_family = load_family(name)
    tiles.append(picture(object_family.build(object_family.sample(rng), name=name, rng=rng)))
tiles += [np.full_like(tiles[0], BACKGROUND)] * (-len(tiles) % COLUMNS)
rows = [np.concatenate(tiles[start : start + COLUMNS], axis=1) for start in range(0, len(tiles), COLUMNS)]
Image.fromarray(np.concatenate(rows)).save(Path(sys.argv[1]), optimize=True)
