"""Depth from photos alone, against truth: colour pictures of the simulated phone, its depth thrown away.

The pictures go the way of a user's photos, others as a film (places by pycolmap, depth by stereo, scale assumed).
The cameras found are laid onto the true ones by a similarity, and each depth is compared with the truth of its pixel.
`known_share` is of the pixels within 1.2 m, where the objects are; errors are of these too. A papered room is
photographed as well, its scale measured by a layout scan, and its depth compared. Last, real photos of DATA go through
`cousins scan` as `real_files.py` has it: a scene or a refusal, and how long it took.

    python benchmarks/robustness/photos.py [--quick] [--data DIR] [--keep DIR] [--json]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.capture.captures import Capture
from cousins.capture.ingest import ingest
from cousins.geometry import Array, Intrinsics
from cousins.rooms.wall_scale import check_scale_with_room
from program import DATA, program_parser, run_program
from robustness.real_files import scan
from rows import Row, at_most, entry, is_complete
from scenes import photo_room
from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import COLOR_CAMERA, PhoneConfig, Truth, record_capture

NEAR_M = 1.2
"""Farther away is background [m]."""
FILES = ("photos/kermit", "restricted/fox_photos/images")
LIMIT_S = 600.0
"""Longest time that a scan of photos may take [s]."""
FILM_PER_S = 30
"""Pictures of the film a second."""
ROWS = (
    *(
        Row(quantity=f"simulated {kind}: {quantity}", value=entry(kind, key))
        for kind in ("photos", "film")
        for quantity, key in (
            ("pictures taken", "pictures"),
            ("pictures with place and depth", "placed"),
            ("cameras' places off the truth, median [mm]", "camera_mm"),
            ("way up off the truth [°]", "up_deg"),
            ("near pixels with depth", "known_share"),
            ("their depth off the truth, median [mm]", "depth_median_mm"),
            ("the same, 90th percentile [mm]", "depth_90_mm"),
        )
    ),
    Row(
        quantity="simulated papered room: depth off the truth in the metres of a layout scan, median, as a share",
        value=entry("room", "depth_off"),
    ),
    Row(quantity="simulated papered room: error of the metre as it is told", value=entry("room", "told_error")),
    Row(quantity="simulated papered room: the metre before, off by", value=entry("room", "assumed_scale_off")),
    Row(
        quantity="real sets of photos that ended in a scene or a refusal that says what to do",
        bar="all",
        value=lambda result: (
            f"{sum(row['outcome'] in ('scene', 'refused') for row in result['real'])} of {len(result['real'])}"
        ),
        met=is_complete,
    ),
    Row(
        quantity="those that ended in a scene that holds all gates",
        value=lambda result: sum(row.get("ok", False) for row in result["real"]),
    ),
    Row(
        quantity="longest [s]",
        bar="≤ 600",
        value=lambda result: max(row["seconds"] for row in result["real"]),
        met=at_most(600.0),
        digits=0,
    ),
)


def main() -> None:
    parser = program_parser(__doc__, quick="12 simulated photos of 640 px, nothing else", data=DATA)
    parser.add_argument("--keep", type=Path, help="folder to keep the scenes of real photos in")
    run_program(parser, measure)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.quick:
        return {"photos": measure_depth(count=12, width=640, turns=0.3, film=False)}
    return {
        "photos": measure_depth(count=36, width=1280, turns=1.0, film=False),
        "film": measure_depth(count=120, width=800, turns=1.0, film=True),
        "room": measure_room(),
        "real": real(arguments.data, arguments.keep),
    }


def measure_depth(*, count: int, width: int, turns: float, film: bool, seed: int = 11) -> dict[str, Any]:
    """Return how many pictures were placed, and how far their cameras and depths are from the truth."""
    config = replace(PhoneConfig(), frames=count, color_every=1, color_width=width, turns=turns, duration_s=0.1 * count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(seed)
        recorded, truth = record_capture(demo_world(rng), folder / "phone", config=config, rng=rng)
        (folder / "photos").mkdir()
        if film:
            _write_film(recorded, folder / "photos" / "film.mp4")
        else:
            for frame in recorded.frames:
                assert frame.color_path is not None
                (folder / "photos" / f"{frame.index}.jpg").write_bytes(frame.color_path.read_bytes())
        began, cpu = time.monotonic(), time.process_time()
        capture = ingest(folder / "photos", folder / "capture")
        spent = time.monotonic() - began, time.process_time() - cpu
        rate = FILM_PER_S if film else 1
        return compared(capture, truth, rate=rate) | {
            "pictures": count,
            "seconds": round(spent[0], 1),
            "cpu_seconds_beside_children": round(spent[1], 1),
        }


def _write_film(recorded: Capture, path: Path) -> None:
    """Write the colour frames as an MP4 of `FILM_PER_S` pictures a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FILM_PER_S)
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "18"}
        camera = recorded.frames[0].color_camera
        assert camera is not None
        stream.height, stream.width = camera.height, camera.width
        for number, frame in enumerate(recorded.frames):
            pixels = frame.color()
            assert pixels is not None
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FILM_PER_S)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def real(data: Path, keep: Path | None) -> list[dict[str, Any]]:
    """Return the outcome of each set of real photos."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in FILES:
            if (data / name).exists():
                rows.append(scan(name, data / name, keep or Path(scratch), LIMIT_S))
            else:
                print(f"{name}: skipped, it is not in {data}", file=sys.stderr)
    return rows


def measure_room() -> dict[str, Any]:
    """Return how far depth in the metres of a layout scan is off, beside the error that the capture reports."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        photo_room.write_photos(folder / "photos", count=36)
        began = time.monotonic()
        capture = ingest(folder / "photos", folder / "capture")
        room_check = check_scale_with_room(capture, photo_room.layout(), rng=np.random.default_rng(0))
        errors = []
        for frame in capture.frames:
            pose = photo_room.pose_of(round(frame.timestamp_s), count=36)
            true, _, _ = photo_room.cast(pose, frame.depth_camera)
            is_measured = frame.depth_m > 0.0
            errors.append(room_check.ratio * frame.depth_m[is_measured] / true[is_measured] - 1.0)
        return {
            "placed": len(capture.frames),
            "walls": room_check.by,
            "assumed_scale_off": round(1.0 / room_check.ratio - 1.0, 3),
            "depth_off": round(float(np.median(np.concatenate(errors))), 5),
            "told_error": round(room_check.error, 5),
            "seconds": round(time.monotonic() - began, 1),
        }


def compared(capture: Capture, truth: Truth, *, rate: int) -> dict[str, Any]:
    """Return errors of cameras [mm] and near depths [mm]; `rate` is in pictures a second."""
    numbers = [round(rate * frame.timestamp_s) for frame in capture.frames]
    positions = np.stack([frame.world_from_camera[:3, 3] for frame in capture.frames])
    real = np.stack([truth.world_from_camera[number][:3, 3] for number in numbers])
    scale, rotation, shift = similarity(positions, real)
    up_deg = float(np.rad2deg(np.arccos(np.clip(rotation[2, 2], -1.0, 1.0))))
    errors_by_frame, near = [], 0
    for frame, number in zip(capture.frames, numbers, strict=True):
        true = looked_up(truth.depth_m[number], frame.depth_camera)
        close = (true > 0.0) & (true < NEAR_M)
        is_measured = close & (frame.depth_m > 0.0)
        near += int(close.sum())
        errors_by_frame.append(1000.0 * (scale * frame.depth_m[is_measured] - true[is_measured]))
    errors_mm = np.abs(np.concatenate(errors_by_frame))
    places = 1000.0 * np.linalg.norm(scale * positions @ rotation.T + shift - real, axis=1)
    return {
        "placed": len(numbers),
        "camera_mm": round(float(np.median(places)), 3),
        "up_deg": round(up_deg, 3),
        "known_share": round(len(errors_mm) / near, 4),
        "depth_median_mm": round(float(np.median(errors_mm)), 3),
        "depth_90_mm": round(float(np.quantile(errors_mm, 0.9)), 3),
        "beyond_10mm_share": round(float((errors_mm > 10.0).mean()), 4),
        "assumed_scale_off": round(scale - 1.0, 3),
        "scale_interval": [round(end, 3) for end in capture.scale.interval],
        "scale_in_interval": bool(capture.scale.interval[0] <= scale <= capture.scale.interval[1]),
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
    full_camera = COLOR_CAMERA.scaled(depth.shape[1], depth.shape[0])
    u = np.rint((np.arange(camera.width) - camera.cx) / camera.fx * full_camera.fx + full_camera.cx).astype(int)
    v = np.rint((np.arange(camera.height) - camera.cy) / camera.fy * full_camera.fy + full_camera.cy).astype(int)
    inside = ((v >= 1) & (v < depth.shape[0] - 1))[:, None] & ((u >= 1) & (u < depth.shape[1] - 1))[None]
    rows, columns = np.clip(v, 1, depth.shape[0] - 2), np.clip(u, 1, depth.shape[1] - 2)
    around = np.stack([depth[rows + dv][:, columns + du] for dv in (-1, 0, 1) for du in (-1, 0, 1)])
    smooth = (around.min(axis=0) > 0.0) & (np.ptp(around, axis=0) < 0.03 * around.max(axis=0))
    return np.where(inside & smooth, depth[rows][:, columns], 0.0)


if __name__ == "__main__":
    main()
