"""Place and size of objects from a single view, against their true models in their true poses.

The frame (YCB-Video layout: colour, depth, label, meta.mat with poses) becomes a capture of one frame. Each object
is segmented by our segmenter (and, for comparison, by the label image), rebuilt with completion of the unseen side, and
its upright box compared with that of the true model cloud: the error of the centre [mm] and of each side [%].

    python benchmarks/pose_size.py [--quick] [--data DIR] [--json]
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from PIL import Image

from cousins import plugins
from cousins.capture.captures import Capture, Frame, Scale
from cousins.errors import StageError
from cousins.geometry import Array, Intrinsics, invert, rigid, transform, unproject
from cousins.reconstruct.shape import reconstruct_shape
from cousins.segment.frame_masks import pack_masks
from cousins.segment.segments import Segment, Segmentation
from program import DATA, program_parser, run_program
from rows import Row, at_most, entry

LEAST_OVERLAP = 0.3
"""A segment stands for an object when they share this part of their union."""
ROWS = (
    Row(
        quantity="largest position error, one view [mm]",
        bar="≤ 15",
        value=entry("position_mm"),
        met=at_most(15.0),
        digits=1,
    ),
    Row(quantity="largest size error", bar="≤ 0.10", value=entry("size_error"), met=at_most(0.1)),
)


def main() -> None:
    parser = program_parser(__doc__, quick="the same; one frame is quick enough", data=DATA / "groundtruth/ycbv_000002")
    run_program(parser, lambda arguments: measure(arguments.data), show=_show)


def _show(result: dict[str, Any]) -> None:
    for masks, by_object in result["by_masks"].items():
        for name, row in by_object.items():
            print(f"{masks:10s} {name:24s} {row}")
    print({key: result[key] for key in ("position_mm", "size_error")})


def measure(folder: Path) -> dict[str, Any]:
    """Return errors by kind of mask and object, and the worst over the segmenter's."""
    meta_path = next(folder.glob("*-meta.mat"))
    stem = meta_path.name.removesuffix("-meta.mat")
    meta = scipy.io.loadmat(meta_path)
    capture = read_capture(folder, stem, meta)
    with Image.open(folder / f"{stem}-label.png") as image:
        labels = np.asarray(image)
    names = sorted(path.name for path in (folder / "models").iterdir())
    backend = plugins.load_backend("cousins.segment.backends", "geometric", kind="segmenter")
    segmentation = backend.build(backend.Config()).segment(capture, rng=np.random.default_rng(0))
    by_masks: dict[str, dict[str, Any]] = {"segmenter": {}, "labels": {}}
    for number, class_index in enumerate(meta["cls_indexes"].ravel()):
        name = names[class_index - 1]
        cloud = np.loadtxt(next((folder / "models" / name).glob("*.xyz")))
        truth = transform(capture.frames[0].world_from_camera @ rigid_of(meta["poses"][:, :, number]), cloud)
        true_mask = labels == class_index
        by_masks["segmenter"][name] = errors(capture, segmentation, matched(segmentation, true_mask), truth)
        by_masks["labels"][name] = errors(capture, segmentation, labelled(capture, true_mask), truth)
    rows = list(by_masks["segmenter"].values())
    return {
        "position_mm": max(row["position_mm"] for row in rows),
        "size_error": max(row["size_error"] for row in rows),
        "by_masks": by_masks,
    }


def read_capture(folder: Path, stem: str, meta: dict[str, Any]) -> Capture:
    """Return the frame as a capture; the world's z axis is the normal of the table in meta.mat."""
    with Image.open(folder / f"{stem}-depth.png") as image:
        depth = np.asarray(image).astype(np.float32) / float(meta["factor_depth"].ravel()[0])
    k = meta["intrinsic_matrix"]
    camera = Intrinsics(width=depth.shape[1], height=depth.shape[0], fx=k[0, 0], fy=k[1, 1], cx=k[0, 2], cy=k[1, 2])
    frame = Frame(
        index=0,
        timestamp_s=0.0,
        world_from_camera=invert(rigid_of(meta["rotation_translation_matrix"])),
        depth_camera=camera,
        depth_m=depth,
        confidence=np.where(depth > 0.0, 2, 0).astype(np.uint8),
        color_camera=camera,
        color_path=folder / f"{stem}-color.png",
    )
    return Capture(
        name=stem, device="Xtion", app="ycbv", frames=(frame,), scale=Scale(source="structured light", error=0.01)
    )


def rigid_of(top: Array) -> Array:
    """Return the pose of a 3×4 matrix with its rotation made orthonormal."""
    u, _, vt = np.linalg.svd(top[:, :3])
    return rigid(u @ vt, top[:, 3])


def matched(segmentation: Segmentation, true_mask: Array) -> Segment | None:
    """Return the segment that overlaps the true mask best, if well enough."""

    def overlap(segment: Segment) -> float:
        mask = segment.masks.get(0, np.zeros_like(true_mask))
        return float((mask & true_mask).sum() / max(1, (mask | true_mask).sum()))

    best = max(segmentation.segments, key=overlap, default=None)
    return best if best is not None and overlap(best) >= LEAST_OVERLAP else None


def labelled(capture: Capture, true_mask: Array) -> Segment:
    """Return the true mask as a segment."""
    frame = capture.frames[0]
    visible = true_mask & (frame.depth_m > 0)
    points = transform(frame.world_from_camera, unproject(frame.depth_m, frame.depth_camera)[visible])
    return Segment(name="labelled", label="labelled", masks=pack_masks({0: true_mask}), points=points)


def errors(capture: Capture, segmentation: Segmentation, segment: Segment | None, truth: Array) -> dict[str, Any]:
    """Return the errors of one object; one that was not found counts as wholly wrong."""
    lost = {"position_mm": 1000.0, "size_error": 1.0, "size_mm": [], "true_mm": [], "completions": []}
    if segment is None:
        return lost
    try:
        shape = reconstruct_shape(capture, replace(segmentation, segments=(segment,)), segment)
    except StageError as error:
        return {**lost, "completions": [str(error)]}
    center, size = upright_box(shape.mesh.vertices)
    true_center, true_size = upright_box(truth)
    return {
        "position_mm": round(1e3 * float(np.linalg.norm(center - true_center)), 1),
        "size_error": round(float(np.abs(size / true_size - 1.0).max()), 3),
        "size_mm": np.round(1e3 * size).tolist(),
        "true_mm": np.round(1e3 * true_size).tolist(),
        "completions": list(shape.completions),
    }


def upright_box(points: Array) -> tuple[Array, Array]:
    """Return centre [3] and sides [3] (longer, shorter, height) of the smallest upright box around points [m]."""
    best: tuple[float, Array, Array] | None = None
    for yaw in np.deg2rad(np.arange(0.0, 90.0, 0.5)):
        turn = np.array([[np.cos(yaw), np.sin(yaw), 0.0], [-np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
        local = points @ turn.T
        low, high = local.min(axis=0), local.max(axis=0)
        area = float((high - low)[:2].prod())
        if best is None or area < best[0]:
            best = (area, turn.T @ (0.5 * (low + high)), high - low)
    assert best is not None
    size = best[2]
    return best[1], np.array([size[:2].max(), size[:2].min(), size[2]])


if __name__ == "__main__":
    main()
