"""Names by YOLOX-nano (Ge et al., "YOLOX: Exceeding YOLO Series in 2021"): 80 kinds of things of COCO, through ncnn.

The detector runs on the whole picture; a segment takes the names of the detections whose boxes overlap its own. ncnn
lacks the network's first layer, which rearranges 2 by 2 pixels into channels: it is computed here.
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
from cousins.segment.labels import MaskedPicture
from cousins.weights import downloaded_weights

INPUT_SIZE_PX: Final = 416
"""Side of the square that the network was trained on [px]."""
STRIDES: Final = (8, 16, 32)
"""Cells of its three grids [px], in the order of its output."""
PADDING_GREY: Final = 114
"""Grey level that pads a picture to a square."""
PIXEL_MEAN, PIXEL_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's colours, 0 to 1."""
FOCUS_LAYER = re.compile(r"^YoloV5Focus\s+\S+\s+1 1 images (\S+)\s*\n", re.MULTILINE)
"""The layer that is computed here, and the name of its output."""
COCO_CLASSES: Final = (
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
"""COCO's classes in their order."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Weights and detection thresholds."""

    weights: Path | None = None
    """Folder with yolox-nano.param and .bin; None takes what `cousins models get yolox-nano` fetched."""
    min_score: float = 0.25
    """Lowest mean score of a name over the views."""
    min_detection: float = 0.1
    """Lowest score of a detection."""
    min_overlap: float = 0.5
    """Lowest overlap of a detection's box with a segment's (intersection over union)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Detections:
    """Detections in a picture."""

    boxes: Array
    """Left, top, right and bottom [px], float64 [n, 4]."""
    scores: Array
    """Score by class, float64 [n, 80]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Yolox:
    """Namer that matches detections with segments; implements the `Namer` protocol."""

    config: Config
    """Thresholds."""
    network: Any
    """The ncnn network."""
    input_blob: str
    """Name of the network's input after the layer that is computed here."""
    source: str = "yolox"
    """Name of the namer, stored with each label."""

    @property
    def min_score(self) -> float:
        """Mean score below which a name is discarded, 0 to 1."""
        return self.config.min_score

    def guess(self, view: MaskedPicture) -> Sequence[Mapping[str, float]]:
        """Return for each mask of the view the classes of the detections that overlap its box, with their scores."""
        detections = self.detect(view.picture)
        return [self._class_scores_at(view.box(k), detections) for k in range(len(view.masks))]

    def detect(self, picture: Array) -> Detections:
        """Return the detections in a picture uint8 [h, w, 3] whose best class reaches the minimum score."""
        import ncnn

        scale = INPUT_SIZE_PX / max(picture.shape[:2])
        prepared = _preprocess(picture, scale)
        with self.network.create_extractor() as extractor:
            extractor.input(self.input_blob, ncnn.Mat(prepared).clone())
            status, output = extractor.extract("output")
            assert status == 0, f"ncnn answered {status}"
            rows = np.array(output, dtype=np.float64)
        cells = _grid_cells()
        center = (rows[:, :2] + cells[:, :2]) * cells[:, 2:]
        half = 0.5 * np.exp(rows[:, 2:4]) * cells[:, 2:]
        scores = rows[:, 4:5] * rows[:, 5:]
        keep_mask = scores.max(axis=1) >= self.config.min_detection
        return Detections(
            boxes=np.concatenate([center - half, center + half], axis=1)[keep_mask] / scale, scores=scores[keep_mask]
        )

    def _class_scores_at(self, box: Array, detections: Detections) -> dict[str, float]:
        is_near = box_overlaps(box, detections.boxes) >= self.config.min_overlap
        if not is_near.any():
            return {}
        best = detections.scores[is_near].max(axis=0)
        return {COCO_CLASSES[kind]: float(best[kind]) for kind in np.flatnonzero(best >= self.config.min_detection)}


def build(config: Config) -> Yolox:
    """Return the namer; raises `InputError` without weights, `ModuleNotFoundError` without ncnn."""
    folder = downloaded_weights("yolox-nano") if config.weights is None else config.weights
    import ncnn

    param, binary = folder / "yolox-nano.param", folder / "yolox-nano.bin"
    if not (param.is_file() and binary.is_file()):
        raise _weights_error(folder, "no yolox-nano.param and yolox-nano.bin")
    text, input_blob = remove_focus_layer(param.read_text(encoding="utf-8"), folder)
    network = ncnn.Net()
    network.opt.num_threads = 1
    if network.load_param_mem(text) != 0 or network.load_model(str(binary)) != 0:
        raise _weights_error(folder, "files that ncnn cannot read")
    return Yolox(config=config, network=network, input_blob=input_blob)


def remove_focus_layer(text: str, folder: Path) -> tuple[str, str]:
    """Return a network's description without its first layer, and the name of its input; raises `InputError`."""
    match = FOCUS_LAYER.search(text)
    counts = re.match(r"7767517\n(\d+) (\d+)\n", text)
    if match is None or counts is None:
        raise _weights_error(folder, "a description that is not YOLOX's for ncnn")
    layers, blobs = int(counts[1]) - 1, int(counts[2]) - 1
    body = FOCUS_LAYER.sub("", text[counts.end() :]).replace(" images\n", f" {match[1]}\n", 1)
    body = re.sub(r"^(Input\s+images\s+0 1) \S+", rf"\1 {match[1]}", body, count=1, flags=re.MULTILINE)
    return f"7767517\n{layers} {blobs}\n{body}", match[1]


def box_overlaps(box: Array, boxes: Array) -> Array:
    """Return the intersection over union of a box [4] with boxes [n, 4]."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    both = np.prod(np.clip(high - low, 0.0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return np.asarray(both / np.maximum(areas - both, 1e-9))


def _preprocess(picture: Array, scale: float) -> Array:
    """Return the network's input float32 [12, 208, 208]: resized, normalised, 2 by 2 pixels moved to channels."""
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    square = np.full((INPUT_SIZE_PX, INPUT_SIZE_PX, 3), PADDING_GREY, dtype=np.uint8)
    square[:height, :width] = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
    planes = ((square.astype(np.float32) / 255.0 - PIXEL_MEAN) / PIXEL_STD).transpose(2, 0, 1)
    parts = [planes[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
    return np.ascontiguousarray(np.concatenate(parts), dtype=np.float32)


def _grid_cells() -> Array:
    """Return column, row and stride of every cell of the three grids, float64 [3549, 3]."""
    parts = []
    for stride in STRIDES:
        rows, columns = np.mgrid[: INPUT_SIZE_PX // stride, : INPUT_SIZE_PX // stride]
        parts.append(np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)], axis=1))
    return np.concatenate(parts).astype(np.float64)


def _weights_error(folder: Path, why: str) -> InputError:
    return InputError(
        f"{why} in {folder}",
        expected="yolox-nano.param and yolox-nano.bin for ncnn",
        hint="Type `cousins models get yolox-nano`, or give their folder: --names yolox:FOLDER.",
    )
