"""What kind of input a path is: posed frames, a layout scan or a finished mesh. Decided here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from cousins.capture.formats.single_frame import SingleFrameFiles, is_frame_image
from cousins.errors import CaptureError
from cousins.importers.meshes import MESH_SUFFIXES
from cousins.importers.rooms import find_room
from cousins.store import file_digest, json_digest

MAX_FILES: Final = 100_000
"""A folder with more files than this is no capture."""

InputKind: TypeAlias = Literal["capture", "room", "mesh"]
"""Posed frames, a layout scan (RoomPlan), or the finished mesh of one object."""


@dataclass(frozen=True, kw_only=True)
class ScanInput:
    """The user's input, named by its content."""

    path: Path
    """Folder or file."""
    digest: str
    """SHA-256 over its files and their names."""
    kind: InputKind = "capture"
    """How it becomes a scene."""


def recognise_input(source: Path) -> ScanInput:
    """Return the kind and digest of an input; raises `CaptureError` where there is nothing or far too much."""
    if not source.exists():
        raise CaptureError(
            f"nothing at {str(source)!r}",
            expected="a phone export, as a folder or a zip",
            hint="Check the path; `cousins demo` makes a capture to try.",
        )
    room = find_room(source)
    if room is not None:
        return ScanInput(path=room, digest=json_digest([room.name, file_digest(room)]), kind="room")
    if is_frame_image(source):
        parts = {name: file_digest(source.parent / name) for name in sorted(SingleFrameFiles(source).names)}
        return ScanInput(path=source, digest=json_digest([source.name, parts]))
    if source.is_file():
        kind: InputKind = "mesh" if source.suffix.lower() in MESH_SUFFIXES else "capture"
        return ScanInput(path=source, digest=json_digest([source.name, file_digest(source)]), kind=kind)
    return ScanInput(path=source, digest=_folder_digest(source))


def _folder_digest(source: Path) -> str:
    files: dict[str, str] = {}
    for path in source.rglob("*"):
        if path.is_file():
            files[path.relative_to(source).as_posix()] = file_digest(path)
        if len(files) > MAX_FILES:
            raise CaptureError(
                f"a folder with more than {MAX_FILES} files",
                expected="one phone export",
                hint="Give the folder of a single capture.",
            )
    return json_digest([source.resolve().name, files])
