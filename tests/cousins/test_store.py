"""The store holds complete values only, also after killed processes and damaged files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cousins.store import Store, json_digest

KEY = json_digest("a stage")

WRITE_SLOWLY = """
import sys, time
from pathlib import Path
from cousins.store import Store

def fill(folder):
    for number in range(200):
        (folder / f"{number:03d}.bin").write_bytes(bytes(1000))
        print(number, flush=True)
        time.sleep(0.01)

print(Store(Path(sys.argv[1])).get_or_create(sys.argv[2], fill).reused, flush=True)
"""


def writer(text: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "sub").mkdir()
        (folder / "sub/value.txt").write_text(text)

    return fill


def never(_: Path) -> None:
    raise AssertionError("it was made again")


def files_below(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_a_value_is_made_once(tmp_path: Path) -> None:
    first = Store(tmp_path).get_or_create(KEY, writer("hello"))
    second = Store(tmp_path).get_or_create(KEY, never)
    assert not first.reused
    assert second.reused
    assert second.digest == first.digest
    assert (second.folder / "sub/value.txt").read_text() == "hello"


def test_the_same_files_have_one_digest_and_one_copy(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.get_or_create(KEY, writer("hello"))
    other = store.get_or_create(json_digest("another stage"), writer("hello"))
    assert first.folder == other.folder
    assert len(list((tmp_path / "values").iterdir())) == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "delete", "add"])
def test_a_damaged_value_is_made_again(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    path = store.get_or_create(KEY, writer("hello")).folder / "sub/value.txt"
    if damage == "delete":
        path.unlink()
    elif damage == "add":
        (path.parent / "more.txt").write_text("x")
    else:
        path.write_text("jello" if damage == "flip" else "hel")
    mended = store.get_or_create(KEY, writer("hello"))
    assert not mended.reused
    assert files_below(mended.folder) == ["sub/value.txt"]
    assert (mended.folder / "sub/value.txt").read_text() == "hello"


@pytest.mark.parametrize(
    "record", [b"", b"{", b"[]", b'{"digest": "../../x", "files": {}}', b'{"digest": 1, "files": 2}']
)
def test_a_damaged_record_is_made_again_and_reaches_nothing_outside(tmp_path: Path, record: bytes) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/precious").write_text("keep me")
    store = Store(tmp_path / "store")
    store.get_or_create(KEY, writer("hello"))
    (tmp_path / "store/stages" / f"{KEY}.json").write_bytes(record)
    assert not store.get_or_create(KEY, writer("hello")).reused
    assert (tmp_path / "x/precious").read_text() == "keep me"


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        store.get_or_create(KEY, fail)
    assert [name for name in files_below(tmp_path) if not name.startswith("locks/")] == []


def test_a_killed_process_leaves_no_value_and_the_next_one_finishes(tmp_path: Path) -> None:
    for stop_at in (b"0\n", b"57\n", b"199\n"):
        child = subprocess.Popen([sys.executable, "-c", WRITE_SLOWLY, str(tmp_path), KEY], stdout=subprocess.PIPE)
        assert child.stdout is not None
        while child.stdout.readline() != stop_at:
            pass
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        value = Store(tmp_path).get(KEY)
        assert value is None or len(list(value.folder.iterdir())) == 200
    assert len(list(Store(tmp_path).get_or_create(KEY, writer("x")).folder.iterdir())) in (1, 200)


def test_two_processes_that_want_the_same_value_make_it_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_SLOWLY, str(tmp_path), KEY]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = sorted(child.communicate(timeout=60)[0].splitlines()[-1] for child in children)
    assert answers == ["False", "True"]


def test_a_sweep_keeps_what_was_used_last_and_fits(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = [json_digest(number) for number in range(4)]
    for number, key in enumerate(keys):
        store.get_or_create(key, writer(str(number) * 1000))
        os.utime(tmp_path / "stages" / f"{key}.json", ns=(number, number))
    assert store.get(keys[0]) is not None
    (tmp_path / "work/left-over").mkdir()
    swept = store.gc(keep_bytes=2500)
    assert swept is not None
    assert (swept.records, swept.values, swept.bytes_freed) == (2, 2, 2000)
    assert [store.get(key) is not None for key in keys] == [True, False, False, True]
    assert store.size_bytes() == 2000
    assert list((tmp_path / "work").iterdir()) == []


def test_nothing_is_swept_while_the_store_is_in_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.get_or_create(KEY, writer("hello"))
    with store.block_sweeps():
        swept = []
        thread = threading.Thread(target=lambda: swept.append(Store(tmp_path).gc()))
        thread.start()
        thread.join()
    assert swept == [None]
    assert store.get(KEY) is not None
