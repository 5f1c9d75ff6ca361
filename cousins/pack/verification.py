"""Verify a pack folder against its digest: every blob's SHA-256, and nothing missing."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cousins.errors import CousinsError, PackError
from cousins.pack.blobs import Blob
from cousins.pack.packs import Pack, open_folder, selection_of
from cousins.pack.transfer.selection import needed_blobs

_CHUNK_BYTES: Final = 1 << 20
"""Bytes hashed at a time: what a cache of the processor holds."""


@dataclass(frozen=True, kw_only=True)
class VerificationReport:
    """Result of a verification."""

    digest: str
    """Digest of the pack; empty where its manifest is broken."""
    files: int
    """Files that were to be there."""
    bytes: int
    """Bytes that were hashed."""
    bad: tuple[tuple[str, str], ...]
    """Path and problem of every invalid file or cousin."""
    extra: tuple[str, ...]
    """Files among the blobs that the pack does not name; they do no harm."""
    cousins: int
    """Cousins that are there."""
    splits: dict[str, int]
    """Cousins in the pack by split."""

    @property
    def ok(self) -> bool:
        """True where nothing is bad."""
        return not self.bad


def verify(folder: Path, *, digest: str | None = None, deep: bool = False) -> VerificationReport:
    """Hash everything in a pack folder; `deep` also reads every cousin, as a simulator would.

    `digest` is what the pack should be; by default that of `pack.sha256`. Raises `PackError` where there is no pack.
    """
    try:
        pack = open_folder(folder)
        numbers = selection_of(folder)
        blobs = needed_blobs(pack, numbers)
    except PackError as error:
        if not (folder / "pack.json").is_file():
            raise
        return _broken_manifest(f"{error.found}; expected {error.expected}")
    bad = [] if digest in (None, pack.digest) else [("pack.json", f"its digest is {pack.digest}, not {digest}")]
    root, buffer, expected = os.fspath(folder), bytearray(_CHUNK_BYTES), {blob.key: blob for blob in blobs}
    for key, blob in expected.items():
        trouble = check_file(f"{root}/{key}", blob, buffer=buffer)
        if trouble:
            bad.append((key, trouble))
    if deep and not bad:
        bad = _unreadable(pack, pack.indices() if numbers is None else numbers)
    return VerificationReport(
        digest=pack.digest,
        files=len(blobs) + 2,
        bytes=sum(blob.size for blob in blobs),
        bad=tuple(bad),
        extra=tuple(sorted(_blob_files(root) - set(expected))),
        cousins=len(pack) if numbers is None else len(numbers),
        splits=pack.manifest.splits,
    )


def check_file(path: str | Path, blob: Blob, *, buffer: bytearray | None = None) -> str:
    """Return the problem of a file that should be a blob, empty for none; links are not followed.

    A `buffer` that is used again spares the time of making one, which for small files is most of it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return "no plain file"
        if status.st_size != blob.size:
            return f"{status.st_size} bytes, not {blob.size}"
        buffer = bytearray(min(_CHUNK_BYTES, blob.size + 1)) if buffer is None else buffer
        view, total = memoryview(buffer), hashlib.sha256()
        left = blob.size
        while left > 0 and (count := os.readv(handle, (buffer,))):
            total.update(view[:count])
            left -= count
    finally:
        os.close(handle)
    return "" if total.hexdigest() == blob.digest else "other bytes than its name says"


def _unreadable(pack: Pack, numbers: list[int]) -> list[tuple[str, str]]:
    bad = []
    for number in numbers:
        try:
            pack.scene(number)
        except CousinsError as error:
            bad.append((f"cousin {number}", str(error)))
    return bad


def _blob_files(root: str) -> set[str]:
    """Return what lies two levels below `blobs/`, where blobs lie, and what is no folder above."""
    names = set()
    for name in os.listdir(f"{root}/blobs") if os.path.isdir(f"{root}/blobs") else ():  # noqa: PTH112, PTH208
        try:
            names |= {f"blobs/{name}/{inner}" for inner in os.listdir(f"{root}/blobs/{name}")}  # noqa: PTH208
        except NotADirectoryError:
            names.add(f"blobs/{name}")
    return names


def _broken_manifest(trouble: str) -> VerificationReport:
    return VerificationReport(
        digest="", files=0, bytes=0, bad=(("pack.json", trouble),), extra=(), cousins=0, splits={}
    )
