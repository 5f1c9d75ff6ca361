"""Where a scene may be put, and whether what lies there is the result of the same run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from cousins.errors import SceneError
from cousins.publishing import Contents, contents

MARKS: Final = ("scene.json", "report.json")
"""Files by which a folder is known as ours to replace."""
MAX_REPORT_BYTES: Final = 64 << 20
"""Largest report that is read to see which run made it."""


def require_free(target: Path, *, force: bool) -> Contents:
    """Return what lies at `target` now, for `publish_folder`; raises SceneError unless a scene may be put there."""
    before = contents(target)
    if not before:
        return before
    is_scene = target.is_dir() and not target.is_symlink() and any((target / name).is_file() for name in MARKS)
    if is_scene and force:
        return before
    raise SceneError(
        f"{'a scene' if is_scene else 'something that is no scene'} at {str(target)!r} already",
        expected="a new or empty folder",
        hint="Add --force to replace it." if is_scene else "Choose another folder with -o.",
    )


def published_run(target: Path) -> tuple[str, str] | None:
    """Return the request and the digest of the scan whose result lies at `target`, as its report names them."""
    report = target / "report.json"
    if target.is_symlink() or not report.is_file() or report.stat().st_size > MAX_REPORT_BYTES:
        return None
    try:
        record = json.loads(report.read_bytes())
        request, digest = record["request"], record["digest"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (request, digest) if isinstance(request, str) and isinstance(digest, str) else None
