"""Read one finished mesh and write it to standard output as an npz: a child process, for the file may be hostile.

Run as `python -m cousins.importers.mesh_worker FILE`. All parts become one mesh in the file's own axes and unit,
textures one atlas. What cannot be read is told as the array `error`, one text.
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
from cousins.scene.usd.child_process import limit_myself
from cousins.scene.usd.room_worker import solids_of

MOST_FACES: Final = 3_000_000
"""Most triangles that are read."""
MOST_TEXTURE_PX: Final = 4096
"""Longest side of the texture that is passed on [px]."""
USD: Final = (".usd", ".usda", ".usdc", ".usdz")


def arrays_of(path: Path) -> dict[str, Array]:
    """Return vertices [n, 3] and faces [m, 3], with uv and texture, or colors, where the file has them."""
    if path.suffix.lower() in USD:
        mesh, up = _usd(path)
    else:
        mesh, up = trimesh.load_mesh(path, process=False), ""
    if isinstance(mesh, trimesh.Scene):
        mesh = mesh.to_mesh()
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        return {"error": np.array("no triangles in it")}
    if len(mesh.faces) > MOST_FACES:
        return {"error": np.array(f"{len(mesh.faces)} triangles, more than {MOST_FACES}")}
    found = {"vertices": np.asarray(mesh.vertices, dtype=np.float64), "faces": np.asarray(mesh.faces, dtype=np.int64)}
    return found | _looks(mesh, path) | ({"up": np.array(up)} if up else {})


def _usd(path: Path) -> tuple[trimesh.Trimesh, str]:
    """Return all meshes of a stage in metres, without looks, and its up axis."""
    told = solids_of(path)
    if "error" in told:
        raise ValueError(told["error"])
    parts = []
    for solid in told["solids"]:
        pose = np.array(solid["pose"])
        points = np.array(solid["points"], dtype=np.float64).reshape(-1, 3) @ pose[:3, :3].T + pose[:3, 3]
        if solid["triangles"]:
            parts.append(trimesh.Trimesh(points, np.array(solid["triangles"]), process=False))
    return (trimesh.util.concatenate(parts) if parts else trimesh.Trimesh()), told["up"]


def _looks(mesh: trimesh.Trimesh, path: Path) -> dict[str, Array]:
    visual: Any = mesh.visual
    beside = _texture_beside(path) if path.suffix.lower() == ".obj" else None
    if (
        beside is not None
        and visual.kind == "texture"
        and visual.uv is not None
        and len(visual.uv) == len(mesh.vertices)
    ):
        return {
            "uv": np.asarray(visual.uv, dtype=np.float64),
            "texture": _small(Image.open(beside)),
            "beside": np.array(beside.name),
        }
    if visual.kind == "texture" and visual.uv is not None and len(visual.uv) == len(mesh.vertices):
        material = visual.material
        image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
        if image is not None:
            return {"uv": np.asarray(visual.uv, dtype=np.float64), "texture": _small(image)}
        visual = visual.to_color()
    if visual.kind in ("vertex", "face") or visual.kind is None:
        colors = np.asarray(visual.vertex_colors, dtype=np.uint8)
        if len(colors) == len(mesh.vertices):
            return {"colors": colors[:, :3]}
    return {}


def _texture_beside(path: Path) -> Path | None:
    """Return the texture that lies beside an OBJ whose material file is not there."""
    with path.open("rb") as file:
        head = file.read(4096).decode("utf-8", "replace")
    told = [line.split(maxsplit=1)[1].strip() for line in head.splitlines() if line.startswith("mtllib ")]
    if not told or any((path.parent / Path(name).name).is_file() for name in told):
        return None
    choices = (path.with_name("texture.png"), path.with_suffix(".png"), path.with_name("texture_map.png"))
    return next((choice for choice in choices if choice.is_file() and not choice.is_symlink()), None)


def _small(image: Image.Image) -> Array:
    """Return a picture as uint8 [h, w, 3], no side longer than `MOST_TEXTURE_PX`."""
    plain = image.convert("RGB")
    plain.thumbnail((MOST_TEXTURE_PX, MOST_TEXTURE_PX))
    return np.asarray(plain, dtype=np.uint8)


def main() -> int:
    """Write the mesh named on the command line; a process edge, so that any failure becomes a text."""
    limit_myself()
    try:
        found = arrays_of(Path(sys.argv[1]))
    except Exception as error:  # noqa: BLE001
        found = {"error": np.array(f"{type(error).__name__}: {error}"[:300])}
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **found)
    sys.stdout.buffer.write(packed.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
