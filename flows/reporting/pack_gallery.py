"""The gallery of a pack: a picture by cousin on one page that needs nothing else, and a contact sheet.

The page, the sheet and the card lie beside `pack.json`; none of them is part of the digest.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

from cousins.geometry import Array
from cousins.pack.blobs import write_public_file
from cousins.pack.cards import card_files
from cousins.pack.packs import Pack
from cousins.vary.cousins import AXES, SPLITS, Cousin
from flows.reporting.cousin_pictures import SIZE_PX, picture_of
from flows.reporting.formatting import size_text

PAGE: Final = "gallery.html"
SHEET: Final = "contact_sheet.png"
COLUMNS: Final = 8
"""Pictures in a row of the contact sheet."""
MOST_ON_SHEET: Final = 64
"""Pictures on the contact sheet."""

DrawProgress = Callable[[int, int], None]
"""Receives how many pictures are drawn, and of how many."""


def write_gallery(
    pack: Pack, folder: Path, present: Sequence[int], *, count: int, progress: DrawProgress
) -> dict[str, Any]:
    """Draw at most `count` of the cousins that are present, write page, sheet and card; return their paths."""
    numbers = spread(pack, present, count)
    drawn: list[tuple[Cousin, Array]] = []
    for number in numbers:
        drawn.append((pack.cousin(number), picture_of(pack.scene(number))))
        progress(len(drawn), len(numbers))
    write_public_file(folder / PAGE, page(pack.info(), drawn).encode())
    write_public_file(folder / SHEET, _png(contact_sheet(drawn[:: -(-len(drawn) // MOST_ON_SHEET)])))
    cards = card_files(pack) if len(present) == len(pack) else {}
    for name, data in cards.items():
        write_public_file(folder / name, data)
    return {
        "digest": pack.digest,
        "drawn": len(drawn),
        "gallery": str(folder / PAGE),
        "contact_sheet": str(folder / SHEET),
        "card": str(folder / "card.md") if cards else "not written: only some of the cousins are here",
    }


def spread(pack: Pack, present: Sequence[int], count: int) -> list[int]:
    """Return at most `count` of the cousins: the twin, and the splits in their proportions, spread evenly over each."""
    available = set(present)
    by_split = [[number for number in pack.indices(split) if number in available] for split in SPLITS]
    shares = _shares([len(numbers) for numbers in by_split], count)
    drawn: list[int] = []
    for numbers, share in zip(by_split, shares, strict=True):
        places = np.unique(np.linspace(0, len(numbers) - 1, share).round().astype(int))
        drawn += [numbers[place] for place in places]
    return drawn


def _shares(sizes: list[int], count: int) -> list[int]:
    """Return how many to take of each: in proportion, at least one of what there is, from the first on where few."""
    total = max(sum(sizes), 1)
    shares = [min(size, max(1, size * count // total)) for size in sizes]
    while sum(shares) > max(count, 1):
        largest = max(range(len(shares)), key=lambda place: (shares[place], place))
        shares[largest] -= 1
    return shares


def page(info: dict[str, Any], drawn: Sequence[tuple[Cousin, Array]]) -> str:
    """Return the page; `drawn` holds cousins with their pictures, uint8 [h, w, 3].

    Everything is inside it, and nothing that a stranger wrote is read as markup.
    """
    rows = [
        {
            "number": cousin.index,
            "split": cousin.split,
            "distances": {axis: round(value, 3) for axis, value in sorted(cousin.distances.items())},
            "objects": [f"{instance.name}: {instance.variant}" for instance in cousin.objects],
            "picture": "data:image/jpeg;base64," + base64.b64encode(_jpeg(image)).decode(),
        }
        for cousin, image in drawn
    ]
    data = {"axes": list(AXES), "splits": [split for split in SPLITS if info["splits"][split]], "cousins": rows}
    text = json.dumps(data, sort_keys=True, allow_nan=False).replace("<", "\\u003c")
    template = Template(files("flows.reporting").joinpath("gallery.html").read_text(encoding="utf-8"))
    splits = ", ".join(f"{count} {split}" for split, count in info["splits"].items() if count)
    return template.substitute(
        title=escape(info["name"]),
        summary=escape(f"{info['cousins']} cousins ({splits}); {len(rows)} are shown"),
        digest=escape(info["digest"]),
        maker=escape(f"{info['generator']}, seed {info['seed']}, {size_text(info['bytes'])}"),
        data=text,
    )


def contact_sheet(drawn: Sequence[tuple[Cousin, Array]]) -> Array:
    """Return the pictures in rows, each with its number and split, uint8 [h, w, 3]."""
    width, height = SIZE_PX
    rows = -(-len(drawn) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (width + 4) + 4, rows * (height + 18) + 4), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for place, (cousin, image) in enumerate(drawn):
        x, y = 4 + place % COLUMNS * (width + 4), 4 + place // COLUMNS * (height + 18)
        sheet.paste(Image.fromarray(image), (x, y))
        draw.text((x + 2, y + height + 2), f"{cousin.index}  {cousin.split}", fill=(60, 66, 76))
    return np.asarray(sheet)


def _jpeg(image: Array) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=82)
    return stream.getvalue()


def _png(image: Array) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()
