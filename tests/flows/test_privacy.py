"""Locations, device names and file names of an export never reach captures, scenes or the store."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from cousins.capture.ingest import ingest
from cousins.importers.recognition import recognise_input
from cousins.scene.scene_folder import write_scene
from cousins.scene.scenes import Scene
from cousins.store import Store
from flows.execution.executor import StageExecutor
from flows.execution.stage import Stage, deferred
from flows.execution.stage_options import StageOptions
from flows.pipeline.stages import CHECK_CAPTURE, INGEST, MESH, ROOM
from tests.conformance.test_readers import KINDS
from tests.cousins.capture.exports import depth_names, export
from tests.cousins.capture.room import CANARY, Files, write_folder, write_zip
from tests.cousins.capture.test_single_rgbd import single
from tests.cousins.capture.test_stray import silent
from tests.cousins.rooms.test_rooms import square_room
from tests.flows.secrets_for_tests import OWNER, PERSONAL_FIELDS, PLACE_NAME, SECRETS, find_leaks


def with_personal_data(files: Files) -> Files:
    """Return the export with an owner in every JSON object, and images named after a place where allowed."""
    changed: Files = {}
    for name, data in files.items():
        if name.endswith("transforms.json"):
            data = data.replace(b"./images/", f"./images/{PLACE_NAME}".encode())
        if name.startswith("images/") and "transforms.json" in files:
            name = name.replace("images/", f"images/{PLACE_NAME}")
        record = json.loads(data) if data[:1] == b"{" else None
        if isinstance(record, dict) and name != "capture.json":
            data = json.dumps(
                {**record, **{key: value for key, value in PERSONAL_FIELDS.items() if key != "device"}}
            ).encode()
        changed[name] = data
    changed["info.json"] = json.dumps(json.loads(changed.get("info.json", b"{}")) | PERSONAL_FIELDS).encode()
    changed[f"{PLACE_NAME}.txt"] = OWNER.encode()
    return changed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("packing", ["folder", "zip"])
def test_nothing_personal_reaches_the_capture_of_any_app(kind: str, packing: str, tmp_path: Path) -> None:
    files = with_personal_data(export(kind, count=12))
    torn = depth_names(export(kind, count=12))[3]
    files[torn] = files[torn][: len(files[torn]) // 2]
    source = write_folder(files, tmp_path / OWNER)
    if packing == "zip":
        source = write_zip(files, tmp_path / f"{OWNER}.zip")
    capture = ingest(source, tmp_path / "out/capture", format=None)
    assert len(capture.frames) >= 10
    assert find_leaks(tmp_path / "out") == []
    assert all(secret.decode() not in repr((capture.name, capture.app, capture.warnings)) for secret in SECRETS)


def test_nothing_personal_reaches_the_capture_of_a_single_frame_or_a_recording_without_video(tmp_path: Path) -> None:
    files = {name.replace("a_", f"{PLACE_NAME}_"): data for name, data in with_personal_data(single()).items()}
    picture = write_folder(files, tmp_path / "one") / f"{PLACE_NAME}_color.jpg"
    ingest(picture, tmp_path / "out/single")
    ingest(write_folder(with_personal_data(silent()), tmp_path / OWNER), tmp_path / "out/stray")
    assert find_leaks(tmp_path / "out") == []


def test_the_search_for_leaks_finds_them(tmp_path: Path) -> None:
    write_zip({"a": CANARY}, tmp_path / "a.usdz")
    inlined = base64.b64encode(bytes(200) + CANARY)
    write_folder({"b.html": b"base64," + inlined, f"{PLACE_NAME}.txt": b"", "c": b"x" + OWNER.encode()}, tmp_path)
    assert {leak.split(":")[0] for leak in find_leaks(tmp_path)} == {"a.usdz", "b.html", f"{PLACE_NAME}.txt", "c"}


def test_nothing_personal_reaches_the_store(tmp_path: Path) -> None:
    source = write_folder(with_personal_data(export("scanner3d", count=12)), tmp_path / OWNER)
    executor = StageExecutor(store=Store(tmp_path / "store"), options=StageOptions())
    capture = executor.run(INGEST(export=recognise_input(source)))
    executor.run(CHECK_CAPTURE(capture=deferred(capture)))
    assert find_leaks(tmp_path / "store") == []


def mesh_file(folder: Path, suffix: str) -> Path:
    """Write a box named after its owner, with a place in comments, material, texture and extras; return its path."""
    path = folder / f"{OWNER}.{suffix}"
    box = trimesh.creation.box((0.1, 0.2, 0.3))
    exif = Image.Exif()
    exif[0x010E] = CANARY.decode()
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 10, 10)).save(picture, "JPEG", exif=exif, comment=CANARY)
    texture = Image.open(io.BytesIO(picture.getvalue()))
    if suffix in ("obj", "glb"):
        material = trimesh.visual.material.SimpleMaterial(image=texture, name=PLACE_NAME)
        box.visual = trimesh.visual.TextureVisuals(uv=np.zeros((8, 2)), material=material)
    box.metadata.update({"name": PLACE_NAME, "extras": dict(PERSONAL_FIELDS)})
    if suffix == "obj":
        text, more = trimesh.exchange.obj.export_obj(
            box, return_texture=True, mtl_name=f"{PLACE_NAME}.mtl", header=OWNER
        )
        path.write_text(text)
        for name, data in more.items():
            (folder / name).write_bytes(data)
    else:
        box.export(path)
    return path


@pytest.mark.parametrize("suffix", ["obj", "glb", "ply", "stl"])
def test_nothing_personal_of_a_mesh_reaches_the_scene_or_the_store(suffix: str, tmp_path: Path) -> None:
    _no_leak_from(mesh_file(tmp_path, suffix), MESH, tmp_path)


def test_nothing_personal_of_a_room_reaches_the_scene_or_the_store(tmp_path: Path) -> None:
    record: dict[str, Any] = {**square_room(), **PERSONAL_FIELDS, "identifier": OWNER, "story": PLACE_NAME}
    (tmp_path / f"{OWNER}.json").write_text(json.dumps(record))
    _no_leak_from(tmp_path / f"{OWNER}.json", ROOM, tmp_path)


def _no_leak_from(source: Path, stage: Stage[..., Scene], folder: Path) -> None:
    executor = StageExecutor(store=Store(folder / "store"), options=StageOptions())
    scene = executor.load(executor.run(stage(export=recognise_input(source))))
    write_scene(scene, folder / "scene")
    assert find_leaks(folder / "store") == []
    assert find_leaks(folder / "scene") == []
