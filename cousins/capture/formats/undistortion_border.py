"""The black rim that straightening a picture leaves at its edges: painted with the colour beside it.

Polycam's corrected images have one; polyform crops 5 px and nerfstudio 15. A crop would make the picture another view
than the depth image, so the picture keeps its size and its camera.
"""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array

MOST_PX = 16
"""Widest rim that is looked for [px]; a wider one is a dark thing at the edge."""
BLACK = 12
"""Pixels whose channels are all below this level are black: JPEG leaves a few levels beside an edge."""
BLACK_SHARE = 0.9
"""Share of a row or column that is black in a rim: it is curved."""


def rim_px(color: Array) -> tuple[int, int, int, int]:
    """Return the widths [px] of the black rim at top, bottom, left and right of uint8 [h, w, 3]; 0 for none."""
    black = color.max(axis=2) < BLACK
    return (_depth(black), _depth(black[::-1]), _depth(black.T), _depth(black.T[::-1]))


def without_rim(color: Array) -> Array | None:
    """Return the picture with its rim painted, and one pixel more, which is half black; None where there is none."""
    widths = rim_px(color)
    if not any(widths):
        return None
    height, width = color.shape[:2]
    top, bottom, left, right = (count + 1 if count else 0 for count in widths)
    rows = np.clip(np.arange(height), top, height - 1 - bottom)
    columns = np.clip(np.arange(width), left, width - 1 - right)
    return np.ascontiguousarray(color[rows[:, None], columns[None, :]])


def _depth(black: Array) -> int:
    """Return how many first rows are black; 0 where the blackness goes on beyond a rim's width."""
    if len(black) <= 2 * MOST_PX:
        return 0
    light = np.flatnonzero(black[: MOST_PX + 1].mean(axis=1) < BLACK_SHARE)
    return int(light[0]) if light.size else 0
