"""Access to the files of an export: a folder or a zip, read member by member and never extracted.

Rules for a zip (each with its own error): valid zip; at most 200 000 entries; at most 20 GiB in all and 4 GiB
each; no entry inflates more than 200 times (2000 times below 1 MiB); names are relative, without `..`, backslash,
drive, control characters or duplicates (also when letter case is ignored); plain files only; not encrypted; stored or
deflated; entries do not overlap; sizes and checksums match. A folder gives only plain files inside it.
"""

from __future__ import annotations

import os
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from cousins.errors import ArchiveError, CaptureError

MAX_ENTRIES = 200_000
"""Maximum number of entries of an archive or files of a folder."""
MAX_MEMBER_BYTES = 4 << 30
"""Largest member of an archive [bytes]."""
MAX_TOTAL_BYTES = 20 << 30
"""Largest total inflated size of all members [bytes]."""
MAX_RATIO = 200
"""Largest compression ratio of a member; photos and depth images reach 1, text 20."""
MAX_SMALL_RATIO = 2000
"""Largest compression ratio of a member below `SMALL_BYTES`."""
SMALL_BYTES = 1 << 20
"""Inflated size below which a member is harmless at a higher compression ratio [bytes]."""
MAX_READ_BYTES = 256 << 20
"""Default limit of the size of one member that a reader requests [bytes]."""

_LOCAL_HEADER_BYTES = 30
_END_BYTES = 22
_ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, OverflowError)
_IGNORED_NAMES = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


class ExportFiles(Protocol):
    """The files of one export."""

    @property
    def label(self) -> str:
        """Short name of the export for messages, from its folder or file."""

    @property
    def names(self) -> frozenset[str]:
        """Relative POSIX paths of all files."""

    def read(self, name: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes:
        """Return the bytes of one file; raises CaptureError where it is missing or larger than `max_bytes`."""


class FolderFiles:
    """The files below a folder."""

    def __init__(self, root: Path) -> None:
        """List the files below `root`."""
        self.label = root.resolve().name
        self.names = frozenset(_list_files(root))
        self._root = root.resolve()

    def read(self, name: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes:
        """Return the bytes of one file inside the folder."""
        if name not in self.names:
            raise _missing_error(name, self.label)
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root):
            raise ArchiveError(
                f"{name} that links out of {self.label}",
                expected="files inside the export",
                hint="Copy the linked file into the folder.",
            )
        try:
            size = path.stat().st_size
            if size > max_bytes:
                raise _too_large_error(name, size, max_bytes)
            return path.read_bytes()
        except OSError as error:
            raise CaptureError(
                f"{name} that cannot be read ({error.strerror})",
                expected="a readable file",
                hint="Check its permissions or copy the export again.",
            ) from error


class ZipFiles:
    """The members of a zip."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        """Validate every entry's name, kind and declared size."""
        self.label = path.stem
        self._archive = archive
        self._entries: dict[str, zipfile.ZipInfo] = {}
        _check_layout(archive)
        folded_names: set[str] = set()
        for entry in archive.infolist():
            name = _checked_name(entry)
            folded = name.casefold()
            if folded in folded_names:
                raise _hostile_error(f"two entries named {name!r}", "every name once")
            folded_names.add(folded)
            _check_entry(entry)
            if not entry.is_dir() and not _is_ignored(name):
                self._entries[name] = entry
        self.names = frozenset(self._entries)

    def read(self, name: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes:
        """Return the bytes of one member; its size and checksum are verified while reading."""
        entry = self._entries.get(name)
        if entry is None:
            raise _missing_error(name, self.label)
        if entry.file_size > max_bytes:
            raise _too_large_error(name, entry.file_size, max_bytes)
        try:
            with self._archive.open(entry) as stream:
                data = stream.read(entry.file_size + 1)
        except (*_ZIP_ERRORS, RuntimeError) as error:
            raise _damaged_error(f"a damaged member {name!r} ({error})") from error
        if len(data) != entry.file_size:
            raise _hostile_error(f"{name!r} of {len(data):,} bytes", f"{entry.file_size:,} as the zip says")
        return data


class SubfolderFiles:
    """The files of an export below one of its folders."""

    def __init__(self, source: ExportFiles, folder: str) -> None:
        """Present `folder`, such as `EXR_RGBD/`, as if it were the whole export."""
        self.label = source.label
        self._source, self._folder = source, folder
        self.names = frozenset(name[len(folder) :] for name in source.names if name.startswith(folder))

    def read(self, name: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes:
        """Return the bytes of one file."""
        return self._source.read(self._folder + name, max_bytes=max_bytes)


@contextmanager
def open_export(path: Path) -> Iterator[ExportFiles]:
    """Open a folder or a zip as export files; raises ArchiveError or CaptureError where it is neither."""
    if path.is_dir():
        yield FolderFiles(path)
        return
    if not path.is_file():
        raise CaptureError(
            f"nothing at {path}" if not path.exists() else f"{path} that is neither file nor folder",
            expected="a folder or a zip with a phone export",
            hint="Check the path: `ls` shows what is there.",
        )
    _check_magic(path)
    try:
        archive = zipfile.ZipFile(path)
    except (*_ZIP_ERRORS, RuntimeError, UnicodeError) as error:
        raise _damaged_error(f"{path.name}, a damaged zip ({error})") from error
    with archive:
        yield ZipFiles(path, archive)


def list_folders(names: Iterable[str], *, depth: int) -> list[str]:
    """Return the folders of the files, at most `depth` deep, shallow first; the root is the empty string."""
    result = {""}
    for name in names:
        parts = name.split("/")[:-1]
        result.update("/".join(parts[:count]) + "/" for count in range(1, min(len(parts), depth) + 1))
    return sorted(result, key=lambda folder: (folder.count("/"), folder))


def _list_files(root: Path) -> Iterator[str]:
    count = 0
    for folder, _, files in os.walk(root):
        for file in files:
            path = Path(folder) / file
            name = path.relative_to(root).as_posix()
            if _is_ignored(name) or not path.is_file():
                continue
            count += 1
            if count > MAX_ENTRIES:
                raise CaptureError(
                    f"more than {MAX_ENTRIES:,} files in {root}",
                    expected="one phone export",
                    hint="Name the folder of a single scan.",
                )
            yield name


def _is_ignored(name: str) -> bool:
    parts = name.split("/")
    return parts[0] in _IGNORED_NAMES or parts[-1] in _IGNORED_NAMES or parts[-1].startswith("._")


def _check_magic(path: Path) -> None:
    """Raise ArchiveError for a file that is no zip, or a zip whose directory is too large to read into memory."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, size - _END_BYTES - 65535))
        tail = file.read()
    if head not in (b"PK\x03\x04", b"PK\x05\x06"):
        beginning = "text" if head.isascii() and head.strip() else f"bytes {head.hex(' ')}" if head else "nothing"
        raise ArchiveError(
            f"{path.name} that starts with {beginning}",
            expected="a zip or a folder",
            hint="Pass the folder or the zip that the app exported, unchanged: cousins scan EXPORT.zip -o SCENE.",
        )
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < _END_BYTES:
        raise _damaged_error(f"{path.name} without an end: it is cut off")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    if directory != 0xFFFFFFFF and directory > MAX_ENTRIES * 256:
        raise _hostile_error(f"a directory of {directory:,} bytes", f"at most {MAX_ENTRIES:,} entries")
    if directory == 0xFFFFFFFF and size > MAX_TOTAL_BYTES:
        raise _hostile_error(f"a zip of {size:,} bytes", f"at most {MAX_TOTAL_BYTES:,} bytes")


def _check_layout(archive: zipfile.ZipFile) -> None:
    """Raise ArchiveError for too many entries, too many bytes, or overlapping entries (zip bombs)."""
    entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    if len(entries) > MAX_ENTRIES:
        raise _hostile_error(f"{len(entries):,} entries", f"at most {MAX_ENTRIES:,}")
    total = sum(entry.file_size for entry in entries)
    if total > MAX_TOTAL_BYTES:
        raise _hostile_error(f"{total:,} bytes in all", f"at most {MAX_TOTAL_BYTES:,}")
    starts = [entry.header_offset for entry in entries] + [archive.start_dir]
    for entry, following in zip(entries, starts[1:], strict=True):
        shortest = _LOCAL_HEADER_BYTES + len(entry.orig_filename) + entry.compress_size
        if entry.header_offset + shortest > following:
            raise _hostile_error(f"overlapping entries at {entry.orig_filename!r}", "entries one after another")


def _checked_name(entry: zipfile.ZipInfo) -> str:
    """Return the entry's path, normalised to composed Unicode."""
    name = unicodedata.normalize("NFC", entry.orig_filename)
    parts = PurePosixPath(name).parts
    control = any(ord(letter) < 32 or ord(letter) == 127 for letter in name)
    drive = len(name) > 1 and name[1] == ":"
    if not parts or control or drive or "\\" in name or name.startswith("/") or ".." in parts or len(name) > 1000:
        raise _hostile_error(f"an entry named {name[:80]!r}", "relative names inside the archive")
    return "/".join(parts) if not name.endswith("/") else "/".join(parts) + "/"


def _check_entry(entry: zipfile.ZipInfo) -> None:
    """Raise ArchiveError for links, devices, encryption, unsupported compression and zip bombs."""
    name = entry.filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _hostile_error(f"{name!r}, a link or device", "plain files")
    if entry.flag_bits & _ENCRYPTED_FLAGS:
        raise ArchiveError(
            f"an encrypted member {name!r}",
            expected="a zip without password",
            hint="Zip the export again, without one.",
        )
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(
            f"{name!r} compressed by method {entry.compress_type}",
            expected="a zip with stored or deflated members",
            hint="Zip the export again with the system's own tool.",
        )
    allowed = MAX_SMALL_RATIO if entry.file_size < SMALL_BYTES else MAX_RATIO
    if entry.file_size > MAX_MEMBER_BYTES or entry.file_size > allowed * max(entry.compress_size, 1):
        raise _hostile_error(
            f"{name!r}, {entry.compress_size:,} bytes that claim to inflate to {entry.file_size:,}",
            f"at most {allowed} times and {MAX_MEMBER_BYTES:,} bytes",
        )


def _hostile_error(observed: str, expected: str) -> ArchiveError:
    return ArchiveError(
        observed, expected=expected, hint="Do not trust this file; export the scan from the phone again."
    )


def _damaged_error(observed: str) -> ArchiveError:
    return ArchiveError(
        observed,
        expected="a whole zip",
        hint="Copy it from the phone again until `unzip -t FILE` finds no errors, then: cousins scan FILE -o SCENE.",
    )


def _missing_error(name: str, label: str) -> CaptureError:
    return CaptureError(f"no {name} in {label}", expected="a complete export", hint="Copy or export the scan again.")


def _too_large_error(name: str, size: int, max_bytes: int) -> CaptureError:
    return CaptureError(
        f"{name} of {size:,} bytes", expected=f"at most {max_bytes:,}", hint="This is no file of a phone export."
    )
