"""Way up, subject and metre of simulated photos against truth, without the cost of structure from motion.

Boxes are photographed in rooms: on the floor, on a table, against a wall with a door. Poses are true but for a turn and
a scale of their world, as structure from motion gives them; depth has holes and noise as stereo has; a third of the
sets lost their orientation and part of these lie on their side. The interval of the metre is held against recordings of
a known metre, each left out in turn.

    python benchmarks/robustness/photo_views.py [--quick] [--seed 100] [--json]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.capture.captures import Scale
from cousins.capture.directions import rotation_to_z
from cousins.capture.edge_lines import edge_plane_normals
from cousins.capture.quality.reprojection import surface_normals
from cousins.capture.way_up import UpView, estimate_way_up
from cousins.geometry import Array, Intrinsics, look_at, rigid, rotation_about, transform
from cousins.meshes import Mesh
from cousins.photos.metre import DISTANCE_SIGMA
from cousins.photos.subject import View, find_subject
from cousins.raster import render
from program import program_parser, run_program

CAMERA = Intrinsics(width=256, height=192, fx=210.0, fy=210.0, cx=127.5, cy=95.5)
COLOR_CAMERA = CAMERA.scaled(512, 384)
RECORDED_DISTANCES_M = (1.65, 2.63, 0.23, 1.82, 2.32, 1.09, 2.3, 2.9)
"""Median distances of recordings whose metre is known: six public ones, and two sets of photos measured by a tape."""
UP_Z = np.array([0.0, 0.0, 1.0])


def main() -> None:
    parser = program_parser(__doc__, quick="6 sets of photos instead of 40", seed=100)
    run_program(parser, lambda arguments: measure(count=6 if arguments.quick else 40, seed=arguments.seed))


def measure(*, count: int, seed: int) -> dict[str, Any]:
    rows = [measure_set(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n,)))) for n in range(count)]
    off = np.array([row["off_deg"] for row in rows])
    sure = np.array([row["sure"] for row in rows])
    ious = np.array([row["iou"] for row in rows if row["sure"]])
    return {
        "sets": rows,
        "up": {
            "median_deg": round(float(np.median(off[sure])), 3),
            "p98_deg": round(float(np.quantile(off[sure], 0.98)), 3),
            "sure_share": round(float(sure.mean()), 3),
            "sure_and_wrong": int((sure & (off > 30.0)).sum()),
            "unsure_and_wrong": int((~sure & (off > 30.0)).sum()),
        },
        "subject": {
            "iou": round(float(ious.mean()), 4),
            "least_iou": round(float(ious.min()), 4),
            "background_kept": round(float(np.mean([row["background_kept"] for row in rows if row["sure"]])), 4),
        },
        "metre": {"coverage": round(_metre_coverage(), 3)},
    }


def _metre_coverage() -> float:
    """Return the share of recordings whose distance lies in the interval around the geometric mean of the others."""
    low, high = Scale(source="assumed", error=DISTANCE_SIGMA).interval
    logs = np.log(RECORDED_DISTANCES_M)
    rest = (logs.sum() - logs) / (len(logs) - 1)
    return float(np.mean((logs - rest >= np.log(low)) & (logs - rest <= np.log(high))))


def measure_set(rng: np.random.Generator) -> dict[str, Any]:
    """Return the errors of one set of photos."""
    meshes, subject_count, target = _scene(rng)
    poses, oriented = _poses(target, rng)
    world = rigid(rotation_about(rng.standard_normal(3), float(rng.uniform(0.0, np.pi))))
    unit = float(np.exp(rng.normal(0.0, 1.0)))
    greys = [rng.uniform(0.15, 0.85, len(mesh.faces) // 2).repeat(2) for mesh in meshes]
    shots = [_shot(meshes, pose, greys, rng) for pose in poses]
    way_up = estimate_way_up(
        [_up_view(world @ pose, *shot[:2], oriented=oriented) for pose, shot in zip(poses, shots, strict=True)]
    )
    level = rotation_to_z(way_up.direction) @ world
    views = [_view(level @ pose, unit, shot[0]) for pose, shot in zip(poses, shots, strict=True)]
    subject = find_subject(views)
    counts = np.zeros(4)
    for view, (depth, _, body) in zip(views, shots, strict=True):
        mask = depth > 0.0 if subject is None else subject.mask(view)
        is_subject = (body >= 0) & (body < subject_count) & (depth > 0.0)
        is_support = body == subject_count
        is_background = (body > subject_count) & (depth > 0.0)
        counts += [
            (mask & is_subject).sum(),
            ((mask & ~is_support) | is_subject).sum(),
            (mask & is_background).sum(),
            is_background.sum(),
        ]
    return {
        "off_deg": round(float(np.rad2deg(np.arccos(np.clip(way_up.direction @ world[:3, 2], -1.0, 1.0)))), 3),
        "sure": bool(way_up.sure),
        "certainty": round(way_up.certainty, 3),
        "iou": round(float(counts[0] / counts[1]), 4),
        "background_kept": round(float(counts[2] / max(counts[3], 1.0)), 4),
    }


def _scene(rng: np.random.Generator) -> tuple[list[Mesh], int, Array]:
    """Return meshes (first those of the subject, then its support), how many are the subject's, and where it is."""
    size = np.exp(rng.uniform(np.log(0.12), np.log(0.5), 3))
    base = 0.0 if rng.random() < 0.5 else 0.74
    target = np.array([0.0, 0.0, base + 0.4 * size[2]])
    bodies = [_box([-size[0] / 2, -size[1] / 2, base], [size[0] / 2, size[1] / 2, base + size[2]])]
    if rng.random() < 0.5:
        small = size * rng.uniform(0.3, 0.7, 3)
        x = size[0] / 2 + rng.uniform(0.03, 0.15)
        bodies.append(_box([x, -small[1] / 2, base], [x + small[0], small[1] / 2, base + small[2]]))
    gap = float(rng.choice([0.0, 0.1, 1.5]))
    back = -size[0] / 2 - gap
    floor = _box([back, -3.0, -0.05], [3.0, 3.0, 0.0])
    wall = _box([back - 0.1, -3.0, 0.0], [back, 3.0, 2.5])
    door = _box([back, 0.6, 0.0], [back + 0.03, 1.5, 2.05])
    if base > 0.0:
        table = _box([max(back, -0.5), -0.7, base - 0.04], [0.6, 0.7, base])
        return [*bodies, table, floor, wall, door], len(bodies), target
    return [*bodies, floor, wall, door], len(bodies), target


def _poses(target: Array, rng: np.random.Generator) -> tuple[list[Array], bool]:
    count, arc = int(rng.integers(9, 17)), float(np.deg2rad(rng.uniform(60.0, 170.0)))
    distance, elevation = float(rng.uniform(0.8, 1.8)), float(np.deg2rad(rng.uniform(10.0, 50.0)))
    oriented = rng.random() < 0.67
    turn = 0 if oriented or rng.random() < 0.6 else int(rng.choice([1, 3]))
    poses = []
    for azimuth in np.linspace(-arc / 2.0, arc / 2.0, count):
        tilt = elevation + np.deg2rad(4.0) * rng.standard_normal()
        eye = target + distance * np.array(
            [np.cos(azimuth) * np.cos(tilt), np.sin(azimuth) * np.cos(tilt), np.sin(tilt)]
        )
        aim = target + 0.04 * distance * rng.standard_normal(3)
        roll = turn * 0.5 * np.pi + np.deg2rad(4.0) * rng.standard_normal()
        poses.append(look_at(eye, aim) @ rigid(rotation_about(UP_Z, float(roll))))
    return poses, oriented


def _shot(meshes: list[Mesh], pose: Array, greys: list[Array], rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return depth with holes and noise [h, w], the picture 0..1 [2h, 2w], and which mesh each depth pixel shows."""
    raster = render(meshes, CAMERA, pose)
    holes = gaussian_filter(rng.standard_normal(raster.depth_m.shape), 6.0)
    noise = 1.0 + 0.003 * gaussian_filter(rng.standard_normal(raster.depth_m.shape), 1.0) * 3.5
    depth = np.where(holes > np.quantile(holes, 0.35), raster.depth_m * noise, 0.0).astype(np.float32)
    fine = render(meshes, COLOR_CAMERA, pose)
    gray = np.full(fine.body.shape, 0.5)
    for number, values in enumerate(greys):
        is_body = fine.body == number
        gray[is_body] = values[fine.face[is_body]]
    picture = gaussian_filter(gray, 0.7) + 0.01 * rng.standard_normal(gray.shape)
    return depth, picture, raster.body


def _up_view(pose: Array, depth: Array, picture: Array, *, oriented: bool) -> UpView:
    _, normals, _ = surface_normals(depth, CAMERA, columns=64)
    return UpView(
        world_from_camera=pose,
        surface_normals=normals[normals.any(axis=-1)] @ pose[:3, :3].T,
        edge_normals=edge_plane_normals(picture, COLOR_CAMERA) @ pose[:3, :3].T,
        oriented=oriented,
    )


def _view(pose: Array, unit: float, depth: Array) -> View:
    scaled = rigid(pose[:3, :3], unit * pose[:3, 3])
    points, normals, _ = surface_normals(depth * np.float32(unit), CAMERA, columns=64)
    is_flat = normals.any(axis=-1)
    return View(
        camera=CAMERA,
        depth=depth * np.float32(unit),
        world_from_camera=scaled,
        surface_points=transform(scaled, points[is_flat]),
        surface_normals=normals[is_flat] @ pose[:3, :3].T,
    )


def _box(low: list[float], high: list[float]) -> Mesh:
    return Mesh.from_trimesh(trimesh.creation.box(bounds=np.array([low, high])))


if __name__ == "__main__":
    main()
