"""The store of results: whole entries or none, with several writers and at any death of a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cousins.errors import InputError, StoreError
from cousins.pack.transfer.object_stores import ObjectStore
from cousins.regress.entry_stores import RemoteEntries
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


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{server._server.server_address[1]}"
    server.stop()


@pytest.fixture(params=["memory", "s3"])
def address(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Return the address of an empty store that is no folder."""
    name = "".join(letter for letter in tmp_path.name if letter.isalnum())
    if request.param == "memory":
        return f"memory://{name}/results"
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("bucket"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    s3fs.S3FileSystem(skip_instance_cache=True).makedirs("suites", exist_ok=True)
    return f"s3://suites/{name}"


def test_an_address_holds_what_a_folder_holds(address: str) -> None:
    store = ResultStore(address)
    assert (store.get(KEYS[0]), store.keys(), store.red_tests(KEYS[0])) == (None, [], {})
    store.put(KEYS[0], outcome((3, 4), states="first"))
    store.put(KEYS[0], outcome((3, 4), states="second"))
    store.put(KEYS[1], outcome((5, 6)))
    again = ResultStore(address)
    assert again.get_many(KEYS[:3]) == {KEYS[0]: outcome((3, 4), states="first"), KEYS[1]: outcome((5, 6))}
    assert again.keys() == KEYS[:2]
    store.remember_red(KEYS[0], "push-mujoco", state="flaky", reason="r")
    store.remember_red(KEYS[0], "push-mujoco", state="fault", reason="later")
    assert again.red_tests(KEYS[0]) == {"push-mujoco": {"state": "flaky", "reason": "r"}}


def test_a_damaged_object_is_named_by_its_address(address: str) -> None:
    store = ResultStore(address)
    store.put(KEYS[0], outcome((3, 4)))
    objects = store._entries._objects  # type: ignore[attr-defined]
    path = f"results/00/{KEYS[0]}.json"
    objects.write({path: objects.read([path])[path][:-20]})
    with pytest.raises(InputError, match=rf"damaged entry '{address}/results/00/.*Remove {address}"):
        ResultStore(address).get(KEYS[0])


def test_an_entry_is_moved_to_its_place_where_writes_are_not_whole(tmp_path: Path) -> None:
    """A writer that dies half-way leaves a file that no reader takes for an entry."""
    from fsspec.implementations.local import LocalFileSystem

    class Dying(LocalFileSystem):  # type: ignore[misc]
        """Writes the first half of the bytes, then fails; `protocol` keeps it apart from the true one."""

        def pipe_file(self, path: str, value: bytes, **options: object) -> None:
            super().pipe_file(path, value[: len(value) // 2], **options)
            raise OSError("killed")

    def entries(system: LocalFileSystem) -> RemoteEntries:
        objects = ObjectStore("x://", system, root=str(tmp_path), errors=(OSError,), hint="h")
        return RemoteEntries(objects, has_whole_writes=False)

    key = f"results/00/{KEYS[0]}.json"
    with pytest.raises(StoreError, match="killed"):
        entries(Dying()).write_new(key, b"{whole}")
    assert len(list(tmp_path.rglob("*"))) == 3
    assert (entries(LocalFileSystem()).read([key]), entries(LocalFileSystem()).keys("results/")) == ({}, [])
    entries(LocalFileSystem()).write_new(key, b"{whole}")
    assert entries(LocalFileSystem()).read([key]) == {key: b"{whole}"}


def test_many_writers_of_a_bucket_leave_whole_entries(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    for name, value in {"ENDPOINT_URL": bucket, "ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    s3fs.S3FileSystem(skip_instance_cache=True).makedirs("suites", exist_ok=True)
    stores = [ResultStore("s3://suites/many") for _ in range(3)]

    def write(number: int) -> None:
        for key in range(12):
            stores[number].put(KEYS[key], outcome((key, 0), states=f"{number}"))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    entries = ResultStore("s3://suites/many").get_many(KEYS[:12])
    assert [entries[key].cousin for key in KEYS[:12]] == list(range(12))


@pytest.mark.parametrize(
    ("place", "message"),
    [("nowhere://x", "no store of results at 'nowhere://x'"), ("s3://absent-bucket/x", "no answer for results/")],
)
def test_an_address_that_leads_nowhere_is_bad_input(
    place: str, message: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ENDPOINT_URL": bucket, "ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with pytest.raises(InputError, match=message):
        ResultStore(place).put(KEYS[0], outcome((1, 1)))
