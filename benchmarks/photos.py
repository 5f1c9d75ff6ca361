"""Depth from photos alone, against truth: colour pictures of the simulated phone, its depth thrown away.

The pictures go the way of a user's photos (places by pycolmap, depth by stereo, scale assumed). The cameras found are
laid onto the true ones by a similarity, and each depth is compared with the truth of its pixel. `known_share` is
of the pixels within 1.2 m, where the things are; errors are of these too.

    python benchmarks/photos.py [--quick] [--json]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cousins.capture.captures import Capture
from cousins.capture.ingest import ingest
from cousins.geometry import Array, Intrinsics
from sim.demo import demo_world
from sim.phone import COLOR_CAMERA, PhoneConfig, Truth, record

NEAR_M = 1.2
"""Farther away is background [m]."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="12 photos of 640 px instead of 36 of 1280")
    arguments.add_argument("--json", action="store_true", help="print one JSON object")
    given = arguments.parse_args()
    result = measure(count=12, width=640, turns=0.3) if given.quick else measure(count=36, width=1280, turns=1.0)
    print(json.dumps(result) if given.json else "\n".join(f"{key:22s} {value}" for key, value in result.items()))


def measure(*, count: int, width: int, turns: float, seed: int = 11) -> dict[str, Any]:
    """Return how many photos were placed, and how far their cameras and depths are from the truth."""
    config = replace(PhoneConfig(), frames=count, color_every=1, color_width=width, turns=turns)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(seed)
        recorded, truth = record(demo_world(rng), folder / "phone", config=config, rng=rng)
        (folder / "photos").mkdir()
        for frame in recorded.frames:
            assert frame.color_path is not None
            (folder / "photos" / f"{frame.index}.jpg").write_bytes(frame.color_path.read_bytes())
        began, cpu = time.monotonic(), time.process_time()
        capture = ingest(folder / "photos", folder / "capture")
        spent = time.monotonic() - began, time.process_time() - cpu
        return compared(capture, truth) | {
            "photos": count,
            "seconds": round(spent[0], 1),
            "cpu_seconds_beside_children": round(spent[1], 1),
        }


def compared(capture: Capture, truth: Truth) -> dict[str, Any]:
    """Return errors of cameras [mm] and near depths [mm]; frames are told by their times, which number the photos."""
    numbers = [round(frame.timestamp_s) for frame in capture.frames]
    found = np.stack([frame.world_from_camera[:3, 3] for frame in capture.frames])
    real = np.stack([truth.world_from_camera[number][:3, 3] for number in numbers])
    scale, rotation, shift = similarity(found, real)
    up_deg = float(np.rad2deg(np.arccos(np.clip(rotation[2, 2], -1.0, 1.0))))
    errors, near = [], 0
    for frame, number in zip(capture.frames, numbers, strict=True):
        true = looked_up(truth.depth_m[number], frame.depth_camera)
        close = (true > 0.0) & (true < NEAR_M)
        known = close & (frame.depth_m > 0.0)
        near += int(close.sum())
        errors.append(1000.0 * (scale * frame.depth_m[known] - true[known]))
    off = np.abs(np.concatenate(errors))
    places = 1000.0 * np.linalg.norm(scale * found @ rotation.T + shift - real, axis=1)
    return {
        "placed": len(numbers),
        "camera_mm": round(float(np.median(places)), 3),
        "up_deg": round(up_deg, 3),
        "known_share": round(len(off) / near, 4),
        "depth_median_mm": round(float(np.median(off)), 3),
        "depth_90_mm": round(float(np.quantile(off, 0.9)), 3),
        "beyond_10mm_share": round(float((off > 10.0).mean()), 4),
        "assumed_scale_off": round(scale - 1.0, 3),
    }


def similarity(points: Array, targets: Array) -> tuple[float, Array, Array]:
    """Return scale, rotation [3, 3] and shift [3] that lay points [n, 3] onto targets (Umeyama, PAMI 13(4), 1991)."""
    middle, aim = points.mean(axis=0), targets.mean(axis=0)
    left, sizes, right = np.linalg.svd((targets - aim).T @ (points - middle))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ np.diag(signs) @ right
    scale = float((sizes * signs).sum() / ((points - middle) ** 2).sum())
    return scale, rotation, aim - scale * rotation @ middle


def looked_up(depth: Array, camera: Intrinsics) -> Array:
    """Return the truth's depth at the pixels of another camera of the same view; 0 at its depth edges."""
    own = COLOR_CAMERA.scaled(depth.shape[1], depth.shape[0])
    u = np.rint((np.arange(camera.width) - camera.cx) / camera.fx * own.fx + own.cx).astype(int)
    v = np.rint((np.arange(camera.height) - camera.cy) / camera.fy * own.fy + own.cy).astype(int)
    inside = ((v >= 1) & (v < depth.shape[0] - 1))[:, None] & ((u >= 1) & (u < depth.shape[1] - 1))[None]
    rows, columns = np.clip(v, 1, depth.shape[0] - 2), np.clip(u, 1, depth.shape[1] - 2)
    around = np.stack([depth[rows + dv][:, columns + du] for dv in (-1, 0, 1) for du in (-1, 0, 1)])
    smooth = (around.min(axis=0) > 0.0) & (np.ptp(around, axis=0) < 0.03 * around.max(axis=0))
    return np.where(inside & smooth, depth[rows][:, columns], 0.0)


if __name__ == "__main__":
    main()
