"""The plumbing around Segment Anything, measured with an oracle in its place: perfect masks, geometry's questions.

A simulated phone walks around ten scanned objects that stand and lie close together; its poses are refined as in a
scan. `sam` is our back-end with a model that answers each question from the truth, on the keyframes alone; `geometric`
is the back-end without a model, on the same capture. What is lost in `sam` is therefore lost by our questions, by the
view consensus and by the carrying of masks to the other frames, and says nothing about the quality of SAM's own masks.

Instances are matched one to one with the true objects so that the sum of their overlaps is greatest (Hungarian), where
the overlap is the intersection over union of pixels with depth over *all* frames. With tp matches of at least 0.5,
instance F = 2 tp / (found + true), over all scenes together; `instance_f75` is the same at 0.75. `overlap_f` is that of
`segmentation.py`, the mean over scenes.

    python benchmarks/sam_oracle.py --quick
    python benchmarks/sam_oracle.py --objects ../shared/data/objects/gso --json
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scenes.objects import load_objects
from scenes.tables import Setting, crowd
from scipy.optimize import linear_sum_assignment
from segmentation import counts, overlap

from cousins.capture.captures import Capture
from cousins.fusion.pose_refinement import refine_poses
from cousins.geometry import Array
from cousins.segment.backends import geometric, sam
from cousins.segment.segments import Segmentation, Segmenter
from sim.synthetic.oracle_segmenter import Oracle
from sim.synthetic.phone import record

OBJECTS = Path(__file__).parents[1] / "../shared/data/objects/gso"
SIZE = 10


@dataclass(frozen=True, kw_only=True)
class Row:
    """One back-end on one scene."""

    overlaps: tuple[float, ...]
    """Of each true object with the instance matched to it."""
    found: int
    true: int
    f: float


def main() -> None:
    arguments = _parse()
    objects = load_objects(arguments.objects)
    if len(objects) < SIZE:
        raise SystemExit(f"{len(objects)} objects in {arguments.objects}: a crowd needs {SIZE}")
    rows: dict[str, list[Row]] = {"sam": [], "geometric": []}
    for number in range(1 if arguments.quick else arguments.scenes):
        setting = crowd(objects, size=SIZE, number=number, frames=60 if arguments.quick else 90, seed=arguments.seed)
        for name, row in _measured(setting, arguments.seed + number).items():
            rows[name].append(row)
    oracle, alone = summary(rows["sam"]), summary(rows["geometric"])
    result: dict[str, Any] = {**oracle, "geometric": alone, "scenes": len(rows["sam"]), "objects_per_scene": SIZE}
    if arguments.json:
        print(json.dumps(result))
        return
    for name, part in (("geometry and oracle", oracle), ("geometry alone", alone)):
        print(f"{name:>20}", part)


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the figures of one back-end over all scenes."""
    total = sum(row.found + row.true for row in rows)
    hits = {least: sum(sum(one >= least for one in row.overlaps) for row in rows) for least in (0.5, 0.75)}
    return {
        "instance_f": round(2.0 * hits[0.5] / total, 4),
        "instance_f75": round(2.0 * hits[0.75] / total, 4),
        "mean_overlap": round(float(np.mean([one for row in rows for one in row.overlaps])), 4),
        "overlap_f": round(float(np.mean([row.f for row in rows])), 4),
        "found": sum(row.found for row in rows),
        "true": sum(row.true for row in rows),
    }


def _measured(setting: Setting, seed: int) -> dict[str, Row]:
    with tempfile.TemporaryDirectory() as folder:
        recorded, truth = record(
            setting.world, Path(folder) / "phone", config=setting.phone, rng=np.random.default_rng(seed + 1000)
        )
        capture = refine_poses(recorded).capture
        masks = list(truth.masks.values())
        segmenters: dict[str, Segmenter] = {
            "sam": sam.Sam(sam.Config(), Oracle(masks)),
            "geometric": geometric.build(geometric.Config()),
        }
        return {
            name: _row(one.segment(capture, rng=np.random.default_rng(0)), masks, capture)
            for name, one in segmenters.items()
        }


def _row(found: Segmentation, truth: Sequence[Mapping[int, Array]], capture: Capture) -> Row:
    both, predicted, true = counts(found, truth, {frame.index: frame.depth_m > 0.0 for frame in capture.frames})
    either = predicted[:, None] + true[None, :] - both
    shared = both / np.maximum(either, 1.0)
    rows, columns = linear_sum_assignment(-shared)
    best = np.zeros(len(true))
    best[columns] = shared[rows, columns]
    return Row(overlaps=tuple(best.tolist()), found=len(predicted), true=len(true), f=overlap(both, predicted, true)[2])


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one scene of 60 frames")
    parser.add_argument("--objects", type=Path, default=OBJECTS, help="folder of object folders")
    parser.add_argument("--scenes", type=int, default=3, help="scenes to measure (3)")
    parser.add_argument("--seed", type=int, default=7, help="root of all randomness (7)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser.parse_args()


if __name__ == "__main__":
    main()
