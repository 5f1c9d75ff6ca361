"""Prompts and predictions of a mask model; pixels are those of the depth image, x right and y down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import ndimage

from cousins.capture.captures import Frame
from cousins.geometry import Array

BOX_MARGIN_PX = 1.0
"""Margin of a box around its mask [px]: half of a mixed pixel on each side."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prompts:
    """Prompts of one kind: each stands for the one object at its points, within its box where there is one."""

    points: Array
    """Pixels on the object, float64 [k, p, 2]."""
    boxes: Array | None = None
    """Left, top, right and bottom of the object [px], float64 [k, 4]."""

    def __len__(self) -> int:
        return len(self.points)

    def subset(self, start: int, stop: int) -> Prompts:
        """Return the prompts from `start` to before `stop`."""
        return Prompts(points=self.points[start:stop], boxes=None if self.boxes is None else self.boxes[start:stop])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MaskPredictions:
    """Predicted masks by prompt; a model may return several for an ambiguous prompt."""

    masks: Array
    """Bool [k, m, h, w] at the depth image's size."""
    scores: Array
    """Predicted overlap of each mask with the object, 0 to 1, float64 [k, m]."""


class EncodedFrame(Protocol):
    """A frame encoded by a model: encoding is expensive, predicting is cheap."""

    def predict(self, prompts: Prompts) -> MaskPredictions:
        """Return masks for the prompts."""
        ...


class MaskModel(Protocol):
    """Predicts the mask of an object in an image from a point on it or a box around it."""

    def encode(self, frame: Frame) -> EncodedFrame:
        """Encode a frame's colour image."""
        ...


def box_prompts(labels: Array) -> Prompts:
    """Return a box and the innermost point of each object in a label image [h, w], in the order of the labels."""
    object_labels = [k for k in np.unique(labels) if k >= 0]
    points, boxes = np.zeros((len(object_labels), 1, 2)), np.zeros((len(object_labels), 4))
    for n, k in enumerate(object_labels):
        mask = labels == k
        rows, columns = np.nonzero(mask)
        boxes[n] = (columns.min(), rows.min(), columns.max(), rows.max())
        points[n, 0] = innermost_pixel(mask)
    height, width = labels.shape
    boxes += np.array([-BOX_MARGIN_PX, -BOX_MARGIN_PX, BOX_MARGIN_PX, BOX_MARGIN_PX])
    return Prompts(points=points, boxes=np.clip(boxes, 0.0, [width - 1, height - 1, width - 1, height - 1]))


def grid_prompts(area: Array, *, step_px: int) -> Prompts:
    """Return a point for each grid cell of which an area bool [h, w] fills a fifth: the innermost pixel in the cell."""
    height, width = area.shape
    points = []
    for top in range(0, height, step_px):
        for left in range(0, width, step_px):
            cell = area[top : top + step_px, left : left + step_px]
            if cell.sum() > 0.2 * step_px * step_px:
                points.append(innermost_pixel(cell) + np.array([left, top]))
    return Prompts(points=np.array(points, dtype=np.float64).reshape(-1, 1, 2))


def innermost_pixel(mask: Array) -> Array:
    """Return the pixel x, y [2] of a mask [h, w] that is farthest from its boundary."""
    away = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(away)), mask.shape)
    return np.array([float(column), float(row)])
