"""The synthetic room in the export format of every supported app.

Writers return the export's files as bytes by name, in the layout and conventions of each app.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np

from cousins.capture.readers import natural_order
from cousins.geometry import Array, Intrinsics, invert, quat_wxyz_from_rotation, rigid, rotation_about
from tests.cousins.capture.room import (
    CANARY,
    GL,
    Y_UP_FROM_Z_UP,
    Files,
    Pose,
    Shot,
    exr,
    phone_jpeg,
    png,
    same,
    shots,
)


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
        rows += [_seven(pose)] * 3
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


def lzfse_plain(data: bytes) -> bytes:
    """A stream of plain blocks."""
    blocks = [data[start : start + 5000] for start in range(0, len(data), 5000)]
    return b"".join(b"bvx-" + len(block).to_bytes(4, "little") + block for block in blocks) + b"bvx$"


def lzfse_codes(data: bytes) -> bytes:
    """One LZVN block: runs of equal bytes as matches of distance 1, the rest as literals."""
    codes = bytearray()
    position = 0
    while position < len(data):
        codes += bytes([0xE1, data[position]])
        run = 1
        while run < 272 and position + run < len(data) and data[position + run] == data[position]:
            run += 1
        if run >= 19:
            codes += bytes([0x07, 1, 0, 0xF0, run - 20] if run >= 20 else [0x07, 1, 0])
            position += run if run >= 20 else 4
        else:
            position += 1
    codes += b"\x06" + bytes(7)
    return b"bvxn" + len(data).to_bytes(4, "little") + len(codes).to_bytes(4, "little") + bytes(codes) + b"bvx$"


def r3d(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    """A new file: compressed, intrinsics and times per frame, poses relative to `initPose`."""
    start = rigid(rotation_about(np.array([1.0, 2.0, 3.0]), 0.8), np.array([0.3, -0.2, 0.1]))
    rows = []
    for shot in truth:
        pose = misread(Y_UP_FROM_Z_UP @ shot.world_from_camera @ GL)
        with np.errstate(invalid="ignore"):
            rows.append(_seven(invert(start) @ rigid(pose[:3, :3], pose[:3, 3])))
    k, (height, width) = truth[0].color_camera, truth[0].depth_mm.shape
    meta = {
        "w": k.width,
        "h": k.height,
        "dw": width,
        "dh": height,
        "fps": 60,
        "K": (k.matrix.T * 1.01).ravel().tolist(),
        "perFrameIntrinsicCoeffs": [[k.fx, k.fy, k.cx, k.cy]] * len(truth),
        "poses": rows,
        "initPose": _seven(start),
        "frameTimestamps": [shot.time_s for shot in truth],
    }
    files: Files = {"metadata": json.dumps(meta).encode(), "icon": phone_jpeg(np.zeros((8, 8, 3), np.uint8))}
    for index, shot in enumerate(truth):
        files[f"rgbd/{index}.depth"] = lzfse_plain(_metres(shot))
        files[f"rgbd/{index}.conf"] = lzfse_codes(shot.confidence.tobytes())
        if shot.jpeg is not None:
            files[f"rgbd/{index}.jpg"] = shot.jpeg
    return files


def r3d_old(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    """An old file that another tool unpacked: portrait, one K, no confidence, no times, plain bytes."""
    k, (height, width) = truth[0].color_camera, truth[0].depth_mm.shape
    poses = [misread(Y_UP_FROM_Z_UP @ shot.world_from_camera @ GL) for shot in truth]
    meta = {
        "w": k.width,
        "h": k.height,
        "dw": width,
        "dh": height,
        "fps": 5,
        "K": k.matrix.T.ravel().tolist(),
        "poses": [_seven(pose) for pose in poses],
    }
    files: Files = {"metadata": json.dumps(meta).encode()}
    for index, shot in enumerate(truth):
        files[f"rgbd/{index}.depth"] = _metres(shot)
        if shot.jpeg is not None:
            files[f"rgbd/{index}.jpg"] = shot.jpeg
    return files


def polycam(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    """New: corrected cameras without size, and tracked ones that drifted."""
    drift = rigid(rotation_about(np.array([0.0, 1.0, 0.0]), 0.05), np.array([0.1, 0.0, -0.1]))
    files: Files = {"raw.glb": b"glTF", "thumbnail.jpg": phone_jpeg(np.zeros((8, 8, 3), np.uint8))}
    files["mesh_info.json"] = json.dumps(
        {"alignmentTransform": np.eye(4).ravel().tolist(), "at": CANARY.decode()}
    ).encode()
    for shot in truth:
        pose = misread(Y_UP_FROM_Z_UP @ shot.world_from_camera @ GL)
        record = _polycam_camera(shot, pose)
        del record["width"], record["height"]
        stem = round(shot.time_s * 1e6)
        files[f"keyframes/corrected_cameras/{stem}.json"] = json.dumps(record).encode()
        files[f"keyframes/cameras/{stem}.json"] = json.dumps(_polycam_camera(shot, drift)).encode()
        _polycam_pixels(files, shot, folder="corrected_images")
        if shot.jpeg is not None:
            files[f"keyframes/images/{stem}.jpg"] = phone_jpeg(np.zeros((192, 256, 3), np.uint8))
    return files


def polycam_long(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    """A long recording, which the app does not correct."""
    files: Files = {}
    for shot in truth:
        record = _polycam_camera(shot, misread(Y_UP_FROM_Z_UP @ shot.world_from_camera @ GL))
        files[f"keyframes/cameras/{round(shot.time_s * 1e6)}.json"] = json.dumps(record).encode()
        _polycam_pixels(files, shot, folder="images")
    return files


def _polycam_pixels(files: Files, shot: Shot, *, folder: str) -> None:
    stem = round(shot.time_s * 1e6)
    files[f"keyframes/depth/{stem}.png"] = png(shot.depth_mm)
    files[f"keyframes/confidence/{stem}.png"] = png(np.array([0, 127, 255], np.uint8)[shot.confidence])
    if shot.jpeg is not None:
        files[f"keyframes/{folder}/{stem}.jpg"] = shot.jpeg


def _polycam_camera(shot: Shot, pose: Array) -> dict[str, float]:
    entries = {f"t_{row}{column}": float(pose[row, column]) for row in range(3) for column in range(4)}
    return {**entries, **_camera(shot.color_camera), "blur_score": 50.0, "timestamp": round(shot.time_s * 1e6)}


def seven_scenes(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    files: Files = {"camera-intrinsics.txt": _text(truth[0].depth_camera.matrix)}
    for index, shot in enumerate(truth):
        name = f"frame-{6 * index:06d}"
        files[f"{name}.pose.txt"] = _text(misread(shot.world_from_camera))
        files[f"{name}.depth.png"] = png(np.where(shot.depth_mm > 0, shot.depth_mm, 65535).astype(np.uint16))
        if shot.jpeg is not None:
            files[f"{name}.color.jpg"] = shot.jpeg
    return files


def shelf(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    parts = [
        b"# Environment: shelf\n# Bin ID: B\n\n# Color camera intrinsic matrix\n",
        _text(truth[0].depth_camera.matrix),
    ]
    files: Files = {}
    for index, shot in enumerate(truth):
        name = f"frame-{6 * index:06d}"
        parts += [f"\n# Camera-to-world extrinsic matrix (camera pose) for {name}\n".encode()]
        parts += [_text(misread(shot.world_from_camera))]
        counts = shot.depth_mm.astype(np.uint16) * np.uint16(10)
        files[f"{name}.depth.png"] = png((counts << 3) | (counts >> 13))
        if shot.jpeg is not None:
            files[f"{name}.color.jpg"] = shot.jpeg
    return {"cam.info.txt": b"".join(parts), **files}


def bop(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    """Depth counts tenths of a millimetre."""
    files: Files = {}
    cameras = {}
    for index, shot in enumerate(truth):
        with np.errstate(invalid="ignore"):
            pose = invert(misread(shot.world_from_camera))
        cameras[str(6 * index)] = {
            "cam_K": shot.depth_camera.matrix.ravel().tolist(),
            "depth_scale": 0.1,
            "cam_R_w2c": pose[:3, :3].ravel().tolist(),
            "cam_t_w2c": (1000.0 * pose[:3, 3]).tolist(),
            "view_level": 1,
        }
        files[f"depth/{6 * index:06d}.png"] = png(shot.depth_mm.astype(np.uint16) * np.uint16(10))
        if shot.jpeg is not None:
            files[f"rgb/{6 * index:06d}.jpg"] = shot.jpeg
    return {**files, "scene_camera.json": json.dumps(cameras).encode()}


def tum(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    color, depth, poses = b"# color images\n", b"# depth maps\n# timestamp filename\n", b"# ground truth\n"
    files: Files = {"camera.json": json.dumps(_camera(truth[0].color_camera)).encode()}
    for shot in truth:
        pose = misread(shot.world_from_camera)
        seven = _seven(pose)
        for late, row in ((0.003, [*seven[4:], *seven[:4]]), (0.012, [0.0] * 6 + [1.0])):
            poses += f"{shot.time_s + late:.4f} {' '.join(f'{value:.17g}' for value in row)}\n".encode()
        depth += f"{shot.time_s:.6f} depth/{shot.time_s:.6f}.png\n".encode()
        files[f"depth/{shot.time_s:.6f}.png"] = png(shot.depth_mm * np.uint16(5))
        if shot.jpeg is not None:
            color += f"{shot.time_s + 0.004:.6f} rgb/{shot.time_s + 0.004:.6f}.jpg\n".encode()
            files[f"rgb/{shot.time_s + 0.004:.6f}.jpg"] = shot.jpeg
    return {**files, "rgb.txt": color, "depth.txt": depth, "groundtruth.txt": poses}


def arkitscenes(truth: tuple[Shot, ...], *, misread: Pose = same) -> Files:
    """At 60 Hz: between the frames of the room come others, which a reader passes over."""
    files: Files = {"41048190_3dod_annotation.json": json.dumps({"data": [], "at": CANARY.decode()}).encode()}
    track = b""
    for shot in truth:
        turn, place = _axis_angle(misread(shot.world_from_camera))
        stem, camera = f"41048190_{shot.time_s:.3f}", shot.color_camera
        values = " ".join(f"{value:.17g}" for value in (*turn, *place))
        track += f"{shot.time_s + 0.0021:.6f} {values}\n".encode()
        between = f"41048190_{shot.time_s + 0.016:.3f}"
        track += f"{shot.time_s + 0.016:.6f} {values}\n".encode()
        files[f"lowres_depth/{stem}.png"] = png(shot.depth_mm)
        files[f"lowres_depth/{between}.png"] = png(shot.depth_mm)
        files[f"confidence/{stem}.png"] = png(shot.confidence)
        numbers = (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy)
        pincam = f"lowres_wide_intrinsics/41048190_{shot.time_s + 0.001:.3f}.pincam"
        files[pincam] = " ".join(f"{value:.17g}" for value in numbers).encode() + b"\n"
        if shot.jpeg is not None:
            files[f"lowres_wide/{stem}.jpg"] = shot.jpeg
    return {**files, "lowres_wide.traj": track}


def _axis_angle(world_from_camera: Array) -> tuple[Array, Array]:
    """World to camera, as the data set writes it."""
    with np.errstate(invalid="ignore"):
        rotation = world_from_camera[:3, :3].T
        place = -rotation @ world_from_camera[:3, 3]
    w, *axis = quat_wxyz_from_rotation(rotation)
    sine = float(np.linalg.norm(axis))
    return np.array(axis) / max(sine, 1e-12) * 2.0 * np.arctan2(sine, w), place


def _text(matrix: Array) -> bytes:
    return ("\n".join(" ".join(f"{value:.16e}" for value in row) for row in matrix) + "\n").encode()


def _metres(shot: Shot) -> bytes:
    return np.where(shot.depth_mm > 0, shot.depth_mm / 1000.0, np.nan).astype("<f4").tobytes()


def _seven(pose: Array) -> list[float]:
    w, x, y, z = quat_wxyz_from_rotation(pose[:3, :3])
    return [x, y, z, w, *pose[:3, 3]]


EXPORTS: dict[str, tuple[str, Callable[..., Files]]] = {
    "canonical": ("canonical", canonical),
    "scanner3d": ("scanner3d", scanner3d),
    "record3d_exr": ("record3d_exr", record3d_exr),
    "r3d": ("record3d_r3d", r3d),
    "r3d_old": ("record3d_r3d", r3d_old),
    "polycam": ("polycam", polycam),
    "polycam_long": ("polycam", polycam_long),
    "seven_scenes": ("rgbd_folder", seven_scenes),
    "shelf": ("rgbd_folder", shelf),
    "bop": ("bop", bop),
    "tum": ("tum_rgbd", tum),
    "arkitscenes": ("arkitscenes", arkitscenes),
    "nerfstudio": ("transforms", nerfstudio),
    "instant_ngp": ("transforms", instant_ngp),
}
"""Back-end name and writer by kind of export."""


PORTRAIT = frozenset({"record3d_exr", "r3d_old"})
"""Kinds whose writer shows the phone held upright."""


def truth_of(kind: str, *, count: int = 10) -> tuple[Shot, ...]:
    return shots(count, portrait=kind in PORTRAIT)


def export(kind: str, *, count: int = 10, misread: Pose = same) -> Files:
    return EXPORTS[kind][1](truth_of(kind, count=count), misread=misread)


def depth_names(files: Files) -> list[str]:
    """Return the depth images of an export in order of time."""
    names = (name for name in files if "depth" in name and not name.endswith((".json", ".txt")))
    return sorted(names, key=natural_order)
