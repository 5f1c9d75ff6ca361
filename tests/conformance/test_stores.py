"""The law book of stores: every one keeps bytes by key, reads from anywhere in them, and tells what is not there.

S3 is asked at moto's server and the web store at Python's own, both on the loopback interface. The Hub cannot be asked
here: of its store only the refusals are tested.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cousins.errors import StoreError, UnknownNameError
from cousins.pack.stores import s3
from cousins.pack.transfer.registry import PackReference, PackStore, fetch, open_store, set_tag, tags
from cousins.plugins import backend_names
from tests.cousins.pack.servers_for_tests import RangeHandler

KEY = "blobs/ab/" + "c" * 62
DATA = bytes(range(256)) * 40
HERE = ("folder", "http", "s3")
Made = tuple[PackStore, PackStore]


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{server._server.server_address[1]}"
    server.stop()


@pytest.fixture
def stores(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Made]]:
    """Return a store that is read and one that is written; for most they are one."""
    servers: list[ThreadingHTTPServer] = []

    def make(name: str) -> Made:
        folder = open_store(str(tmp_path / "kept"))
        if name == "folder":
            return folder, folder
        if name == "http":
            (tmp_path / "kept").mkdir(exist_ok=True)
            handler = functools.partial(RangeHandler, directory=str(tmp_path / "kept"))
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            servers.append(server)
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            return open_store(f"http://127.0.0.1:{server.server_port}"), folder
        options = {"endpoint_url": request.getfixturevalue("bucket"), "key": "k", "secret": "s"}
        bare = s3.build(s3.Config(address="s3://packs", options=options))
        prefix = "".join(letter for letter in tmp_path.name if letter.isalnum())
        bare._system.makedirs("packs", exist_ok=True)
        store = s3.build(s3.Config(address=f"s3://packs/{prefix}", options=options))
        return store, store

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def test_every_store_is_in_this_book() -> None:
    assert backend_names("cousins.pack.stores") == sorted([*HERE, "hub"])


@pytest.mark.parametrize("name", HERE)
def test_what_was_written_is_read_from_any_place(name: str, stores: Callable[[str], Made]) -> None:
    reader, writer = stores(name)
    writer.write({KEY: DATA})
    assert reader.size(KEY) == len(DATA)
    for start in (0, 1, 5000, len(DATA) - 1):
        assert b"".join(reader.stream(KEY, start=start)) == DATA[start:]
    assert b"".join(reader.stream(KEY, start=len(DATA))) == b""
    writer.write({KEY: b"new"})
    assert fetch(reader, KEY, max_bytes=10) == b"new"


@pytest.mark.parametrize("name", HERE)
def test_what_is_not_there_is_told(name: str, stores: Callable[[str], Made]) -> None:
    reader, writer = stores(name)
    writer.write({KEY: DATA})
    missing = "blobs/ab/" + "d" * 62
    assert reader.size(missing) is None
    with pytest.raises(StoreError, match="found no"):
        list(reader.stream(missing))
    writer.delete(missing)


@pytest.mark.parametrize("name", HERE)
def test_no_more_is_taken_than_asked_for(name: str, stores: Callable[[str], Made]) -> None:
    reader, writer = stores(name)
    writer.write({KEY: DATA})
    with pytest.raises(StoreError, match="over 100 bytes"):
        fetch(reader, KEY, max_bytes=100)


@pytest.mark.parametrize("name", HERE)
def test_tags_are_listed_and_move(name: str, stores: Callable[[str], Made]) -> None:
    reader, writer = stores(name)
    set_tag(writer, PackReference(name="demo", tag="v1"), "0" * 64)
    set_tag(writer, PackReference(name="demo", tag="v2"), "1" * 64)
    set_tag(writer, PackReference(name="demo", tag="v1"), "2" * 64)
    assert tags(reader) == {"demo:v1": "2" * 64, "demo:v2": "1" * 64}


@pytest.mark.parametrize("name", ["folder", "s3"])
def test_entries_tell_size_and_age_and_can_be_deleted(name: str, stores: Callable[[str], Made]) -> None:
    _, store = stores(name)
    store.write({KEY: DATA, f"packs/{'0' * 64}.json": b"{}"})
    entries = store.entries("blobs/")
    assert [(entry.key, entry.size) for entry in entries] == [(KEY, len(DATA))]
    assert 0.0 <= entries[0].age_s < 60.0
    store.delete(KEY)
    assert store.entries("blobs/") == []
    assert store.size(KEY) is None


def test_a_bucket_that_is_not_there_is_told(bucket: str) -> None:
    options = {"endpoint_url": bucket, "key": "k", "secret": "s"}
    store = s3.build(s3.Config(address="s3://no-such-bucket/packs", options=options))
    with pytest.raises(StoreError, match="the bucket must exist"):
        store.write({KEY: DATA})
    assert store.size(KEY) is None


def test_what_goes_to_the_hub_together_is_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hub's own client is asked no further than this: there is no Hub here."""
    commits: list[tuple[str, list[str], str]] = []

    def commit(_: object, repository: str, *, operations: list[Any], commit_message: str, repo_type: str) -> None:
        commits.append((repository, [one.path_in_repo for one in operations], repo_type))
        if len(commits) > 1:
            raise FileNotFoundError("no such repository")

    monkeypatch.setattr("huggingface_hub.HfApi.create_commit", commit)
    store = open_store("hf://me/worlds/sub")
    store.write({KEY: DATA, "tags/demo/v1": b"x"})
    assert commits == [("me/worlds", [f"sub/{KEY}", "sub/tags/demo/v1"], "dataset")]
    with pytest.raises(StoreError, match="the dataset repository must exist"):
        store.write({KEY: DATA})


def test_a_web_server_is_not_written(stores: Callable[[str], Made]) -> None:
    reader, _ = stores("http")
    with pytest.raises(StoreError, match="which is only read"):
        reader.write({KEY: DATA})
    with pytest.raises(StoreError, match=r"no tags\.json"):
        reader.entries("tags/")


def test_a_web_server_without_ranges_is_read_from_its_beginning(
    stores: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RangeHandler, "ranges", False)
    reader, writer = stores("http")
    writer.write({KEY: DATA})
    assert b"".join(reader.stream(KEY, start=5000)) == DATA[5000:]


def test_an_answer_that_breaks_off_is_told(stores: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RangeHandler, "breaks_after", 3000)
    reader, writer = stores("http")
    writer.write({KEY: DATA})
    with pytest.raises(StoreError, match="no whole answer"):
        list(reader.stream(KEY))


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "s3://packs/x", "hf://nobody/nothing"])
def test_a_store_that_is_silent_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    if address.startswith("hf"):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="answer"):
        open_store(address).size(KEY)


@pytest.mark.parametrize(
    ("address", "module", "extra"), [("s3://b/p", "s3fs", "s3"), ("hf://a/b", "huggingface_hub", "hub")]
)
def test_a_store_whose_extra_is_missing_says_so(
    address: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StoreError, match=rf"Install it: pip install 'cousins\[{extra}\]'"):
        open_store(address)


def test_a_repository_needs_an_owner() -> None:
    with pytest.raises(StoreError, match="expected hf://OWNER/NAME"):
        open_store("hf://packs")


def test_an_unknown_scheme_is_told() -> None:
    with pytest.raises(UnknownNameError, match="no store named 'ftp'"):
        open_store("ftp://host/packs")


def test_links_in_a_folder_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"not yours")
    store = open_store(str(tmp_path / "store"))
    store.write({KEY: DATA})
    target = tmp_path / "store" / KEY
    target.unlink()
    target.symlink_to(secret)
    with pytest.raises(StoreError, match="no plain file"):
        list(store.stream(KEY))
    with pytest.raises(StoreError, match="no plain file"):
        store.size(KEY)
    target.unlink()
    target.parent.rmdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / ("c" * 62)).write_bytes(b"not yours")
    target.parent.symlink_to(tmp_path / "outside")
    with pytest.raises(StoreError, match="no plain file"):
        list(store.stream(KEY))
