"""Finished files and folders are put in their place in one step, and nothing that came meanwhile is replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cousins import publishing
from cousins.errors import OutputError
from cousins.publishing import (
    claimed_folder,
    contents,
    move_new,
    publish_folder,
    staging_folder,
    write_atomic,
    write_new,
)


def folder_with(path: Path, name: str) -> Path:
    path.mkdir(parents=True)
    (path / name).write_text(name)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["renameat2", "no renameat2"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test as Linux does it, and again as a system without renameat2(2)."""
    if request.param != "renameat2":
        monkeypatch.setattr(publishing, "_renameat2", lambda *_: publishing.errno.ENOSYS)


@pytest.mark.usefixtures("system")
def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    publish_folder(folder_with(tmp_path / "work/fresh", "a.txt"), tmp_path / "out/scene", before={})
    assert names(tmp_path / "out") == ["scene"]
    assert (tmp_path / "out/scene/a.txt").read_text() == "a.txt"
    assert not (tmp_path / "work/fresh").exists()


@pytest.mark.usefixtures("system")
def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "scene").mkdir()
    publish_folder(folder_with(tmp_path / "fresh", "new.txt"), tmp_path / "scene", before=contents(tmp_path / "scene"))
    assert names(tmp_path / "scene") == ["new.txt"]


@pytest.mark.usefixtures("system")
def test_what_was_found_is_replaced_and_leaves_nothing(tmp_path: Path) -> None:
    before = contents(folder_with(tmp_path / "scene", "old.txt"))
    publish_folder(folder_with(tmp_path / "fresh", "new.txt"), tmp_path / "scene", before=before)
    assert names(tmp_path) == ["scene"]
    assert names(tmp_path / "scene") == ["new.txt"]


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("empty_at_first", [True, False])
def test_a_file_that_came_while_a_new_folder_was_made_is_kept(tmp_path: Path, empty_at_first: bool) -> None:  # noqa: FBT001
    if empty_at_first:
        (tmp_path / "scene").mkdir()
    before = contents(tmp_path / "scene")
    (tmp_path / "scene").mkdir(exist_ok=True)
    (tmp_path / "scene/letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="came or changed while this ran"):
        publish_folder(folder_with(tmp_path / "fresh", "new.txt"), tmp_path / "scene", before=before)
    assert (tmp_path / "scene/letter.txt").read_text() == "dear"
    assert names(tmp_path / "scene") == ["letter.txt"]
    assert names(tmp_path) == ["scene"]


@pytest.mark.usefixtures("system")
def test_a_file_that_came_into_a_folder_to_be_replaced_is_kept(tmp_path: Path) -> None:
    before = contents(folder_with(tmp_path / "scene", "old.txt"))
    (tmp_path / "scene/letter.txt").write_text("dear")
    with pytest.raises(OutputError, match=r"files \(letter\.txt\) at .* that came or changed"):
        publish_folder(folder_with(tmp_path / "fresh", "new.txt"), tmp_path / "scene", before=before)
    assert names(tmp_path / "scene") == ["letter.txt", "old.txt"]


def test_a_file_that_comes_between_the_last_look_and_the_exchange_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder_with(tmp_path / "scene", "old.txt"))
    whole_exchange, calls = publishing.exchange, []

    def late_exchange(first: Path, second: Path) -> None:
        if not calls:
            (tmp_path / "scene/letter.txt").write_text("dear")
        calls.append(first)
        whole_exchange(first, second)

    monkeypatch.setattr(publishing, "exchange", late_exchange)
    with pytest.raises(OutputError, match=r"letter\.txt"):
        publish_folder(folder_with(tmp_path / "fresh", "new.txt"), tmp_path / "scene", before=before)
    assert len(calls) == 2
    assert names(tmp_path / "scene") == ["letter.txt", "old.txt"]


@pytest.mark.usefixtures("system")
def test_a_file_never_replaces_another(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("old")
    (tmp_path / "fresh").write_text("new")
    with pytest.raises(OutputError, match=r"film\.mp4"):
        move_new(tmp_path / "fresh", tmp_path / "film.mp4")
    assert (tmp_path / "film.mp4").read_text() == "old"
    write_new(tmp_path / "film.mp4", b"old")
    with pytest.raises(OutputError, match=r"film\.mp4"):
        write_new(tmp_path / "film.mp4", b"new")
    write_new(tmp_path / "other.mp4", b"new")
    assert (tmp_path / "other.mp4").read_bytes() == b"new"


def test_what_killed_processes_were_writing_is_removed_by_the_next_and_what_others_write_is_not(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from cousins.publishing import begin_staging; "
        "folder, _ = begin_staging(Path(sys.argv[1])); (folder / 'half').write_text('x'); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    with staging_folder(tmp_path) as own_folder:
        killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
        assert killed.returncode == -signal.SIGKILL
        assert len(names(tmp_path)) == 2
        write_atomic(tmp_path / "file", b"x")
        assert names(tmp_path) == sorted([own_folder.name, "file"])
    assert names(tmp_path) == ["file"]


def test_a_folder_is_claimed_by_one_process_at_a_time(tmp_path: Path) -> None:
    output = tmp_path / "pack"
    with claimed_folder(output):
        program = (
            "import sys; from pathlib import Path; from cousins.publishing import claimed_folder\n"
            "with claimed_folder(Path(sys.argv[1])): pass"
        )
        process = subprocess.run([sys.executable, "-c", program, str(output)], capture_output=True, check=False)
        assert b"another process that writes to" in process.stderr
        (output / "file").touch()
    with claimed_folder(output), pytest.raises(OutputError, match="another process"), claimed_folder(output):
        pass
    assert names(output) == ["file"]
    with claimed_folder(tmp_path / "unused"):
        pass
    assert not (tmp_path / "unused").exists()


def test_a_file_is_replaced_whole_and_open_to_all_that_the_mask_allows(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"old")
    write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert names(tmp_path) == ["file"]
    mask = os.umask(0o022)
    os.umask(mask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~mask
