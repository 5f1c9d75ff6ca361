"""Put finished files and folders in their place in one step; replace nothing that was not there at the start.

What is being written lies in a staging folder `.cousins-XXXXXXXX` beside its target, locked by its process. Staging
folders of processes that have ended, killed or not, are removed by the next one that stages in the same folder.

A target that was absent is put in place by Linux's renameat2(RENAME_NOREPLACE). Where kernel or file system lack it,
a folder is moved by rename(2), which replaces at most an empty folder, and a file by link(2), which replaces
nothing. A folder that is replaced is exchanged by RENAME_EXCHANGE; without that call the old one is moved aside first,
so that for an instant a reader finds nothing there.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

from cousins.errors import OutputError

STAGING_PREFIX: Final = ".cousins-"
"""Beginning of the names of staging folders."""
_AT_FDCWD: Final = -100
_RENAME_NOREPLACE: Final = 1
_RENAME_EXCHANGE: Final = 2
_NO_SUCH_CALL: Final = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)
"""Errors of kernels and file systems without renameat2(2) or its flags."""
_OCCUPIED: Final = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR)

Contents: TypeAlias = Mapping[str, tuple[int, int, int]]
"""Mode, size [bytes] and time of change [ns] of everything in a folder, by relative path."""


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder in `parent`, which is made where it is absent; what is left in it is removed on exit.

    Staging folders that killed processes left in `parent` are removed first.
    """
    folder, lock = begin_staging(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def begin_staging(parent: Path) -> tuple[Path, int]:
    """Return a new folder in `parent` and the descriptor that locks it, once those of ended processes are removed."""
    parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(parent)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=parent))
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # removed as abandoned before it was locked
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder, lock
        os.close(lock)


def remove_abandoned(parent: Path) -> None:
    """Remove the staging folders in a folder whose processes have ended; those of other users stay."""
    with os.scandir(parent) as entries:
        staged = [Path(entry.path) for entry in entries if entry.name.startswith(STAGING_PREFIX)]
    for folder in staged:
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


@contextmanager
def claimed_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for this process alone; it is made where it is absent, and removed again where it stays empty.

    Raises `OutputError` where another process holds it. The system ends the claim of a killed process.
    """
    absent = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise OutputError(
            f"another process that writes to {os.fspath(folder)!r}",
            expected="one at a time",
            hint="Wait until it has ended, or choose another folder with -o.",
        ) from error
    finally:
        if absent:
            with suppress(OSError):
                folder.rmdir()
        os.close(lock)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file atomically: a reader sees either the old or the new bytes, also after a crash."""
    with staging_folder(path.parent) as staging:
        fresh = staging / "file"
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    sync(path.parent)


def write_new(path: Path, data: bytes) -> None:
    """Write a file where none is, whole or not at all; raises `OutputError` where one with other bytes is."""
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return
    with staging_folder(path.parent) as staging:
        fresh = staging / "file"
        fresh.write_bytes(data)
        move_new(fresh, path)


def sync(path: Path) -> None:
    """Hand a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def contents(path: Path) -> Contents:
    """Return what lies in a folder; nothing for an absent or empty one. A file or a link is its own only entry."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return {}
    if not stat.S_ISDIR(status.st_mode):
        return {"": _identity(status)}
    entries = (Path(folder) / name for folder, *names in os.walk(path) for name in (*names[0], *names[1]))
    return {entry.relative_to(path).as_posix(): _identity(entry.lstat()) for entry in entries}


def publish_folder(fresh: Path, target: Path, *, before: Contents) -> None:
    """Move the folder `fresh` to `target`; `before` is what `contents` gave there before the work began.

    That is exchanged atomically and then deleted. Raises `OutputError`, and leaves the target as it is, where anything
    else is there now.
    """
    with staging_folder(target.parent) as staging:
        moved = staging / "new"
        shutil.move(fresh, moved)
        moved.chmod(0o755)
        if not before:
            move_new(moved, target)
            return
        _require_unchanged(target, target, before)
        exchange(moved, target)
        try:
            _require_unchanged(moved, target, before)
        except OutputError:
            exchange(moved, target)
            raise


def move_new(source: Path, target: Path) -> None:
    """Move a file or folder to where nothing, or for a folder an empty folder, lies; raises `OutputError` otherwise."""
    try:
        if source.is_dir() and target.is_dir() and not target.is_symlink():
            source.rename(target)  # rename(2) replaces at most an empty folder
            return
        _rename_without_replacing(source, target)
    except OSError as error:
        if error.errno in _OCCUPIED:
            raise _occupied_error(target) from error
        raise


def exchange(first: Path, second: Path) -> None:
    """Exchange two paths of one disk, in one step where the system can."""
    number = _renameat2(first, second, _RENAME_EXCHANGE)
    if number == 0:
        return
    if number not in _NO_SUCH_CALL:
        raise OSError(number, os.strerror(number), os.fspath(second))
    aside = first.with_name(f"{first.name}.aside")
    second.rename(aside)
    try:
        first.rename(second)
    except OSError:
        aside.rename(second)
        raise
    aside.rename(first)


def _rename_without_replacing(source: Path, target: Path) -> None:
    number = _renameat2(source, target, _RENAME_NOREPLACE)
    if number == 0:
        return
    if number not in _NO_SUCH_CALL:
        raise OSError(number, os.strerror(number), os.fspath(target))
    if source.is_dir():
        source.rename(target)
        return
    os.link(source, target, follow_symlinks=False)
    source.unlink()


def _renameat2(source: Path, target: Path, flags: int) -> int:
    """Return the error number of renameat2(2), 0 for none, ENOSYS where the system has no such call."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return errno.ENOSYS
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) == 0:
        return 0
    return ctypes.get_errno()


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    """Return what changes when somebody writes; the size and times of a folder follow from its entries."""
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode, 0, 0)
    return (status.st_mode, status.st_size, status.st_mtime_ns)


def _require_unchanged(folder: Path, target: Path, before: Contents) -> None:
    now = contents(folder)
    if now != before:
        changed = sorted(name for name in {*now, *before} if now.get(name) != before.get(name))
        raise _occupied_error(target, changed)


def _occupied_error(target: Path, changed: list[str] | None = None) -> OutputError:
    names = f" ({', '.join(changed[:3])}{', …' if len(changed) > 3 else ''})" if changed else ""
    return OutputError(
        f"files{names} at {os.fspath(target)!r} that came or changed while this ran",
        expected="the folder as it was at the start",
        hint="They were left alone and nothing was written. Type the same with another -o; finished stages are kept.",
    )
