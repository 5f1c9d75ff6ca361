"""Make this asset: a contact sheet of all finishes, three draws of each.

The textures follow from the seed alone.

    python assets/finishes/make.py [FOLDER]     # FOLDER/preview.png; this folder by default
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cousins.families.finishes import FINISHES, make_texture

SEED = 3
DRAWS = 3
TILE_PX = 112
CAPTION_PX = 34
GAP_PX = 12
COLUMNS = 3
"""Finishes side by side."""


def main() -> None:
    """Write the contact sheet."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    cell = (DRAWS * TILE_PX + GAP_PX, TILE_PX + CAPTION_PX + GAP_PX)
    rows = -(-len(FINISHES) // COLUMNS)
    sheet = Image.new("RGB", (GAP_PX + COLUMNS * cell[0], GAP_PX + rows * cell[1]), (250, 250, 250))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=16)
    for number, finish in enumerate(FINISHES.values()):
        left, top = GAP_PX + number % COLUMNS * cell[0], GAP_PX + number // COLUMNS * cell[1]
        for index in range(DRAWS):
            rng = np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(number, index)))
            sheet.paste(Image.fromarray(make_texture(finish.name, rng, TILE_PX)), (left + index * TILE_PX, top))
        caption = f"{finish.name}: roughness {finish.roughness:g}, metallic {finish.metallic:g}"
        draw.text((left, top + TILE_PX + 6), caption, fill=(40, 40, 40), font=font)
    sheet.save(folder / "preview.png", optimize=True)


if __name__ == "__main__":
    main()
