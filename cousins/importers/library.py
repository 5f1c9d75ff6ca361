"""Import a folder of meshes as assets: found, repaired, decomposed, given masses, and measured.

Mesh files are decoded in a process of their own. Collision meshes beside a visual mesh are ignored: pieces are
computed from the visual mesh, so that all assets meet the same quality gates.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from cousins.affordances import measure_affordances
from cousins.errors import CousinsError, InputError
from cousins.families.library import LibraryAsset
from cousins.importers.articulated import articulated_asset, read_articulation
from cousins.importers.articulation import DESCRIPTION_SUFFIXES, mesh_file
from cousins.importers.articulation import MAX_DESCRIPTION_BYTES as LARGEST
from cousins.importers.meshes import MAX_MESH_BYTES, MESH_SUFFIXES, UpAxis, asset_of_mesh, read_mesh, solid_thing
from cousins.importers.mjcf_includes import read_with_includes
from cousins.importers.units import LengthUnit
from cousins.meshes import Mesh
from cousins.reconstruct.build import upright_frame

MAX_TEXTURE_PX: Final = 512
"""Longest side of a texture that is kept [px]."""
MAX_FILES: Final = 20_000
"""Most files of a folder that are looked at."""
_COLLISION_NAME: Final = re.compile(r"(^|[_\-. ])(col|collision|convex|hull|vhacd|coacd)([_\-. ]|\d|$)", re.IGNORECASE)
_FILE_ATTRIBUTE: Final = re.compile(rb"""\bfile(?:name)?\s*=\s*["'](?:[^"']*[/\\])?([^"'/\\]+)["']""")
_GENERIC_NAME: Final = re.compile(r"(model|mesh|visual|textured|object|scene|base)", re.IGNORECASE)
IMPORTER_VERSION: Final = 4
"""Changed whenever the same file gives a different asset."""


@dataclass(frozen=True, kw_only=True)
class AssetFile:
    """A file that holds one asset."""

    path: Path
    """The file."""
    name: str
    """Name of the asset in a library."""
    label: str
    """Category, from the names of the file and its folder."""
    root: Path
    """Folder outside of which nothing is read."""


def find_asset_files(folder: Path) -> tuple[AssetFile, ...]:
    """Return the mesh files of a folder and all below it, by name, without collision meshes and links."""
    if not folder.is_dir():
        raise InputError(
            f"no folder {str(folder)!r}", expected="a folder with meshes of assets", hint="Check its name."
        )
    files = list(_regular_files(folder))
    descriptions = [path for path in files if _is_description(path)]
    included = {file for path in descriptions for file in _included_files(path, folder)}
    descriptions = [path for path in descriptions if path.resolve() not in included]
    described_meshes = {file for path in descriptions for file in _meshes_of(path, files, folder)}
    asset_files = []
    for path in files:
        relative = path.relative_to(folder)
        is_source = path in descriptions or (path.suffix.lower() in MESH_SUFFIXES and not _is_collision_mesh(path))
        if is_source and (path not in described_meshes or _has_joints(path)):
            words = [folder.resolve().name, *relative.parent.parts]
            if not _GENERIC_NAME.fullmatch(path.stem) or not relative.parent.parts:
                words.append(path.stem)
            asset_files.append(
                AssetFile(
                    path=path,
                    name="/".join(_safe_name(word) for word in words),
                    label=_label_of(words[-1]),
                    root=folder,
                )
            )
    if not asset_files:
        raise InputError(
            f"no mesh in {folder.name!r}",
            expected="files that end in " + ", ".join((*MESH_SUFFIXES, ".urdf")) + ", or MJCF",
            hint="Give the folder that holds the assets.",
        )
    return _with_unique_names(asset_files)


def asset_file_digest(asset_file: AssetFile, licence: str, up: UpAxis | None, unit: LengthUnit | None = None) -> str:
    """Return a hash of all that the imported asset depends on, files that it names included."""
    total = hashlib.sha256(f"{IMPORTER_VERSION}\0{asset_file.name}\0{licence}\0{up}\0{unit}\0".encode())
    for path in (asset_file.path, *_named_files(asset_file)):
        if path.stat().st_size <= MAX_MESH_BYTES:
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def import_asset(
    file: AssetFile, *, licence: str, up: UpAxis | None = None, unit: LengthUnit | None = None, seed: int = 0
) -> LibraryAsset:
    """Return the asset of a source; raises `CousinsError` where it encloses nothing or cannot be read.

    `unit` is that of the numbers of meshes; what a URDF or MJCF itself holds is in metres.
    """
    name = _safe_name(file.name.rsplit("/", 1)[-1])
    if file.path.suffix.lower() in DESCRIPTION_SUFFIXES:
        asset = articulated_asset(file.path, root=file.root, name=name, label=file.label, unit=unit)
        asset = replace(asset, links=tuple(replace(link, visual=_downscaled(link.visual)) for link in asset.links))
    else:
        imported = read_mesh(file.path, up=up, unit=unit, root=file.root)
        closed = solid_thing(imported.mesh)
        notes = imported.notes
        if file.path.suffix.lower().startswith(".usd"):
            notes += ("its parts were joined to one rigid thing: joints of USD are not read",)
        closed, frame = replace(closed, surface=_downscaled(closed.surface)), upright_frame(closed.solid)
        asset = asset_of_mesh(closed, frame, notes=notes, name=name, label=file.label, seed=seed)
    return LibraryAsset(
        name=file.name,
        asset=asset,
        signature=measure_affordances(asset),
        licence=licence,
        origin=f"{file.path.suffix[1:].upper()} {file.name}",
        source_digest=asset_file_digest(file, licence, up, unit),
    )


def failure_reason(error: CousinsError) -> str:
    """Return in one line why a file was not imported."""
    return str(error)[:300]


def _regular_files(folder: Path) -> Iterator[Path]:
    for number, path in enumerate(sorted(folder.rglob("*"))):
        if number >= MAX_FILES:
            raise InputError(
                f"more than {MAX_FILES} files in {folder.name!r}",
                expected="a folder of assets",
                hint="Add its parts one after the other.",
            )
        if path.is_file() and not path.is_symlink():
            yield path


def _is_description(path: Path) -> bool:
    """Return whether a file describes a thing by links or bodies: any URDF, and MJCF that has a world."""
    if path.suffix.lower() == ".urdf":
        return True
    if path.suffix.lower() != ".xml" or path.stat().st_size > LARGEST:
        return False
    data = path.read_bytes()
    return b"<mujoco" in data and (b"<worldbody" in data or b"<include" in data)


def _has_joints(path: Path) -> bool:
    """Return whether a description is of a thing with joints, which is never a mere part of another."""
    return path.suffix.lower() in DESCRIPTION_SUFFIXES and b"<joint" in path.read_bytes()


def _included_files(path: Path, root: Path) -> tuple[Path, ...]:
    """Return the files that an MJCF includes; none where it cannot be read, which importing it reports."""
    if path.suffix.lower() == ".urdf":
        return ()
    try:
        return read_with_includes(path, root)[1]
    except CousinsError:
        return ()


def _named_files(asset_file: AssetFile) -> tuple[Path, ...]:
    """Return the files that a description includes and names as meshes, without those that are not there."""
    if asset_file.path.suffix.lower() not in DESCRIPTION_SUFFIXES:
        return ()
    meshes = _named_meshes(asset_file.path, asset_file.root)
    return tuple(sorted({*_included_files(asset_file.path, asset_file.root), *meshes}))


def _named_meshes(path: Path, root: Path) -> set[Path]:
    """Return the mesh files that a description names; none where it cannot be read, which importing it reports."""
    try:
        links = read_articulation(path, root=root)
    except CousinsError:
        return set()
    names = {shape.file for link in links.values() for shape in link.shapes if shape.file}
    return {file for file in (mesh_file(path, name, root) for name in names) if file is not None}


def _meshes_of(path: Path, files: Sequence[Path], root: Path) -> list[Path]:
    """Return the mesh files of a description: those it names, and all in the folders below that hold one.

    Of one that cannot be read it is all files of the names that stand in it: they are parts, not assets of their own.
    """
    named_files = _named_meshes(path, root)
    if not named_files and path.stat().st_size <= LARGEST:
        names = {name.decode("utf-8", "replace") for name in _FILE_ATTRIBUTE.findall(path.read_bytes())}
        named_files = {file.resolve() for file in files if file.name in names and file != path}
    base = path.parent.resolve()
    inner = {mesh_path.relative_to(base).parts for mesh_path in named_files if mesh_path.is_relative_to(base)}
    folders = [base / parts[0] for parts in inner if len(parts) > 1]
    return [
        file
        for file in files
        if file.resolve() in named_files or any(file.resolve().is_relative_to(folder) for folder in folders)
    ]


def _is_collision_mesh(path: Path) -> bool:
    """Return whether a mesh is a collision piece of another: by its name, or as `model007.obj` beside `model.obj`."""
    stem = re.sub(r"_?\d{1,3}$", "", path.stem)
    has_base_mesh = stem != path.stem and path.with_name(stem + path.suffix).is_file()
    return has_base_mesh or _COLLISION_NAME.search(path.stem) is not None


def _with_unique_names(asset_files: list[AssetFile]) -> tuple[AssetFile, ...]:
    """Return the sources with unique names: of equal ones the later get their file's ending, then a number."""
    used_names: set[str] = set()
    unique = []
    for asset_file in asset_files:
        candidates = [asset_file.name, f"{asset_file.name}_{asset_file.path.suffix[1:].lower()}"]
        candidates += [f"{asset_file.name}_{number}" for number in range(2, len(asset_files) + 2)]
        name = next(choice for choice in candidates if choice not in used_names)
        used_names.add(name)
        unique.append(replace(asset_file, name=name))
    return tuple(unique)


def _safe_name(word: str) -> str:
    """Return a word of letters, digits, `_` and `-`, at most 64."""
    return (re.sub(r"[^A-Za-z0-9_-]+", "_", word).strip("_-") or "asset")[:64]


def _label_of(word: str) -> str:
    """Return what a file's name says, as words."""
    return " ".join(re.findall(r"[A-Za-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word))).lower()[:80] or "thing"


def _downscaled(mesh: Mesh) -> Mesh:
    """Return the mesh with a texture of at most `MAX_TEXTURE_PX` a side."""
    if mesh.texture is None or max(mesh.texture.shape[:2]) <= MAX_TEXTURE_PX:
        return mesh
    image = Image.fromarray(np.ascontiguousarray(mesh.texture))
    image.thumbnail((MAX_TEXTURE_PX, MAX_TEXTURE_PX))
    return replace(mesh, texture=np.asarray(image, dtype=np.uint8))
