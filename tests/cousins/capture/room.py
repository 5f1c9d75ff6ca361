"""A small room with known truth, ray-cast analytically: each depth pixel is exact at its centre."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image

from cousins.geometry import Array, Intrinsics, look_at, rigid, rotation_about

Files = dict[str, bytes]
Pose = Callable[[Array], Array]

CANARY = b"GPS-CANARY-52.3676N-4.9041E"
GL = np.diag([1.0, -1.0, -1.0, 1.0])
Y_UP_FROM_Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
ROOM = np.array([[-2.0, -1.5, 0.0], [2.0, 1.8, 2.4]])
BOXES = np.array([[[-0.5, -0.3, 0.0], [0.4, 0.25, 0.7]], [[0.55, -0.6, 0.0], [0.8, -0.3, 0.35]]])


@dataclass(frozen=True, kw_only=True, eq=False)
class Shot:
    """The truth of one frame."""

    time_s: float
    world_from_camera: Array
    depth_mm: Array
    confidence: Array
    color_camera: Intrinsics
    jpeg: bytes | None

    @property
    def depth_camera(self) -> Intrinsics:
        height, width = self.depth_mm.shape
        return self.color_camera.scaled(width, height)


@cache
def shots(count: int = 10, *, portrait: bool = False) -> tuple[Shot, ...]:
    size = (192, 256) if portrait else (256, 192)
    color = Intrinsics(width=size[0], height=size[1], fx=190.0, fy=191.0, cx=size[0] / 2 + 3.3, cy=size[1] / 2 - 4.7)
    frames = []
    for index in range(count):
        angle = 0.35 * index
        eye = np.array([1.5 * np.cos(angle), 1.2 * np.sin(angle), 1.3 + 0.05 * index])
        pose = look_at(eye, np.array([0.05, 0.0, 0.4])) @ rigid(rotation_about(np.array([0.0, 0.0, 1.0]), 0.1))
        camera = color.scaled(size[0] // 4, size[1] // 4)
        depth, _ = cast(pose, camera)
        depth_mm = np.round(depth * 1000).astype(np.uint16)
        depth_mm[:2, :3] = 0
        confidence = np.full(depth_mm.shape, 2, np.uint8)
        confidence[-3:, :] = 1
        confidence[:, :2] = 0
        jpeg = phone_jpeg(paint(cast(pose, color)[1])) if index % 3 == 0 else None
        frames.append(
            Shot(
                time_s=5000.25 + 0.2 * index,
                world_from_camera=pose,
                depth_mm=depth_mm,
                confidence=confidence,
                color_camera=color,
                jpeg=jpeg,
            )
        )
    return tuple(frames)


def cast(world_from_camera: Array, camera: Intrinsics) -> tuple[Array, Array]:
    """Planar depth [m] and world points of the room as the camera sees it."""
    u = (np.arange(camera.width) - camera.cx) / camera.fx
    v = (np.arange(camera.height) - camera.cy) / camera.fy
    rays = np.stack(np.broadcast_arrays(u[None, :], v[:, None], 1.0), axis=-1) @ world_from_camera[:3, :3].T
    eye = world_from_camera[:3, 3]
    with np.errstate(divide="ignore"):
        low, high = (ROOM[0] - eye) / rays, (ROOM[1] - eye) / rays
        depth = np.maximum(low, high).min(axis=-1)
        for box in BOXES:
            near, far = (box[0] - eye) / rays, (box[1] - eye) / rays
            enter, leave = np.minimum(near, far).max(axis=-1), np.maximum(near, far).min(axis=-1)
            hit = (enter > 0) & (enter < leave)
            depth = np.where(hit, np.minimum(depth, enter), depth)
    return depth, eye + rays * depth[..., None]


def paint(points: Array) -> Array:
    waves = 127.5 + 80.0 * np.sin(points * np.array([9.0, 7.0, 11.0])) + 40.0 * np.sin(points[..., ::-1] * 23.0)
    return np.clip(waves, 0, 255).astype(np.uint8)


def phone_jpeg(color: Array) -> bytes:
    """A JPEG with EXIF, XMP, comment and a second picture, all of which contain the place of recording."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = CANARY.decode()
    Image.fromarray(color).save(buffer, "JPEG", quality=90, exif=exif, comment=CANARY)
    data = buffer.getvalue()
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + CANARY
    segment = b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp
    return data[:2] + segment + data[2:] + b"MPF" + CANARY


def png(image: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def exr(depth_m: Array) -> bytes:
    """One half-float channel R, ZIP, as Record3D writes it."""
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "depth.exr"
        OpenEXR.File(header, {"R": depth_m.astype(np.float16)}).write(str(path))
        return path.read_bytes()


def same(pose: Array) -> Array:
    return pose


def write_folder(files: Files, folder: Path) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def write_zip(files: Files, path: Path, *, prefix: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(prefix + name, data)
    return path


def tree(folder: Path) -> Files:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
