"""Model weights: known, downloaded, verified, and selected for a scan."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cousins.errors import InputError, UnknownNameError
from cousins.segment.backend_choice import choose_backend
from cousins.weights import KNOWN_MODELS, Weights, WeightsFile, downloaded_weights, find_weights
from flows.commands.models import required_hashes
from flows.download import DownloadError, download

CONTENT = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def check_progress(have: int, total: int | None) -> None:
    assert total is None or have <= total


class Server(http.server.ThreadingHTTPServer):
    """Serves one file; answers end after `cut` bytes, `ranges` is whether it supports range requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requested_ranges: list[str | None] = []
        self.cut: int | None = None
        self.ranges = True


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        requested_range = self.headers.get("Range")
        self.server.requested_ranges.append(requested_range)
        start = (
            int(requested_range.removeprefix("bytes=").removesuffix("-"))
            if requested_range and self.server.ranges
            else 0
        )
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if requested_range and self.server.ranges else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.server.cut is None else body[: self.server.cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def download_from(server: Server, path: Path, sha256: str = SHA256) -> bool:
    address = f"http://127.0.0.1:{server.server_address[1]}/weights.bin"
    return download(address, path, sha256=sha256, progress=check_progress)


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "model/weights.bin"
    assert download_from(server, path)
    assert path.read_bytes() == CONTENT
    assert not download_from(server, path)
    assert server.requested_ranges == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_download_goes_on_where_it_ended_or_begins_anew(server: Server, tmp_path: Path, ranges: bool) -> None:  # noqa: FBT001
    path = tmp_path / "weights.bin"
    server.cut, server.ranges = 1_000_000, ranges
    with pytest.raises(DownloadError, match="goes on where it was cut off"):
        download_from(server, path)
    assert not path.exists()
    assert (tmp_path / "weights.bin.part").stat().st_size == 1_000_000
    server.cut = None
    assert download_from(server, path)
    assert path.read_bytes() == CONTENT
    assert server.requested_ranges == [None, "bytes=1000000-"]
    assert not (tmp_path / "weights.bin.part").exists()


def test_a_part_that_is_whole_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "weights.bin.part").write_bytes(CONTENT)
    assert download_from(server, tmp_path / "weights.bin")
    assert (tmp_path / "weights.bin").read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_nothing_is_kept(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=rf"SHA-256 {SHA256}.*The file was removed"):
        download_from(server, tmp_path / "weights.bin", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_address_is_an_error_with_the_place_for_the_file(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"Without a network, fetch it elsewhere and put it at .*weights\.bin"):
        download("http://127.0.0.1:9/weights.bin", tmp_path / "weights.bin", sha256=SHA256, progress=check_progress)


def test_every_known_hash_is_one_and_every_address_is_encrypted() -> None:
    for file in (file for weights in KNOWN_MODELS for file in weights.files):
        assert file.address.startswith("https://")
        assert file.sha256 is None or (len(file.sha256) == 64 and int(file.sha256, 16) > 0)
    assert len({weights.name for weights in KNOWN_MODELS}) == len(KNOWN_MODELS)
    assert all(file.sha256 for name in ("sam-vit-b", "sam-vit-l", "sam-vit-h") for file in find_weights(name).files)


def test_the_kept_yolox_is_the_known_one(shared_data: object) -> None:
    assert callable(shared_data)
    folder: Path = shared_data("weights/yolox_nano_ncnn")
    for file in find_weights("yolox-nano").files:
        data = (folder / file.name).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (file.sha256, file.size_bytes)


TWO_FILE_WEIGHTS = Weights(
    name="two",
    purpose="made",
    licence="MIT",
    files=(
        WeightsFile(name="a.json", address="https://example.org/a.json", sha256=None),
        WeightsFile(name="b.bin", address="https://example.org/b.bin", sha256="1" * 64),
    ),
)


def test_a_file_of_unknown_hash_needs_the_users(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no known SHA-256 of a\.json.*--sha256 a\.json=HEX"):
        required_hashes(TWO_FILE_WEIGHTS, [])
    assert required_hashes(TWO_FILE_WEIGHTS, [f"a.json={'AB' * 32}"]) == {"a.json": "ab" * 32, "b.bin": "1" * 64}


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=90))
def test_whatever_is_typed_as_a_hash_is_taken_or_refused_in_words(text: str) -> None:
    try:
        answer = required_hashes(TWO_FILE_WEIGHTS, [text, f"a.json={'2' * 64}"])["b.bin"]
    except InputError as error:
        answer = error.expected
    assert answer == "1" * 64 or "FILE=HEX" in answer


def test_an_unknown_model_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'sam-vit-b'"):
        find_weights("sam-vitb")


def test_missing_weights_are_an_error_with_the_download_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUSINS_MODELS", str(tmp_path))
    with pytest.raises(InputError, match="cousins models get sam-vit-b"):
        downloaded_weights("sam-vit-b")
    with pytest.raises(InputError, match="cousins models get sam-vit-b"):
        choose_backend("sam", kind="segmenter")
    with pytest.raises(InputError, match="cousins models get yolox-nano"):
        choose_backend("yolox", kind="namer")


def test_choices_carry_the_digest_of_what_lies_at_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUSINS_MODELS", str(tmp_path))
    (tmp_path / "mine.pth").write_bytes(b"one")
    (tmp_path / "sam-vit-b").mkdir()
    (tmp_path / "sam-vit-b/sam_vit_b_01ec64.pth").write_bytes(b"two")
    from_path = choose_backend(f"sam:{tmp_path / 'mine.pth'}", kind="segmenter")
    by_default = choose_backend("sam", kind="segmenter")
    assert from_path.digest == hashlib.sha256(b"one").hexdigest()
    assert by_default.digest == hashlib.sha256(b"two").hexdigest()
    assert by_default.weights == str((tmp_path / "sam-vit-b/sam_vit_b_01ec64.pth").resolve())
    assert choose_backend("geometric", kind="segmenter").digest is None
    with pytest.raises(InputError, match="nothing at"):
        choose_backend("sam:nowhere.pth", kind="segmenter")
    with pytest.raises(InputError, match="it has no weights"):
        choose_backend("geometric:mine.pth", kind="segmenter")
    with pytest.raises(UnknownNameError, match="Did you mean 'sam'"):
        choose_backend("smas", kind="segmenter")
    with pytest.raises(UnknownNameError, match="no namer named 'yolo'"):
        choose_backend("yolo", kind="namer")
