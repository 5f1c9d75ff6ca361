"""Put a finished folder in its place in one step, or leave everything as it was."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from pathlib import Path

from cousins.errors import SceneError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
MARKS = ("scene.json", "report.json")
"""Files by which a folder is known as ours to replace."""


def require_free(target: Path, *, force: bool) -> None:
    """Raise SceneError unless a folder may be put at `target`; checked before any work."""
    if not target.exists() and not target.is_symlink():
        return
    if target.is_dir() and not target.is_symlink() and not any(target.iterdir()):
        return
    is_scene = target.is_dir() and not target.is_symlink() and any((target / name).is_file() for name in MARKS)
    if is_scene and force:
        return
    raise SceneError(
        f"{'a scene' if is_scene else 'something that is no scene'} at {str(target)!r} already",
        expected="a new or empty folder",
        hint="Add --force to replace it." if is_scene else "Choose another folder with -o.",
    )


def publish(fresh: Path, target: Path) -> None:
    """Move the folder `fresh` to `target`; what was there is swapped out atomically and then deleted."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        moved = staging / "new"
        shutil.move(fresh, moved)
        moved.chmod(0o755)
        if target.exists():
            _exchange(moved, target)
        else:
            moved.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _exchange(first: Path, second: Path) -> None:
    """Swap two folders with Linux's renameat2(2), so that no reader ever finds nothing there."""
    library = ctypes.CDLL(None, use_errno=True)
    arguments = (_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    if library.renameat2(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(second))
