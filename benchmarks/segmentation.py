"""Instance segmentation against labels: single Kinect views (mOSD layout) and simulated phone captures.

Overlap P/R/F as in the literature on unseen-object segmentation: predicted masks c_i are assigned to true masks by
the Hungarian method on their F; g(c_i) is the assigned truth (empty where there is none). Over one scene
P = sum |c_i ∩ g(c_i)| / sum |c_i| over all predictions, R = sum |c_i ∩ g(c_i)| / sum |g_j| over all truths,
F = 2PR / (P + R); the mean over scenes is reported. `f75_fraction` is the share of all true objects whose assigned
mask has F >= 0.75; `count_error` is the mean of |predicted - true| objects. Label images: below 20 is table or
nothing, label // 10 merges the parts of an object. Phone captures count pixels with depth over all frames.

    python benchmarks/segmentation.py --quick
    python benchmarks/segmentation.py --data ../shared/data/groundtruth/mosd_learn --pictures out --json
    python benchmarks/segmentation.py --phone 3
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment

from cousins.capture.captures import Capture, Frame, Scale
from cousins.geometry import Array, Intrinsics
from cousins.plugins import load_backend
from cousins.segment.segments import Segmentation
from program import DATA, program_parser, run_program
from rows import Row, at_least, entry
from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import PhoneConfig, record_capture

COLORS = np.random.default_rng(3).integers(60, 255, (64, 3))
ROWS = (
    Row(quantity="overlap F, single views", bar="≥ 0.90", value=entry("overlap_f"), met=at_least(0.9)),
    Row(quantity="objects with F ≥ 0.75", bar="≥ 0.80", value=entry("f75_fraction"), met=at_least(0.8)),
)


@dataclass(frozen=True, kw_only=True)
class SceneScore:
    """Scores of the segmenter on one scene."""

    scene: str
    precision: float
    recall: float
    f: float
    matched: int
    objects: int
    predicted: int
    cpu_s: float


def main() -> None:
    parser = program_parser(
        __doc__, quick="every fifth view, or 24 frames a capture", data=DATA / "groundtruth/mosd_learn", seed=1
    )
    parser.add_argument("--phone", type=int, default=0, help="measure this many simulated phone captures instead")
    parser.add_argument("--segmenter", default="geometric")
    parser.add_argument("--pictures", type=Path, help="write overlays here")
    run_program(parser, measure, show=_show)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.phone:
        rows = [_phone_row(seed, arguments) for seed in range(arguments.seed, arguments.seed + arguments.phone)]
    else:
        numbers = sorted(int(re.findall(r"\d+", path.stem)[0]) for path in arguments.data.glob("*_label.png"))
        rows = [_view_row(arguments.data, number, arguments) for number in numbers[:: 5 if arguments.quick else 1]]
    result: dict[str, Any] = summary(rows)
    result["cpu_s_per_scene"] = round(float(np.mean([row.cpu_s for row in rows])), 3)
    if len(rows) > 1:
        result["halves"] = {"even": summary(rows[0::2]), "odd": summary(rows[1::2])}
    result["scenes"] = {row.scene: round(row.f, 4) for row in rows}
    return result


def _show(result: dict[str, Any]) -> None:
    for scene, f in result["scenes"].items():
        print(f"{scene:>10}  F {f:.3f}")
    for name, part in [("all", result), *result.get("halves", {}).items()]:
        print(name, {key: part[key] for key in ("overlap_f", "overlap_p", "overlap_r", "f75_fraction", "count_error")})


def summary(rows: Sequence[SceneScore]) -> dict[str, float]:
    """Return the means over scenes and the share of objects found."""
    return {
        "overlap_f": round(float(np.mean([row.f for row in rows])), 4),
        "overlap_p": round(float(np.mean([row.precision for row in rows])), 4),
        "overlap_r": round(float(np.mean([row.recall for row in rows])), 4),
        "f75_fraction": round(sum(row.matched for row in rows) / max(sum(row.objects for row in rows), 1), 4),
        "count_error": round(float(np.mean([abs(row.predicted - row.objects) for row in rows])), 4),
    }


def overlap(both: Array, predicted: Array, true: Array) -> tuple[float, float, float, int]:
    """Return P, R, F and the number of truths with F >= 0.75 from pixel counts [p, t], [p] and [t]."""
    if len(predicted) == 0 or len(true) == 0:
        perfect = float(len(predicted) == len(true))
        return perfect, perfect, perfect, 0
    each = 2.0 * both / (predicted[:, None] + true[None, :])
    rows, columns = linear_sum_assignment(-each)
    shared = both[rows, columns].sum()
    precision, recall = float(shared / predicted.sum()), float(shared / true.sum())
    f = 2.0 * precision * recall / max(precision + recall, 1e-12)
    return precision, recall, f, int((each[rows, columns] >= 0.75).sum())


def counts(
    segmentation: Segmentation, truth: Sequence[Mapping[int, Array]], has_depth: Mapping[int, Array]
) -> tuple[Array, ...]:
    """Return pixel counts [p, t], [p], [t] over all frames; truths count where depth was seen."""
    both = np.zeros((len(segmentation.segments), len(truth)))
    predicted = np.array([sum(int(m.sum()) for m in s.masks.values()) for s in segmentation.segments], dtype=float)
    true = np.array([sum(int((m & has_depth[k]).sum()) for k, m in masks.items()) for masks in truth], dtype=float)
    for i, segment in enumerate(segmentation.segments):
        for k, mask in segment.masks.items():
            both[i] += [int((mask & masks[k] & has_depth[k]).sum()) if k in masks else 0 for masks in truth]
    return both, predicted, true


def read_view(folder: Path, number: int) -> tuple[Capture, Array]:
    """Return one view as a capture of unknown gravity, and its object numbers [h, w] from 1, 0 for none."""
    camera = json.loads((folder / "camera.json").read_text())
    depth = np.asarray(Image.open(folder / f"learn{number}_depth.png")).astype(np.float32)
    depth *= np.float32(camera["depth_scale_to_metres"])
    labels = np.asarray(Image.open(folder / f"learn{number}_label.png")).astype(np.int64)
    intrinsics = Intrinsics(**{key: camera[key] for key in ("width", "height", "fx", "fy", "cx", "cy")})
    frame = Frame(
        index=0,
        timestamp_s=0.0,
        world_from_camera=np.eye(4),
        depth_camera=intrinsics,
        depth_m=depth,
        confidence=np.where(depth > 0.0, 2, 0).astype(np.uint8),
        color_camera=intrinsics,
        color_path=folder / f"learn{number}_color.png",
    )
    capture = Capture(
        name=f"learn{number}",
        device="unknown",
        app="mosd",
        frames=(frame,),
        scale=Scale(source="structured light", error=0.01),
        gravity_known=False,
    )
    return capture, np.where(labels >= 20, labels // 10 - 1, 0)


def _view_row(folder: Path, number: int, arguments: argparse.Namespace) -> SceneScore:
    capture, labels = read_view(folder, number)
    truth = [{0: labels == k} for k in np.unique(labels[labels > 0])]
    has_depth = {0: np.ones(labels.shape, dtype=bool)}
    return _measured(capture, truth, has_depth, arguments)


def _phone_row(seed: int, arguments: argparse.Namespace) -> SceneScore:
    with tempfile.TemporaryDirectory() as folder:
        capture, truth = record_capture(
            demo_world(np.random.default_rng(seed)),
            Path(folder) / "phone",
            config=PhoneConfig(frames=24 if arguments.quick else 60),
            rng=np.random.default_rng(seed + 1000),
        )
        has_depth = {frame.index: frame.depth_m > 0.0 for frame in capture.frames}
        return _measured(capture, list(truth.masks.values()), has_depth, arguments)


def _measured(
    capture: Capture,
    truth: Sequence[Mapping[int, Array]],
    has_depth: Mapping[int, Array],
    arguments: argparse.Namespace,
) -> SceneScore:
    backend = load_backend("cousins.segment.backends", arguments.segmenter, kind="segmenter")
    start = time.process_time()
    segmentation = backend.build(backend.Config()).segment(capture, rng=np.random.default_rng(0))
    seconds = time.process_time() - start
    precision, recall, f, matched = overlap(*counts(segmentation, truth, has_depth))
    if arguments.pictures:
        write_picture(capture, segmentation, truth, arguments.pictures)
    return SceneScore(
        scene=capture.name,
        precision=precision,
        recall=recall,
        f=f,
        matched=matched,
        objects=len(truth),
        predicted=len(segmentation.segments),
        cpu_s=seconds,
    )


def write_picture(
    capture: Capture, segmentation: Segmentation, truth: Sequence[Mapping[int, Array]], folder: Path
) -> None:
    """Write segments over the first frames with colour; the truth's outlines are white."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in [frame for frame in capture.frames if frame.color_path][:3]:
        picture = frame.color(width=frame.depth_camera.width)
        assert picture is not None
        painted = 0.6 * picture.astype(np.float64)
        for n, segment in enumerate(segmentation.segments):
            if frame.index in segment.masks:
                mask = segment.masks[frame.index]
                painted[mask] = 0.4 * picture[mask] + 0.6 * COLORS[n % len(COLORS)]
        for masks in truth:
            if frame.index in masks:
                mask = masks[frame.index]
                painted[mask & ~(np.roll(mask, 1, 0) & np.roll(mask, 1, 1))] = 255.0
        Image.fromarray(painted.astype(np.uint8)).save(
            folder / f"{capture.name.replace(' ', '_')}_{frame.index:03d}.png"
        )


if __name__ == "__main__":
    main()
