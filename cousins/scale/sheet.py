"""A sheet of tags to print and lay beside the things that are scanned."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cousins.errors import InputError
from cousins.geometry import Array

FAMILY: Final = cv2.aruco.DICT_APRILTAG_36h11
"""Tags of 6×6 bits that differ in 11 or more: false ones are rare (Wang and Olson, AprilTag 2, IROS 2016)."""
CELLS: Final = 8
"""Cells along a tag's side, its black rim included."""
DPI: Final = 600
PAPERS_M: Final = {"a4": (0.210, 0.297), "letter": (0.2159, 0.2794)}
"""Width and height [m]."""
EDGE_M: Final = 0.012
"""What printers leave white [m]."""
QUIET: Final = 0.2
"""White around a tag, as a part of its side."""
SIDES_M: Final = (0.02, 0.16)
"""Least and greatest side of a tag [m]: 2 cm is 12 pixels of a phone's picture 0.8 m away at 640 px."""
WHEN: Final = time.gmtime(0)
"""Date in the PDF: the same sheet has the same bytes."""

Paper = Literal["a4", "letter"]


def write_sheet(path: Path, *, side_m: float, paper: Paper = "a4") -> int:
    """Write a PDF of one page with as many tags of a side [m] as fit and a ruler; return how many.

    Raises InputError where the size cannot be printed or seen.
    """
    low, high = SIDES_M
    if not low <= side_m <= high:
        raise InputError(
            f"a tag of {1000.0 * side_m:g} mm",
            expected=f"{1000.0 * low:g} to {1000.0 * high:g} mm",
            hint="60 mm suits things on a desk: `cousins tag-sheet -o tags.pdf --size 60`.",
        )
    page, count = draw_sheet(side_m=side_m, paper=paper)
    Image.fromarray(page).save(
        path, "PDF", resolution=DPI, creationDate=WHEN, modDate=WHEN, producer="cousins", title="tags"
    )
    return count


def draw_sheet(*, side_m: float, paper: Paper) -> tuple[Array, int]:
    """Return the page as grey pixels at `DPI`, uint8 [h, w], and the number of tags."""
    width, height = (_px(length) for length in PAPERS_M[paper])
    page = Image.new("L", (width, height), 255)
    pitch = side_m * (1.0 + QUIET)
    room = [PAPERS_M[paper][0] - 2.0 * EDGE_M, PAPERS_M[paper][1] - 2.0 * EDGE_M - RULER_M]
    columns, rows = (max(1, int((length + QUIET * side_m) / pitch)) for length in room)
    for number in range(columns * rows):
        left = EDGE_M + (number % columns) * pitch
        top = EDGE_M + (number // columns) * pitch
        page.paste(Image.fromarray(tag(number, _px(side_m))), (_px(left), _px(top)))
    _ruler(page, side_m, PAPERS_M[paper][1] - EDGE_M - RULER_M)
    return np.asarray(page), columns * rows


def tag(number: int, side_px: int) -> Array:
    """Return one tag, uint8 [side, side]."""
    cells = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(FAMILY), number, CELLS)
    places = (np.arange(side_px) * CELLS) // side_px
    return np.asarray(cells[places][:, places], dtype=np.uint8)


RULER_M: Final = 0.02
"""Height of the ruler under the tags [m]."""


def _ruler(page: Image.Image, side_m: float, top_m: float) -> None:
    """Draw 100 mm to be measured: printers scale pages to fit."""
    draw = ImageDraw.Draw(page)
    top, left = _px(top_m + 0.004), _px(EDGE_M)
    draw.line([(left, top), (left + _px(0.1), top)], fill=0, width=6)
    for tick in range(11):
        x = left + _px(0.01 * tick)
        draw.line([(x, top), (x, top + _px(0.004))], fill=0, width=6)
    sizes = f"This ruler is 100 mm long and a tag {1000.0 * side_m:g} mm wide"
    text = f"Print at 100 %. {sizes}: measure, and type what you measured."
    draw.text((left, top + _px(0.006)), text, fill=0, font=ImageFont.load_default(size=64))


def _px(length_m: float) -> int:
    return round(length_m / 0.0254 * DPI)
