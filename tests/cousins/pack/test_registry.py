"""Packs are pushed atomically, pulled in part, resumed after any interruption, and no content is trusted."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cousins.errors import CousinsError, PackError, ResourceError, StoreError
from cousins.pack.blobs import blob_key
from cousins.pack.comparison import compare_packs
from cousins.pack.manifests import manifest_bytes, read_manifest
from cousins.pack.packs import Pack, open_folder, selection_of
from cousins.pack.stores.folder import FolderStore
from cousins.pack.transfer.pull import PullResult, open_pack, pull
from cousins.pack.transfer.push import push, sweep
from cousins.pack.transfer.registry import PackReference, PackStore, open_store, parse_reference, tags
from cousins.pack.transfer.selection import Selection
from cousins.pack.verification import verify
from cousins.pack.writer import write_pack
from cousins.scene.scene_folder import write_scene
from tests.cousins.pack.packs_for_tests import META, cousins, small_pack, table_library
from tests.cousins.pack.servers_for_tests import RangeHandler

DEMO = PackReference(name="demo", tag="v1")


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack") / "table"
    small_pack(folder, count=80)
    return folder


@pytest.fixture(scope="module")
def store_folder(pack_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    push(pack_folder, open_store(str(folder)), DEMO)
    return folder


@pytest.fixture
def web(store_folder: Path) -> Iterator[str]:
    handler = functools.partial(RangeHandler, directory=str(store_folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def pulled(text: str, folder: Path, tmp_path: Path, **limits: object) -> PullResult:
    return pull(parse_reference(text), folder, selection=Selection(**limits), cache=tmp_path / "cache")  # type: ignore[arg-type]


def test_a_pulled_pack_is_the_pushed_one(pack_folder: Path, web: str, tmp_path: Path) -> None:
    done = pulled(f"demo:v1@{web}", tmp_path / "p", tmp_path)
    assert files(tmp_path / "p") == files(pack_folder)
    assert done.digest == open_folder(pack_folder).digest
    assert done.cousins == 81
    assert verify(tmp_path / "p", deep=True).ok


def test_some_cousins_bring_nothing_but_what_they_need(pack_folder: Path, web: str, tmp_path: Path) -> None:
    RangeHandler.sent = 0
    done = pulled(f"demo:v1@{web}", tmp_path / "p", tmp_path, split="heldout_near", count=3)
    pack = open_folder(tmp_path / "p")
    numbers = pack.indices("heldout_near")[:3]
    assert done.cousins == 3
    overhead = RangeHandler.sent - done.bytes - (tmp_path / "p/pack.json").stat().st_size - 65
    assert overhead == 0, "the tag, the manifest and the blobs of these three"
    whole_pack = open_folder(pack_folder)
    for number in numbers:
        digest = write_scene(pack.scene(number), tmp_path / "mine")
        assert write_scene(whole_pack.scene(number), tmp_path / "theirs") == digest
    assert verify(tmp_path / "p").ok
    with pytest.raises(PackError, match="no blob"):
        pack.scene(whole_pack.indices("train")[0])


def test_more_cousins_join_those_that_were_pulled(pack_folder: Path, store_folder: Path, tmp_path: Path) -> None:
    pulled(f"demo:v1@{store_folder}", tmp_path / "p", tmp_path, split="heldout_far", count=2)
    done = pulled(f"demo:v1@{store_folder}", tmp_path / "p", tmp_path, numbers=(1, 2))
    assert done.cousins == 4
    assert verify(tmp_path / "p", deep=True).cousins == 4
    pulled(f"demo:v1@{store_folder}", tmp_path / "p", tmp_path)
    assert files(tmp_path / "p") == files(pack_folder)


class Cut(Exception):  # noqa: N818
    """The power is off."""


class CutStore(FolderStore):
    """A store that breaks off after so many bytes, of all reads together."""

    def __init__(self, address: str, left: int) -> None:
        super().__init__(address)
        self.left = left

    def stream(self, key: str, *, start: int = 0) -> Iterator[bytes]:
        for part in super().stream(key, start=start):
            if self.left < len(part):
                yield part[: self.left]
                raise Cut
            self.left -= len(part)
            yield part


def test_a_pull_that_is_cut_anywhere_goes_on_and_ends_the_same(
    pack_folder: Path, store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = open_folder(pack_folder).info()["bytes"]
    rng = np.random.default_rng(3)
    for cut in rng.integers(0, total, size=12).tolist():
        folder, cache = tmp_path / f"p{cut}", tmp_path / f"c{cut}"
        cutting = CutStore(str(store_folder), cut)
        monkeypatch.setattr("cousins.pack.transfer.pull.open_store", lambda _, store=cutting: store)
        with pytest.raises(Cut):
            pull(parse_reference(f"demo:v1@{store_folder}"), folder, cache=cache)
        assert not (folder / "pack.json").exists(), "half a pack is no pack"
        cutting.left = 10**12
        done = pull(parse_reference(f"demo:v1@{store_folder}"), folder, cache=cache)
        assert files(folder) == files(pack_folder)
        assert done.moved <= total


def test_without_a_network_the_cache_answers_and_says_so(web: str, tmp_path: Path) -> None:
    pulled(f"demo:v1@{web}", tmp_path / "p", tmp_path)
    gone = open_store(web)
    gone.address = "http://127.0.0.1:9"
    text = f"demo:v1@{web}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cousins.pack.stores.http.HttpStore._opened", _refused)
        done = pulled(text, tmp_path / "again", tmp_path)
        assert done.moved == 0
        assert "the tag demo:v1 is as it was seen last" in done.fallbacks[0]
        assert open_pack(text, cache=tmp_path / "cache").cousin(3).index == 3
        with pytest.raises(StoreError, match="no whole answer"):
            pulled(f"demo:v2@{web}", tmp_path / "other", tmp_path)
    digest = open_folder(tmp_path / "p").digest
    assert pulled(f"sha256:{digest}", tmp_path / "alone", tmp_path).cousins == 81
    with pytest.raises(PackError, match="no pack other:latest on this machine"):
        pulled("other", tmp_path / "other", tmp_path)


def _refused(*_: object, **__: object) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


def test_a_pull_that_is_killed_at_any_step_leaves_nothing_behind_in_the_end(
    pack_folder: Path, store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every rename and every link is once the last thing that happens."""
    steps = {"left": 0}

    def counted(work: Callable[..., object]) -> Callable[..., object]:
        def step(*words: object, **more: object) -> object:
            if steps["left"] == 0:
                raise Cut
            steps["left"] -= 1
            return work(*words, **more)

        return step

    count = 2 * open_folder(pack_folder).info()["files"] + 6
    for left in range(0, count, 5):
        folder, cache = tmp_path / f"p{left}", tmp_path / f"c{left}"
        with monkeypatch.context() as patch:
            steps["left"] = left
            patch.setattr("cousins.pack.transfer.pull.FETCH_THREADS", 1)
            patch.setattr(Path, "replace", counted(Path.replace))
            patch.setattr("cousins.pack.transfer.cache.os.link", counted(os.link))
            with contextlib.suppress(Cut):
                pull(parse_reference(f"demo:v1@{store_folder}"), folder, cache=cache)
        pull(parse_reference(f"demo:v1@{store_folder}"), folder, cache=cache)
        assert files(folder) == files(pack_folder)
        assert not (folder / ".pulling").exists()


def test_a_full_disk_is_reported_and_the_pull_goes_on(
    pack_folder: Path, store_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "cache")

    with monkeypatch.context() as patch:
        patch.setattr("cousins.pack.transfer.cache.os.link", full)
        patch.setattr("cousins.pack.transfer.cache.shutil.copyfile", full)
        with pytest.raises(ResourceError, match=r"no space left at 'cache' .No space left on device"):
            pulled(f"demo:v1@{store_folder}", tmp_path / "p", tmp_path)
    assert not (tmp_path / "p/pack.json").exists()
    pulled(f"demo:v1@{store_folder}", tmp_path / "p", tmp_path)
    assert files(tmp_path / "p") == files(pack_folder)


def test_an_opened_reference_fetches_only_what_is_asked(web: str, tmp_path: Path) -> None:
    pack = open_pack(f"demo:v1@{web}", cache=tmp_path / "cache")
    xml, meshes = pack.mjcf(5)
    assert xml.startswith("<?xml")
    assert any(name.endswith(".obj") for name in meshes)
    assert sum(1 for path in (tmp_path / "cache/blobs").rglob("*") if path.is_file()) < 14


def test_a_damaged_cache_mends_itself(store_folder: Path, pack_folder: Path, tmp_path: Path) -> None:
    pulled(f"demo:v1@{store_folder}", tmp_path / "p", tmp_path)
    shutil.rmtree(tmp_path / "p")
    for path in (tmp_path / "cache/blobs").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"x" + path.read_bytes()[1:])
    for path in (tmp_path / "cache/packs").iterdir():
        path.write_bytes(b"{}")
    pulled(f"demo:v1@{store_folder}", tmp_path / "p", tmp_path)
    assert files(tmp_path / "p") == files(pack_folder)


def test_a_store_that_lies_is_not_believed(store_folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(store_folder, bad)
    blob = next(path for path in sorted((bad / "blobs").rglob("*")) if path.is_file())
    blob.write_bytes(blob.read_bytes() + b"more")
    with pytest.raises(PackError, match="other bytes than its name says"):
        pulled(f"demo:v1@{bad}", tmp_path / "p", tmp_path)
    assert not (tmp_path / "p/pack.json").exists()
    manifest = next((bad / "packs").iterdir())
    manifest.write_bytes(manifest.read_bytes().replace(b"table", b"chair"))
    with pytest.raises(PackError, match="other bytes than its name says in the manifest"):
        pull(parse_reference(f"demo:v1@{bad}"), tmp_path / "q", cache=tmp_path / "fresh")


def test_other_bytes_of_the_same_length_are_not_believed(store_folder: Path, tmp_path: Path) -> None:
    blobs = sorted(path for path in (store_folder / "blobs").rglob("*") if path.is_file())
    for number in (0, len(blobs) // 2, len(blobs) - 1):
        bad = tmp_path / f"bad-{number}"
        shutil.copytree(store_folder, bad)
        blob = bad / blobs[number].relative_to(store_folder)
        data = blob.read_bytes()
        blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(PackError, match="other bytes than its name says in blob"):
            pulled(f"demo:v1@{bad}", tmp_path / f"pack-{number}", tmp_path / f"home-{number}")
        assert not (tmp_path / f"pack-{number}/pack.json").exists()


class TornStore(FolderStore):
    """A store whose writes fail after some."""

    left = 10**9

    def write(self, files: Mapping[str, bytes]) -> None:
        for key, data in files.items():
            if self.left == 0:
                raise StoreError("no room", expected="room", hint="Make some.")
            self.left -= 1
            super().write({key: data})


def test_a_push_that_breaks_off_leaves_the_tag_where_it_stood(pack_folder: Path, tmp_path: Path) -> None:
    small_pack(tmp_path / "old", count=2)
    store = TornStore(str(tmp_path / "store"))
    push(tmp_path / "old", store, DEMO)
    before = tags(store)
    for left in (0, 1, 5):
        store.left = left
        with pytest.raises(StoreError, match="no room"):
            push(pack_folder, store, DEMO)
        assert tags(store) == before
    store.left = 10**9
    assert push(pack_folder, store, DEMO).digest == tags(store)["demo:v1"] != before["demo:v1"]


def test_a_second_push_sends_nothing_again(pack_folder: Path, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    assert push(pack_folder, store, DEMO).files > 0
    again = push(pack_folder, store, replace(DEMO, tag="v2"))
    assert (again.files, again.bytes) == (0, 0)
    assert tags(store) == {"demo:v1": again.digest, "demo:v2": again.digest}


def test_part_of_a_pack_is_not_pushed(store_folder: Path, tmp_path: Path) -> None:
    pulled(f"demo:v1@{store_folder}", tmp_path / "p", tmp_path, count=2)
    with pytest.raises(PackError, match="expected a whole pack"):
        push(tmp_path / "p", open_store(str(tmp_path / "store")), DEMO)


def test_a_sweep_removes_what_no_tag_stands_for(pack_folder: Path, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    small_pack(tmp_path / "old", count=2)
    push(tmp_path / "old", store, DEMO)
    alone = set(files(tmp_path / "store"))
    push(pack_folder, store, DEMO)
    assert sweep(store, older_than_s=3600.0).files == 0, "somebody may be pushing"
    planned = sweep(store, older_than_s=0.0, dry=True)
    assert set(files(tmp_path / "store")) >= alone
    done = sweep(store, older_than_s=0.0)
    assert (done.files, done.manifests) == (planned.files, planned.manifests) == (done.files, 1)
    assert done.files > 0
    pulled(f"demo:v1@{tmp_path / 'store'}", tmp_path / "p", tmp_path)
    assert files(tmp_path / "p") == files(pack_folder)


def test_a_folder_with_other_things_is_left_alone(store_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/diary.txt").write_text("dear diary")
    with pytest.raises(PackError, match="something that is no pack"):
        pulled(f"demo:v1@{store_folder}", tmp_path / "mine", tmp_path)
    small_pack(tmp_path / "other", count=2)
    with pytest.raises(PackError, match="another pack"):
        pulled(f"demo:v1@{store_folder}", tmp_path / "other", tmp_path)


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "/etc/passwd", "https://evil.example/x", "A" * 64, "0" * 63, "0" * 64 + "\n", ""]
)
def test_a_manifest_that_names_anything_but_a_hash_is_refused(name: str, pack_folder: Path, tmp_path: Path) -> None:
    record = json.loads((pack_folder / "pack.json").read_bytes())
    record["scene"][0] = name
    data = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(PackError, match="packs name nothing by path or address"):
        read_manifest(data)
    with pytest.raises(PackError, match="packs name nothing by path or address"):
        blob_key(name)


def test_a_blob_that_is_a_link_is_refused(pack_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(pack_folder, tmp_path / "p")
    pack = open_folder(tmp_path / "p")
    path = tmp_path / "p" / pack.manifest.scene.key
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PackError, match="no blob"):
        pack.scene(0)
    assert not verify(tmp_path / "p").ok


@pytest.mark.parametrize(("key", "value"), [("version", 2), ("version", "1"), ("format", "other"), ("version", None)])
def test_an_unknown_schema_is_refused(key: str, value: object, pack_folder: Path) -> None:
    record = json.loads((pack_folder / "pack.json").read_bytes()) | {key: value}
    data = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(PackError, match=r"expected (version 1|a pack)"):
        read_manifest(data)


def test_a_manifest_that_is_written_otherwise_is_refused(pack_folder: Path) -> None:
    record = json.loads((pack_folder / "pack.json").read_bytes())
    with pytest.raises(PackError, match="canonical JSON"):
        read_manifest(json.dumps(record, sort_keys=True).encode())


def test_every_flipped_bit_is_found(pack_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(pack_folder, tmp_path / "p")
    paths = sorted(path for path in (tmp_path / "p").rglob("*") if path.is_file())
    rng = np.random.default_rng(5)
    for path in [*paths, *rng.choice(np.array(paths), size=20).tolist()]:
        data = path.read_bytes()
        place, bit = int(rng.integers(len(data))), int(rng.integers(8))
        path.write_bytes(data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :])
        assert not verify(tmp_path / "p").ok, path
        path.write_bytes(data)
    assert verify(tmp_path / "p").ok


def test_missing_and_extra_files_are_reported(pack_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(pack_folder, tmp_path / "p")
    (tmp_path / "p/blobs/note").write_text("hello")
    report = verify(tmp_path / "p")
    assert report.ok
    assert report.extra == ("blobs/note",)
    gone = open_folder(tmp_path / "p").manifest.library.key
    (tmp_path / "p" / gone).unlink()
    assert verify(tmp_path / "p").bad == ((gone, "missing"),)
    assert verify(pack_folder, digest="0" * 64).bad[0][0] == "pack.json"


def test_the_difference_names_input_axis_and_variant(pack_folder: Path, tmp_path: Path) -> None:
    library = table_library()
    drawn = cousins(library, 80)
    changed = [
        replace(cousin, look=replace(cousin.look, exposure=9.0), task=replace(cousin.task, goal_radius_m=0.5))
        if cousin.index > 70
        else cousin
        for cousin in drawn
    ]
    meta = replace(META, lineage={**META.lineage, "twin": "2" * 64}, recipe={"axes": {"layout": 0.9}})
    asset = library.variants["can"]
    other = replace(library, variants={**library.variants, "can": replace(asset, licence="CC-BY-4.0")})
    write_pack(tmp_path / "p", other, changed[:-1], meta=meta, rejections={"penetration": {"layout": 4}})
    report = compare_packs(open_folder(pack_folder), open_folder(tmp_path / "p"))
    planned = {change.where: (change.first, change.second) for change in report.changes}
    assert planned["input twin"] == ("1" * 64, "2" * 64)
    assert planned["recipe axes.layout"] == (0.6, 0.9)
    assert planned["recipe axes.look.exposure"] == ([0.5, 1.5], "(none)")
    assert planned["rejections penetration.layout"] == (3, 4)
    assert planned["variant can: licence"] == ("Apache-2.0", "CC-BY-4.0")
    assert report.cousins == {"same": 71, "look": 9, "task": 9}
    assert (report.only_first, report.only_second) == (1, 0)
    same = compare_packs(open_folder(pack_folder), open_folder(pack_folder))
    assert same.same
    assert same.changes == ()


@given(st.text(max_size=90))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except PackError:
        return
    assert parse_reference(f"{reference}@{reference.store}") == reference


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_pack_from_a_stranger_is_read_or_refused(data: st.DataObject, pack_folder: Path) -> None:
    """Blobs are swapped for mutated ones under their right hashes, as a hostile maker could."""
    source = open_folder(pack_folder)
    victims = [source.manifest.scene, source.manifest.library, source.manifest.pages["train"][0].blob]
    victims += [*source.variant_records().values()]
    victim = victims[data.draw(st.integers(0, len(victims) - 1))]

    class Swapped:
        def read(self, blob: object) -> bytes:
            raw = source.blobs.read(blob)  # type: ignore[arg-type]
            return _mutated(raw, data) if blob == victim else raw

    pack = Pack((pack_folder / "pack.json").read_bytes(), Swapped())
    for number in (0, 1, 3):
        try:
            pack.scene(number)
        except CousinsError:
            continue


def _mutated(blob: bytes, data: st.DataObject) -> bytes:
    from cousins.pack.blobs import compress, decompress

    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(blob) - 1))
        return blob[:place] + data.draw(st.binary(max_size=4)) + blob[place + 1 :]
    tree = json.loads(decompress(blob))
    path, node = [], tree
    while isinstance(node, dict | list) and node and data.draw(st.integers(0, 9)):
        keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        path.append(keys[data.draw(st.integers(0, len(keys) - 1))])
        node = node[path[-1]]
    if not path:
        return compress(json.dumps(data.draw(_VALUES)).encode())
    parent = functools.reduce(lambda inner, key: inner[key], path[:-1], tree)
    parent[path[-1]] = data.draw(_VALUES)
    return compress(json.dumps(tree).encode())


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_manifest_from_a_stranger_is_read_or_refused(data: st.DataObject, pack_folder: Path) -> None:
    tree = json.loads((pack_folder / "pack.json").read_bytes())
    path, node = [], tree
    while isinstance(node, dict | list) and node and (not path or data.draw(st.integers(0, 3))):
        keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        path.append(keys[data.draw(st.integers(0, len(keys) - 1))])
        node = node[path[-1]]
    functools.reduce(lambda inner, key: inner[key], path[:-1], tree)[path[-1]] = data.draw(_VALUES)
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        manifest = read_manifest(text.encode())
    except PackError:
        return
    assert read_manifest(manifest_bytes(manifest)).splits == manifest.splits
    assert manifest.cousins == sum(len(page.numbers) for pages in manifest.pages.values() for page in pages)


@given(data=st.binary(max_size=60) | st.from_regex(rb'\{"indices":\[[0-9,"a.-]{0,20}\]\}', fullmatch=True))
def test_any_selection_is_read_or_refused(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "selection.json").write_bytes(data)
    try:
        assert all(type(number) is int for number in selection_of(folder) or [])
    except PackError:
        return


def test_what_is_no_tag_is_passed_over(store_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(store_folder, tmp_path / "store")
    (tmp_path / "store/tags/Bad Name").mkdir()
    (tmp_path / "store/tags/Bad Name/v1").write_text("0" * 64)
    (tmp_path / "store/tags/demo/note.txt").write_text("hello " * 100)
    assert list(tags(open_store(str(tmp_path / "store")))) == ["demo:v1"]


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.just("../x"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def test_the_digest_is_the_hash_of_the_manifest(pack_folder: Path) -> None:
    data = (pack_folder / "pack.json").read_bytes()
    assert open_folder(pack_folder).digest == hashlib.sha256(data).hexdigest()
    assert (pack_folder / "pack.sha256").read_text() == f"{hashlib.sha256(data).hexdigest()}  pack.json\n"
    assert os.fspath(pack_folder) not in data.decode()


def test_a_protocol_names_what_stores_do(store_folder: Path) -> None:
    store: PackStore = open_store(str(store_folder))
    assert store.address == str(store_folder)
