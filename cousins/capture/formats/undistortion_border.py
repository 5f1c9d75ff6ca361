"""Fill the black border that lens undistortion leaves at image edges with the adjacent colour.

Polycam's corrected images have one; polyform crops 5 px and nerfstudio 15. Cropping would change the field of view with
respect to the depth image, so the image keeps its size and its camera.
"""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array

MAX_BORDER_PX = 16
"""Widest border that is detected [px]; a wider one is a dark object at the edge."""
MAX_BLACK_LEVEL = 12
"""Pixels whose channels are all below this level are black: JPEG adds a few levels beside an edge."""
MIN_BLACK_SHARE = 0.9
"""Least black share of a border row or column: the border is curved."""


def border_widths_px(color: Array) -> tuple[int, int, int, int]:
    """Return the widths [px] of the black border at top, bottom, left and right of uint8 [h, w, 3]; 0 for none."""
    black = color.max(axis=2) < MAX_BLACK_LEVEL
    return (_border_width(black), _border_width(black[::-1]), _border_width(black.T), _border_width(black.T[::-1]))


def fill_border(color: Array) -> Array | None:
    """Return the image, uint8 [h, w, 3], with its border and one half-black pixel more filled; None without border."""
    widths = border_widths_px(color)
    if not any(widths):
        return None
    height, width = color.shape[:2]
    top, bottom, left, right = (count + 1 if count else 0 for count in widths)
    rows = np.clip(np.arange(height), top, height - 1 - bottom)
    columns = np.clip(np.arange(width), left, width - 1 - right)
    return np.ascontiguousarray(color[rows[:, None], columns[None, :]])


def _border_width(black: Array) -> int:
    """Return the number of leading black rows of a mask [h, w]; 0 where they exceed `MAX_BORDER_PX`."""
    if len(black) <= 2 * MAX_BORDER_PX:
        return 0
    light = np.flatnonzero(black[: MAX_BORDER_PX + 1].mean(axis=1) < MIN_BLACK_SHARE)
    return int(light[0]) if light.size else 0
