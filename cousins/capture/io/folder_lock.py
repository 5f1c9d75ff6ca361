"""One writer per folder, and no remains of a killed one."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from cousins.errors import CaptureError


def claim(part: Path) -> int:
    """Make an empty working folder, lock it and return the lock; what a killed process left there is removed."""
    part.parent.mkdir(parents=True, exist_ok=True)
    part.mkdir(exist_ok=True)
    lock = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise CaptureError(
            f"another process writing {part}", expected="one writer", hint="Wait for it or name another folder."
        ) from error
    for left in part.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    return lock
