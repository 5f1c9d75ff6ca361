"""The store of results: whole entries or none, with several writers and at any death of a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cousins.errors import InputError
from cousins.regress.result_store import ResultStore
from tests.cousins.regress.evidence_for_tests import outcome

ROOT = Path(__file__).parents[3]
KEYS = [f"{number:064x}" for number in range(400)]
WRITER = """
import sys
from pathlib import Path
from cousins.regress.result_store import ResultStore
from tests.cousins.regress.evidence_for_tests import outcome
store = ResultStore(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    for number in range(400):
        store.put(f"{number:064x}", outcome((number, 0), states=sys.argv[2]))
"""


def writer(folder: Path, states: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), states],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_an_outcome_comes_back_as_it_went_in(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    assert store.get(KEYS[0]) is None
    store.put(KEYS[0], outcome((3, 4), success=False, fault="an object explodes"))
    assert ResultStore(tmp_path).get(KEYS[0]) == outcome((3, 4), success=False, fault="an object explodes")


def test_the_first_writer_wins(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.put(KEYS[0], outcome((1, 1), states="first"))
    store.put(KEYS[0], outcome((1, 1), states="second"))
    entry = store.get(KEYS[0])
    assert entry is not None
    assert entry.states == "first"
    assert [path.name for path in tmp_path.rglob(".*")] == []


def test_writers_that_are_killed_leave_whole_entries_or_none(tmp_path: Path) -> None:
    for round_number in range(4):
        writers = [writer(tmp_path, f"{round_number}-{name}") for name in ("a", "b")]
        for process in writers:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        time.sleep(0.02 + 0.05 * round_number)
        for process in writers:
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        store = ResultStore(tmp_path)
        entries = [store.get(key) for key in KEYS]
        assert any(entries)
        assert all(entry is None or entry.cousin == number for number, entry in enumerate(entries))


@pytest.mark.parametrize("damage", ["cut", "edited", "moved"])
def test_a_damaged_entry_is_named_and_never_used(tmp_path: Path, damage: str) -> None:
    store = ResultStore(tmp_path)
    store.put(KEYS[0], outcome((1, 1), success=False))
    path = next(tmp_path.rglob(f"{KEYS[0]}.json"))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif damage == "edited":
        path.write_text(path.read_text().replace('"success":false', '"success":true'))
    else:
        path.rename(path.with_name(f"{KEYS[1]}.json"))
    with pytest.raises(InputError, match=r"damaged entry .*Type `rm .*\.json`"):
        store.get(KEYS[1] if damage == "moved" else KEYS[0])


def test_red_tests_are_remembered_as_they_were_first_seen(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    assert store.red_tests(KEYS[0]) == {}
    store.remember_red(KEYS[0], "a", state="flaky", reason="r")
    store.remember_red(KEYS[0], "a", state="fault", reason="later")
    store.remember_red(KEYS[0], "b", state="fault", reason="s")
    assert store.red_tests(KEYS[0]) == {
        "a": {"state": "flaky", "reason": "r"},
        "b": {"state": "fault", "reason": "s"},
    }
    assert store.red_tests(KEYS[1]) == {}
    path = tmp_path / "red" / KEYS[0] / "a.json"
    path.write_text(path.read_text().replace("flaky", "pass"))
    with pytest.raises(InputError, match="damaged entry"):
        store.red_tests(KEYS[0])
