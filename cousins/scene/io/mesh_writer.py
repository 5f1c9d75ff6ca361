"""Mesh files of a scene folder: the visual mesh and the convex pieces of every link and structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Piece
from cousins.scene.io.obj import obj_files
from cousins.scene.io.paths import asset_folder, piece_file, structures_folder, visual_file
from cousins.scene.scenes import Scene

PngWriter = Callable[[Array], bytes]
"""Encodes a uint8 image [h, w, 3] as PNG: `png_bytes`, or a cache in front of it."""


def mesh_files(scene: Scene, *, visuals: bool = True, png: PngWriter | None = None) -> dict[str, bytes]:
    """Return every OBJ, MTL and PNG file of a scene by path relative to the scene folder."""
    files: dict[str, bytes] = {}
    for placed in scene.objects:
        for link in placed.asset.links:
            folder, visual = asset_folder(placed.asset.name), link.visual if visuals else None
            files |= _files(folder, link.name, visual, link.pieces, png)
    for structure in scene.structures:
        visual = structure.visual if visuals else None
        files |= _files(structures_folder(), structure.name, visual, structure.pieces, png)
    return files


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files by relative path into a folder, with parent folders."""
    for path in sorted(files):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(files[path])


def _files(
    folder: str, owner: str, visual: Mesh | None, pieces: tuple[Piece, ...], png: PngWriter | None
) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    if visual is not None:
        files |= obj_files(visual, f"{folder}/{visual_file(owner).removesuffix('.obj')}", png=png)
    for index, piece in enumerate(pieces):
        files |= obj_files(piece.mesh, f"{folder}/{piece_file(owner, index).removesuffix('.obj')}")
    return files
