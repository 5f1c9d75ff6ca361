"""Blur faces in the colour images of a capture folder, in place.

Phone images may be stored rotated, so faces are detected in all four orientations. Every face is averaged over a few
cells, which cannot be inverted. Depth is unchanged.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from cousins.capture.decoders import images
from cousins.geometry import Array

BLUR_MARGIN: Final = 0.25
"""Margin added on each side of a detected box, as a share of its size, to include hair and chin."""
BLUR_CELLS: Final = 4
"""Cells along a blurred face: 16 colours do not identify a person."""
SAME_FACE_OVERLAP: Final = 0.3
"""Boxes whose overlap exceeds this share of the smaller box are the same face."""


class FaceDetector(Protocol):
    """Callable that detects upright faces."""

    def __call__(self, image: Array) -> Array:
        """Return boxes (left, top, width, height) [px], float64 [n, 4], of faces in uint8 [h, w, 3]."""
        ...


def blur_faces(folder: Path, detect: FaceDetector) -> int:
    """Blur the faces in a capture folder, add a warning to capture.json, and return the number of faces."""
    count, pictures = 0, 0
    paths = sorted((folder / "rgb").iterdir())
    for path in paths:
        image = images.decode_color(path.read_bytes(), context=path.name)
        boxes = find_faces(image, detect)
        if len(boxes):
            path.write_bytes(images.encode_jpeg(blur_boxes(image, boxes)))
            count, pictures = count + len(boxes), pictures + 1
    record = json.loads((folder / "capture.json").read_bytes())
    record["warnings"].append(f"Blurred faces: {count}, in {pictures} of {len(paths)} pictures.")
    (folder / "capture.json").write_bytes((json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    return count


def find_faces(image: Array, detect: FaceDetector) -> Array:
    """Return boxes (left, top, width, height) [px], float64 [n, 4], of faces in any of four orientations, each once."""
    height, width = image.shape[:2]
    candidates = [np.zeros((0, 4))]
    for turns in range(4):
        boxes = np.asarray(detect(np.ascontiguousarray(np.rot90(image, turns))), dtype=np.float64).reshape(-1, 4)
        for turn in range(turns, 0, -1):
            boxes = _undo_quarter_turn(boxes, width if turn % 2 else height)
        candidates.append(boxes)
    faces: list[Array] = []
    for box in np.concatenate(candidates):
        if not any(_overlap_share(box, other) > SAME_FACE_OVERLAP for other in faces):
            faces.append(box)
    return np.array(faces).reshape(-1, 4)


def blur_boxes(image: Array, boxes: Array) -> Array:
    """Return the image, uint8 [h, w, 3], with every box [n, 4], plus a margin, averaged over a few cells."""
    result = image.copy()
    for left, top, width, height in boxes:
        rows = _cell_edges(top - BLUR_MARGIN * height, top + (1.0 + BLUR_MARGIN) * height, image.shape[0])
        columns = _cell_edges(left - BLUR_MARGIN * width, left + (1.0 + BLUR_MARGIN) * width, image.shape[1])
        for upper, lower in pairwise(rows):
            for first, last in pairwise(columns):
                cell = image[upper:lower, first:last]
                if cell.size:
                    result[upper:lower, first:last] = np.round(cell.mean(axis=(0, 1)))
    return result


def _cell_edges(low: float, high: float, limit: int) -> list[int]:
    edges = np.linspace(max(0.0, np.floor(low)), min(float(limit), np.ceil(high)), BLUR_CELLS + 1)
    cuts: list[int] = np.round(edges).astype(int).tolist()
    return cuts


def _undo_quarter_turn(boxes: Array, width: int) -> Array:
    """Return boxes [n, 4] of an image turned by `np.rot90` in the image before, whose width [px] is given."""
    left, top, across, down = boxes.T
    return np.column_stack([width - top - down, left, down, across])


def _overlap_share(box: Array, other: Array) -> float:
    """Return the overlap of two boxes [4] as a share of the smaller one."""
    low = np.maximum(box[:2], other[:2])
    high = np.minimum(box[:2] + box[2:], other[:2] + other[2:])
    common = float(np.prod(np.maximum(high - low, 0.0)))
    return common / max(min(float(np.prod(box[2:])), float(np.prod(other[2:]))), 1e-9)
