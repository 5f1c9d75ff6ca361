"""Instance segmentation against labels: single Kinect views (mOSD layout) and simulated phone captures.

Overlap P/R/F as in the literature on unseen-object segmentation: predicted masks c_i are assigned to true masks by
the Hungarian method on their F; g(c_i) is the assigned truth (empty where there is none). Over one scene
P = sum |c_i ∩ g(c_i)| / sum |c_i| over all predictions, R = sum |c_i ∩ g(c_i)| / sum |g_j| over all truths,
F = 2PR / (P + R); the mean over scenes is told. `f75_fraction` is the share of all true objects whose assigned
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
from cousins.plugins import load
from cousins.segment.segments import Segmentation
from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import PhoneConfig, record

DATA = Path(__file__).parents[1] / "../shared/data/groundtruth/mosd_learn"
COLORS = np.random.default_rng(3).integers(60, 255, (64, 3))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured scene."""

    scene: str
    precision: float
    recall: float
    f: float
    found: int
    objects: int
    predicted: int
    cpu_s: float


def main() -> None:
    arguments = _parse()
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
    if arguments.json:
        print(json.dumps(result))
        return
    for row in rows:
        found = f"{row.found}/{row.objects} objects, {row.predicted} masks"
        print(f"{row.scene:>10}  F {row.f:.3f}  {found}, {row.cpu_s:.1f} s")
    for name, part in [("all", result), *result.get("halves", {}).items()]:
        print(name, {key: part[key] for key in ("overlap_f", "overlap_p", "overlap_r", "f75_fraction", "count_error")})


def summary(rows: Sequence[Row]) -> dict[str, float]:
    """Return the means over scenes and the share of objects found."""
    return {
        "overlap_f": round(float(np.mean([row.f for row in rows])), 4),
        "overlap_p": round(float(np.mean([row.precision for row in rows])), 4),
        "overlap_r": round(float(np.mean([row.recall for row in rows])), 4),
        "f75_fraction": round(sum(row.found for row in rows) / max(sum(row.objects for row in rows), 1), 4),
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


def counts(found: Segmentation, truth: Sequence[Mapping[int, Array]], seen: Mapping[int, Array]) -> tuple[Array, ...]:
    """Return pixel counts [p, t], [p], [t] over all frames; truths count where depth was seen."""
    both = np.zeros((len(found.segments), len(truth)))
    predicted = np.array([sum(int(m.sum()) for m in s.masks.values()) for s in found.segments], dtype=float)
    true = np.array([sum(int((m & seen[k]).sum()) for k, m in masks.items()) for masks in truth], dtype=float)
    for i, segment in enumerate(found.segments):
        for k, mask in segment.masks.items():
            both[i] += [int((mask & masks[k] & seen[k]).sum()) if k in masks else 0 for masks in truth]
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


def _view_row(folder: Path, number: int, arguments: argparse.Namespace) -> Row:
    capture, labels = read_view(folder, number)
    truth = [{0: labels == k} for k in np.unique(labels[labels > 0])]
    seen = {0: np.ones(labels.shape, dtype=bool)}
    return _measured(capture, truth, seen, arguments)


def _phone_row(seed: int, arguments: argparse.Namespace) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        capture, truth = record(
            demo_world(np.random.default_rng(seed)),
            Path(folder) / "phone",
            config=PhoneConfig(frames=24 if arguments.quick else 60),
            rng=np.random.default_rng(seed + 1000),
        )
        seen = {frame.index: frame.depth_m > 0.0 for frame in capture.frames}
        return _measured(capture, list(truth.masks.values()), seen, arguments)


def _measured(
    capture: Capture, truth: Sequence[Mapping[int, Array]], seen: Mapping[int, Array], arguments: argparse.Namespace
) -> Row:
    backend = load("cousins.segment.backends", arguments.segmenter, kind="segmenter")
    start = time.process_time()
    found = backend.build(backend.Config()).segment(capture, rng=np.random.default_rng(0))
    seconds = time.process_time() - start
    precision, recall, f, good = overlap(*counts(found, truth, seen))
    if arguments.pictures:
        _picture(capture, found, truth, arguments.pictures)
    return Row(
        scene=capture.name,
        precision=precision,
        recall=recall,
        f=f,
        found=good,
        objects=len(truth),
        predicted=len(found.segments),
        cpu_s=seconds,
    )


def _picture(capture: Capture, found: Segmentation, truth: Sequence[Mapping[int, Array]], folder: Path) -> None:
    """Write segments over the first frames with colour; the truth's outlines are white."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in [frame for frame in capture.frames if frame.color_path][:3]:
        picture = frame.color(width=frame.depth_camera.width)
        assert picture is not None
        painted = 0.6 * picture.astype(np.float64)
        for n, segment in enumerate(found.segments):
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


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="every fifth view, or 24 frames a capture")
    parser.add_argument("--data", type=Path, default=DATA, help="folder in the layout of mosd_learn")
    parser.add_argument("--phone", type=int, default=0, help="measure this many simulated phone captures instead")
    parser.add_argument("--seed", type=int, default=1, help="first seed of the simulated captures")
    parser.add_argument("--segmenter", default="geometric")
    parser.add_argument("--pictures", type=Path, help="write overlays here")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser.parse_args()


if __name__ == "__main__":
    main()
