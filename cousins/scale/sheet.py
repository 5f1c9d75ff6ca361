"""Printable sheet of tags to lay beside the scanned objects."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cousins.errors import InputError
from cousins.geometry import Array
from cousins.publishing import write_new

TAG_FAMILY: Final = cv2.aruco.DICT_APRILTAG_36h11
"""Tags of 6×6 bits with Hamming distance 11: false detections are rare (Wang and Olson, AprilTag 2, IROS 2016)."""
TAG_CELLS: Final = 8
"""Cells along a tag's side, including its black border."""
DPI: Final = 600
PAPER_SIZES_M: Final = {"a4": (0.210, 0.297), "letter": (0.2159, 0.2794)}
"""Width and height of each paper [m]."""
PAGE_MARGIN_M: Final = 0.012
"""Page margin that printers leave white [m]."""
QUIET_ZONE_SHARE: Final = 0.2
"""White quiet zone around a tag, as a share of its side."""
SIDE_RANGE_M: Final = (0.02, 0.16)
"""Least and greatest side of a tag [m]: 2 cm is 12 pixels of a phone's picture 0.8 m away at 640 px."""
PDF_DATE: Final = time.gmtime(0)
"""Date in the PDF: the same sheet has the same bytes."""

Paper = Literal["a4", "letter"]


def write_sheet(path: Path, *, side_m: float, paper: Paper = "a4") -> int:
    """Write a PDF of one page with as many tags of a side [m] as fit and a ruler; return how many.

    Raises InputError where the size cannot be printed or seen, or another file is there.
    """
    low, high = SIDE_RANGE_M
    if not low <= side_m <= high:
        raise InputError(
            f"a tag of {1000.0 * side_m:g} mm",
            expected=f"{1000.0 * low:g} to {1000.0 * high:g} mm",
            hint="60 mm suits things on a desk: `cousins tag-sheet -o tags.pdf --size 60`.",
        )
    page, count = draw_sheet(side_m=side_m, paper=paper)
    stream = io.BytesIO()
    Image.fromarray(page).save(
        stream, "PDF", resolution=DPI, creationDate=PDF_DATE, modDate=PDF_DATE, producer="cousins", title="tags"
    )
    write_new(path, stream.getvalue())
    return count


def draw_sheet(*, side_m: float, paper: Paper) -> tuple[Array, int]:
    """Return the page as grey pixels at `DPI`, uint8 [h, w], and the number of tags."""
    width, height = (_px(length) for length in PAPER_SIZES_M[paper])
    page = Image.new("L", (width, height), 255)
    pitch = side_m * (1.0 + QUIET_ZONE_SHARE)
    printable_size = [
        PAPER_SIZES_M[paper][0] - 2.0 * PAGE_MARGIN_M,
        PAPER_SIZES_M[paper][1] - 2.0 * PAGE_MARGIN_M - RULER_HEIGHT_M,
    ]
    columns, rows = (max(1, int((length + QUIET_ZONE_SHARE * side_m) / pitch)) for length in printable_size)
    for number in range(columns * rows):
        left = PAGE_MARGIN_M + (number % columns) * pitch
        top = PAGE_MARGIN_M + (number // columns) * pitch
        page.paste(Image.fromarray(draw_tag(number, _px(side_m))), (_px(left), _px(top)))
    _draw_ruler(page, side_m, PAPER_SIZES_M[paper][1] - PAGE_MARGIN_M - RULER_HEIGHT_M)
    return np.asarray(page), columns * rows


def draw_tag(number: int, side_px: int) -> Array:
    """Return one tag, uint8 [side, side]."""
    cells = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(TAG_FAMILY), number, TAG_CELLS)
    places = (np.arange(side_px) * TAG_CELLS) // side_px
    return np.asarray(cells[places][:, places], dtype=np.uint8)


RULER_HEIGHT_M: Final = 0.02
"""Height of the ruler under the tags [m]."""


def _draw_ruler(page: Image.Image, side_m: float, top_m: float) -> None:
    """Draw a ruler of 100 mm for the user to check the print size: printers scale pages to fit."""
    draw = ImageDraw.Draw(page)
    top, left = _px(top_m + 0.004), _px(PAGE_MARGIN_M)
    draw.line([(left, top), (left + _px(0.1), top)], fill=0, width=6)
    for tick in range(11):
        x = left + _px(0.01 * tick)
        draw.line([(x, top), (x, top + _px(0.004))], fill=0, width=6)
    sizes = f"This ruler is 100 mm long and a tag {1000.0 * side_m:g} mm wide"
    text = f"Print at 100 %. {sizes}: measure, and type what you measured."
    draw.text((left, top + _px(0.006)), text, fill=0, font=ImageFont.load_default(size=64))


def _px(length_m: float) -> int:
    return round(length_m / 0.0254 * DPI)
