"""`cousins pack`: every action from the command line, its words, its JSON and its exit codes."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cousins.pack.cards import card
from cousins.pack.packs import open_folder
from cousins.scene.scene_folder import read_scene
from flows.cli import run
from flows.commands.pack import format_result
from flows.reporting.cousin_pictures import SIZE_PX, picture_of
from flows.reporting.pack_gallery import page, spread
from tests.cousins.pack.packs_for_tests import small_pack


@pytest.fixture(scope="module")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack") / "table"
    small_pack(folder, count=12)
    return folder


@pytest.fixture(autouse=True)
def _separate_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUSINS_PACKS", str(tmp_path / "cache"))


def run_json(*words: str | Path) -> tuple[dict[str, Any], int]:
    output = io.StringIO()
    code = run(["pack", *map(str, words), "--json"], output)
    return json.loads(output.getvalue()), code


def test_info_and_verify_have_the_documented_keys(pack_folder: Path) -> None:
    for action in ("info", "verify"):
        result, code = run_json(action, pack_folder)
        assert code == 0
        assert {"digest", "cousins", "splits", "bytes", "files", "ok", "bad"} <= set(result)
        assert (result["cousins"], result["ok"], result["bad"]) == (13, True, [])
        assert result["digest"] in format_result(result)


def test_a_damaged_pack_fails_with_the_place(pack_folder: Path, tmp_path: Path) -> None:
    small_pack(tmp_path / "p", count=2)
    key = open_folder(tmp_path / "p").manifest.library.key
    (tmp_path / "p" / key).write_bytes(b"damaged")
    result, code = run_json("verify", tmp_path / "p")
    assert code == 1
    assert result["bad"][0]["where"] == key
    assert "pull it again" in format_result(result)
    assert run_json("verify", pack_folder, "--digest", "0" * 64)[1] == 1


def test_a_pack_goes_to_a_store_and_back_in_part(pack_folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    pushed, code = run_json("push", pack_folder, store, "--tag", "demo:v1")
    assert (code, pushed["digest"]) == (0, open_folder(pack_folder).digest)
    listed, _ = run_json("ls", store)
    assert listed["packs"] == [{"tag": "demo:v1", "digest": pushed["digest"]}]
    pulled, code = run_json(
        "pull", "demo:v1", "--from", store, "-o", tmp_path / "p", "--split", "train", "--count", "2"
    )
    assert (code, pulled["cousins"], pulled["fallbacks"]) == (0, 2, [])
    assert run_json("info", tmp_path / "p")[0]["here"] == 2
    assert run_json("ls")[0]["packs"][0]["digest"] == pushed["digest"]
    again, _ = run_json("pull", f"sha256:{pushed['digest']}", "-o", tmp_path / "q", "--cousin", "1")
    assert again["moved"] == 0, "all of it was in the cache"
    assert run_json("gc")[0]["dry_run"] is False
    assert run_json("gc", store, "--older-than", "0", "--dry-run")[0]["files"] == 0


def test_an_exported_cousin_is_a_scene_in_every_format(pack_folder: Path, tmp_path: Path) -> None:
    result, code = run_json("export", pack_folder, "--cousin", "3", "-o", tmp_path / "scene")
    assert (code, result["cousin"], result["split"]) == (0, 3, "heldout_near")
    for name in ("scene.usda", "scene.usdz", "scene.urdf", "scene.xml", "scene.json"):
        assert (tmp_path / "scene" / name).is_file()
    assert read_scene(tmp_path / "scene").look is not None


def test_a_difference_is_described_in_text(pack_folder: Path, tmp_path: Path) -> None:
    small_pack(tmp_path / "p", count=9)
    result, code = run_json("diff", pack_folder, tmp_path / "p")
    assert (code, result["same"], result["only_first"]) == (0, False, 3)
    assert "splits heldout_far: 2 → 1" in format_result(result)
    assert format_result(run_json("diff", pack_folder, pack_folder)[0]) == "the same pack"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["info", "/nowhere"], r"no pack\.json in '/nowhere'"),
        (["info", "Bad Name"], "the pack name 'Bad Name'"),
        (["pull", "sha256:../x", "-o", "out"], "the name '../x'"),
        (["pull", "demo:v1@a", "--from", "b", "-o", "out"], "two stores"),
        (["pull", "demo:v1", "--from", "b", "-o", "out", "--count", "0"], "a count of 0"),
        (["push", "PACK", "store", "--tag", "demo:v1@x"], "with a store"),
        (["export", "PACK", "--cousin", "99", "-o", "/nowhere/out"], "no cousin 99"),
        (["pull", "demo:v1", "--from", "b", "-o", "out", "--split", "test"], "invalid choice: 'test'"),
        (["fly"], "invalid choice: 'fly'"),
        ([], "required: ACTION"),
    ],
)
def test_invalid_input_is_an_error_with_exit_code_two(words: list[str], expected: str, pack_folder: Path) -> None:
    result, code = run_json(*(str(pack_folder) if word == "PACK" else word for word in words))
    assert code == 2
    assert re.search(expected, result["error"]["found"])


def test_inspect_knows_packs(pack_folder: Path) -> None:
    output = io.StringIO()
    assert run(["inspect", str(pack_folder)], output) == 0
    assert "13 cousins (twin 1, train 8, heldout_near 2, heldout_far 2)" in output.getvalue()


def test_a_gallery_holds_a_picture_by_cousin_and_changes_no_digest(pack_folder: Path, tmp_path: Path) -> None:
    small_pack(tmp_path / "p", count=5)
    digest = open_folder(tmp_path / "p").digest
    result, code = run_json("gallery", tmp_path / "p")
    assert (code, result["drawn"]) == (0, 6)
    text = (tmp_path / "p/gallery.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])  # type: ignore[index]
    assert [entry["number"] for entry in data["cousins"]] == [0, 1, 2, 4, 3, 5]
    assert all(entry["picture"].startswith("data:image/jpeg;base64,") for entry in data["cousins"])
    assert not re.search(r"https?:", re.sub(r"data:image[^\"]*", "", text)), "the page needs nothing else"
    with Image.open(tmp_path / "p/contact_sheet.png") as sheet:
        assert sheet.size[0] == 8 * (SIZE_PX[0] + 4) + 4
    facts = json.loads((tmp_path / "p/croissant.json").read_bytes())
    assert facts["distribution"][0]["sha256"] == digest
    assert (tmp_path / "p/card.md").read_text().startswith("# table\n\n5 digital cousins")
    assert run_json("verify", tmp_path / "p")[0]["digest"] == digest
    assert run_json("verify", tmp_path / "p")[0]["ok"]


def test_html_in_pack_fields_is_escaped(pack_folder: Path) -> None:
    info = open_folder(pack_folder).info() | {"generator": "<script>alert(1)</script>|x", "name": "</script>"}
    text = page(info, [])
    assert "<script>alert" not in text
    assert text.count("</script>") == 2
    assert "<script>" not in card(info)
    assert r"\|x" in card(info)


def test_shown_cousins_come_from_every_split(pack_folder: Path) -> None:
    pack = open_folder(pack_folder)
    assert spread(pack, pack.indices(), 100) == [0, 1, 2, 4, 6, 7, 8, 10, 12, 3, 9, 5, 11]
    few = spread(pack, pack.indices(), 5)
    assert {pack.cousin(number).split for number in few} == {"twin", "train", "heldout_near", "heldout_far"}


def test_a_picture_shows_its_own_light(pack_folder: Path) -> None:
    pack = open_folder(pack_folder)
    pictures = [picture_of(pack.scene(number)) for number in (0, 1)]
    assert all(picture.shape == (SIZE_PX[1], SIZE_PX[0], 3) for picture in pictures)
    assert np.ptp(pictures[0].reshape(-1, 3), axis=0).min() > 60, "things can be told from the ground"
    assert not np.array_equal(pictures[0], pictures[1])
