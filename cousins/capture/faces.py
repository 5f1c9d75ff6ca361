"""Blur faces in a capture's colour pictures, in place, before anything else sees them.

A phone's sensor lies on its side when the phone stands up, so every picture is looked at in four quarter turns. What
was in a face is averaged over a few cells: it cannot be computed back. Depth is left as it is.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from cousins.capture.decoders import images
from cousins.geometry import Array

MARGIN: Final = 0.25
"""How much larger than the found box the blurred one is, on each side, as a part of it: hair and chin."""
CELLS: Final = 4
"""Cells along a blurred face: 16 colours tell no person."""
SAME: Final = 0.3
"""Boxes that share more than this part of the smaller one are one face."""


class FaceDetector(Protocol):
    """Finds upright faces."""

    def __call__(self, image: Array) -> Array:
        """Return boxes (left, top, width, height) [px], float64 [n, 4], of faces in uint8 [h, w, 3]."""
        ...


def blur_faces(folder: Path, detect: FaceDetector) -> int:
    """Blur the faces in a capture folder, tell it in its warnings, and return how many there were."""
    count, pictures = 0, 0
    paths = sorted((folder / "rgb").iterdir())
    for path in paths:
        image = images.decode_color(path.read_bytes(), where=path.name)
        boxes = find_faces(image, detect)
        if len(boxes):
            path.write_bytes(images.encode_jpeg(blurred(image, boxes)))
            count, pictures = count + len(boxes), pictures + 1
    record = json.loads((folder / "capture.json").read_bytes())
    record["warnings"].append(f"Blurred faces: {count}, in {pictures} of {len(paths)} pictures.")
    (folder / "capture.json").write_bytes((json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    return count


def find_faces(image: Array, detect: FaceDetector) -> Array:
    """Return boxes (left, top, width, height) [px], float64 [n, 4], of faces whichever way up, each once."""
    height, width = image.shape[:2]
    found = [np.zeros((0, 4))]
    for turns in range(4):
        boxes = np.asarray(detect(np.ascontiguousarray(np.rot90(image, turns))), dtype=np.float64).reshape(-1, 4)
        for done in range(turns, 0, -1):
            boxes = _turned_back(boxes, width if done % 2 else height)
        found.append(boxes)
    kept: list[Array] = []
    for box in np.concatenate(found):
        if not any(_shared(box, other) > SAME for other in kept):
            kept.append(box)
    return np.array(kept).reshape(-1, 4)


def blurred(image: Array, boxes: Array) -> Array:
    """Return the picture with every box, and a margin around it, averaged over a few cells."""
    result = image.copy()
    for left, top, width, height in boxes:
        rows = _cuts(top - MARGIN * height, top + (1.0 + MARGIN) * height, image.shape[0])
        columns = _cuts(left - MARGIN * width, left + (1.0 + MARGIN) * width, image.shape[1])
        for upper, lower in pairwise(rows):
            for first, last in pairwise(columns):
                cell = image[upper:lower, first:last]
                if cell.size:
                    result[upper:lower, first:last] = np.round(cell.mean(axis=(0, 1)))
    return result


def _cuts(low: float, high: float, limit: int) -> list[int]:
    edges = np.linspace(max(0.0, np.floor(low)), min(float(limit), np.ceil(high)), CELLS + 1)
    cuts: list[int] = np.round(edges).astype(int).tolist()
    return cuts


def _turned_back(boxes: Array, width: int) -> Array:
    """Return boxes in the picture that `np.rot90` turned once, whose width [px] is given."""
    left, top, across, down = boxes.T
    return np.column_stack([width - top - down, left, down, across])


def _shared(box: Array, other: Array) -> float:
    """Return the part of the smaller box that both cover."""
    low = np.maximum(box[:2], other[:2])
    high = np.minimum(box[:2] + box[2:], other[:2] + other[2:])
    common = float(np.prod(np.maximum(high - low, 0.0)))
    return common / max(min(float(np.prod(box[2:])), float(np.prod(other[2:]))), 1e-9)
