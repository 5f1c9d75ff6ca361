"""What kind of input a path is: posed frames, a layout scan or a finished mesh. Decided here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from cousins.capture.formats.single_frame import SingleFrameFiles, is_frame_image
from cousins.errors import CaptureError
from cousins.importers.articulation import DESCRIPTION_SUFFIXES
from cousins.importers.meshes import MAX_MESH_BYTES, MESH_SUFFIXES
from cousins.importers.rooms import find_room
from cousins.store import file_digest, json_digest

MAX_BYTES: Final = 20 << 30
"""A file larger than this is no capture, and is not read [bytes]."""
UNREAD_SUFFIXES: Final = (".dae", ".fbx", ".gltf", ".step", ".stp", ".iges", ".igs", ".blend", ".3mf", ".max", ".skp")
"""Kinds of file with shapes that are not read."""
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
    is_mesh = source.suffix.lower() in MESH_SUFFIXES
    _require_readable(source, is_mesh=is_mesh)
    room = find_room(source)
    if room is not None:
        return ScanInput(path=room, digest=json_digest([room.name, file_digest(room)]), kind="room")
    if is_frame_image(source):
        parts = {name: file_digest(source.parent / name) for name in sorted(SingleFrameFiles(source).names)}
        return ScanInput(path=source, digest=json_digest([source.name, parts]))
    if source.is_file():
        _require_scannable(source)
        kind: InputKind = "mesh" if is_mesh else "capture"
        return ScanInput(path=source, digest=json_digest([source.name, file_digest(source)]), kind=kind)
    return ScanInput(path=source, digest=_folder_digest(source))


def _require_readable(source: Path, *, is_mesh: bool) -> None:
    """Raise `CaptureError` for pipes, devices and files too large, before anything of them is read."""
    if not source.is_dir() and not source.is_file():
        raise CaptureError(
            f"neither a file nor a folder at {str(source)!r}",
            expected="a phone export, as a folder or a zip",
            hint="A pipe or a device cannot be read twice: copy what it gives into a file.",
        )
    most_bytes = MAX_MESH_BYTES if is_mesh else MAX_BYTES
    if source.is_file() and source.stat().st_size > most_bytes:
        raise CaptureError(
            f"{source.stat().st_size / 1e9:.1f} GB in {source.name!r}",
            expected=f"at most {most_bytes / 1e9:.1f} GB",
            hint="Make the mesh lighter." if is_mesh else "Give the folder of one export, or a shorter recording.",
        )


def _require_scannable(source: Path) -> None:
    """Raise `CaptureError` for kinds of file that another command takes or that have to be converted."""
    suffix = source.suffix.lower()
    if suffix in DESCRIPTION_SUFFIXES:
        raise CaptureError(
            f"{source.name!r}, the description of a thing with joints",
            expected="a phone export, a room or a finished mesh",
            hint="Put it and its meshes into a folder and type `cousins assets add FOLDER --licence SPDX`.",
        )
    if suffix in UNREAD_SUFFIXES:
        raise CaptureError(
            f"{source.name!r}, of a kind that is not read",
            expected="a mesh as " + ", ".join(MESH_SUFFIXES),
            hint="Export it as GLB (Blender reads most kinds), or STL with --unit from a CAD program.",
        )


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
