"""Scene folders: written atomically, read back exactly, identified by a digest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from cousins.errors import SceneError
from cousins.meshes import Mesh
from cousins.publishing import contents, publish_folder, staging_folder
from cousins.scene.io.mesh_writer import mesh_files, write_files
from cousins.scene.io.obj import read_obj, round_mesh
from cousins.scene.io.paths import (
    asset_folder,
    piece_file,
    require_scene_names,
    structures_folder,
    texture_file,
    visual_file,
)
from cousins.scene.io.scene_json import read_scene_json, scene_bytes
from cousins.scene.robot_formats.mjcf_writer import mjcf_file
from cousins.scene.robot_formats.urdf_writer import urdf_files
from cousins.scene.scenes import Scene
from cousins.scene.usd.usdz import write_usdz
from cousins.scene.usd.writer import usd_files

DIGESTED_FILES: Final = ("scene.json", "scene.usda", "scene.usdz", "scene.urdf", "structures.urdf", "scene.xml")
"""Deterministic files in the scene folder; the digest covers them and `DIGESTED_FOLDERS`."""
MAX_FILE_BYTES: Final = 512 * 2**20
"""Largest file that is read."""
DIGESTED_FOLDERS: Final = ("assets", "structures")
"""Deterministic folders."""


def write_scene(scene: Scene, folder: Path) -> str:
    """Write a scene folder and return its digest; an older scene there is replaced in one step.

    Raises `SceneError` where the folder holds something that is not a scene.
    """
    require_scene_names(scene)
    _require_replaceable(folder)
    before = contents(folder)
    scene = round_scene(scene)
    with staging_folder(folder.parent) as staging:
        fresh = staging / "scene"
        fresh.mkdir()
        _write_all(scene, fresh)
        digest = scene_digest(fresh)
        publish_folder(fresh, folder, before=before)
    return digest


def read_scene(folder: Path) -> Scene:
    """Read an untrusted scene folder; raises `SceneError` where it is invalid."""
    root = folder.resolve()
    if not root.is_dir() or not (root / "scene.json").is_file():
        raise SceneError(
            f"no scene.json in {folder.name!r}",
            expected="a scene folder, as `cousins scan` writes it",
            hint="Give the folder that holds scene.json.",
        )
    data = _read_inside(root, "scene.json")
    return read_scene_json(data, lambda asset, owner, index: _read_mesh(root, asset, owner, index))


def scene_digest(folder: Path) -> str:
    """Return the SHA-256 over the sorted (path, SHA-256) of the deterministic files of a scene folder."""
    paths = [folder / name for name in DIGESTED_FILES if (folder / name).is_file()]
    for name in DIGESTED_FOLDERS:
        paths += [path for path in (folder / name).rglob("*") if path.is_file()]
    total = hashlib.sha256()
    for relative, path in sorted((path.relative_to(folder).as_posix(), path) for path in paths):
        total.update(f"{relative}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def compiled_files(scene: Scene) -> dict[str, bytes]:
    """Return `scene.json` and all that a scene compiles to, by path relative to its folder.

    The meshes and `scene.usdz` are left out. The scene must be rounded, as `read_scene` returns it.
    """
    robot_files = urdf_files(scene) | {"scene.xml": mjcf_file(scene)}
    return robot_files | usd_files(scene) | {"scene.json": scene_bytes(scene)}


def round_scene(scene: Scene) -> Scene:
    """Return the scene as `read_scene` will return it; idempotent."""
    meshes: dict[tuple[str, str, int | None], Mesh] = {}
    for structure in scene.structures:
        meshes["", structure.name, None] = structure.visual
        meshes |= {("", structure.name, index): piece.mesh for index, piece in enumerate(structure.pieces)}
    for placed in scene.objects:
        for link in placed.asset.links:
            meshes[placed.asset.name, link.name, None] = link.visual
            for index, piece in enumerate(link.pieces):
                meshes[placed.asset.name, link.name, index] = piece.mesh
    return read_scene_json(scene_bytes(scene), lambda asset, owner, index: round_mesh(meshes[asset, owner, index]))


def _write_all(scene: Scene, folder: Path) -> None:
    write_files(mesh_files(scene) | compiled_files(scene), folder)
    write_usdz(folder)


def _require_replaceable(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise _occupied_error(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "scene.json").is_file():
        raise _occupied_error(folder)


def _occupied_error(folder: Path) -> SceneError:
    return SceneError(
        f"{folder.name!r}, which holds something else",
        expected="a new or empty folder, or an older scene",
        hint="Choose another output folder.",
    )


def _read_mesh(root: Path, asset: str, owner: str, index: int | None) -> Mesh:
    base = asset_folder(asset) if asset else structures_folder()
    if index is not None:
        path = f"{base}/{piece_file(owner, index)}"
        return read_obj(_read_inside(root, path), source=path)
    path, texture = f"{base}/{visual_file(owner)}", f"{base}/{texture_file(owner)}"
    has_texture = (root / texture).is_file()
    return read_obj(_read_inside(root, path), source=path, texture=_read_inside(root, texture) if has_texture else None)


def _read_inside(root: Path, relative: str) -> bytes:
    path = (root / relative).resolve()
    if not path.is_relative_to(root):
        raise SceneError(
            f"{relative}, which leads out of the scene folder",
            expected="files inside the folder",
            hint="Replace links by copies of the files.",
        )
    if not path.is_file():
        raise SceneError(f"no {relative}", expected="every mesh that scene.json names", hint="Write the scene anew.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise SceneError(
            f"{relative} of {path.stat().st_size} bytes",
            expected=f"at most {MAX_FILE_BYTES}",
            hint="Write the scene anew.",
        )
    return path.read_bytes()
