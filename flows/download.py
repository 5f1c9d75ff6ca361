"""One file from its address to the disk: goes on where it was cut off, and is kept only with the right SHA-256."""

from __future__ import annotations

import hashlib
import shutil
import urllib.error
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from cousins.disk_errors import disk_error
from cousins.errors import InputError
from cousins.web import Answer, WebError, opened

DownloadProgress = Callable[[int, int | None], None]
"""Receives how many bytes have arrived, and how many there will be where known."""


class DownloadError(InputError):
    """A file that could not be had, or is not the one that was wanted."""


def download(address: str, path: Path, *, sha256: str, progress: DownloadProgress) -> bool:
    """Fetch a file unless it is there with the right hash; return whether anything was fetched.

    What came so far lies at `NAME.part` beside it. A wrong hash removes it and raises `DownloadError`, and so does an
    address that does not answer, which leaves the part for the next attempt.
    """
    if path.is_file() and hash_of(path) == sha256:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        _fetch(address, part, progress)
    except WebError as error:
        raise DownloadError(error.found, expected=error.expected, hint=error.hint) from error
    except (OSError, HTTPException) as error:
        full_disk = disk_error(error) if isinstance(error, OSError) else None
        if full_disk is not None:
            raise full_disk from error
        raise DownloadError(
            f"no whole answer from {address} ({error})",
            expected=path.name,
            hint="Type the same again: it goes on where it was cut off. Without a network, fetch it elsewhere and put "
            f"it at {path}.",
        ) from error
    actual_sha256 = hash_of(part)
    if actual_sha256 != sha256:
        part.unlink()
        raise DownloadError(
            f"SHA-256 {actual_sha256} of {path.name} from {address}",
            expected=sha256,
            hint="The file was removed. Type the same again; if it stays so, it is not the file that was meant.",
        )
    part.replace(path)
    return True


def hash_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(address: str, part: Path, progress: DownloadProgress) -> None:
    have = part.stat().st_size if part.is_file() else 0
    try:
        with opened(address, start=have, any_host=True) as answer:
            _append(answer, part, have if answer.status == 206 else 0, progress)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        error.close()


def _append(answer: Answer, part: Path, have: int, progress: DownloadProgress) -> None:
    """Write an answer after the first `have` bytes; raises `HTTPException` where it ends early."""
    length = answer.headers.get("Content-Length")
    total = None if length is None else have + int(length)
    with part.open("r+b" if have else "wb") as file:
        file.seek(have)
        for block in answer.chunks():
            file.write(block)
            progress(file.tell(), total)
        file.truncate()
        if total is not None and file.tell() < total:
            raise HTTPException(f"{file.tell()} of {total} bytes")


def free_bytes(folder: Path) -> int:
    """Return the free space where a folder is or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
