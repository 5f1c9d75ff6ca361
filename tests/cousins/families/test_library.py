"""A user's library: what is added comes back, what is broken or hostile is refused, a licence is a must."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from cousins.affordances import measure_affordances
from cousins.errors import InputError, StageError
from cousins.families.family import load_family
from cousins.families.library import LibraryAsset, list_assets, load_library, require_licence, save_asset
from cousins.importers.library import asset_file_digest, find_asset_files, import_asset
from flows.cli import run


def cup() -> LibraryAsset:
    rng = np.random.default_rng(0)
    cups = load_family("cup")
    asset = cups.build(cups.sample(rng), name="cup", rng=rng, texture_px=8)
    return LibraryAsset(
        name="mine/cup",
        asset=asset,
        signature=measure_affordances(asset),
        licence="CC0-1.0",
        origin="a test",
        source_digest="0" * 64,
    )


CUP = cup()


@pytest.fixture
def library(tmp_path: Path) -> tuple[Path, LibraryAsset]:
    entry = cup()
    save_asset(tmp_path / "library", entry)
    return tmp_path / "library", entry


@pytest.fixture
def meshes(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "blue_mug").mkdir(parents=True)
    wall = trimesh.creation.annulus(0.032, 0.036, 0.09)
    floor = trimesh.creation.cylinder(0.034, 0.008, sections=32).apply_translation([0.0, 0.0, -0.041])
    trimesh.boolean.union([wall, floor], engine="manifold").export(folder / "blue_mug" / "model.stl")
    trimesh.creation.box((0.03, 0.03, 0.03)).export(folder / "blue_mug" / "model_collision_0.stl")
    trimesh.creation.box((0.03, 0.03, 0.03)).export(folder / "blue_mug" / "model003.stl")
    trimesh.creation.box((0.05, 0.2, 0.1)).export(folder / "box.stl")
    (folder / "broken.ply").write_bytes(b"ply\nformat ascii 1.0\nelement vertex 99999999999\n")
    return folder


def test_a_saved_asset_is_loaded_unchanged(library: tuple[Path, LibraryAsset]) -> None:
    folder, library_asset = library
    (again,) = load_library(folder)
    assert (again.name, again.licence, again.origin) == (
        library_asset.name,
        library_asset.licence,
        library_asset.origin,
    )
    assert again.signature == library_asset.signature
    np.testing.assert_array_equal(again.asset.links[0].visual.vertices, library_asset.asset.links[0].visual.vertices)
    np.testing.assert_array_equal(again.asset.links[0].visual.texture, library_asset.asset.links[0].visual.texture)
    assert [head.name for head in list_assets(folder)] == ["mine/cup"]


def test_an_asset_of_the_same_name_takes_the_place_of_the_older(library: tuple[Path, LibraryAsset]) -> None:
    folder, library_asset = library
    before = list_assets(folder)[0].digest
    assert save_asset(folder, library_asset) == before
    after = save_asset(folder, replace(library_asset, licence="MIT"))
    assert [head.digest for head in list_assets(folder)] == [after]
    assert len(list((folder / "assets").iterdir())) == 2


@settings(max_examples=15, deadline=None)
@given(st.floats(0.0, 1.0, exclude_max=True), st.integers(0, 7))
def test_a_flipped_bit_is_detected(place: float, bit: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        digest = save_asset(folder, CUP)
        path = folder / "assets" / f"{digest}.bin"
        data = bytearray(path.read_bytes())
        data[int(place * len(data))] ^= 1 << bit
        path.write_bytes(bytes(data))
        with pytest.raises(InputError, match="bytes that are not those of its digest"):
            load_library(folder)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"name": 3}', b"{", b'{"name":1,"licence":1,"origin":1,"source_digest":1}']
)
def test_a_damaged_description_is_an_input_error(library: tuple[Path, LibraryAsset], text: bytes) -> None:
    folder, _ = library
    next((folder / "assets").glob("*.json")).write_bytes(text)
    with pytest.raises(InputError, match="expected a library as `cousins assets add` wrote it"):
        load_library(folder)


@pytest.mark.parametrize(
    "text", ["CC-BY-4.0", "MIT OR Apache-2.0", "LicenseRef-mine", "GPL-2.0-only WITH Classpath-exception-2.0"]
)
def test_spdx_expressions_are_licences(text: str) -> None:
    assert require_licence(text) == text


@pytest.mark.parametrize("text", [None, "", "free for all!", "<b>", "MIT OR", "x" * 90])
def test_without_a_licence_nothing_is_added(text: str | None) -> None:
    with pytest.raises(InputError, match="expected the SPDX name"):
        require_licence(text)


def test_meshes_are_found_named_and_labelled_and_pieces_left_out(meshes: Path) -> None:
    sources = find_asset_files(meshes)
    assert [(entry.name, entry.label) for entry in sources] == [
        ("shop/blue_mug", "blue mug"),
        ("shop/box", "box"),
        ("shop/broken", "broken"),
    ]
    digests = {asset_file_digest(entry, "MIT", None) for entry in sources}
    assert len(digests) == 3
    assert asset_file_digest(sources[0], "CC0-1.0", None) not in digests
    with pytest.raises(InputError, match="no folder"):
        find_asset_files(meshes / "nothing")
    (meshes / "empty").mkdir()
    with pytest.raises(InputError, match="no mesh in 'empty'"):
        find_asset_files(meshes / "empty")


def test_a_usd_file_is_one_rigid_asset_with_a_fallback(tmp_path: Path) -> None:
    head = '#usda 1.0\n(\n defaultPrim = "crate"\n metersPerUnit = 1\n upAxis = "Z"\n)\n'
    (tmp_path / "crate.usda").write_text(head + 'def Cube "crate"\n{\n double size = 0.2\n}\n')
    entry = import_asset(find_asset_files(tmp_path)[0], licence="MIT")
    np.testing.assert_allclose(entry.asset.size_m, 0.2, atol=1e-9)
    assert "its parts were joined to one rigid thing: joints of USD are not read" in entry.asset.fallbacks


def test_an_open_surface_that_encloses_nothing_is_refused(tmp_path: Path) -> None:
    trimesh.Trimesh([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], [[0, 1, 2]]).export(tmp_path / "leaf.ply")
    with pytest.raises(StageError, match="encloses nothing"):
        import_asset(find_asset_files(tmp_path)[0], licence="MIT")


def test_the_command_adds_valid_meshes_lists_failures_and_adds_nothing_twice(
    meshes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["assets", "add", str(meshes), "--licence", "CC0-1.0", "--library", str(tmp_path / "lib"), "--json"]
    assert run(words, sys.stdout) == 1
    first = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in first["added"]] == ["shop/blue_mug", "shop/box"]
    assert [Path(entry["file"]).name for entry in first["failed"]] == ["broken.ply"]
    mug, _ = load_library(tmp_path / "lib")
    assert mug.asset.material == "ceramic"
    assert mug.asset.label_source == "file name"
    assert mug.signature.cavity is not None
    assert mug.signature.cavity.volume_m3 == pytest.approx(np.pi * 0.032**2 * 0.082, rel=0.2)
    assert mug.signature.grasps
    assert run(words, sys.stdout) == 1
    second = json.loads(capsys.readouterr().out)
    assert (second["added"], second["reused"]) == ([], 2)
    assert run(["assets", "ls", "--library", str(tmp_path / "lib")], sys.stdout) == 0
    assert "shop/blue_mug" in capsys.readouterr().out
    assert run(["assets", "add", str(meshes), "--json"], sys.stdout) == 2
    assert json.loads(capsys.readouterr().out)["error"]["found"] == "no licence"
