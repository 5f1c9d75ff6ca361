"""Read one untrusted mesh and write it to standard output as an npz, in a child process.

Run as `python -m cousins.importers.mesh_worker FILE [ROOT]`. All parts become one mesh in the file's own axes and unit,
textures one atlas. An unreadable file gives the array `error`, one text.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import trimesh
from PIL import Image

from cousins.geometry import Array
from cousins.sandbox import limit_resources
from cousins.scene.usd.room_worker import read_solids

MAX_FACES: Final = 3_000_000
"""Most triangles that are read."""
MAX_TEXTURE_PX: Final = 4096
"""Longest side of the texture that is passed on [px]."""
USD_SUFFIXES: Final = (".usd", ".usda", ".usdc", ".usdz")


def read_arrays(path: Path, root: Path | None = None) -> dict[str, Array]:
    """Return vertices [n, 3] and faces [m, 3], with uv and texture, or colors, where the file has them.

    A USD may reference what lies below `root`, its own folder where None; its `up` and `unit_m` [m] come with it.
    """
    stated: dict[str, Array] = {}
    if path.suffix.lower() in USD_SUFFIXES:
        mesh, stated = _read_usd(path, root)
    else:
        mesh = _joined(trimesh.load_scene(path, process=False))
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        return {"error": np.array("no triangles in it")}
    if len(mesh.faces) > MAX_FACES:
        return {"error": np.array(f"{len(mesh.faces)} triangles, more than {MAX_FACES}")}
    arrays = {"vertices": np.asarray(mesh.vertices, dtype=np.float64), "faces": np.asarray(mesh.faces, dtype=np.int64)}
    return arrays | _appearance(mesh, path) | stated


def _joined(scene: trimesh.Scene) -> trimesh.Trimesh:
    """Return all parts of a file as one mesh: vertex colours where no part has a picture, else one atlas."""
    parts = [part for part in scene.dump() if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if not any(_image(part) is not None for part in parts):
        for part in parts:
            color = _plain_color(part)
            if color is not None:
                part.visual = trimesh.visual.ColorVisuals(part, vertex_colors=np.tile(color, (len(part.vertices), 1)))
    else:
        for part in parts:
            if _image(part) is None and _plain_color(part) is not None and part.visual.uv is not None:
                part.visual.uv = np.full((len(part.vertices), 2), 0.5)
    if not parts:
        return trimesh.Trimesh()
    return parts[0] if len(parts) == 1 else trimesh.util.concatenate(parts)


def _image(mesh: trimesh.Trimesh) -> Image.Image | None:
    """Return the picture on a mesh; None where it has none."""
    if mesh.visual.kind != "texture":
        return None
    material: Any = mesh.visual.material
    image: Image.Image | None = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    return image


def _plain_color(mesh: trimesh.Trimesh) -> Array | None:
    """Return the colour of a material without a picture, uint8 [4]; None where vertices or faces are coloured."""
    material: Any = getattr(mesh.visual, "material", None)
    return None if material is None else np.asarray(material.main_color, dtype=np.uint8)


def _read_usd(path: Path, root: Path | None) -> tuple[trimesh.Trimesh, dict[str, Array]]:
    """Return all meshes of a stage in metres, without looks, with the up axis and the unit that it states."""
    record = read_solids(path, root)
    if "error" in record:
        raise ValueError(record["error"])
    parts = []
    for solid in record["solids"]:
        pose = np.array(solid["pose"])
        points = np.array(solid["points"], dtype=np.float64).reshape(-1, 3) @ pose[:3, :3].T + pose[:3, 3]
        if solid["triangles"]:
            parts.append(trimesh.Trimesh(points, np.array(solid["triangles"]), process=False))
    mesh = trimesh.util.concatenate(parts) if parts else trimesh.Trimesh()
    return mesh, {"up": np.array(record["up"]), "unit_m": np.array(record["unit_m"])}


def _appearance(mesh: trimesh.Trimesh, path: Path) -> dict[str, Array]:
    visual: Any = mesh.visual
    texture_path = _texture_next_to(path) if path.suffix.lower() == ".obj" else None
    if (
        texture_path is not None
        and visual.kind == "texture"
        and visual.uv is not None
        and len(visual.uv) == len(mesh.vertices)
    ):
        return {
            "uv": np.asarray(visual.uv, dtype=np.float64),
            "texture": _downscaled(Image.open(texture_path)),
            "beside": np.array(texture_path.name),
        }
    if visual.kind == "texture" and visual.uv is not None and len(visual.uv) == len(mesh.vertices):
        image = _image(mesh)
        if image is not None:
            return {"uv": np.asarray(visual.uv, dtype=np.float64), "texture": _downscaled(image)}
    if visual.kind in ("vertex", "face") or visual.kind is None:
        colors = np.asarray(visual.vertex_colors, dtype=np.uint8)
        if len(colors) == len(mesh.vertices):
            return {"colors": colors[:, :3]}
    return {}


def _texture_next_to(path: Path) -> Path | None:
    """Return the texture that lies beside an OBJ whose material file is not there."""
    with path.open("rb") as file:
        head = file.read(4096).decode("utf-8", "replace")
    material_files = [line.split(maxsplit=1)[1].strip() for line in head.splitlines() if line.startswith("mtllib ")]
    if not material_files or any((path.parent / Path(name).name).is_file() for name in material_files):
        return None
    candidates = (path.with_name("texture.png"), path.with_suffix(".png"), path.with_name("texture_map.png"))
    return next((choice for choice in candidates if choice.is_file() and not choice.is_symlink()), None)


def _downscaled(image: Image.Image) -> Array:
    """Return a picture as uint8 [h, w, 3], no side longer than `MAX_TEXTURE_PX`."""
    rgb = image.convert("RGB")
    rgb.thumbnail((MAX_TEXTURE_PX, MAX_TEXTURE_PX))
    return np.asarray(rgb, dtype=np.uint8)


def main() -> int:
    """Write the mesh named on the command line; a process edge, so that any failure becomes a text."""
    limit_resources(Path(sys.argv[1]))
    try:
        arrays = read_arrays(*map(Path, sys.argv[1:3]))
    except Exception as error:  # noqa: BLE001
        arrays = {"error": np.array(f"{type(error).__name__}: {error}"[:300])}
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **arrays)
    sys.stdout.buffer.write(archive.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
