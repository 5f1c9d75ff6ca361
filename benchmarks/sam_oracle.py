"""Our prompts and mask merging around Segment Anything, measured with an oracle in its place that has perfect masks.

A simulated phone walks around ten scanned objects that stand and lie close together; its poses are refined as in a
scan. `sam` is our back-end with a model that answers each prompt from the truth, on the keyframes alone; `geometric`
is the back-end without a model, on the same capture. Errors of `sam` are therefore those of our prompts, of the view
consensus and of the propagation of masks to the other frames; the quality of SAM's own masks is not measured.

Instances are matched one to one with the true objects so that the sum of their overlaps is greatest (Hungarian), where
the overlap is the intersection over union of pixels with depth over *all* frames. With tp matches of at least 0.5,
instance F = 2 tp / (found + true), over all scenes together; `instance_f75` is the same at 0.75. `overlap_f` is that of
`segmentation.py`, the mean over scenes.

    python benchmarks/sam_oracle.py --quick
    python benchmarks/sam_oracle.py --objects ../shared/data/objects/gso --json
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from cousins.capture.captures import Capture
from cousins.fusion.pose_refinement import refine_poses
from cousins.geometry import Array
from cousins.segment.backends import geometric, sam
from cousins.segment.segments import Segmentation, Segmenter
from program import GSO_OBJECTS, program_parser, run_program
from rows import Row, at_least, entry
from scenes.objects import load_objects
from scenes.tables import Setting, crowd
from segmentation import counts, overlap
from sim.synthetic.oracle_segmenter import OracleMaskModel
from sim.synthetic.phone import record_capture

SIZE = 10
ROWS = (
    Row(
        quantity="SAM's proposals, oracle masks, ten in clutter: instance F at overlap 0.5",
        bar="≥ 0.97",
        value=entry("instance_f"),
        met=at_least(0.97),
    ),
    Row(quantity="geometry alone: instance F at overlap 0.5", value=entry("geometric", "instance_f")),
    Row(quantity="oracle masks: instance F at overlap 0.75", value=entry("instance_f75")),
    Row(quantity="geometry alone: instance F at overlap 0.75", value=entry("geometric", "instance_f75")),
    Row(quantity="oracle masks: overlap F over pixels", value=entry("overlap_f")),
    Row(quantity="geometry alone: overlap F over pixels", value=entry("geometric", "overlap_f")),
)


@dataclass(frozen=True, kw_only=True)
class BackendScore:
    """Scores of one back-end on one scene."""

    overlaps: tuple[float, ...]
    """Of each true object with the instance matched to it."""
    instances: int
    true: int
    f: float


def main() -> None:
    parser = program_parser(__doc__, quick="one scene of 60 frames", objects=GSO_OBJECTS, seed=7)
    parser.add_argument("--scenes", type=int, default=3, help="scenes to measure (3)")
    run_program(parser, measure, show=_show)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    objects = load_objects(arguments.objects)
    if len(objects) < SIZE:
        raise SystemExit(f"{len(objects)} objects in {arguments.objects}: a crowd needs {SIZE}")
    rows: dict[str, list[BackendScore]] = {"sam": [], "geometric": []}
    for number in range(1 if arguments.quick else arguments.scenes):
        setting = crowd(objects, size=SIZE, number=number, frames=60 if arguments.quick else 90, seed=arguments.seed)
        for name, row in _measured(setting, arguments.seed + number).items():
            rows[name].append(row)
    return {
        **summary(rows["sam"]),
        "geometric": summary(rows["geometric"]),
        "scenes": len(rows["sam"]),
        "objects_per_scene": SIZE,
    }


def _show(result: dict[str, Any]) -> None:
    geometric = result["geometric"]
    for name, part in (("geometry and oracle", result), ("geometry alone", geometric)):
        print(f"{name:>20}", {key: part[key] for key in geometric})


def summary(rows: Sequence[BackendScore]) -> dict[str, Any]:
    """Return the figures of one back-end over all scenes."""
    total = sum(row.instances + row.true for row in rows)
    hits = {threshold: sum(sum(iou >= threshold for iou in row.overlaps) for row in rows) for threshold in (0.5, 0.75)}
    return {
        "instance_f": round(2.0 * hits[0.5] / total, 4),
        "instance_f75": round(2.0 * hits[0.75] / total, 4),
        "mean_overlap": round(float(np.mean([iou for row in rows for iou in row.overlaps])), 4),
        "overlap_f": round(float(np.mean([row.f for row in rows])), 4),
        "found": sum(row.instances for row in rows),
        "true": sum(row.true for row in rows),
    }


def _measured(setting: Setting, seed: int) -> dict[str, BackendScore]:
    with tempfile.TemporaryDirectory() as folder:
        recorded, truth = record_capture(
            setting.world, Path(folder) / "phone", config=setting.phone, rng=np.random.default_rng(seed + 1000)
        )
        capture = refine_poses(recorded).capture
        masks = list(truth.masks.values())
        segmenters: dict[str, Segmenter] = {
            "sam": sam.Sam(sam.Config(), OracleMaskModel(masks)),
            "geometric": geometric.build(geometric.Config()),
        }
        return {
            name: _row(segmenter.segment(capture, rng=np.random.default_rng(0)), masks, capture)
            for name, segmenter in segmenters.items()
        }


def _row(segmentation: Segmentation, truth: Sequence[Mapping[int, Array]], capture: Capture) -> BackendScore:
    both, predicted, true = counts(segmentation, truth, {frame.index: frame.depth_m > 0.0 for frame in capture.frames})
    either = predicted[:, None] + true[None, :] - both
    shared = both / np.maximum(either, 1.0)
    rows, columns = linear_sum_assignment(-shared)
    best = np.zeros(len(true))
    best[columns] = shared[rows, columns]
    return BackendScore(
        overlaps=tuple(best.tolist()), instances=len(predicted), true=len(true), f=overlap(both, predicted, true)[2]
    )


if __name__ == "__main__":
    main()
