"""Commands lose nothing of the user's, and refuse in words what they cannot read, write or do."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import trimesh

from cousins.scene.scene_folder import scene_digest
from flows import cli
from flows.cli import run
from flows.commands import label as label_command
from flows.commands.view import server
from flows.terminal_text import printable
from tests.cousins.pack.packs_for_tests import small_pack
from tests.flows.tiny_for_tests import RECIPE, write_tiny

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene, a pack, a mesh, a pipe, and a store that all tests share."""
    folder = tmp_path_factory.mktemp("work")
    write_tiny(folder)
    small_pack(folder / "pack", count=6)
    trimesh.creation.box((0.1, 0.2, 0.15)).export(folder / "box.stl")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture(autouse=True)
def separate_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUSINS_STORE", str(folder / "store"))
    monkeypatch.setenv("COUSINS_PACKS", str(folder / "cache"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


def run_json(*words: str | Path) -> tuple[int, dict[str, Any]]:
    output = io.StringIO()
    code = run([*map(str, words), "--json"], output)
    return code, json.loads(output.getvalue())


def error_of(*words: str | Path, code: int = 2) -> dict[str, str]:
    exit_code, result = run_json(*words)
    assert exit_code == code, result
    error: dict[str, str] = result["error"]
    assert all(error[key] for key in ("found", "expected", "hint"))
    return error


def test_a_scan_knows_its_own_result_and_keeps_what_came_while_it_ran(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("scan", folder / "box.stl", "-o", tmp_path / "scene")
    code, first = run_json(*words)
    assert code == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "scene").rglob("*")}
    code, again = run_json(*words)
    assert (code, again["digest"]) == (0, first["digest"])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "scene").rglob("*")} == before
    assert error_of(*words, "--name", "other")["hint"] == "Add --force to replace it."

    from flows.pipeline import run_scan

    whole_publish = run_scan._publish

    def late_publish(*arguments: Any, **named: Any) -> None:
        (tmp_path / "new").mkdir(exist_ok=True)
        (tmp_path / "new/letter.txt").write_text("dear")
        whole_publish(*arguments, **named)

    monkeypatch.setattr(run_scan, "_publish", late_publish)
    error = error_of("scan", folder / "box.stl", "-o", tmp_path / "new")
    assert error["kind"] == "OutputError"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["letter.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "scene"]


def test_a_label_leaves_what_else_is_in_the_folder(folder: Path, tmp_path: Path) -> None:
    scene = tmp_path / "scene"
    shutil.copytree(folder / "scene", scene)
    (scene / "notes.txt").write_text("mine")
    (scene / "pack").mkdir()
    (scene / "pack/pack.json").write_text("{}")
    code, result = run_json("label", scene, "box", "wooden box")
    assert code == 0
    assert result["digest"] == scene_digest(scene)
    assert (scene / "notes.txt").read_text() == "mine"
    assert (scene / "pack/pack.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["scene"]


def test_a_file_is_copied_where_it_cannot_be_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(label_command.os, "link", refused)
    (tmp_path / "a").write_text("x")
    label_command._link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "x"


def test_vary_knows_its_own_pack_and_refuses_one_of_another_request(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    words = ("vary", folder / "scene", "-o", tmp_path / "pack", "--recipe", tmp_path / "recipe.toml", "--workers", "1")
    code, first = run_json(*words, "-n", "3")
    assert code == 0
    (tmp_path / "pack/.writing").mkdir()
    code, again = run_json(*words, "-n", "3")
    assert (code, again["digest"]) == (0, first["digest"])
    assert not (tmp_path / "pack/.writing").exists()
    assert error_of(*words, "-n", "4")["found"].startswith("a finished pack")
    assert error_of(*words, "-n", "3", "--seed", "2")["found"].startswith("a finished pack")
    assert error_of(*words, "-n", "999999999999")["expected"].startswith("at most 1000000 cousins")


def test_nothing_is_trained_or_exported_over_something_else(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    shutil.copytree(folder / "pack", tmp_path / "pack")
    error = error_of("train", folder / "pack", "-o", tmp_path / "pack", "--steps", "64", "--rows", "2")
    assert error["found"].startswith("something that is no training at")
    export = ("pack", "export", folder / "pack", "-o", tmp_path / "cousin")
    assert run_json(*export, "--cousin", "1")[0] == 0
    assert error_of(*export, "--cousin", "2")["hint"] == "Add --force to replace it."
    assert run_json(*export, "--cousin", "2", "--force")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "{pipe}"),
        ("scan", "{pipe}", "-o", "{out}"),
        ("scan", "/dev/zero", "-o", "{out}"),
        ("check", "{pipe}"),
        ("label", "{pipe}", "a", "b"),
        ("vary", "{pipe}", "-o", "{out}"),
        ("vary", "{scene}", "-o", "{out}", "--recipe", "{pipe}"),
        ("assets", "add", "{pipe}", "--licence", "CC0-1.0"),
        ("pack", "info", "{pipe}"),
        ("pack", "pull", "a:b@{pipe}", "-o", "{out}"),
        ("eval", "{pipe}", "--pack", "{scene}"),
        ("tag-sheet", "-o", "{pipe}"),
    ],
)
def test_a_pipe_or_device_is_refused_and_never_waited_for(words: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    places = {"pipe": folder / "pipe", "out": tmp_path / "out", "scene": folder / "scene"}
    process = subprocess.run(
        [sys.executable, "-m", "flows.cli", *(word.format(**places) for word in words), "--json"],
        cwd=ROOT,
        capture_output=True,
        timeout=60.0,
        check=False,
    )
    assert process.returncode == 2
    assert b"Traceback" not in process.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    for name, size in (("scan.zip", 30 << 30), ("mesh.stl", 1 << 30)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
        began = time.process_time()
        assert "GB in" in error_of("scan", tmp_path / name, "-o", tmp_path / "out")["found"]
        assert time.process_time() - began < 5.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("scan", "x", "-o", "y", "--seed", "-1"), "argument --seed: -1 is not from 0"),
        (("scan", "x", "-o", "y", "--tag-size", "nan"), "argument --tag-size: nan is not from 1 to 10000"),
        (("view", "x", "--port", "99999999999"), "argument --port: 99999999999 is not from 0 to 65535"),
        (("eval", "x", "--pack", "y", "--control-hz", "0"), "argument --control-hz: 0 is not from 0.01 to 10000"),
        (("eval", "x", "--pack", "y", "--control-hz", "nan"), "argument --control-hz: nan is not"),
        (("pack", "gc", "--older-than", "nan"), "argument --older-than: nan is not from 0"),
    ],
)
def test_a_number_without_a_meaning_is_refused_before_any_work(words: tuple[str, ...], message: str) -> None:
    assert error_of(*words)["found"].startswith(message)


@pytest.mark.parametrize(
    "report",
    [
        "[" * 100_000,
        '{"assets": 3, "gates": {}, "digest": "x", "name": "y"}',
        '{"assets": [{}], "gates": null, "digest": {}, "name": []}',
        '"\\ud800"',
    ],
)
def test_a_report_of_another_form_is_refused(tmp_path: Path, report: str) -> None:
    (tmp_path / "report.json").write_text(report)
    assert error_of("inspect", tmp_path)["found"] == "a report.json that is no report of a scan"


@pytest.mark.parametrize(
    "name",
    ["\ud800", "a" * 300, "a/" * 3000, "\x1b[31mred", "caf\udce9"],
    ids=["surrogate", "name", "path", "esc", "latin"],
)
def test_a_strange_path_is_an_error_in_plain_letters(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("inspect", f"{tmp_path}/{name}"), ("scan", f"{tmp_path}/{name}", "-o", f"{tmp_path}/{name}")):
        code, result = run_json(*words)
        assert code in (1, 2)
        assert result["error"]["kind"] != "Bug"
    log = capsys.readouterr().err
    assert "\x1b" not in log
    assert "Traceback" not in log


def test_text_for_a_terminal_holds_no_control_characters() -> None:
    assert printable("a\tb\nc é 机") == "a\tb\nc é 机"
    assert printable("\x1b[2J\x9b\r\ud800\u202e\0") == r"\x1b[2J\x9b\r\ud800\u202e\x00"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device", "/disk/file"), "no space left at '/disk/file'"),
        (OSError(30, "Read-only file system"), "a read-only file system"),
        (OSError(5, "Input/output error"), "an input/output error"),
        (OSError(36, "File name too long"), "a path that is too long"),
        (MemoryError(), "no memory left"),
    ],
)
def test_what_the_system_refuses_is_explained_and_no_bug(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("flows.commands.doctor.run", fail)
    explained = error_of("doctor", code=1)
    assert explained["kind"] == "ResourceError"
    assert explained["found"].startswith(message)
    assert "bug" not in caplog.text


def test_a_full_or_read_only_disk_is_found_before_the_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("cousins.disk_errors.shutil.disk_usage", lambda _: usage._replace(free=1_000_000))
    for words in (
        ("scan", folder / "box.stl", "-o", tmp_path / "out"),
        ("vary", folder / "scene", "-o", tmp_path / "out"),
        ("pack", "pull", f"a:b@{tmp_path}", "-o", tmp_path / "out"),
        ("pack", "export", folder / "pack", "--cousin", "0", "-o", tmp_path / "out"),
    ):
        assert error_of(*words, code=1)["found"].startswith("1 MB free at")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setattr("cousins.disk_errors.os.access", lambda *_: False)
    assert error_of("scan", folder / "box.stl", "-o", tmp_path / "out", code=1)["found"].startswith("no right at")


@pytest.mark.parametrize(
    ("command", "words"),
    [("scan", "the same command goes on"), ("train", "--resume goes on"), ("eval", "start it again")],
)
def test_an_interrupt_says_what_is_true_of_the_command(
    command: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_parse", lambda *_: interrupt(None))
    assert run([command, "x"], io.StringIO()) == 130
    assert words in capsys.readouterr().err


def test_view_serves_nothing_outside_the_scene(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    scene = tmp_path / "scene"
    (scene / "assets").mkdir(parents=True)
    (scene / "report.html").write_text("report")
    (scene / "link.txt").symlink_to(tmp_path / "secret.txt")
    (scene / "linked").symlink_to(tmp_path)
    os.mkfifo(scene / "pipe")
    with server(scene, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{running.server_address[1]}"
        assert urllib.request.urlopen(f"{address}/report.html").read() == b"report"
        for path in (
            "link.txt",
            "linked/secret.txt",
            "../secret.txt",
            "assets/",
            "linked/",
            "pipe",
            "%2e%2e/secret.txt",
        ):
            for method in ("GET", "HEAD"):
                with pytest.raises(urllib.error.HTTPError, match="404"):
                    urllib.request.urlopen(urllib.request.Request(f"{address}/{path}", method=method))
        running.shutdown()
