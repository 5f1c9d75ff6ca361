"""Turn what the system says about a disk into an error that names the place and what to do."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cousins.errors import ResourceError

_CAUSES: Final = {
    errno.ENOSPC: ("no space left", "room on the disk", "Free some space."),
    errno.EDQUOT: (
        "a quota that is used up",
        "room in your quota",
        "Delete files of yours, or ask for a larger quota.",
    ),
    errno.EROFS: (
        "a read-only file system",
        "a disk that may be written",
        "Mount it writable, or choose another place.",
    ),
    errno.EIO: ("an input/output error", "a disk that works", "Look at `dmesg`: the disk or its cable may be broken."),
    errno.EACCES: ("no right", "the right to read and write there", "Change the rights (chmod, chown)."),
    errno.EPERM: ("no right", "the right to read and write there", "Change the rights (chmod, chown)."),
    errno.ENAMETOOLONG: ("a path that is too long", "names of at most 255 bytes", "Choose a shorter path."),
    errno.EFBIG: (
        "a file that grew too large",
        "a limit that fits it",
        "Raise `ulimit -f`, or the disk's largest size.",
    ),
    errno.EMFILE: ("too many open files", "room for another one", "Raise the limit: `ulimit -n 4096`."),
    errno.ENFILE: ("too many open files", "room for another one", "Close other programs."),
    errno.ELOOP: ("links in a circle", "a path that ends somewhere", "Mend the links."),
    errno.ENODEV: ("no device", "a file or folder", "Name another path."),
    errno.ENXIO: ("no device", "a file or folder", "Name another path."),
    errno.ESTALE: ("a network disk that is gone", "a disk that answers", "Mount it again."),
    errno.ETXTBSY: ("a file in use", "a file that nobody runs", "Close what uses it."),
    errno.ENOTDIR: ("a file where a folder belongs", "a folder", "Choose another path."),
    errno.EISDIR: ("a folder where a file belongs", "a file", "Choose another path."),
    errno.ENOMEM: ("no memory left", "memory for another step", "Close other programs."),
}
"""What was found, what was expected and what to do, by error number."""
_AGAIN: Final = "Then type the same command again."
LEAST_ROOM_BYTES: Final = 64 << 20
"""Least room with which work is begun [bytes]."""


@contextmanager
def disk_errors(place: Path, *, hint: str = _AGAIN) -> Iterator[None]:
    """Raise `ResourceError` for what the system says of files; `place` is named where it names no path."""
    try:
        yield
    except OSError as error:
        explained = disk_error(error, place=place, hint=hint)
        if explained is None:
            raise
        raise explained from error


def disk_error(error: OSError, *, place: Path | None = None, hint: str = _AGAIN) -> ResourceError | None:
    """Return the error for the user; None for what has nothing to do with a disk."""
    cause = _CAUSES.get(error.errno or 0)
    if cause is None:
        return None
    problem, expected, action = cause
    path = error.filename if isinstance(error.filename, str | bytes) else place
    name = "" if path is None else f" at {os.fsdecode(path)!r}"
    return ResourceError(f"{problem}{name} ({error.strerror})", expected=expected, hint=f"{action} {hint}")


def require_room(folder: Path, *, least_bytes: int = LEAST_ROOM_BYTES) -> None:
    """Raise `ResourceError` before any work unless a folder, or the one that it will be made in, can be written."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    if not os.access(existing, os.W_OK | os.X_OK):
        number = errno.EROFS if os.statvfs(existing).f_flag & os.ST_RDONLY else errno.EACCES
        raise disk_error(OSError(number, os.strerror(number), os.fspath(existing)))  # type: ignore[misc]
    free = shutil.disk_usage(existing).free
    if free < least_bytes:
        raise ResourceError(
            f"{free / 1e6:.0f} MB free at {os.fspath(existing)!r}",
            expected=f"at least {least_bytes / 1e6:.0f} MB",
            hint=f"Free some space. {_AGAIN}",
        )
