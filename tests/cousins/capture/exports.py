"""A small room with known truth, written as every app would export it.

The room is ray-cast analytically: each depth pixel is exact at its centre. Writers return the export's files as bytes
by name, laid out as the apps lay them out, foreign conventions included.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image

from cousins.geometry import Array, Intrinsics, look_at, quat_wxyz_from_rotation, rigid, rotation_about

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
    made = []
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
        made.append(
            Shot(
                time_s=5000.25 + 0.2 * index,
                world_from_camera=pose,
                depth_mm=depth_mm,
                confidence=confidence,
                color_camera=color,
                jpeg=jpeg,
            )
        )
    return tuple(made)


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
    """A JPEG with EXIF, XMP, comment and a second picture, all of which tell where it was taken."""
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


def scanner3d(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    files: Files = {"info.json": json.dumps({"appVersionString": "1.9.5", "title": "Room"}).encode()}
    files["export.obj"] = b"v 0 0 0\n"
    files["thumb_00000.jpg"] = phone_jpeg(np.zeros((8, 8, 3), np.uint8))
    for index, shot in enumerate(truth):
        k = shot.color_camera
        projection = np.zeros((4, 4))
        projection[0] = [2 * k.fx / k.width, 0, 1 - 2 * (k.cx + 0.5) / k.width, 0]
        projection[1] = [0, 2 * k.fy / k.height, 2 * (k.cy + 0.5) / k.height - 1, 0]
        projection[2:] = [[0, 0, -1, -0.001], [0, 0, -1, 0]]
        record = {
            "averageAngularVelocity": 0.1,
            "motionQuality": 0.99,
            "frame_index": index,
            "projectionMatrix": projection.ravel().tolist(),
            "time": shot.time_s,
            "intrinsics": k.matrix.ravel().tolist(),
            "cameraPoseARFrame": misread(Y_UP_FROM_Z_UP @ shot.world_from_camera @ GL).ravel().tolist(),
            "latitude": CANARY.decode(),
        }
        files[f"frame_{index:05d}.json"] = json.dumps(record, indent=2).encode()
        files[f"depth_{index:05d}.png"] = png(shot.depth_mm)
        files[f"conf_{index:05d}.png"] = png(shot.confidence)
        if shot.jpeg is not None:
            files[f"frame_{index:05d}.jpg"] = shot.jpeg
    return files


def record3d_exr(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    """Every third recorded frame is exported, as the app allows."""
    k = truth[0].color_camera
    rows, times = [], []
    for shot in truth:
        pose = misread(Y_UP_FROM_Z_UP @ shot.world_from_camera @ GL)
        w, x, y, z = quat_wxyz_from_rotation(pose[:3, :3])
        rows += [[x, y, z, w, *pose[:3, 3]]] * 3
        times += [shot.time_s, shot.time_s + 0.05, shot.time_s + 0.1]
    height, width = truth[0].depth_mm.shape
    meta = {
        "w": k.width,
        "h": k.height,
        "dw": width,
        "dh": height,
        "fps": 60,
        "K": k.matrix.T.ravel().tolist(),
        "poses": rows,
        "initPose": [0, 0, 0, 1, 0, 0, 0],
        "frameTimestamps": times,
        "cameraType": 1,
    }
    files: Files = {"metadata.json": json.dumps(meta).encode()}
    for index, shot in enumerate(truth):
        metres = np.where(shot.depth_mm > 0, shot.depth_mm / 1000.0, np.nan)
        files[f"depth/{3 * index}.exr"] = exr(metres)
        if shot.jpeg is not None:
            files[f"rgb/{3 * index}.jpg"] = shot.jpeg
    return files


def nerfstudio(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    return _transforms(
        truth, misread=misread, depth_key="depth_file_path", counts_per_mm=1, top={"camera_model": "OPENCV"}
    )


def instant_ngp(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    top = {"integer_depth_scale": 0.0002, "aabb_scale": 4}
    return _transforms(truth, misread=misread, depth_key="depth_path", counts_per_mm=5, top=top)


def _transforms(
    truth: tuple[Shot, ...], *, misread: Pose, depth_key: str, counts_per_mm: int, top: Mapping[str, object]
) -> Files:
    k = truth[0].color_camera
    files: Files = {}
    frames = []
    for index, shot in enumerate(truth):
        frame = {
            "file_path": f"./images/{index:04d}" + (".jpg" if index % 2 else ""),
            "transform_matrix": misread(shot.world_from_camera @ GL).tolist(),
            depth_key: f"depth/{index:04d}.png",
            "timestamp": shot.time_s,
        }
        frames.append(frame)
        files[f"depth/{index:04d}.png"] = png(shot.depth_mm * np.uint16(counts_per_mm))
        if shot.jpeg is not None:
            files[f"images/{index:04d}.jpg"] = shot.jpeg
    head = {
        "fl_x": k.fx,
        "fl_y": k.fy,
        "cx": k.cx + 0.5,
        "cy": k.cy + 0.5,
        "w": float(k.width),
        "h": k.height,
        "k1": 0.0,
    }
    files["transforms.json"] = json.dumps({**head, **top, "frames": frames}).encode()
    return files


def canonical(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    files: Files = {}
    frames = []
    for index, shot in enumerate(truth):
        frames.append(
            {
                "timestamp_s": shot.time_s - truth[0].time_s,
                "world_from_camera": misread(shot.world_from_camera).tolist(),
                "depth_camera": _camera(shot.depth_camera),
                "color_camera": _camera(shot.color_camera) if shot.jpeg is not None else None,
            }
        )
        files[f"depth/{index:06d}.png"] = png(shot.depth_mm)
        files[f"confidence/{index:06d}.png"] = png(shot.confidence)
        if shot.jpeg is not None:
            files[f"rgb/{index:06d}.jpg"] = shot.jpeg
    head = {"schema": "cousins-capture-1", "name": "room", "device": "test", "app": "test", "gravity_known": True}
    scale = {"source": "lidar", "error": 0.01}
    record = {**head, "scale": scale, "warnings": [], "frames": frames}
    files["capture.json"] = json.dumps(record).encode()
    return files


def _camera(camera: Intrinsics) -> dict[str, float]:
    return {name: getattr(camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}


EXPORTS: dict[str, tuple[str, Callable[..., Files]]] = {
    "canonical": ("canonical", canonical),
    "scanner3d": ("scanner3d", scanner3d),
    "record3d_exr": ("record3d_exr", record3d_exr),
    "nerfstudio": ("transforms", nerfstudio),
    "instant_ngp": ("transforms", instant_ngp),
}
"""Back-end name and writer by kind of export."""


def export(kind: str, *, count: int = 10, misread: Pose = same) -> Files:
    return EXPORTS[kind][1](shots(count, portrait=kind == "record3d_exr"), misread=misread)


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
