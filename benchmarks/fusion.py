"""How fast, small and accurate depth fusion is beside Open3D's two CPU volumes.

Same frames, same process, interleaved runs, 5 mm voxels, 20 mm truncation, 256×192 depth: our volume,
Open3D's ScalableTSDFVolume ("legacy") and its VoxelBlockGrid ("tensor"), each depth-only and with colour.
Times are medians: frames per second of wall time and per second of CPU time of all threads. Open3D's
threads spin when the machine is busy, and its times are then up to ten times too long: the load average is part of
the output, and numbers taken above a load of 1 are not valid. Added memory is the peak of a fresh process.

The built-in scene is a table with eight solids, recorded by the simulated phone with its noise but exact
poses; mesh and true depth are compared as points (Chamfer: mean of both mean distances; F at 5 mm). The
last row is a corridor of 70 m, which must fit in memory.

    python benchmarks/fusion.py [--quick] [--data CAPTURE] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from scipy.spatial import cKDTree

from cousins.capture.captures import Capture, Frame
from cousins.capture.ingest import ingest
from cousins.capture.io.capture_folder import load_capture
from cousins.fusion.volume import FusionConfig, color_at_depth, fuse
from cousins.geometry import Array, Intrinsics, invert, look_at, rigid, rotation_about, transform, unproject
from cousins.meshes import Mesh
from program import program_parser
from rows import Row, at_least, at_most, entry
from sim.synthetic.lidar_noise import LidarConfig
from sim.synthetic.phone import PhoneBody, PhoneConfig, PhoneWorld, record_capture

VOXEL_M, TRUNCATION_M, MAX_DEPTH_M = 0.005, 0.02, 5.0
SEED = 5
Contender = Callable[[list[Frame], list[Array] | None], Callable[[], Mesh]]
ROWS = (
    Row(
        quantity="frames per CPU second by the faster Open3D volume, depth",
        bar="≥ 2.5",
        value=entry("frames_per_cpu_s_ratio"),
        met=at_least(2.5),
        digits=2,
    ),
    Row(
        quantity="the same with colour",
        bar="≥ 1.5",
        value=entry("frames_per_cpu_s_color_ratio"),
        met=at_least(1.5),
        digits=2,
    ),
    Row(
        quantity="frames per wall second, depth",
        bar="≥ 2.5",
        value=entry("frames_per_s_ratio"),
        met=at_least(2.5),
        digits=2,
    ),
    Row(
        quantity="the same with colour",
        bar="≥ 1.5",
        value=entry("frames_per_s_color_ratio"),
        met=at_least(1.5),
        digits=2,
    ),
    Row(quantity="memory, depth", bar="≤ 0.6", value=entry("memory_ratio"), met=at_most(0.6), digits=2),
    Row(quantity="memory, with colour", bar="≤ 0.6", value=entry("memory_color_ratio"), met=at_most(0.6), digits=2),
    Row(quantity="70 m corridor, added memory [MB]", value=entry("corridor_70m_added_rss_mb"), digits=0),
)


def fuse_ours(frames: list[Frame], colors: list[Array] | None) -> Callable[[], Mesh]:
    """Fuse with our volume; the mesh is taken on demand."""
    volume = fuse([], config=FusionConfig(voxel_m=VOXEL_M, truncation_m=TRUNCATION_M), colors=colors is not None)
    for index, frame in enumerate(frames):
        volume.integrate(frame, color=None if colors is None else colors[index])
    return lambda: volume.extract(min_weight=1.0)


def fuse_legacy(frames: list[Frame], colors: list[Array] | None) -> Callable[[], Mesh]:
    """Fuse with Open3D's ScalableTSDFVolume."""
    import open3d as o3d

    kinds = o3d.pipelines.integration.TSDFVolumeColorType
    kind = kinds.NoColor if colors is None else kinds.RGB8
    volume = o3d.pipelines.integration.ScalableTSDFVolume(VOXEL_M, TRUNCATION_M, kind)
    for index, frame in enumerate(frames):
        camera = frame.depth_camera
        color = np.zeros((*frame.depth_m.shape, 3), np.uint8) if colors is None else colors[index]
        image = o3d.geometry.RGBDImage.create_from_color_and_depth(
            o3d.geometry.Image(np.ascontiguousarray(color)),
            o3d.geometry.Image(trusted(frame)),
            depth_scale=1.0,
            depth_trunc=MAX_DEPTH_M,
            convert_rgb_to_intensity=False,
        )
        pinhole = o3d.camera.PinholeCameraIntrinsic(
            camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy
        )
        volume.integrate(image, pinhole, invert(frame.world_from_camera))
    return lambda: of_open3d(volume.extract_triangle_mesh())


def fuse_tensor(frames: list[Frame], colors: list[Array] | None) -> Callable[[], Mesh]:
    """Fuse with Open3D's VoxelBlockGrid."""
    import open3d as o3d

    float32 = o3d.core.float32
    names, types, shapes = ("tsdf", "weight"), (float32,) * 2, ((1,), (1,))
    if colors is not None:
        names, types, shapes = (*names, "color"), (float32,) * 3, (*shapes, (3,))
    grid = o3d.t.geometry.VoxelBlockGrid(names, types, shapes, VOXEL_M, 16, 10_000, o3d.core.Device("CPU:0"))
    band = TRUNCATION_M / VOXEL_M
    for index, frame in enumerate(frames):
        depth = o3d.t.geometry.Image(trusted(frame))
        camera = o3d.core.Tensor(frame.depth_camera.matrix)
        pose = o3d.core.Tensor(invert(frame.world_from_camera))
        blocks = grid.compute_unique_block_coordinates(depth, camera, pose, 1.0, MAX_DEPTH_M, band)
        if colors is None:
            grid.integrate(blocks, depth, camera, pose, 1.0, MAX_DEPTH_M, band)
        else:
            color = o3d.t.geometry.Image(np.ascontiguousarray(colors[index].astype(np.float32) / 255.0))
            grid.integrate(blocks, depth, color, camera, camera, pose, 1.0, MAX_DEPTH_M, band)
    return lambda: of_open3d(grid.extract_triangle_mesh().to_legacy())


CONTENDERS: dict[str, Contender] = {"ours": fuse_ours, "legacy": fuse_legacy, "tensor": fuse_tensor}


def trusted(frame: Frame) -> Array:
    """Return depth of medium and high confidence, as all contenders get it."""
    return np.ascontiguousarray(np.where(frame.confidence >= 1, frame.depth_m, np.float32(0.0)))


def of_open3d(mesh: Any) -> Mesh:
    return Mesh(vertices=np.asarray(mesh.vertices), faces=np.asarray(mesh.triangles, dtype=np.int32))


def tabletop(folder: Path, frames: int) -> tuple[Capture, Array]:
    """Record a table with eight solids; return the capture and the true surface that it saw, [n, 3]."""
    rng = np.random.default_rng(SEED)
    shapes = {
        "box_0": trimesh.creation.box((0.12, 0.08, 0.1)),
        "box_1": trimesh.creation.box((0.06, 0.1, 0.14)),
        "box_2": trimesh.creation.box((0.14, 0.14, 0.05)),
        "can_0": trimesh.creation.cylinder(0.035, 0.12, sections=64),
        "can_1": trimesh.creation.cylinder(0.045, 0.2, sections=64),
        "ball": trimesh.creation.icosphere(4, 0.06),
        "ring": trimesh.creation.torus(0.07, 0.02, 64, 32),
        "cup": trimesh.creation.annulus(0.04, 0.046, 0.1, sections=64),
    }
    spots = [(x, y) for x in (-0.32, 0.0, 0.32) for y in (-0.24, 0.0, 0.24) if (x, y) != (0.0, 0.0)]
    bodies = []
    for (name, shape), (x, y) in zip(shapes.items(), spots, strict=True):
        turn = rotation_about(np.array([0.0, 0.0, 1.0]), float(rng.uniform(0.0, 2.0 * np.pi)))
        pose = rigid(turn, np.array([x, y, -shape.bounds[0, 2]]))
        bodies.append(PhoneBody(name=name, label=name, mesh=Mesh.from_trimesh(shape), world_from_body=pose))
    top = trimesh.creation.box((1.1, 0.9, 0.04))
    top.apply_translation((0.0, 0.0, -0.02))
    world = PhoneWorld(bodies=tuple(bodies), structures=(("table", Mesh.from_trimesh(top)),), name="tabletop")
    config = PhoneConfig(
        frames=frames,
        drift_m=0.0,
        drift_deg=0.0,
        lidar=LidarConfig(bias_m=0.0),
        color_width=256,
        color_every=1,
        color_supersample=1,
        shadows=False,
    )
    capture, truth = record_capture(world, folder, config=config, rng=rng)
    visible_points = [
        transform(pose, unproject(depth, frame.depth_camera)[(depth > 0.0)])
        for depth, pose, frame in zip(truth.depth_m, truth.world_from_camera, capture.frames, strict=True)
    ]
    return capture, thinned(np.concatenate(visible_points), 0.002)


def thinned(points: Array, cell_m: float) -> Array:
    """Return one point of each cell."""
    _, first = np.unique(np.floor(points / cell_m).astype(np.int64), axis=0, return_index=True)
    return points[np.sort(first)]


def accuracy(mesh: Mesh, truth: Array) -> dict[str, float]:
    """Return Chamfer distance and F-score to the true points."""
    sampled, _ = trimesh.sample.sample_surface(mesh.to_trimesh(), 200_000, seed=SEED)
    to_truth = cKDTree(truth).query(sampled)[0]
    to_surface = cKDTree(sampled).query(truth)[0]
    precision, recall = float((to_truth < 0.005).mean()), float((to_surface < 0.005).mean())
    return {
        "chamfer_mm": 500.0 * float(to_truth.mean() + to_surface.mean()),
        "f5mm": 2.0 * precision * recall / max(precision + recall, 1e-9),
    }


def added_rss_mb(name: str, folder: Path, *, colors: bool) -> float:
    """Return the peak memory that fusing and extracting adds, in a fresh process."""
    command = [sys.executable, __file__, "--child", name, "--data", str(folder), *(["--colors"] if colors else [])]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(process.stdout.splitlines()[-1])


def child(name: str, folder: Path, *, colors: bool) -> None:
    frames, images = loaded(folder)
    if name == "corridor":
        frames = corridor()
        fuse(frames[:1])
        before = rested_mb()
        fuse(frames, config=FusionConfig(voxel_m=VOXEL_M, truncation_m=TRUNCATION_M))
    else:
        CONTENDERS[name](frames[:1], images[:1] if colors else None)
        before = rested_mb()
        CONTENDERS[name](frames, images if colors else None)()
    print(status_mb("VmHWM") - before)


def rested_mb() -> float:
    """Return the resident memory now, and reset its peak (Linux: proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")
    return status_mb("VmRSS")


def status_mb(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024.0 for line in lines if line.startswith(key + ":"))


def corridor() -> list[Frame]:
    """Return frames of a walk through a corridor 70 m long, 2.4 m wide and 2.5 m high."""
    camera = Intrinsics(width=256, height=192, fx=193.0, fy=193.0, cx=127.5, cy=95.5)
    rays = unproject(np.ones((192, 256)), camera)
    frames = []
    for index in range(280):
        eye = np.array([0.25 * index, 0.0, 1.4])
        side, up = np.sin(0.9 * index), 0.5 * np.sin(0.37 * index)
        pose = look_at(eye, eye + np.array([1.0, 1.2 * side, up]))
        world = rays @ pose[:3, :3].T
        walls = np.stack([(np.sign(world[..., 1]) * 1.2 - eye[1]) / world[..., 1]], axis=0)[0]
        flat = (np.where(world[..., 2] > 0.0, 2.5, 0.0) - eye[2]) / world[..., 2]
        depth = np.minimum(walls, flat).astype(np.float32)
        depth[depth > MAX_DEPTH_M] = 0.0
        frames.append(
            Frame(
                index=index,
                timestamp_s=0.1 * index,
                world_from_camera=pose,
                depth_camera=camera,
                depth_m=depth,
                confidence=np.full(depth.shape, 2, np.uint8),
            )
        )
    return frames


def loaded(folder: Path) -> tuple[list[Frame], list[Array]]:
    """Return the frames of a canonical capture that have colour, and the colours at the depth image's size."""
    # A replaced frame is in memory: fusion is measured here, not reading.
    frames = [replace(frame) for frame in load_capture(folder).frames if frame.color_path is not None]
    return frames, [image for frame in frames if (image := color_at_depth(frame)) is not None]


def race(frames: list[Frame], images: list[Array], repeats: int, truth: Array | None) -> dict[str, Any]:
    """Time all contenders in turn, several times over."""
    runs: dict[str, list[tuple[float, float]]] = {}
    results: dict[str, Any] = {}
    for turn in range(repeats + 1):
        for name, contender in CONTENDERS.items():
            for colors in (None, images):
                key = name if colors is None else f"{name}_color"
                wall, cpu = time.perf_counter(), time.process_time()
                mesh = contender(frames, colors)
                spent = (time.perf_counter() - wall, time.process_time() - cpu)
                if turn:
                    runs.setdefault(key, []).append(spent)
                elif truth is not None:
                    results[key] = accuracy(mesh(), truth)
    for key, spent_all in runs.items():
        wall_s, cpu_s = np.median(np.array(spent_all), axis=0)
        row = results.setdefault(key, {})
        row["frames_per_s"], row["frames_per_cpu_s"] = len(frames) / float(wall_s), len(frames) / float(cpu_s)
    return results


def main() -> None:
    parser = program_parser(__doc__, quick="40 frames, one run")
    parser.add_argument("--data", type=Path, help="a capture of your own instead of the built-in scene")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--colors", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.data, colors=arguments.colors)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder, truth = Path(temporary) / "capture", None
        if arguments.data is None:
            _, truth = tabletop(folder, 40 if arguments.quick else 100)
        else:
            ingest(arguments.data, folder)
        result = measure(folder, truth, quick=arguments.quick)
    if arguments.json:
        print(json.dumps(result))
        return
    for key, row in result["contenders"].items():
        print(f"{key:14}" + "  ".join(f"{name} {value:8.3f}" for name, value in row.items()))
    for key, value in result.items():
        if key != "contenders":
            print(f"{key:30} {value:.2f}")


def measure(folder: Path, truth: Array | None, *, quick: bool) -> dict[str, Any]:
    frames, images = loaded(folder)
    contenders = race(frames, images, 1 if quick else 5, truth)
    for key, row in contenders.items():
        row["added_rss_mb"] = added_rss_mb(key.removesuffix("_color"), folder, colors=key.endswith("_color"))
    result: dict[str, Any] = {"frames": len(frames), "load_average": os.getloadavg()[0], "contenders": contenders}
    for kind in ("", "_color"):
        peers = [contenders[f"{name}{kind}"] for name in ("legacy", "tensor")]
        our_row = contenders[f"ours{kind}"]
        for unit in ("frames_per_s", "frames_per_cpu_s"):
            result[f"{unit}{kind}_ratio"] = our_row[unit] / max(peer[unit] for peer in peers)
        result[f"memory{kind}_ratio"] = our_row["added_rss_mb"] / min(peer["added_rss_mb"] for peer in peers)
    if not quick:
        result["corridor_70m_added_rss_mb"] = added_rss_mb("corridor", folder, colors=False)
    return result


if __name__ == "__main__":
    main()
