"""How closely objects are rebuilt from simulated phone captures with full LiDAR noise.

Every object stands on a table alone, and again in clutter of five (some nearly touching, some lying on
another side). The phone walks around; poses are refined, objects are separated by the segmenter (never by
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
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment

from cousins.capture.captures import Capture
from cousins.errors import CousinsError
from cousins.fusion.pose_refinement import refine_poses
from cousins.fusion.volume import FusionConfig, fuse
from cousins.geometry import Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.plugins import load_backend
from cousins.raster import render, shade
from cousins.reconstruct.shape import reconstruct_shape
from cousins.segment.segments import Segmentation
from program import GSO_OBJECTS, program_parser, run_program
from rows import Row, at_least, at_most, entry, mean_by_object
from scenes.objects import Match, aligned, compare, load_objects, missed
from scenes.tables import QUICK, Setting, settings, table_plane
from sim.synthetic.phone import record_capture, truth_segmentation

LEAST_OVERLAP = 0.25
SEED = 33
ROWS = (
    Row(
        quantity="Chamfer, mean over objects alone and in clutter [mm]",
        bar="≤ 3",
        value=entry("chamfer_mm"),
        met=at_most(3.0),
    ),
    Row(quantity="F-score at 10 mm", bar="≥ 0.96", value=entry("f10mm"), met=at_least(0.96)),
    Row(quantity="F-score at 5 mm", bar="≥ 0.88", value=entry("f5mm"), met=at_least(0.88)),
    Row(quantity="volume error, mean", bar="≤ 0.15", value=entry("volume_error"), met=at_most(0.15)),
    Row(quantity="alone: Chamfer [mm]", value=mean_by_object("chamfer_mm", prefix="alone ")),
    Row(quantity="alone: volume error", value=mean_by_object("volume_error", prefix="alone ")),
    Row(quantity="clutter: Chamfer [mm]", value=mean_by_object("chamfer_mm", prefix="clutter ")),
    Row(quantity="clutter: volume error", value=mean_by_object("volume_error", prefix="clutter ")),
    Row(quantity="objects not found or not rebuilt", value=entry("missed")),
    Row(quantity="peer, plain TSDF with perfect masks: Chamfer [mm]", value=entry("peer", "chamfer_mm")),
    Row(quantity="peer: F-score at 10 mm", value=entry("peer", "f10mm")),
    Row(quantity="peer: F-score at 5 mm", value=entry("peer", "f5mm")),
)


def main() -> None:
    parser = program_parser(
        __doc__, quick=f"{QUICK} objects alone and one clutter, 60 frames", objects=GSO_OBJECTS, seed=SEED
    )
    parser.add_argument("--names", nargs="*", help="only these objects")
    parser.add_argument("--masks", choices=["found", "true"], default="found", help="`true` leaves the segmenter out")
    parser.add_argument("--pictures", type=Path, help="write pictures of truth and result here")
    run_program(parser, measure, show=_show)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    objects = load_objects(arguments.objects, arguments.names)
    tables = settings(objects, quick=arguments.quick, seed=arguments.seed)
    seeds = np.random.SeedSequence(arguments.seed, spawn_key=(3,)).spawn(len(tables))
    return summary(
        [
            row
            for setting, seed in zip(tables, seeds, strict=True)
            for row in measure_table(
                setting, np.random.default_rng(seed), masks=arguments.masks, pictures=arguments.pictures
            )
        ]
    )


def _show(result: dict[str, Any]) -> None:
    for kind in ("alone", "clutter", "all"):
        rows = [row for name, row in result["by_object"].items() if kind in ("all", name.split()[0])]
        for method, scores in (("ours", rows), ("plain TSDF, perfect masks", [row["peer"] for row in rows])):
            print(f"{kind:8} {method:26}", *(f"{key} {value:.3f}" for key, value in means(scores, method).items()))


def measure_table(
    setting: Setting, rng: np.random.Generator, *, masks: str, pictures: Path | None
) -> list[dict[str, Any]]:
    """Capture, rebuild and compare; one row per object. Noise, range bias and drift come from the generator."""
    with tempfile.TemporaryDirectory() as scratch:
        capture, truth = record_capture(setting.world, Path(scratch) / "capture", config=setting.phone, rng=rng)
        seconds = {"capture": time.process_time()}
        refined = refine_poses(capture)
        seconds["refine"] = time.process_time()
        perfect = truth_segmentation(truth, refined.capture, planes=(table_plane(),))
        segmentation = perfect if masks == "true" else _segment(refined.capture, rng)
        seconds["segment"] = time.process_time()
        pairs, overlaps = _pair(segmentation, perfect)
        rows = []
        for name in truth.masks:
            row: dict[str, Any] = {"object": name, "setting": setting.name, "overlap": round(overlaps[name], 3)}
            mesh = _rebuild(refined.capture, segmentation, pairs.get(name), row)
            plain = fuse(
                refined.capture.frames, config=FusionConfig(min_confidence=2), masks=truth.masks[name]
            ).extract()
            row["ours"] = _judge(mesh, setting, name)
            row["plain TSDF, perfect masks"] = _judge(plain, setting, name)
            if mesh is not None:
                shaped = aligned(mesh, setting.surfaces[name], rng=np.random.default_rng(0))
                row["aligned_chamfer_mm"] = compare(
                    shaped, setting.surfaces[name], rng=np.random.default_rng(0)
                ).chamfer_mm
            rows.append(row)
            _print_row(row)
            if pictures is not None:
                _picture(pictures / f"{setting.name.replace(' ', '_')}__{name}.png", truth.meshes[name], mesh, plain)
        shape_s = time.process_time() - seconds["segment"]
        print(
            f"{setting.name}: refine {seconds['refine'] - seconds['capture']:.1f} s, "
            f"segment {seconds['segment'] - seconds['refine']:.1f} s, rebuild and compare {shape_s:.1f} s; "
            f"{len(segmentation.segments)} segments for {len(truth.masks)} objects; residual "
            f"{refined.report.residual_before_m * 1000:.1f} to {refined.report.residual_after_m * 1000:.1f} mm",
            file=sys.stderr,
        )
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what `--json` prints: means over all objects, and each object's values."""
    return {
        **means([row["ours"] for row in rows], "ours"),
        "peer": means([row["plain TSDF, perfect masks"] for row in rows], "plain TSDF, perfect masks"),
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


def means(scores: Sequence[dict[str, Any]], method: str) -> dict[str, float]:
    """Return the means over objects of one method's values."""
    keys = ["chamfer_mm", "f10mm", "f5mm"] + (["volume_error"] if method == "ours" else [])
    return {key: round(float(np.mean([score[key] for score in scores])), 4) for key in keys}


def _segment(capture: Capture, rng: np.random.Generator) -> Segmentation:
    backend = load_backend("cousins.segment.backends", "geometric", kind="segmenter")
    return backend.build(backend.Config()).segment(capture, rng=rng)


def _pair(segmentation: Segmentation, perfect: Segmentation) -> tuple[dict[str, int], dict[str, float]]:
    """Return the segment's number and the overlap (IoU over all frames) by object of the true segmentation."""
    masks = {segment.name: segment.masks for segment in perfect.segments}
    names = list(masks)
    both = np.zeros((len(names), len(segmentation.segments)))
    sizes = np.array([sum(int(mask.sum()) for mask in masks[name].values()) for name in names], dtype=float)
    segment_sizes = np.zeros(len(segmentation.segments))
    for column, segment in enumerate(segmentation.segments):
        segment_sizes[column] = sum(int(mask.sum()) for mask in segment.masks.values())
        for row, name in enumerate(names):
            shared = segment.masks.keys() & masks[name].keys()
            both[row, column] = sum(int((segment.masks[k] & masks[name][k]).sum()) for k in shared)
    overlap = both / np.maximum(sizes[:, None] + segment_sizes[None] - both, 1.0)
    rows, columns = linear_sum_assignment(-overlap)
    best = dict.fromkeys(names, 0.0)
    pairs = {}
    for row, column in zip(rows, columns, strict=True):
        best[names[row]] = float(overlap[row, column])
        if overlap[row, column] >= LEAST_OVERLAP:
            pairs[names[row]] = int(column)
    return pairs, best


def _rebuild(capture: Capture, segmentation: Segmentation, number: int | None, row: dict[str, Any]) -> Mesh | None:
    if number is None:
        row["note"] = "not found"
        return None
    start = time.process_time()
    try:
        shape = reconstruct_shape(capture, segmentation, segmentation.segments[number])
    except CousinsError as error:
        row["note"] = str(error)
        return None
    row["seconds"] = round(time.process_time() - start, 2)
    row["note"] = "; ".join((*shape.completions, *shape.fallbacks))
    return shape.mesh


def _judge(mesh: Mesh | None, setting: Setting, name: str) -> dict[str, Any]:
    surface, true_m3 = setting.surfaces[name], setting.volumes_m3[name]
    empty = mesh is None or len(mesh.faces) == 0
    match = missed(surface) if mesh is None or empty else compare(mesh, surface, rng=np.random.default_rng(0))
    volume_m3 = 0.0 if mesh is None or empty else abs(float(mesh.to_trimesh().volume))
    return {**_rounded(match), "volume_error": round(abs(volume_m3 - true_m3) / true_m3, 4), "missed": empty}


def _rounded(match: Match) -> dict[str, float]:
    return {key: round(value, 4) for key, value in asdict(match).items()}


def _print_row(row: dict[str, Any]) -> None:
    scores, peer_scores = row["ours"], row["plain TSDF, perfect masks"]
    print(
        f"{row['setting'][:22]:22} {row['object'][:30]:30} overlap {row['overlap']:.2f}"
        f"  chamfer {scores['chamfer_mm']:5.2f} ({scores['to_truth_mm']:.1f} extra, {scores['to_ours_mm']:.1f} missing;"
        f" aligned {row.get('aligned_chamfer_mm', float('nan')):.2f}; peer {peer_scores['chamfer_mm']:.2f})"
        f"  F10 {scores['f10mm']:.3f} ({peer_scores['f10mm']:.3f})  F5 {scores['f5mm']:.3f} ({peer_scores['f5mm']:.3f})"
        f"  volume {scores['volume_error']:.2f}  {row.get('note', '')}",
        file=sys.stderr,
        flush=True,
    )


def _picture(path: Path, truth: Mesh, rebuilt: Mesh | None, plain: Mesh) -> None:
    """Write truth, ours and the peer from two sides (above and low), one below the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    middle = 0.5 * (truth.vertices.min(axis=0) + truth.vertices.max(axis=0))
    radius = float(np.linalg.norm(truth.vertices - middle, axis=1).max())
    camera = Intrinsics(width=420, height=360, fx=620.0, fy=620.0, cx=209.5, cy=179.5)
    grey = Mesh(vertices=truth.vertices, faces=truth.faces)
    panels = [
        truth,
        grey,
        Mesh(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3), np.int32)) if rebuilt is None else rebuilt,
        plain,
    ]
    rows = []
    for direction in ([1.0, -1.2, 0.9], [-1.1, 0.8, 0.35], [0.6, 0.5, -1.2]):
        side = np.array(direction) / np.linalg.norm(direction)
        pose = look_at(middle + 4.4 * radius * side, middle)
        rows.append(np.concatenate([shade(render([mesh], camera, pose), [mesh]) for mesh in panels], axis=1))
    Image.fromarray(np.concatenate(rows, axis=0)).save(path)


if __name__ == "__main__":
    main()
