"""A papered room with known walls, photographed by somebody who walks a circle in it and looks outwards."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from cousins.geometry import Array, Intrinsics, look_at, rigid, unproject
from cousins.rooms.room import Panel, Room

SIZE_M = (5.2, 3.9, 2.5)
"""Length, width and height; the corner of the floor is the origin."""
FOCAL_MM = 24
"""Focal length in the photo's metadata, compared with film whose diagonal is 43.27 mm; that of the photo is 1000 px."""
FOCAL_PX = FOCAL_MM / 43.27 * 1000.0
CAMERA = Intrinsics(width=800, height=600, fx=FOCAL_PX, fy=FOCAL_PX, cx=399.5, cy=299.5)
PAPER_M = 0.012
"""Grain of the wallpaper [m]."""


def layout() -> Room:
    """Return the room as a layout scan without error would report it."""
    corners = np.array([[0.0, 0.0], [SIZE_M[0], 0.0], SIZE_M[:2], [0.0, SIZE_M[1]]])
    panels = []
    for number in range(4):
        start, stop = corners[number], corners[(number + 1) % 4]
        half = 0.5 * float(np.linalg.norm(stop - start))
        along, up = np.append((stop - start) / (2.0 * half), 0.0), np.array([0.0, 0.0, 1.0])
        center = np.append(0.5 * (start + stop), 0.5 * SIZE_M[2])
        outline = np.array([[-half, -0.5 * SIZE_M[2]], [half, -0.5 * SIZE_M[2]], [half, 1.25], [-half, 1.25]])
        pose = rigid(np.stack([along, up, np.cross(along, up)], axis=1), center)
        panels.append(Panel(name=f"wall_{number}", kind="wall", world_from_panel=pose, outline=outline))
    return Room(name="room", panels=tuple(panels), furniture=())


def write_photos(folder: Path, *, count: int) -> None:
    """Write photos all around."""
    rng = np.random.default_rng(7)
    fine, coarse = (rng.standard_normal((2048, 2048)).astype(np.float32) for _ in range(2))
    paper = gaussian_filter(fine, 1.2, mode="wrap") + 2.0 * gaussian_filter(coarse, 5.0, mode="wrap")
    paper /= paper.std()
    for number in range(count):
        pose = pose_of(number, count=count)
        buffer = io.BytesIO()
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = FOCAL_MM
        Image.fromarray(_photo(pose, paper)).save(buffer, "JPEG", quality=93, exif=exif)
        (folder / f"{number}.jpg").write_bytes(buffer.getvalue())


def pose_of(number: int, *, count: int) -> Array:
    """Return `world_from_camera` of one photo."""
    turn = 2.0 * np.pi * number / count
    eye = np.array([2.6 + 0.7 * np.cos(turn), 1.95 + 0.7 * np.sin(turn), 1.45])
    return look_at(eye, eye + np.array([np.cos(turn), np.sin(turn), -0.3]))


def cast(pose: Array, camera: Intrinsics) -> tuple[Array, Array, Array]:
    """Return planar depth [h, w] [m], the points [h, w, 3] and which axis each one's wall is across [h, w]."""
    eye = pose[:3, 3]
    rays = unproject(np.ones((camera.height, camera.width)), camera) @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        reach = np.maximum(-eye / rays, (np.array(SIZE_M) - eye) / rays)
    depth = reach.min(axis=-1)
    return depth, eye + rays * depth[..., None], reach.argmin(axis=-1)


def _photo(pose: Array, paper: Array) -> Array:
    """Return a photo, uint8 [h, w, 3]."""
    _, points, face = cast(pose, CAMERA)
    flat = np.take_along_axis(points, np.array([[1, 2], [0, 2], [0, 1]])[face], axis=-1)
    far = np.take_along_axis(points, face[..., None], axis=-1)[..., 0] > 0.5 * np.array(SIZE_M)[face]
    cells = flat / PAPER_M + (311.0 * (2 * face + far))[..., None]
    gray = map_coordinates(paper, cells.transpose(2, 0, 1), order=1, mode="grid-wrap")
    return np.repeat(np.clip(128.0 + 40.0 * gray, 0.0, 255.0).astype(np.uint8)[..., None], 3, axis=2)
