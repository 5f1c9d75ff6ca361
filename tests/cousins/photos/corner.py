"""A textured floor and wall photographed from an arc, with analytic ground truth for every ray."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from cousins.geometry import Array, Intrinsics, look_at, unproject

CAMERA = Intrinsics(width=480, height=360, fx=420.0, fy=420.0, cx=239.5, cy=179.5)
WALL_Y = 0.6
"""The wall is the plane y = 0.6 m, the floor z = 0."""


def poses(count: int, *, arc_deg: float = 70.0) -> list[Array]:
    """Return `world_from_camera` on an arc around the foot of the wall, level."""
    turns = np.deg2rad(np.linspace(-arc_deg / 2.0, arc_deg / 2.0, count))
    return [
        look_at(np.array([1.1 * np.sin(turn), 0.3 - 1.1 * np.cos(turn), 0.55]), np.array([0.0, 0.3, 0.1]))
        for turn in turns
    ]


def depth_of(pose: Array, camera: Intrinsics) -> Array:
    """Return true planar depth [h, w] [m]."""
    rays = unproject(np.ones((camera.height, camera.width)), camera) @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        floor, wall = -pose[2, 3] / rays[..., 2], (WALL_Y - pose[1, 3]) / rays[..., 1]
    return np.asarray(np.minimum(np.where(floor > 0.0, floor, np.inf), np.where(wall > 0.0, wall, np.inf)))


def photograph(pose: Array, camera: Intrinsics = CAMERA) -> Array:
    """Return the photo, uint8 [h, w, 3]."""
    depth = depth_of(pose, camera)
    points = unproject(depth, camera) @ pose[:3, :3].T + pose[:3, 3]
    on_floor = points[..., 2] < 1e-6
    cells = np.stack([points[..., 0], np.where(on_floor, points[..., 1], 3.0 + points[..., 2])]) / 0.0025 + 2000.0
    noise = gaussian_filter(np.random.default_rng(5).standard_normal((4096, 4096)).astype(np.float32), 1.2)
    noise += 2.0 * gaussian_filter(np.random.default_rng(6).standard_normal((4096, 4096)).astype(np.float32), 4.0)
    gray = map_coordinates(noise, cells, order=1, mode="wrap") / noise.std()
    return np.repeat(np.clip(128.0 + 45.0 * gray, 0.0, 255.0).astype(np.uint8)[..., None], 3, axis=2)


def jpeg(pixels: Array) -> bytes:
    """Return a JPEG whose EXIF contains a name and a place."""
    exif = Image.Exif()
    exif[0x013B] = "Ada Lovelace"
    exif.get_ifd(0x8825)[2] = (51.5, 0.0, 0.0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()
