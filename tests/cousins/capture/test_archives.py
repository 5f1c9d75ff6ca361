"""A corpus of malicious and broken archives: each is rejected quickly, with the right error class, leaving no files."""

from __future__ import annotations

import io
import os
import stat
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cousins.capture.decoders import archives
from cousins.capture.decoders.archives import open_export
from cousins.capture.ingest import ingest
from cousins.errors import ArchiveError, CaptureError, InputError
from tests.cousins.capture.exports import export
from tests.cousins.capture.room import Files, write_folder, write_zip


def zipped(files: Files, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def with_entry(name: str, data: bytes = b"x", *, mode: int | None = None) -> bytes:
    """A good export with one more entry under a name written byte by byte."""
    buffer = io.BytesIO()
    stand_in = "Q" * len(name.encode())
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for good, content in export("scanner3d", count=1).items():
            archive.writestr(good, content)
        entry = zipfile.ZipInfo(stand_in)
        entry.create_system = 3
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.flag_bits |= 0x800
        if mode is not None:
            entry.external_attr = mode << 16
        archive.writestr(entry, data)
    return buffer.getvalue().replace(stand_in.encode(), name.encode())


def twice() -> bytes:
    return with_entry("info.json").replace(b"INFO.JSON", b"info.json")


def encrypted() -> bytes:
    data = bytearray(zipped(export("scanner3d", count=1)))
    central = data.find(b"PK\x01\x02")
    data[central + 8] |= 1
    return bytes(data)


def method_of(number: int) -> bytes:
    data = bytearray(zipped(export("scanner3d", count=1)))
    central = data.find(b"PK\x01\x02")
    data[central + 10] = number
    return bytes(data)


def claims(size: int) -> bytes:
    data = bytearray(zipped(export("scanner3d", count=1)))
    central = data.find(b"PK\x01\x02")
    data[central + 24 : central + 28] = size.to_bytes(4, "little")
    return bytes(data)


def overlapping() -> bytes:
    data = bytearray(zipped(export("scanner3d", count=1)))
    first = data.find(b"PK\x01\x02")
    second = data.find(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    return bytes(data)


def flipped_inside(member: str) -> bytes:
    data = bytearray(zipped(export("scanner3d", count=1), method=zipfile.ZIP_STORED))
    data[data.find(member.encode()) + len(member) + 40] ^= 0xFF
    return bytes(data)


def zip_of(data: bytes) -> bytes:
    return zipped({"inner.zip": data})


HOSTILE: dict[str, Callable[[], bytes]] = {
    "climbs out": lambda: with_entry("../../evil.json"),
    "climbs out in the middle": lambda: with_entry("a/../../evil.json"),
    "absolute": lambda: with_entry("/etc/evil.json"),
    "backslash": lambda: with_entry("a\\..\\evil.json"),
    "drive": lambda: with_entry("C:evil.json"),
    "control character": lambda: with_entry("a\x07.json"),
    "name with NUL": lambda: with_entry("info.json\0.exe"),
    "symbolic link": lambda: with_entry("link", b"/etc/passwd", mode=stat.S_IFLNK | 0o777),
    "device": lambda: with_entry("device", mode=stat.S_IFCHR | 0o666),
    "pipe": lambda: with_entry("pipe", mode=stat.S_IFIFO | 0o666),
    "same name twice": twice,
    "same name in other case": lambda: with_entry("FRAME_00000.json"),
    "encrypted": encrypted,
    "bzip2": lambda: method_of(12),
    "unknown compression": lambda: method_of(77),
    "claims 4 GB": lambda: claims(0xFFFFFFF0),
    "claims less than it holds": lambda: claims(3),
    "overlapping": overlapping,
    "bomb": lambda: with_entry("zeros.bin", b"\0" * (300 << 20)),
    "bomb as a frame": lambda: zipped({**export("scanner3d", count=1), "frame_00001.json": b" " * (64 << 20)}),
    "small bomb": lambda: with_entry("depth_00099.png", b"\0" * (900 << 10) * 3),
    "checksum": lambda: flipped_inside("depth_00000.png"),
    "text named zip": lambda: b"this is no zip, whatever its name says\n" * 100,
    "empty file": lambda: b"",
    "image named zip": lambda: b"\x89PNG\r\n\x1a\n" + bytes(500),
    "cut in half": lambda: zipped(export("scanner3d", count=1))[:5000],
    "cut at the end": lambda: zipped(export("scanner3d", count=1))[:-30],
    "only an end": lambda: b"PK\x05\x06" + bytes(10),
    "directory destroyed": lambda: zipped(export("scanner3d", count=1)).replace(b"PK\x01\x02", b"PK\x01\x03"),
    "local header destroyed": lambda: (
        zipped(export("scanner3d", count=1)).replace(b"PK\x03\x04", b"PK\x03\x05")[:0]
        + b"PK\x03\x04"
        + zipped(export("scanner3d", count=1))[4:].replace(b"PK\x03\x04", b"PK\x03\x05")
    ),
}
NOT_CAPTURES: dict[str, Callable[[], bytes]] = {
    "no entries": lambda: zipped({}),
    "no frames": lambda: zipped({"info.json": b"{}"}),
    "zip in a zip": lambda: zip_of(zipped(export("scanner3d", count=1))),
    "only junk": lambda: zipped({"__MACOSX/frame_00000.json": b"{}", ".DS_Store": b""}),
}


def refused(data: bytes, tmp_path: Path) -> InputError:
    path = tmp_path / "scan.zip"
    path.write_bytes(data)
    began = time.process_time()
    with pytest.raises(InputError) as caught:
        ingest(path, tmp_path / "out" / "capture")
    assert time.process_time() - began < 5.0
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
    assert {entry.name for entry in tmp_path.iterdir()} <= {"scan.zip", "out"}
    assert caught.value.found
    assert caught.value.expected
    assert caught.value.hint.endswith(".")
    return caught.value


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused(name: str, tmp_path: Path) -> None:
    assert type(refused(HOSTILE[name](), tmp_path)) is ArchiveError


@pytest.mark.parametrize("name", NOT_CAPTURES)
def test_an_archive_without_a_capture_is_refused(name: str, tmp_path: Path) -> None:
    assert type(refused(NOT_CAPTURES[name](), tmp_path)) is CaptureError


def test_the_messages_say_what_was_found(tmp_path: Path) -> None:
    assert "starts with text" in str(refused(HOSTILE["text named zip"](), tmp_path))
    assert "encrypted" in str(refused(HOSTILE["encrypted"](), tmp_path))
    assert "cut off" in str(refused(HOSTILE["cut at the end"](), tmp_path))
    assert "two entries named" in str(refused(HOSTILE["same name twice"](), tmp_path))
    assert "inflate" in str(refused(HOSTILE["bomb"](), tmp_path))


def test_a_folder_gives_no_file_outside_it(tmp_path: Path) -> None:
    folder = write_folder(export("scanner3d", count=1), tmp_path / "in")
    (tmp_path / "secret.png").write_bytes((folder / "depth_00000.png").read_bytes())
    (folder / "depth_00000.png").unlink()
    (folder / "depth_00000.png").symlink_to("../secret.png")
    with pytest.raises(ArchiveError, match="links out"):
        ingest(folder, tmp_path / "out")


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    folder = write_folder(export("scanner3d", count=1), tmp_path / "in")
    (folder / "depth_00000.png").unlink()
    os.mkfifo(folder / "depth_00000.png")
    with pytest.raises(CaptureError, match="depth"):
        ingest(folder, tmp_path / "out")


def test_what_a_mac_adds_to_a_zip_is_ignored(tmp_path: Path) -> None:
    files = {**export("scanner3d", count=2), "__MACOSX/._frame_00000.json": b"junk", ".DS_Store": b"junk"}
    assert len(ingest(write_zip(files, tmp_path / "scan.zip"), tmp_path / "out").frames) == 2


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ENTRIES", 5)
    path = write_zip(export("scanner3d", count=2), tmp_path / "scan.zip")
    with pytest.raises(ArchiveError, match="entries"), open_export(path):
        pass
    with pytest.raises(CaptureError, match="files"), open_export(write_folder(export("scanner3d"), tmp_path / "in")):
        pass


def test_a_member_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = write_zip({"a.json": b"x" * 1000}, tmp_path / "scan.zip")
    with open_export(path) as source, pytest.raises(CaptureError, match="1,000 bytes"):
        source.read("a.json", max_bytes=999)
    with open_export(path) as source:
        assert source.read("a.json", max_bytes=1000) == b"x" * 1000


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="nothing at"):
        ingest(tmp_path / "missing", tmp_path / "out")


def test_a_forest_of_folders_is_refused_quickly(tmp_path: Path) -> None:
    files = {f"{index % 3000}/{index}.bin": b"" for index in range(30_000)}
    assert "with 30000 files" in str(refused(zipped(files, method=zipfile.ZIP_STORED), tmp_path))


def test_json_that_nests_without_end_is_refused(tmp_path: Path) -> None:
    deep = {**export("scanner3d", count=1), "frame_00000.json": b"[" * 200_000}
    assert "frame_00000.json" in str(refused(zipped(deep, method=zipfile.ZIP_STORED), tmp_path))
