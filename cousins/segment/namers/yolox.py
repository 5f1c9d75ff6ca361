"""Names by YOLOX-nano (Ge et al., "YOLOX: Exceeding YOLO Series in 2021"): 80 kinds of things of COCO, through ncnn.

The detector sees the whole picture; a thing takes the names of the detections whose boxes agree with its own. ncnn
lacks the network's first layer, which gathers 2 by 2 pixels into channels: it is done here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from cousins.errors import InputError
from cousins.geometry import Array
from cousins.segment.labels import View
from cousins.weights import fetched

SIDE_PX: Final = 416
"""Side of the square that the network was trained on [px]."""
STRIDES: Final = (8, 16, 32)
"""Cells of its three grids [px], in the order of its output."""
PAD: Final = 114
"""Grey of what pads a picture to a square."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's colours, 0 to 1."""
FIRST = re.compile(r"^YoloV5Focus\s+\S+\s+1 1 images (\S+)\s*\n", re.MULTILINE)
"""The layer that is done here, and the name of what it gives."""
KINDS: Final = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch"),
    *("potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard"),
    *("cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase"),
    *("scissors", "teddy bear", "hair drier", "toothbrush"),
)
"""COCO's kinds in their order."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which weights, and which detections count."""

    weights: Path | None = None
    """Folder with yolox-nano.param and .bin; None takes what `cousins models get yolox-nano` fetched."""
    least_score: float = 0.25
    """Least mean score of a name over the views."""
    min_detection: float = 0.1
    """Least score of a detection."""
    min_overlap: float = 0.5
    """Least overlap of a detection's box with a thing's (intersection over union)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Detections:
    """What a picture shows."""

    boxes: Array
    """Left, top, right and bottom [px], float64 [n, 4]."""
    scores: Array
    """By kind, float64 [n, 80]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Yolox:
    """Answers the `Namer` protocol."""

    config: Config
    """What counts."""
    network: Any
    """The ncnn network."""
    first_blob: str
    """Name of the network's input after the layer that is done here."""
    source: str = "yolox"
    """As told beside each label."""

    @property
    def least_score(self) -> float:
        """Return the score below which its name is not taken."""
        return self.config.least_score

    def guess(self, view: View) -> Sequence[Mapping[str, float]]:
        """Return by thing the kinds of the detections that agree with its box, each with its best score."""
        found = self.detect(view.picture)
        return [self._kinds_at(view.box(k), found) for k in range(len(view.masks))]

    def detect(self, picture: Array) -> Detections:
        """Return detections that no kind doubts wholly in a picture, uint8 [h, w, 3]."""
        import ncnn

        scale = SIDE_PX / max(picture.shape[:2])
        prepared = _prepared(picture, scale)
        with self.network.create_extractor() as extractor:
            extractor.input(self.first_blob, ncnn.Mat(prepared).clone())
            status, told = extractor.extract("output")
            assert status == 0, f"ncnn answered {status}"
            rows = np.array(told, dtype=np.float64)
        cells = _cells()
        center = (rows[:, :2] + cells[:, :2]) * cells[:, 2:]
        half = 0.5 * np.exp(rows[:, 2:4]) * cells[:, 2:]
        scores = rows[:, 4:5] * rows[:, 5:]
        kept = scores.max(axis=1) >= self.config.min_detection
        return Detections(
            boxes=np.concatenate([center - half, center + half], axis=1)[kept] / scale, scores=scores[kept]
        )

    def _kinds_at(self, box: Array, found: Detections) -> dict[str, float]:
        near = overlaps(box, found.boxes) >= self.config.min_overlap
        if not near.any():
            return {}
        best = found.scores[near].max(axis=0)
        return {KINDS[kind]: float(best[kind]) for kind in np.flatnonzero(best >= self.config.min_detection)}


def build(config: Config) -> Yolox:
    """Return the namer; raises `InputError` without weights, `ModuleNotFoundError` without ncnn."""
    folder = fetched("yolox-nano") if config.weights is None else config.weights
    import ncnn

    param, binary = folder / "yolox-nano.param", folder / "yolox-nano.bin"
    if not (param.is_file() and binary.is_file()):
        raise _not_weights(folder, "no yolox-nano.param and yolox-nano.bin")
    text, first_blob = without_first(param.read_text(encoding="utf-8"), folder)
    network = ncnn.Net()
    network.opt.num_threads = 1
    if network.load_param_mem(text) != 0 or network.load_model(str(binary)) != 0:
        raise _not_weights(folder, "files that ncnn cannot read")
    return Yolox(config=config, network=network, first_blob=first_blob)


def without_first(text: str, folder: Path) -> tuple[str, str]:
    """Return a network's description without its first layer, and the name of its input; raises `InputError`."""
    found = FIRST.search(text)
    counts = re.match(r"7767517\n(\d+) (\d+)\n", text)
    if found is None or counts is None:
        raise _not_weights(folder, "a description that is not YOLOX's for ncnn")
    layers, blobs = int(counts[1]) - 1, int(counts[2]) - 1
    body = FIRST.sub("", text[counts.end() :]).replace(" images\n", f" {found[1]}\n", 1)
    body = re.sub(r"^(Input\s+images\s+0 1) \S+", rf"\1 {found[1]}", body, count=1, flags=re.MULTILINE)
    return f"7767517\n{layers} {blobs}\n{body}", found[1]


def overlaps(box: Array, boxes: Array) -> Array:
    """Return the intersection over union of a box [4] with boxes [n, 4]."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    both = np.prod(np.clip(high - low, 0.0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return np.asarray(both / np.maximum(areas - both, 1e-9))


def _prepared(picture: Array, scale: float) -> Array:
    """Return a picture as the network takes it, float32 [12, 208, 208]: fitted, normalised, pixels 2 by 2 in depth."""
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    square = np.full((SIDE_PX, SIDE_PX, 3), PAD, dtype=np.uint8)
    square[:height, :width] = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
    planes = ((square.astype(np.float32) / 255.0 - MEAN) / STD).transpose(2, 0, 1)
    parts = [planes[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
    return np.ascontiguousarray(np.concatenate(parts), dtype=np.float32)


def _cells() -> Array:
    """Return column, row and stride of every cell of the three grids, float64 [3549, 3]."""
    parts = []
    for stride in STRIDES:
        rows, columns = np.mgrid[: SIDE_PX // stride, : SIDE_PX // stride]
        parts.append(np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)], axis=1))
    return np.concatenate(parts).astype(np.float64)


def _not_weights(folder: Path, why: str) -> InputError:
    return InputError(
        f"{why} in {folder}",
        expected="yolox-nano.param and yolox-nano.bin for ncnn",
        hint="Type `cousins models get yolox-nano`, or give their folder: --names yolox:FOLDER.",
    )
