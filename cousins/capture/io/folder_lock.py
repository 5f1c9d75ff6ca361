"""Exclusive working folder of a writer, cleaned of leftovers of killed processes."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from cousins.errors import CaptureError


def lock_work_folder(folder: Path) -> int:
    """Create and lock an empty working folder and return the lock's file descriptor; leftovers in it are deleted.

    Raises CaptureError where another process holds the lock.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise CaptureError(
            f"another process writing {folder}", expected="one writer", hint="Wait for it or name another folder."
        ) from error
    for leftover in folder.iterdir():
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    return lock
