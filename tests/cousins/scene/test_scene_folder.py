"""Scene folders: whole, exact, deterministic, and safe to read from strangers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cousins.errors import CousinsError, SceneError
from cousins.scene.io.obj import obj_files, read_obj
from cousins.scene.io.scene_json import read_scene_json, scene_bytes
from cousins.scene.scene_folder import read_scene, round_scene, scene_digest, write_scene
from tests.cousins.scene.scenes_for_tests import box_asset, table_scene, tilted, with_pose

ROOT = Path(__file__).parents[3]


def assert_same(first: Any, second: Any, path: str = "scene") -> None:
    """Compare two values field by field, arrays exactly."""
    assert type(first) is type(second), path
    if is_dataclass(first):
        for field in fields(first):
            assert_same(getattr(first, field.name), getattr(second, field.name), f"{path}.{field.name}")
    elif isinstance(first, np.ndarray):
        np.testing.assert_array_equal(first, second, err_msg=path)
    elif isinstance(first, tuple):
        assert len(first) == len(second), path
        for index, pair in enumerate(zip(first, second, strict=True)):
            assert_same(*pair, f"{path}[{index}]")
    else:
        assert first == second, path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes") / "scene"
    write_scene(with_pose(table_scene(), "box", tilted(0.7, (0.12, 0.03, 0.9))), folder)
    return folder


def test_a_scene_is_read_back_exactly_as_it_was_rounded(folder: Path) -> None:
    scene = with_pose(table_scene(), "box", tilted(0.7, (0.12, 0.03, 0.9)))
    read = read_scene(folder)
    assert_same(read, round_scene(scene))
    np.testing.assert_allclose(
        read.objects[0].asset.links[0].visual.vertices, scene.objects[0].asset.links[0].visual.vertices, atol=5.1e-7
    )
    assert read.objects[1].asset.links[0].visual.texture is not None


def test_who_named_a_thing_and_how_surely_is_kept_in_json_and_usd(tmp_path: Path) -> None:
    scene = table_scene()
    first = replace(scene.objects[0].asset, label="chair", label_source="yolox", label_score=0.495)
    scene = replace(scene, objects=(replace(scene.objects[0], asset=first), *scene.objects[1:]))
    write_scene(scene, tmp_path / "scene")
    read = read_scene(tmp_path / "scene").objects[0].asset
    assert (read.label, read.label_source, read.label_score) == ("chair", "yolox", 0.495)
    layer = (tmp_path / f"scene/assets/{first.name}/asset.usda").read_text()
    assert 'string label_source = "yolox"' in layer
    assert "double label_score = 0.495" in layer


def test_scenes_written_before_labels_had_a_source_are_read(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "old")
    path = tmp_path / "old/scene.json"
    record = json.loads(path.read_text())
    for item in record["objects"]:
        del item["asset"]["label_source"], item["asset"]["label_score"]
    path.write_text(json.dumps(record))
    assert {placed.asset.label_source for placed in read_scene(tmp_path / "old").objects} == {"geometry"}


def test_writing_what_was_read_gives_the_same_digest(folder: Path, tmp_path: Path) -> None:
    assert write_scene(read_scene(folder), tmp_path / "again") == scene_digest(folder)


def test_two_processes_write_the_same_digest(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.cousins.scene.scenes_for_tests import table_scene; "
        "from cousins.scene.scene_folder import write_scene; print(write_scene(table_scene(), Path(sys.argv[1])))"
    )
    digests = set()
    for index, variables in enumerate(
        ({"PYTHONHASHSEED": "1", "TZ": "UTC"}, {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"})
    ):
        command = [sys.executable, "-c", program, str(tmp_path / f"out{index}")]
        environment = os.environ | variables | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": str(index + 1)}
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        digests.add(result.stdout.strip())
    assert digests == {write_scene(table_scene(), tmp_path / "here")}


def test_no_output_holds_an_absolute_path_or_a_time(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            assert str(folder.parent).encode() not in path.read_bytes(), path
    with zipfile.ZipFile(folder / "scene.usdz") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_digest_covers_every_change_and_ignores_reports(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    digest = scene_digest(copy)
    (copy / "report.html").write_text("hello")
    (copy / "preview.png").write_bytes(b"png")
    assert scene_digest(copy) == digest
    path = copy / "assets/bowl/meshes/body_piece_03.obj"
    path.write_bytes(path.read_bytes() + b"\n")
    assert scene_digest(copy) != digest


def test_an_older_scene_is_replaced_and_nothing_else_is_touched(tmp_path: Path) -> None:
    target = tmp_path / "scene"
    write_scene(table_scene(), target)
    (target / "left_over.txt").write_text("old")
    write_scene(replace(table_scene(), name="newer"), target)
    assert not (target / "left_over.txt").exists()
    assert read_scene(target).name == "newer"
    assert [path.name for path in tmp_path.iterdir()] == ["scene"]


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(SceneError, match="which holds something else"):
        write_scene(table_scene(), tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    scene = table_scene()
    loose = replace(scene.objects[0], asset=replace(scene.objects[0].asset, joints=()))
    broken = replace(scene, objects=(loose,), relations=())
    with pytest.raises(SceneError, match="a tree over all links"):
        write_scene(broken, tmp_path / "scene")
    assert list(tmp_path.iterdir()) == []


def test_a_mesh_that_is_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    outside = tmp_path / "outside.obj"
    mesh = copy / "assets/box/meshes/body_visual.obj"
    mesh.rename(outside)
    mesh.symlink_to(outside)
    with pytest.raises(SceneError, match="leads out of the scene folder"):
        read_scene(copy)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"version": 1', b'"version": 2', "found a scene of schema version 2; expected version 1. Type `pip install"),
        (b'"kind": "floor"', b'"kind": "lake"', "one of floor, table, wall"),
        (b'"name": "box"', b'"name": "../box"', "letters, digits"),
        (b'"source": "lidar"', b'"source": NaN', "no JSON number"),
        (b'"error": 0.01', b'"error": 1e999', "too large"),
        (b'"subject": "bowl"', b'"subject": "soup"', "a relation about 'soup'"),
        (b'"kind": "revolute"', b'"kind": "screw"', "one of fixed, revolute, prismatic"),
        (b'"objects"', b'"0bjects"', "an object with 'objects'"),
    ],
)
def test_a_wrong_value_in_scene_json_is_reported_with_its_path(
    folder: Path, tmp_path: Path, old: bytes, new: bytes, message: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    data = (copy / "scene.json").read_bytes()
    assert old in data
    (copy / "scene.json").write_bytes(data.replace(old, new))
    with pytest.raises(SceneError, match=message.replace("(", r"\(")):
        read_scene(copy)


def test_a_folder_without_a_scene_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"no scene\.json .* expected a scene folder"):
        read_scene(tmp_path)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    paths = [path]
    if isinstance(value, dict):
        paths += [deeper for key in sorted(value) for deeper in paths_of(value[key], (*path, key))]
    elif isinstance(value, list):
        paths += [deeper for index, item in enumerate(value) for deeper in paths_of(item, (*path, index))]
    return paths


RECORD = json.loads(scene_bytes(table_scene()))
PLACES = paths_of(RECORD)[1:]
HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=80),
    st.sampled_from(["../../etc", "/abs", "a/b", "x" * 5000, -1, 10**400, 1e308, [], {}, [[[[]]]]]),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=17),
)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(edits=st.lists(st.tuples(st.sampled_from(PLACES), HOSTILE, st.booleans()), min_size=1, max_size=3))
def test_a_hostile_scene_json_raises_only_our_errors(edits: list[tuple[tuple[Any, ...], Any, bool]]) -> None:
    record = json.loads(json.dumps(RECORD))
    for path, value, delete in edits:
        parent = record
        try:
            for key in path[:-1]:
                parent = parent[key]
            if delete:
                del parent[path[-1]]
            else:
                parent[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    mesh = box_asset().links[0].visual
    try:
        scene = read_scene_json(json.dumps(record).encode(), lambda *_: mesh)
    except CousinsError:
        return
    assert np.isfinite([placed.world_from_asset for placed in scene.objects]).all()
    assert all(link.mass_kg.value > 0 for placed in scene.objects for link in placed.asset.links)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    data=st.binary(max_size=200),
    cut=st.integers(0, 3000),
    flips=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255))),
)
def test_a_hostile_obj_raises_only_our_errors(data: bytes, cut: int, flips: list[tuple[int, int]]) -> None:
    files = obj_files(box_asset().links[0].visual, "mesh")
    text = bytearray(files["mesh.obj"][:cut] + data + files["mesh.obj"][cut:])
    image = bytearray(files["mesh.png"])
    for place, value in flips:
        text[place % len(text)] = value
        image[place % len(image)] = value
    try:
        mesh = read_obj(bytes(text), source="mesh.obj", texture=bytes(image))
    except CousinsError:
        return
    assert np.isfinite(mesh.vertices).all()
    assert mesh.faces.min() >= 0
    assert mesh.faces.max() < len(mesh.vertices)
