"""A folder of anyone's meshes as assets: found, repaired, given collision pieces and mass, and measured.

Mesh files are decoded in a process of their own. Collision meshes that lie beside a visual one are left out: pieces
are made anew, so that all assets keep the same bars.
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

from cousins.affordances import signature_of
from cousins.errors import CousinsError, InputError
from cousins.families.library import LibraryAsset
from cousins.importers.articulated import jointed_asset, told_links
from cousins.importers.articulation import MOST_BYTES as LARGEST
from cousins.importers.meshes import MOST_BYTES, SUFFIXES, Up, asset_of_mesh, closed, read_finished
from cousins.meshes import Mesh
from cousins.reconstruct.build import upright_frame

TEXTURE_PX: Final = 512
"""Longest side of a texture that is kept [px]."""
MOST_FILES: Final = 20_000
"""Most files of a folder that are looked at."""
_COLLISION: Final = re.compile(r"(^|[_\-. ])(col|collision|convex|hull|vhacd|coacd)([_\-. ]|\d|$)", re.IGNORECASE)
_PLAIN: Final = re.compile(r"(model|mesh|visual|textured|object|scene|base)", re.IGNORECASE)
MESHES: Final = (*SUFFIXES, ".usd", ".usda", ".usdc")
"""Kinds of file that hold one rigid thing."""
DESCRIPTIONS: Final = (".urdf", ".xml")
"""Kinds of file that describe a thing with joints."""
VERSION: Final = 3
"""Changes when the same file gives another asset."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that holds one asset."""

    path: Path
    """The file."""
    name: str
    """What the asset will be called in a library."""
    label: str
    """What its names say that it is."""
    root: Path
    """Folder outside of which nothing is read."""


def sources_of(folder: Path) -> tuple[Source, ...]:
    """Return the mesh files of a folder and all below it, by name, without collision meshes and links."""
    if not folder.is_dir():
        raise InputError(
            f"no folder {str(folder)!r}", expected="a folder with meshes of assets", hint="Check its name."
        )
    files = list(_files(folder))
    described = [path for path in files if _is_described(path)]
    taken = {file for path in described for file in _meshes_of(path, files)}
    found = []
    for path in files:
        inner = path.relative_to(folder)
        if path in described or (path.suffix.lower() in MESHES and path not in taken and not _is_piece(path)):
            words = [folder.resolve().name, *inner.parent.parts]
            if not _PLAIN.fullmatch(path.stem) or not inner.parent.parts:
                words.append(path.stem)
            found.append(
                Source(path=path, name="/".join(_safe(word) for word in words), label=_label(words[-1]), root=folder)
            )
    if not found:
        raise InputError(
            f"no mesh in {folder.name!r}",
            expected="files that end in " + ", ".join((*MESHES, ".urdf")) + ", or MJCF with joints",
            hint="Give the folder that holds the assets.",
        )
    return _told_apart(found)


def source_digest(source: Source, licence: str, up: Up | None) -> str:
    """Return a hash of all that decides what a source becomes."""
    total = hashlib.sha256(f"{VERSION}\0{source.name}\0{licence}\0{up}\0".encode())
    if source.path.stat().st_size <= MOST_BYTES:
        with source.path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def asset_from(source: Source, *, licence: str, up: Up | None = None, seed: int = 0) -> LibraryAsset:
    """Return the asset of a source; raises `CousinsError` where it encloses nothing or cannot be read."""
    name = _safe(source.name.rsplit("/", 1)[-1])
    if source.path.suffix.lower() in DESCRIPTIONS:
        asset = jointed_asset(source.path, root=source.root, name=name, label=source.label)
        asset = replace(asset, links=tuple(replace(link, visual=_small(link.visual)) for link in asset.links))
    else:
        finished = read_finished(source.path, up=up)
        solid, notes = closed(finished.mesh)
        notes = finished.notes + notes
        if source.path.suffix.lower().startswith(".usd"):
            notes += ("its parts were joined to one rigid thing: joints of USD are not read",)
        mesh, frame = _small(finished.mesh), upright_frame(solid)
        asset = asset_of_mesh(mesh, solid, frame, notes, name=name, label=source.label, seed=seed)
    return LibraryAsset(
        name=source.name,
        asset=asset,
        signature=signature_of(asset),
        licence=licence,
        origin=f"{source.path.suffix[1:].upper()} {source.name}",
        source_digest=source_digest(source, licence, up),
    )


def why_not(error: CousinsError) -> str:
    """Return in a line why a source became no asset."""
    return str(error)[:300]


def _files(folder: Path) -> Iterator[Path]:
    for number, path in enumerate(sorted(folder.rglob("*"))):
        if number >= MOST_FILES:
            raise InputError(
                f"more than {MOST_FILES} files in {folder.name!r}",
                expected="a folder of assets",
                hint="Add its parts one after the other.",
            )
        if path.is_file() and not path.is_symlink():
            yield path


def _is_described(path: Path) -> bool:
    """Return whether a file describes a thing with joints: any URDF, and MJCF that has some."""
    if path.suffix.lower() == ".urdf":
        return True
    if path.suffix.lower() != ".xml" or path.stat().st_size > LARGEST:
        return False
    data = path.read_bytes()
    return b"<mujoco" in data and b"<joint" in data and b"<worldbody" in data


def _meshes_of(path: Path, files: Sequence[Path]) -> list[Path]:
    """Return the mesh files of a description: those it names, and all in the folders below that hold one."""
    try:
        links = told_links(path)
    except CousinsError:
        return []
    named = {(path.parent / shape.file).resolve() for link in links.values() for shape in link.shapes if shape.file}
    beside = path.parent.resolve()
    inner = {one.relative_to(beside).parts for one in named if one.is_relative_to(beside)}
    folders = [beside / parts[0] for parts in inner if len(parts) > 1]
    return [
        file
        for file in files
        if file.resolve() in named or any(file.resolve().is_relative_to(folder) for folder in folders)
    ]


def _is_piece(path: Path) -> bool:
    """Return whether a mesh is a collision piece of another: by its name, or as `model007.obj` beside `model.obj`."""
    stem = re.sub(r"_?\d{1,3}$", "", path.stem)
    beside = stem != path.stem and path.with_name(stem + path.suffix).is_file()
    return beside or _COLLISION.search(path.stem) is not None


def _told_apart(found: list[Source]) -> tuple[Source, ...]:
    """Return the sources with unique names: of equal ones the later get their file's ending, then a number."""
    taken: set[str] = set()
    unique = []
    for source in found:
        choices = [source.name, f"{source.name}_{source.path.suffix[1:].lower()}"]
        choices += [f"{source.name}_{number}" for number in range(2, len(found) + 2)]
        name = next(choice for choice in choices if choice not in taken)
        taken.add(name)
        unique.append(replace(source, name=name))
    return tuple(unique)


def _safe(word: str) -> str:
    """Return a word of letters, digits, `_` and `-`, at most 64."""
    return (re.sub(r"[^A-Za-z0-9_-]+", "_", word).strip("_-") or "asset")[:64]


def _label(word: str) -> str:
    """Return what a file's name says, as words."""
    return " ".join(re.findall(r"[A-Za-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word))).lower()[:80] or "thing"


def _small(mesh: Mesh) -> Mesh:
    """Return the mesh with a texture of at most `TEXTURE_PX` a side."""
    if mesh.texture is None or max(mesh.texture.shape[:2]) <= TEXTURE_PX:
        return mesh
    image = Image.fromarray(np.ascontiguousarray(mesh.texture))
    image.thumbnail((TEXTURE_PX, TEXTURE_PX))
    return replace(mesh, texture=np.asarray(image, dtype=np.uint8))
