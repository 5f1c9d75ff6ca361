"""Things found in single depth views of a table full of them: simulated views with labels, and labelled Kinect views.

Of the things that are visible over a fifth of their outline: found are those that a segment overlaps by at least half
(intersection over union of pixels with depth, one to one by the Hungarian method). A thing is split where two segments
that lie mostly on it hold a tenth of it or more each; a segment is merged where it holds a quarter of two things or
more. Extra segments overlap nothing by a quarter. Two of three things are scanned objects, which the weights of the
segmenter were not trained on.

    python benchmarks/single_views/measure_segments.py [--quick] [--objects DIR] [--data DIR] [--pictures DIR] [--json]
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.plugins import load_backend
from program import DATA, GSO_OBJECTS, program_parser, run_program
from scenes.objects import load_mesh
from scenes.single_views import single_view
from segmentation import read_view, write_picture

SEED = 500_000
VIEWS = 12
"""Simulated views of each sensor."""


def main() -> None:
    parser = program_parser(
        __doc__, quick="three views of each kind", data=DATA / "groundtruth/mosd_learn", objects=GSO_OBJECTS, seed=SEED
    )
    parser.add_argument("--pictures", type=Path, help="write overlays here")
    run_program(parser, measure)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    rows: dict[str, list[dict[str, int]]] = {"kinect": [], "lidar": [], "real": []}
    backend = load_backend("cousins.segment.backends", "geometric", kind="segmenter")
    segmenter = backend.build(backend.Config())
    with tempfile.TemporaryDirectory() as folder:
        for kind, capture, labels, visible in _views(arguments, Path(folder)):
            segmentation = segmenter.segment(capture, rng=np.random.default_rng(0))
            masks = [segment.masks[0] for segment in segmentation.segments]
            rows[kind].append(score(masks, labels, visible, capture.frames[0].depth_m > 0.0))
            if arguments.pictures:
                truth = [{0: labels == k} for k in np.flatnonzero(visible)]
                write_picture(capture, segmentation, truth, arguments.pictures)
    return {kind: summary(scores) for kind, scores in rows.items() if scores}


def _views(arguments: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Capture, Array, Array]]:
    """Yield kind, capture, label of each pixel (-1 none) and which labels count."""
    scans = [load_mesh(path.parent) for path in sorted(arguments.objects.glob("*/model.obj"))]
    for number in range(3 if arguments.quick else VIEWS):
        for sensor in ("kinect", "lidar"):
            view = single_view(arguments.seed + number, sensor, folder, scans=scans)
            yield sensor, view.capture, view.labels, view.visible
    numbers = sorted(int(re.findall(r"\d+", path.stem)[0]) for path in arguments.data.glob("*_label.png"))
    for number in numbers[:: 7 if arguments.quick else 1]:
        capture, numbered = read_view(arguments.data, number)
        labels = np.unique(numbered, return_inverse=True)[1].reshape(numbered.shape) - 1
        yield "real", capture, labels, np.ones(int(labels.max()) + 1, dtype=bool)


def score(masks: Sequence[Array], labels: Array, visible: Array, has_depth: Array) -> dict[str, int]:
    """Return the counts of one view from masks [h, w] of segments and the true label of each pixel, -1 none."""
    numbers_in_view = np.flatnonzero(visible)
    truth = (
        np.stack([(labels == k) & has_depth for k in numbers_in_view])
        if len(numbers_in_view)
        else np.zeros((0, *labels.shape), bool)
    )
    both = np.array([[np.count_nonzero(mask & item_mask) for item_mask in truth] for mask in masks], dtype=float)
    both = both.reshape(len(masks), len(numbers_in_view))
    sizes = np.array([np.count_nonzero(mask & has_depth) for mask in masks], dtype=float)
    true_sizes = truth.sum(axis=(1, 2))
    overlap = both / np.maximum(sizes[:, None] + true_sizes[None] - both, 1.0)
    rows, columns = linear_sum_assignment(-overlap)
    holds = (both >= 0.1 * true_sizes) & (both >= 0.5 * sizes[:, None])
    return {
        "things": len(numbers_in_view),
        "segments": len(masks),
        "found": int((overlap[rows, columns] >= 0.5).sum()),
        "merged": int(((both >= 0.25 * true_sizes).sum(axis=1) >= 2).sum()),
        "split": int((holds.sum(axis=0) >= 2).sum()),
        "extra": len(masks) - int((overlap[rows, columns] >= 0.25).sum()),
    }


def summary(scores: Sequence[dict[str, int]]) -> dict[str, float]:
    """Return shares of all things, and extra segments a view."""
    total = {key: sum(row[key] for row in scores) for key in scores[0]}
    return {
        "views": len(scores),
        **total,
        "found": round(total["found"] / max(total["things"], 1), 4),
        "merged_or_split": round((total["merged"] + total["split"]) / max(total["things"], 1), 4),
        "extra": round(total["extra"] / len(scores), 4),
    }


if __name__ == "__main__":
    main()
