"""A furnished room for a long recording: the phone walks around its middle and films walls, furniture and small things.

The same walk can be filmed with any number of frames, so that cost by frame and cost by area can be separated.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cousins.capture.captures import Scale
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.families.family import load_family
from cousins.geometry import Array, Intrinsics, look_at, rigid, rotation_about, unproject
from cousins.meshes import Mesh
from cousins.raster import ShadingData, ShadingLight, prepare_shading, render, shade
from cousins.reconstruct.kinematics import asset_from_links
from sim.synthetic import primitives, procedural_textures
from sim.synthetic.lidar_noise import SUBSAMPLES, LidarConfig, measure_depth, true_depth

ROOM_M: Final = (5.0, 4.0, 2.5)
"""Width, length and height of the room [m]."""
WALL_M: Final = 0.1
"""Thickness of floor and walls [m]."""
TABLE_TOP_M: Final = 0.74
"""Height of the table tops [m]."""
TABLES: Final = (((-1.5, 1.45), 0.0), ((1.6, 1.4), 0.0), ((2.0, -0.9), np.pi / 2.0))
"""Place on the floor, x and y [m], and turn [rad] of each table; all stand at a wall."""
FURNITURE: Final = (
    ("chair", (-1.5, 0.65), np.pi, (0.45, 0.5, 0.9)),
    ("chair", (1.5, 0.6), np.pi, (0.45, 0.5, 0.9)),
    ("shelf", (-2.3, -0.6), np.pi / 2.0, (0.9, 0.3, 1.5)),
    ("cabinet", (-0.9, -1.7), np.pi, (0.8, 0.45, 0.8)),
    ("drawer_unit", (0.6, -1.7), np.pi, (0.5, 0.45, 0.6)),
)
"""Family, place on the floor [m], turn [rad] and size [m] of the furniture."""
TABLEWARE: Final = (
    ("mug", (0.12, 0.085, 0.1)),
    ("bowl", (0.2, 0.2, 0.08)),
    ("box", (0.2, 0.12, 0.16)),
    ("bottle", (0.07, 0.07, 0.22)),
    ("can", (0.066, 0.066, 0.12)),
    ("book", (0.22, 0.15, 0.03)),
)
"""Family and size [m] of the things on every table."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """How the room is filmed."""

    frames: int
    """Number of frames of the walk."""
    depth_size: tuple[int, int] = (256, 192)
    """Width and height of the depth image [px]; 640 by 480 for an RGB-D camera."""
    color_width: int = 960
    """Width of the colour image [px]."""
    color_every: int = 3
    """Number of frames for each with colour."""


def write_recording(folder: Path, recording: Recording, *, seed: int) -> None:
    """Write the capture folder of a walk through the room; poses are exact, depth has a phone's noise."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    meshes = room_meshes(rng)
    looks = [prepare_shading(mesh) for mesh in meshes]
    width, height = recording.depth_size
    depth_camera = Intrinsics(
        width=width, height=height, fx=0.754 * width, fy=0.754 * width, cx=width / 2.0 - 0.5, cy=height / 2.0 - 0.5
    )
    color_camera = depth_camera.scaled(recording.color_width, round(recording.color_width * height / width))
    scale = Scale(source="lidar", error=0.005)
    with CaptureWriter(folder, name="room", device="simulated iPhone", app="cousins", scale=scale) as writer:
        for index in range(recording.frames):
            pose = walk_pose(index / recording.frames)
            frame_rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, index)))
            depth_m, confidence = _measured(meshes, looks, depth_camera, pose, frame_rng)
            is_colored = index % recording.color_every == 0
            writer.add(
                timestamp_s=index / 3.0,
                world_from_camera=pose,
                depth_camera=depth_camera,
                depth_m=depth_m,
                confidence=confidence,
                color_camera=color_camera if is_colored else None,
                color=_photo(meshes, looks, color_camera, pose) if is_colored else None,
            )
        writer.close()


def walk_pose(share: float) -> Array:
    """Return `world_from_camera` [4, 4] at a share of the walk: two rounds about the middle, looking outwards."""
    turn = 4.0 * np.pi * share
    eye = np.array([0.9 * np.cos(turn), 0.6 * np.sin(turn), 1.45 + 0.1 * np.sin(7.0 * turn)])
    heading, pitch = turn + 0.5 * np.sin(3.0 * turn), np.deg2rad(-24.0 + 16.0 * np.sin(5.0 * turn))
    ahead = np.array([np.cos(heading) * np.cos(pitch), np.sin(heading) * np.cos(pitch), np.sin(pitch)])
    return look_at(eye, eye + ahead)


def room_meshes(rng: np.random.Generator) -> list[Mesh]:
    """Return floor, walls, furniture and things as textured meshes in the world frame."""
    meshes = [*_shell(rng)]
    for name, place, turn, size_m in FURNITURE:
        meshes += _stood(_family_parts(name, size_m, rng), (*place, 0.0), turn)
    for place, turn in TABLES:
        table = _stood(_family_parts("table", (1.4, 0.75, TABLE_TOP_M), rng), (*place, 0.0), turn)
        top_m = max(float(part.vertices[:, 2].max()) for part in table)
        meshes += table
        for number, (name, size_m) in enumerate(TABLEWARE):
            along, across = -0.55 + 0.22 * number, float(rng.uniform(-0.15, 0.15))
            x, y = np.array([np.cos(turn), np.sin(turn)]) * along + np.array([-np.sin(turn), np.cos(turn)]) * across
            parts = _family_parts(name, size_m, rng)
            meshes += _stood(parts, (place[0] + x, place[1] + y, top_m), float(rng.uniform(0.0, 2.0 * np.pi)))
    return meshes


def _shell(rng: np.random.Generator) -> list[Mesh]:
    """Return the floor and the four walls."""
    floor = procedural_textures.parquet((768, 768), (150, 132, 112), rng, rows=16, length_px=260)
    plaster = procedural_textures.mottled((512, 512), (206, 200, 190), rng)
    x, y, z = ROOM_M
    boxes = [((x, y, WALL_M), (0.0, 0.0, -WALL_M), floor)]
    boxes += [((x, WALL_M, z), (0.0, side * (y + WALL_M) / 2.0, 0.0), plaster) for side in (-1.0, 1.0)]
    boxes += [((WALL_M, y, z), (side * (x + WALL_M) / 2.0, 0.0, 0.0), plaster) for side in (-1.0, 1.0)]
    return [
        primitives.box(size_m, procedural_textures.atlas([cell] * 6, cell.shape[:2])).transformed(
            rigid(None, np.array(place))
        )
        for size_m, place, cell in boxes
    ]


def _family_parts(name: str, size_m: tuple[float, float, float], rng: np.random.Generator) -> list[Mesh]:
    """Return the parts of an instance of a family, near a size [m]."""
    family = load_family(name)
    values = family.sample_with_size(np.array(size_m), rng)
    if values is None:
        raise ValueError(f"no {name} of {size_m} m")
    asset = family.build(values, name=name, rng=rng, texture_px=64)
    poses = asset_from_links(asset)
    return [link.visual.transformed(poses[link.name]) for link in asset.links]


def _stood(parts: list[Mesh], place: tuple[float, float, float], turn_rad: float) -> list[Mesh]:
    """Return parts turned about the vertical, their lowest point at `place` [m]."""
    turn = rigid(rotation_about(np.array([0.0, 0.0, 1.0]), turn_rad))
    turned = [part.transformed(turn) for part in parts]
    points = np.concatenate([part.vertices for part in turned])
    low, high = points.min(axis=0), points.max(axis=0)
    move = rigid(None, np.array(place) - np.array([*(low + high)[:2] / 2.0, low[2]]))
    return [part.transformed(move) for part in turned]


def _measured(
    meshes: list[Mesh], looks: list[ShadingData], camera: Intrinsics, pose: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return depth [m] and confidence of one frame with a phone's errors."""
    raster = render(meshes, camera.scaled(camera.width * SUBSAMPLES, camera.height * SUBSAMPLES), pose)
    middle = slice(SUBSAMPLES // 2, None, SUBSAMPLES)
    body, face = raster.body[middle, middle], raster.face[middle, middle]
    rays = unproject(np.ones(body.shape), camera)
    rays = (rays / np.linalg.norm(rays, axis=-1, keepdims=True)) @ pose[:3, :3].T
    facing = np.zeros(body.shape)
    for number, look in enumerate(looks):
        is_hit = body == number
        facing[is_hit] = np.abs(np.einsum("nk,nk->n", look.face_normals[face[is_hit]], rays[is_hit]))
    config = LidarConfig()
    truth = true_depth(raster.depth_m, facing, config=config)
    return measure_depth(truth, camera, bias_m=0.0, config=config, rng=rng)


def _photo(meshes: list[Mesh], looks: list[ShadingData], camera: Intrinsics, pose: Array) -> Array:
    """Return the colour image of one frame, uint8 [h, w, 3]."""
    raster = render(meshes, camera, pose)
    return np.asarray(shade(raster, meshes, shading_data=looks, light=ShadingLight(), background=(225, 228, 232)))
