"""The command line: exit codes, one JSON object, errors with the command to type, and no files left behind."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from flows.cli import run

ROOT = Path(__file__).parents[3]


def run_command(*words: str) -> tuple[int, str]:
    output = io.StringIO()
    return run(list(words), output), output.getvalue()


def error_of(*words: str) -> dict[str, Any]:
    code, text = run_command(*words, "--json")
    assert code == 2
    (line,) = text.splitlines()
    output = json.loads(line)
    assert set(output) == {"error"}
    assert set(output["error"]) == {"kind", "found", "expected", "hint"}
    error: dict[str, Any] = output["error"]
    return error


@pytest.fixture(autouse=True)
def separate_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUSINS_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


def test_an_unknown_command_gets_a_hint() -> None:
    assert error_of("scna", "x") == {
        "kind": "UsageError",
        "found": "no command named 'scna'",
        "expected": "one of demo, scan, inspect, check, view, background, setup, label, recipe, vary, assets, pack, "
        "tasks, train, eval, regress, record, film, policy, cell, models, tag-sheet, doctor",
        "hint": "Did you mean `cousins scan`? Type `cousins --help`.",
    }


def test_a_missing_output_is_an_error_with_the_usage() -> None:
    error = error_of("scan", "x")
    assert error["found"] == "the following arguments are required: -o/--output"
    assert error["expected"].startswith("usage: cousins scan")


@pytest.mark.parametrize(
    ("words", "unknown", "command"),
    [
        (("vary", "x", "-o", "y", "--force"), "--force", "cousins vary"),
        (("pack", "push", "x", "y", "--tag", "a:b", "--tags", "3"), "--tags 3", "cousins pack push"),
        (("scan", "x", "more", "-o", "y"), "more", "cousins scan"),
    ],
)
def test_an_unknown_argument_is_an_error_with_the_usage_of_its_command(
    words: tuple[str, ...], unknown: str, command: str
) -> None:
    error = error_of(*words)
    assert error["found"] == f"no such argument: {unknown}"
    assert error["expected"].startswith(f"usage: {command} [-h]")
    assert error["hint"] == f"Type `{command} --help`."


def test_help_and_no_command_at_all_name_every_command() -> None:
    for words in ((), ("--help",)):
        code, text = run_command(*words)
        assert code == 0
        for name in ("demo", "scan", "inspect", "check", "view", "label", "vary", "pack", "tag-sheet", "doctor"):
            assert f"\n    {name} " in text or f"\n    {name}\n" in text


def test_a_capture_that_is_not_there(tmp_path: Path) -> None:
    error = error_of("scan", str(tmp_path / "nothing"), "-o", str(tmp_path / "scene"))
    assert error["kind"] == "CaptureError"
    assert error["found"] == f"nothing at '{tmp_path / 'nothing'}'"
    assert "`cousins demo`" in error["hint"]


def bad_inputs(folder: Path) -> dict[str, Path]:
    paths = {name: folder / name for name in ("text.zip", "cut.zip", "slip.zip", "empty", "photos")}
    paths["text.zip"].write_text("I am no archive")
    with zipfile.ZipFile(folder / "whole.zip", "w") as archive:
        archive.writestr("info.json", "{}" * 1000)
    paths["cut.zip"].write_bytes((folder / "whole.zip").read_bytes()[:50])
    with zipfile.ZipFile(paths["slip.zip"], "w") as archive:
        archive.writestr("../outside.txt", "gotcha")
    paths["empty"].mkdir()
    paths["photos"].mkdir()
    (paths["photos"] / "a.jpg").write_bytes(b"\xff\xd8\xff")
    return paths


@pytest.mark.parametrize("name", ["text.zip", "cut.zip", "slip.zip", "empty", "photos"])
def test_bad_input_ends_soon_with_code_2_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    source = bad_inputs(tmp_path)[name]
    before = sorted(path.name for path in tmp_path.iterdir())
    command = [sys.executable, "-m", "flows.cli", "scan", str(source), "-o", str(tmp_path / "scene"), "--json"]
    began = time.process_time()
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert time.process_time() - began < 5.0
    assert process.returncode == 2
    error = json.loads(process.stdout)["error"]
    assert error["kind"] in ("ArchiveError", "CaptureError")
    assert all(error[key] for key in ("found", "expected", "hint"))
    assert "Traceback" not in process.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "store") == before
    stored_files = [path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.parent.name != "locks"]
    assert stored_files == []


def test_an_unknown_segmenter_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    error = error_of("scan", str(tmp_path / "empty"), "-o", str(tmp_path / "scene"), "--segmenter", "geometrc")
    assert error["found"] == "no segmenter named 'geometrc'"
    assert error["hint"].startswith("Did you mean 'geometric'? Known: ")


def test_a_distance_that_cannot_be_read_is_refused_before_any_work(tmp_path: Path) -> None:
    error = error_of("scan", "x", "-o", str(tmp_path / "scene"), "--scale-distance", "half a metre")
    assert error["found"] == "the distance 'half a metre'"
    assert "tag3:tag7=0.50" in error["expected"]
    mesh = tmp_path / "mug.stl"
    mesh.write_bytes(b"solid")
    error = error_of("scan", str(mesh), "-o", str(tmp_path / "scene"), "--scale-distance", "tag0:tag1=0.5")
    assert error["found"] == "a known length for 'mug.stl', which has no pictures"


def test_a_model_for_faces_that_is_not_there_is_refused_before_any_work(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="needs the extra `vision`")
    error = error_of("scan", "x", "-o", str(tmp_path / "scene"), "--blur-faces", "nope.onnx")
    assert error["found"] == "'nope.onnx': nothing there"
    assert "OpenCV's model zoo" in error["expected"]


def test_a_check_lists_the_rules_and_repeats_a_finding_three_times_at_most(tmp_path: Path) -> None:
    path = tmp_path / "room.usda"
    walls = "".join(f'def Xform "w{i}" (references = @./wall{i}.usda@) {{}}\n' for i in range(5))
    path.write_text(f'#usda 1.0\n(\n defaultPrim = "Room"\n)\ndef Xform "Room" {{\n{walls}}}\n')
    code, text = run_command("check", str(path))
    assert code == 1
    lines = text.splitlines()
    assert lines[0].startswith("checked as USD from elsewhere: asset paths; OpenUSD's own validators")
    assert sum("[missing-file]" in line for line in lines) == 4
    assert "error: and 2 more of [missing-file]; --json lists them all" in lines


def test_what_is_no_scene_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/letter.txt").write_text("dear")
    for force in ((), ("--force",)):
        error = error_of("scan", str(tmp_path), "-o", str(tmp_path / "precious"), *force)
        assert error["found"] == f"something that is no scene at '{tmp_path / 'precious'}' already"
    assert (tmp_path / "precious/letter.txt").read_text() == "dear"


def test_an_older_scene_is_kept_without_force(tmp_path: Path) -> None:
    (tmp_path / "scene").mkdir()
    (tmp_path / "scene/scene.json").write_text("{}")
    error = error_of("scan", str(tmp_path), "-o", str(tmp_path / "scene"))
    assert error["hint"] == "Add --force to replace it."


def test_nothing_to_view_says_how_to_make_it(tmp_path: Path) -> None:
    assert "cousins scan CAPTURE -o SCENE" in error_of("view", str(tmp_path))["hint"]


def test_the_command_starts_without_heavy_libraries() -> None:
    program = (
        "import sys, io; from flows.cli import run; run(['--help'], io.StringIO()); "
        "print([name for name in ('numpy', 'scipy', 'numba', 'prefect', 'pxr', 'pybullet') if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_a_plain_scan_never_imports_prefect() -> None:
    program = "import sys, flows.pipeline.run_scan, flows.commands.scan; print('prefect' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"


def test_a_sheet_of_tags_is_written_and_odd_sizes_are_refused(tmp_path: Path) -> None:
    code, text = run_command("tag-sheet", "-o", str(tmp_path / "tags.pdf"), "--json")
    assert code == 0
    assert json.loads(text) == {"sheet": str(tmp_path / "tags.pdf"), "tags": 6, "size_mm": 60.0}
    assert (tmp_path / "tags.pdf").read_bytes().startswith(b"%PDF")
    assert error_of("tag-sheet", "-o", str(tmp_path / "x.pdf"), "--size", "600")["found"] == "a tag of 600 mm"
    assert error_of("tag-sheet", "-o", str(tmp_path / "no" / "x.pdf"))["expected"] == "a folder that exists"
