"""How closely objects are rebuilt from simulated phone captures with full LiDAR noise.

Every object stands on a table alone, and again in clutter of five (some nearly touching, some lying on
another side). The phone walks around; poses are refined, objects are told apart by the segmenter (never by
the true masks), rebuilt, and compared with the *true outer surface* (see objects.py) in the world frame
without any alignment:

- chamfer_mm: mean of both directions' mean distance, averaged over objects;
- f10mm, f5mm: harmonic mean of the shares of both surfaces within 10 and 5 mm of the other;
- volume_error: |ours - true| / true, of the volume inside the outer surface; the mean over objects.

A segment belongs to the object whose true masks it overlaps most, one to one, by intersection over union
summed over frames, at least 0.25. An object without a segment, or whose rebuilding fails, counts as half
its diagonal of distance, no match and a volume error of 1. Beside it runs the peer: plain TSDF of the
high-confidence depth with *perfect* masks and refined poses.

    python benchmarks/reconstruction.py [--quick] [--objects DIR] [--json] [--pictures DIR] [--masks true]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scenes.objects import Match, aligned, compare, load_objects, missed
from scenes.tables import QUICK, Setting, settings, table_plane
from scipy.optimize import linear_sum_assignment

from cousins.capture.captures import Capture
from cousins.errors import CousinsError
from cousins.fusion.pose_refinement import refine_poses
from cousins.fusion.volume import FusionConfig, fuse
from cousins.geometry import Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.plugins import load
from cousins.raster import render, shade
from cousins.reconstruct.shape import reconstruct_shape
from cousins.segment.segments import Segmentation
from sim.synthetic.phone import Truth, record, truth_segmentation

OBJECTS = Path(__file__).parents[1] / "../shared/data/objects/gso"
LEAST_OVERLAP = 0.25
SEED = 33


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help=f"{QUICK} objects alone and one clutter, 60 frames")
    arguments.add_argument("--objects", type=Path, default=OBJECTS, help="folder of object folders")
    arguments.add_argument("--names", nargs="*", help="only these objects")
    arguments.add_argument(
        "--masks", choices=["found", "true"], default="found", help="`true` leaves the segmenter out"
    )
    arguments.add_argument("--pictures", type=Path, help="write pictures of truth and result here")
    arguments.add_argument("--seed", type=int, default=SEED)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    objects = load_objects(given.objects, given.names)
    table = settings(objects, quick=given.quick, seed=given.seed)
    seeds = np.random.SeedSequence(given.seed, spawn_key=(3,)).spawn(len(table))
    rows = [
        row
        for setting, seed in zip(table, seeds, strict=True)
        for row in measure(setting, np.random.default_rng(seed), masks=given.masks, pictures=given.pictures)
    ]
    result = summary(rows)
    if given.json:
        print(json.dumps(result))
        return
    for kind in ("alone", "clutter", "all"):
        part = [row for row in rows if kind in ("all", row["setting"].split()[0])]
        for method in ("ours", "plain TSDF, perfect masks"):
            print(f"{kind:8} {method:26}", *(f"{k} {v:.3f}" for k, v in means(part, method).items()))


def measure(setting: Setting, rng: np.random.Generator, *, masks: str, pictures: Path | None) -> list[dict[str, Any]]:
    """Capture, rebuild and compare; one row per object. Noise, range bias and drift come from the generator."""
    with tempfile.TemporaryDirectory() as scratch:
        capture, truth = record(setting.world, Path(scratch) / "capture", config=setting.phone, rng=rng)
        seconds = {"capture": time.process_time()}
        refined = refine_poses(capture)
        seconds["refine"] = time.process_time()
        perfect = truth_segmentation(truth, refined.capture, planes=(table_plane(),))
        found = perfect if masks == "true" else _segment(refined.capture, rng)
        seconds["segment"] = time.process_time()
        pairs, overlaps = _pair(found, truth)
        rows = []
        for name in truth.masks:
            row: dict[str, Any] = {"object": name, "setting": setting.name, "overlap": round(overlaps[name], 3)}
            ours = _rebuild(refined.capture, found, pairs.get(name), row)
            plain = fuse(
                refined.capture.frames, config=FusionConfig(min_confidence=2), masks=truth.masks[name]
            ).extract()
            row["ours"] = _judge(ours, setting, name)
            row["plain TSDF, perfect masks"] = _judge(plain, setting, name)
            if ours is not None:
                shaped = aligned(ours, setting.surfaces[name], rng=np.random.default_rng(0))
                row["aligned_chamfer_mm"] = compare(
                    shaped, setting.surfaces[name], rng=np.random.default_rng(0)
                ).chamfer_mm
            rows.append(row)
            _tell(row)
            if pictures is not None:
                _picture(pictures / f"{setting.name.replace(' ', '_')}__{name}.png", truth.meshes[name], ours, plain)
        shape_s = time.process_time() - seconds["segment"]
        print(
            f"{setting.name}: refine {seconds['refine'] - seconds['capture']:.1f} s, "
            f"segment {seconds['segment'] - seconds['refine']:.1f} s, rebuild and compare {shape_s:.1f} s; "
            f"{len(found.segments)} segments for {len(truth.masks)} objects; residual "
            f"{refined.report.residual_before_m * 1000:.1f} to {refined.report.residual_after_m * 1000:.1f} mm",
            file=sys.stderr,
        )
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what `--json` prints: means over all objects, and each object's values."""
    return {
        **means(rows, "ours"),
        "peer": means(rows, "plain TSDF, perfect masks"),
        "missed": sum(row["ours"]["missed"] for row in rows),
        "by_object": {
            f"{row['setting']}/{row['object']}": {
                **row["ours"],
                "overlap": row["overlap"],
                "peer": row["plain TSDF, perfect masks"],
            }
            for row in rows
        },
    }


def means(rows: Sequence[dict[str, Any]], method: str) -> dict[str, float]:
    """Return the means over objects of one method's values."""
    keys = ["chamfer_mm", "f10mm", "f5mm"] + (["volume_error"] if method == "ours" else [])
    return {key: round(float(np.mean([row[method][key] for row in rows])), 4) for key in keys}


def _segment(capture: Capture, rng: np.random.Generator) -> Segmentation:
    backend = load("cousins.segment.backends", "geometric", kind="segmenter")
    return backend.build(backend.Config()).segment(capture, rng=rng)


def _pair(found: Segmentation, truth: Truth) -> tuple[dict[str, int], dict[str, float]]:
    """Return the segment's number and the overlap (IoU over all frames) by object."""
    names = list(truth.masks)
    both = np.zeros((len(names), len(found.segments)))
    sizes = np.array([sum(int(mask.sum()) for mask in truth.masks[name].values()) for name in names], dtype=float)
    found_sizes = np.zeros(len(found.segments))
    for column, segment in enumerate(found.segments):
        found_sizes[column] = sum(int(mask.sum()) for mask in segment.masks.values())
        for row, name in enumerate(names):
            shared = segment.masks.keys() & truth.masks[name].keys()
            both[row, column] = sum(int((segment.masks[k] & truth.masks[name][k]).sum()) for k in shared)
    overlap = both / np.maximum(sizes[:, None] + found_sizes[None] - both, 1.0)
    rows, columns = linear_sum_assignment(-overlap)
    best = dict.fromkeys(names, 0.0)
    pairs = {}
    for row, column in zip(rows, columns, strict=True):
        best[names[row]] = float(overlap[row, column])
        if overlap[row, column] >= LEAST_OVERLAP:
            pairs[names[row]] = int(column)
    return pairs, best


def _rebuild(capture: Capture, found: Segmentation, number: int | None, row: dict[str, Any]) -> Mesh | None:
    if number is None:
        row["note"] = "not found"
        return None
    start = time.process_time()
    try:
        shape = reconstruct_shape(capture, found, found.segments[number])
    except CousinsError as error:
        row["note"] = str(error)
        return None
    row["seconds"] = round(time.process_time() - start, 2)
    row["note"] = "; ".join((*shape.completions, *shape.fallbacks))
    return shape.mesh


def _judge(ours: Mesh | None, setting: Setting, name: str) -> dict[str, Any]:
    surface, true_m3 = setting.surfaces[name], setting.volumes_m3[name]
    empty = ours is None or len(ours.faces) == 0
    match = missed(surface) if ours is None or empty else compare(ours, surface, rng=np.random.default_rng(0))
    volume_m3 = 0.0 if ours is None or empty else abs(float(ours.to_trimesh().volume))
    return {**_rounded(match), "volume_error": round(abs(volume_m3 - true_m3) / true_m3, 4), "missed": empty}


def _rounded(match: Match) -> dict[str, float]:
    return {key: round(value, 4) for key, value in asdict(match).items()}


def _tell(row: dict[str, Any]) -> None:
    ours, peer = row["ours"], row["plain TSDF, perfect masks"]
    print(
        f"{row['setting'][:22]:22} {row['object'][:30]:30} overlap {row['overlap']:.2f}"
        f"  chamfer {ours['chamfer_mm']:5.2f} ({ours['to_truth_mm']:.1f} extra, {ours['to_ours_mm']:.1f} missing;"
        f" aligned {row.get('aligned_chamfer_mm', float('nan')):.2f}; peer {peer['chamfer_mm']:.2f})"
        f"  F10 {ours['f10mm']:.3f} ({peer['f10mm']:.3f})  F5 {ours['f5mm']:.3f} ({peer['f5mm']:.3f})"
        f"  volume {ours['volume_error']:.2f}  {row.get('note', '')}",
        file=sys.stderr,
        flush=True,
    )


def _picture(path: Path, truth: Mesh, ours: Mesh | None, plain: Mesh) -> None:
    """Write truth, ours and the peer from two sides (above and low), one below the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    middle = 0.5 * (truth.vertices.min(axis=0) + truth.vertices.max(axis=0))
    radius = float(np.linalg.norm(truth.vertices - middle, axis=1).max())
    camera = Intrinsics(width=420, height=360, fx=620.0, fy=620.0, cx=209.5, cy=179.5)
    grey = Mesh(vertices=truth.vertices, faces=truth.faces)
    shown = [
        truth,
        grey,
        Mesh(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3), np.int32)) if ours is None else ours,
        plain,
    ]
    rows = []
    for direction in ([1.0, -1.2, 0.9], [-1.1, 0.8, 0.35], [0.6, 0.5, -1.2]):
        side = np.array(direction) / np.linalg.norm(direction)
        pose = look_at(middle + 4.4 * radius * side, middle)
        rows.append(np.concatenate([shade(render([mesh], camera, pose), [mesh]) for mesh in shown], axis=1))
    Image.fromarray(np.concatenate(rows, axis=0)).save(path)


if __name__ == "__main__":
    main()
