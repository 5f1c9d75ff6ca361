"""Packs are written block by block, in one piece or not at all, and the same input gives the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cousins.errors import PackError
from cousins.pack.packs import open_folder
from cousins.pack.records.asset_records import rounded_variant
from cousins.pack.records.cousin_records import rounded_cousin
from cousins.pack.writer import PackWriter, write_pack
from cousins.scene.io.mesh_writer import mesh_files
from cousins.scene.robot_formats.mjcf_writer import mjcf_file
from cousins.scene.scene_folder import round_scene, write_scene
from cousins.vary.cousins import Library, build_scene
from tests.cousins.pack.packs_for_tests import META, cousins, small_pack, table_library

ROOT = Path(__file__).parents[3]


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack") / "table"
    small_pack(folder)
    return folder


def test_a_pack_holds_the_twin_and_every_cousin_in_its_split(pack_folder: Path) -> None:
    pack = open_folder(pack_folder)
    assert len(pack) == 13
    assert pack.indices() == list(range(13))
    assert pack.indices("twin") == [0]
    assert pack.indices("heldout_far") == [5, 11]
    assert pack.info()["splits"] == {"twin": 1, "train": 8, "heldout_near": 2, "heldout_far": 2}
    assert pack.info()["rejections"] == {"penetration": {"layout": 3}}


def test_a_cousin_comes_back_as_it_was_written(pack_folder: Path) -> None:
    library = table_library()
    pack = open_folder(pack_folder)
    for cousin in cousins(library, 12):
        assert pack.cousin(cousin.index) == rounded_cousin(cousin)
        assert rounded_cousin(rounded_cousin(cousin)) == rounded_cousin(cousin)


def test_the_scene_of_a_pack_is_the_scene_of_its_library(pack_folder: Path, tmp_path: Path) -> None:
    pack = open_folder(pack_folder)
    library = table_library()
    full_library = Library(scene=library.scene, variants={k: rounded_variant(v) for k, v in library.variants.items()})
    for cousin in cousins(library, 12)[2:5]:
        digest = write_scene(build_scene(rounded_cousin(cousin), full_library), tmp_path / f"mine{cousin.index}")
        assert write_scene(pack.scene(cousin.index), tmp_path / f"theirs{cousin.index}") == digest


def test_the_twin_in_a_pack_is_the_twin_for_the_engines(pack_folder: Path) -> None:
    twin = open_folder(pack_folder).scene(0)
    assert mjcf_file(twin) == mjcf_file(replace(round_scene(table_library().scene), look=twin.look))
    assert mesh_files(twin) == mesh_files(table_library().scene)


def test_the_whole_library_comes_back(pack_folder: Path) -> None:
    library = open_folder(pack_folder).library
    table = table_library()
    assert set(library.variants) == set(table.variants) - {"ball"}, "what no cousin shows is not kept"
    for key, cousin in library.variants.items():
        assert cousin.signature == rounded_variant(table.variants[key]).signature
        assert (cousin.kind, cousin.twin_object, cousin.licence) == (
            table.variants[key].kind,
            table.variants[key].twin_object,
            cousin.licence,
        )


def test_blocks_in_any_order_give_the_same_bytes(pack_folder: Path, tmp_path: Path) -> None:
    library = table_library()
    drawn = cousins(library, 12)
    for number in (2, 0, 1):
        rejected = {"penetration": {"layout": number}}
        PackWriter(tmp_path / "p", key="k").add_block(number, drawn[4 * number : 4 * number + 4], rejected)
    writer = PackWriter(tmp_path / "p", key="k")
    assert [writer.has_block(number) for number in range(4)] == [True, True, True, False]
    writer.close(library, META)
    assert files(tmp_path / "p") == files(pack_folder)


def test_blocks_of_other_inputs_are_dropped_and_leave_no_trace(pack_folder: Path, tmp_path: Path) -> None:
    library = table_library(shapes=2)
    old = PackWriter(tmp_path / "p", key="old")
    old.add_block(0, cousins(library, 3), {})
    (tmp_path / "p/blobs/aa").mkdir(parents=True)
    (tmp_path / "p/blobs/aa/left-over").write_bytes(b"of a killed run")
    writer = PackWriter(tmp_path / "p", key="new")
    assert not writer.has_block(0)
    library = table_library()
    writer.add_block(0, cousins(library, 12), {"penetration": {"layout": 3}})
    writer.close(library, META)
    assert files(tmp_path / "p") == files(pack_folder)


def test_a_damaged_block_is_made_anew(tmp_path: Path) -> None:
    library = table_library()
    writer = PackWriter(tmp_path, key="k")
    writer.add_block(0, cousins(library, 4), {})
    path = next(tmp_path.rglob("*.block"))
    path.write_bytes(path.read_bytes()[:-7])
    assert not writer.has_block(0)
    writer.add_block(0, cousins(library, 4), {})
    assert writer.has_block(0)


def test_a_missing_block_is_reported(tmp_path: Path) -> None:
    library = table_library()
    writer = PackWriter(tmp_path, key="k")
    writer.add_block(1, cousins(library, 8)[4:], {})
    with pytest.raises(PackError, match="found cousin 5 where 0 belongs"):
        writer.close(library, META)
    assert not (tmp_path / "pack.json").exists()


def test_a_finished_pack_is_never_written_again(pack_folder: Path) -> None:
    with pytest.raises(PackError, match="Packs are never changed"):
        PackWriter(pack_folder, key="k")


def test_a_cousin_of_an_unknown_variant_is_refused(tmp_path: Path) -> None:
    library = table_library()
    drawn = cousins(library, 4)
    fewer = Library(scene=library.scene, variants={k: v for k, v in library.variants.items() if v.kind == "twin"})
    writer = PackWriter(tmp_path, key="k")
    writer.add_block(0, drawn, {})
    with pytest.raises(PackError, match="found a cousin that shows"):
        writer.close(fewer, META)


def test_a_pack_without_cousins_is_the_twin_alone(tmp_path: Path) -> None:
    writer = PackWriter(tmp_path, key="k")
    writer.close(table_library(), META)
    assert open_folder(tmp_path).indices() == [0]


def test_cousins_of_a_rare_split_are_found_however_far_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cousins.pack.writer.MAX_PAGE_SPAN", 8)
    library = table_library()
    drawn = [
        replace(cousin, split="heldout_far" if cousin.index in (3, 30, 31) else "train")
        for cousin in cousins(library, 40)
    ]
    write_pack(tmp_path, library, drawn, meta=META)
    pack = open_folder(tmp_path)
    assert pack.indices("heldout_far") == [3, 30, 31]
    assert [len(page) for page in pack.manifest.pages["heldout_far"]] == [1, 2]
    assert pack.indices() == list(range(41))
    assert pack.cousin(31) == rounded_cousin(drawn[30])
    with pytest.raises(PackError, match="no cousin 41"):
        pack.cousin(41)


def test_a_pack_whose_last_step_is_cut_is_closed_by_the_next_attempt(
    pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = table_library()
    for name in ("pack.json", "pack.sha256"):

        def cut(
            fresh: Path, target: Path, *, last: str = name, full_library: Callable[..., Path] = Path.replace
        ) -> Path:
            if target.name == last:
                raise KeyboardInterrupt
            return full_library(fresh, target)

        folder = tmp_path / name
        writer = PackWriter(folder, key="k")
        writer.add_block(0, cousins(library, 12), {"penetration": {"layout": 3}})
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", cut)
            with pytest.raises(KeyboardInterrupt):
                writer.close(library, META)
        again = PackWriter(folder, key="k")
        assert again.has_block(0)
        again.close(library, META)
        assert files(folder) == files(pack_folder)


def test_another_process_elsewhere_writes_the_same_bytes(pack_folder: Path, tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from tests.cousins.pack.packs_for_tests import small_pack; "
    settings = {"PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", code + "small_pack(Path(sys.argv[1]))", str(tmp_path / "p")],
        check=True,
        cwd=tmp_path,
        env=os.environ | settings,
    )
    assert files(tmp_path / "p") == files(pack_folder)
