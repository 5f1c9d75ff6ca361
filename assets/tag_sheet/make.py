"""Make this asset: the sheet that `cousins tag-sheet -o tags.pdf` writes, and a small picture of it.

A second run writes the same bytes.

    python assets/tag_sheet/make.py [FOLDER]     # FOLDER/tags.pdf and FOLDER/preview.png; this folder by default
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from cousins.scale.sheet import draw_sheet, write_sheet

SIDE_M = 0.06
"""Side of a tag, the default of the command [m]."""
PREVIEW_HEIGHT_PX = 800


def main() -> None:
    """Write the PDF and its preview."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    write_sheet(folder / "tags.pdf", side_m=SIDE_M, paper="a4")
    page = Image.fromarray(draw_sheet(side_m=SIDE_M, paper="a4")[0])
    size = (round(page.width * PREVIEW_HEIGHT_PX / page.height), PREVIEW_HEIGHT_PX)
    page.resize(size, Image.Resampling.LANCZOS).save(folder / "preview.png", optimize=True)


if __name__ == "__main__":
    main()
