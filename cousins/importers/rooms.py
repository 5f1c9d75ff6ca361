"""Find and read a layout scan: RoomPlan's JSON or USDZ, alone or in a folder without frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from cousins.capture.decoders import parsing
from cousins.errors import CaptureError
from cousins.rooms.prims import read_usd_room
from cousins.rooms.room import Room
from cousins.rooms.roomplan import is_roomplan, read_roomplan
from cousins.sandbox import SandboxError, run_sandboxed

USD_SUFFIX: Final = ".usdz"
JSON_SUFFIX: Final = ".json"
MAX_USD_BYTES: Final = 512 << 20
"""Largest USDZ that is opened [bytes]; rooms have some hundred kilobytes."""


def find_room(source: Path) -> Path | None:
    """Return the layout scan at a path, or None where it is something else: a capture, an archive.

    Raises CaptureError where a folder holds several rooms.
    """
    if source.is_file():
        return source if _is_roomplan_json(source) or _is_room_usd(source) else None
    if not source.is_dir():
        return None
    files = sorted(path for path in source.iterdir() if path.is_file())
    if any(path.suffix.lower() in (".png", ".jpg", ".jpeg", ".exr", ".depth") for path in files):
        return None
    json_files = [path for path in files if _is_roomplan_json(path)]
    rooms = json_files or [path for path in files if _is_room_usd(path)]
    if len(rooms) > 1:
        raise CaptureError(
            f"{len(rooms)} rooms in {source.name}: {', '.join(path.name for path in rooms[:5])}",
            expected="one",
            hint="Name one of the files.",
        )
    return rooms[0] if rooms else None


def read_room(path: Path) -> Room:
    """Return the room of a RoomPlan file; USD is opened in a process of its own.

    Raises CaptureError where it is none, damaged or hostile.
    """
    if path.suffix.lower() != USD_SUFFIX:
        return read_roomplan(path.read_bytes(), name=path.stem)
    try:
        output = run_sandboxed("cousins.scene.usd.room_worker", path) if path.stat().st_size <= MAX_USD_BYTES else b""
    except SandboxError as error:
        raise _unreadable(path, str(error)) from error
    if not output:
        raise _unreadable(path, f"it is larger than {MAX_USD_BYTES >> 20} MB")
    return read_usd_room(json.loads(output.splitlines()[-1]), name=path.stem)


def _is_roomplan_json(path: Path) -> bool:
    if path.suffix.lower() != JSON_SUFFIX or path.stat().st_size > parsing.MAX_JSON_BYTES:
        return False
    try:
        return is_roomplan(parsing.parse_json(path.read_bytes(), context=path.name))
    except CaptureError:
        return False


def _is_room_usd(path: Path) -> bool:
    """Return whether a USDZ has a wall as RoomPlan names it."""
    if path.suffix.lower() != USD_SUFFIX or path.stat().st_size > MAX_USD_BYTES:
        return False
    try:
        record = json.loads(run_sandboxed("cousins.scene.usd.room_worker", path).splitlines()[-1])
    except SandboxError:
        return False
    return any(str(solid.get("name", "")).startswith("Wall") for solid in record.get("solids", []))


def _unreadable(path: Path, reason: str) -> CaptureError:
    return CaptureError(
        f"{path.name}, which does not open: {reason}",
        expected="a room scanned by RoomPlan, as USDZ or JSON",
        hint="Export the room again; do not open this file elsewhere before you know where it comes from.",
    )
