"""What a mask model is asked and what it answers; pixels are those of the depth image, x right and y down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import ndimage

from cousins.capture.captures import Frame
from cousins.geometry import Array

MARGIN_PX = 1.0
"""How far a box reaches beyond its mask [px]: half of a mixed pixel on each side."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prompts:
    """Questions of one kind: each asks for the one object at its points, in its box where there is one."""

    points: Array
    """Pixels on the object, float64 [k, p, 2]."""
    boxes: Array | None = None
    """Left, top, right and bottom of the object [px], float64 [k, 4]."""

    def __len__(self) -> int:
        return len(self.points)

    def part(self, start: int, stop: int) -> Prompts:
        """Return some of the questions."""
        return Prompts(points=self.points[start:stop], boxes=None if self.boxes is None else self.boxes[start:stop])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Answers:
    """Masks by question; a model that finds a question ambiguous gives several."""

    masks: Array
    """Bool [k, m, h, w] at the depth image's size."""
    scores: Array
    """What the model expects each mask's overlap with the object to be, 0 to 1, float64 [k, m]."""


class Looked(Protocol):
    """One frame as a model has seen it: looking is dear, asking is cheap."""

    def ask(self, prompts: Prompts) -> Answers:
        """Return masks for the questions."""
        ...


class MaskModel(Protocol):
    """Tells the extent of an object in an image from a point on it or a box around it."""

    def look(self, frame: Frame) -> Looked:
        """Take in a frame's colour image."""
        ...


def box_prompts(labels: Array) -> Prompts:
    """Return a box and the innermost point of each object in a label image [h, w], in the order of the labels."""
    found = [k for k in np.unique(labels) if k >= 0]
    points, boxes = np.zeros((len(found), 1, 2)), np.zeros((len(found), 4))
    for n, k in enumerate(found):
        mask = labels == k
        rows, columns = np.nonzero(mask)
        boxes[n] = (columns.min(), rows.min(), columns.max(), rows.max())
        points[n, 0] = innermost(mask)
    height, width = labels.shape
    boxes += np.array([-MARGIN_PX, -MARGIN_PX, MARGIN_PX, MARGIN_PX])
    return Prompts(points=points, boxes=np.clip(boxes, 0.0, [width - 1, height - 1, width - 1, height - 1]))


def grid_prompts(area: Array, *, step_px: int) -> Prompts:
    """Return a point for each cell of a grid that an area [h, w] fills by a fifth: the cell's innermost pixel of it."""
    height, width = area.shape
    points = []
    for top in range(0, height, step_px):
        for left in range(0, width, step_px):
            cell = area[top : top + step_px, left : left + step_px]
            if cell.sum() > 0.2 * step_px * step_px:
                points.append(innermost(cell) + np.array([left, top]))
    return Prompts(points=np.array(points, dtype=np.float64).reshape(-1, 1, 2))


def innermost(mask: Array) -> Array:
    """Return the pixel x, y of a mask [h, w] that is farthest from what is not in it."""
    away = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(away)), mask.shape)
    return np.array([float(column), float(row)])
