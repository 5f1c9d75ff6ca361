"""Import a mesh of one object as a scene: watertight, with collision pieces and mass, on a floor."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import fast_simplification
import manifold3d
import numpy as np
from numba import njit, prange
from skimage import measure

from cousins.capture.captures import Scale
from cousins.capture.formats.arkit import Z_UP_FROM_Y_UP
from cousins.errors import CaptureError, StageError
from cousins.geometry import Array, invert, rigid, transform
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset, Link
from cousins.reconstruct.build import mass_properties, upright_frame
from cousins.reconstruct.collision.decomposition import decompose
from cousins.reconstruct.materials import material_for
from cousins.sandbox import SandboxError, run_sandboxed
from cousins.scene.layout.relations import find_relations
from cousins.scene.layout.structures import structure_from_plane
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.segment.geometric_names import name_by_geometry
from cousins.segment.segments import Plane

MESH_SUFFIXES: Final = (".glb", ".obj", ".ply", ".stl", ".usdz")
"""Kinds of file that are read."""
MAX_MESH_BYTES: Final = 512 << 20
"""Largest file that is opened [bytes]."""
SIZE_RANGE_M: Final = (0.005, 20.0)
"""Least and greatest longest side that is believed [m]."""
WRAP_CELLS: Final = 72
"""Cells along the longest side of a surface that has to be wrapped."""
WRAP_FACES: Final = 2000
"""Most faces of the surface that is wrapped: the work grows with cells times faces."""
MIN_FILL_FRACTION: Final = 1e-3
"""Least volume of a thing beside the cube of its longest side: a pen fills three times as much."""
FLOOR_MARGIN_M: Final = 0.5
"""How far the floor reaches beyond the thing [m]."""

UpAxis = Literal["y", "z"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ImportedMesh:
    """An imported mesh in metres, z up."""

    mesh: Mesh
    """Mesh with its colours or texture; may be open."""
    notes: tuple[str, ...]
    """Assumptions that were made, a sentence each."""


def read_mesh(path: Path, *, up: UpAxis | None = None) -> ImportedMesh:
    """Return the mesh of a file in metres with z up, read in a child process.

    Raises CaptureError where it cannot be read or has no believable size.
    """
    arrays = _read_arrays(path)
    mesh = _checked_mesh(arrays, path)
    kind = path.suffix.lower()
    authored_up = str(arrays["up"]) if "up" in arrays else "y" if kind == ".glb" else None
    up_axis = up or authored_up or ("y" if kind == ".obj" else "z")
    notes = []
    if up is None and authored_up is None:
        notes.append(f"the up axis of the mesh was taken to be {up_axis}: --up tells another")
    if authored_up is None:
        notes.append("the unit of the mesh was taken to be the metre")
    if "beside" in arrays:
        notes.append(f"its material file is missing: {arrays['beside']} beside it was taken for its texture")
    mesh = mesh.transformed(Z_UP_FROM_Y_UP) if up_axis == "y" else mesh
    low, high = SIZE_RANGE_M
    longest = float(np.ptp(mesh.vertices, axis=0).max())
    if not low <= longest <= high:
        raise CaptureError(
            f"{path.name}, {longest:g} m long",
            expected=f"a thing of {low:g} to {high:g} m, in metres",
            hint="Export it in metres.",
        )
    return ImportedMesh(mesh=mesh, notes=tuple(notes))


def scene_of_mesh(path: Path, name: str, *, digest: str, up: UpAxis | None = None, seed: int = 0) -> Scene:
    """Return a scene of one asset on a floor."""
    imported = read_mesh(path, up=up)
    solid, notes = watertight_mesh(imported.mesh)
    world_from_asset = upright_frame(solid)
    asset = asset_of_mesh(imported.mesh, solid, world_from_asset, notes, seed=seed)
    low = solid.vertices.min(axis=0)
    pose = rigid(None, np.array([0.0, 0.0, -low[2]])) @ world_from_asset
    scene = Scene(
        name=name,
        structures=(structure_from_plane(_floor(transform(pose, asset.links[0].visual.vertices)), []),),
        objects=(PlacedAsset(asset=asset, world_from_asset=pose),),
        relations=(),
        scale=Scale(source="file", error=0.0),
        capture_digest=digest,
        fallbacks=imported.notes,
    )
    return replace(scene, relations=find_relations(scene))


def read_mesh_as_authored(path: Path) -> Mesh:
    """Return the mesh of a file in its own axes and unit, read in a child process; raises CaptureError."""
    return _checked_mesh(_read_arrays(path), path)


def watertight_mesh(mesh: Mesh) -> tuple[Mesh, tuple[str, ...]]:
    """Return a watertight mesh without colours, either the mesh itself or a wrap around it, and notes.

    Raises StageError where the surface encloses nothing.
    """
    vertices, inverse = np.unique(np.round(mesh.vertices, 7), axis=0, return_inverse=True)
    faces = inverse.ravel()[mesh.faces]
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    solid = manifold3d.Manifold(
        manifold3d.Mesh64(np.ascontiguousarray(vertices), np.ascontiguousarray(faces.astype(np.uint64)))
    )
    if not solid.is_empty() and solid.volume() > 0.0:
        return _mesh_of_manifold(solid), ()
    wrapped, cell_m = _wrap(mesh)
    return wrapped, (f"the surface is open: a skin was laid around it with cells of {1000.0 * cell_m:.1f} mm",)


def _wrap(mesh: Mesh) -> tuple[Mesh, float]:
    """Return the iso-surface at winding number 0.5, which closes holes smoothly, and the cell size [m].

    Generalized winding numbers after Jacobson, Kavan and Sorkine-Hornung, 2013.
    """
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    cell = float((high - low).max()) / WRAP_CELLS
    axes = [np.arange(low[k] - 1.5 * cell, high[k] + 2.5 * cell, cell) for k in range(3)]
    decimated = _decimated(mesh)
    winding = winding_numbers(axes[0], axes[1], axes[2], decimated.vertices[decimated.faces])
    if float(winding.min()) < -0.5:
        winding = -winding
    if float(winding.max()) <= 0.5:
        raise StageError("the surface encloses nothing: is it the mesh of one whole thing?", stage="mesh")
    vertices, faces, _, _ = measure.marching_cubes(winding, 0.5, gradient_direction="ascent")
    vertices = vertices * cell + np.array([axis[0] for axis in axes])
    body = manifold3d.Manifold(
        manifold3d.Mesh64(np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(faces.astype(np.uint64)))
    )
    largest = max(body.decompose(), key=lambda part: abs(float(part.volume())), default=body)
    if largest.is_empty() or largest.volume() < MIN_FILL_FRACTION * (WRAP_CELLS * cell) ** 3:
        raise StageError("the surface encloses nothing: is it the mesh of one whole thing?", stage="mesh")
    return _mesh_of_manifold(largest.simplify(0.1 * cell)), cell


def _decimated(mesh: Mesh) -> Mesh:
    """Return the mesh with at most `WRAP_FACES` faces."""
    if len(mesh.faces) <= WRAP_FACES:
        return mesh
    vertices, faces = fast_simplification.simplify(
        mesh.vertices.astype(np.float32), mesh.faces, target_count=WRAP_FACES
    )
    return Mesh(vertices=np.asarray(vertices, dtype=np.float64), faces=np.asarray(faces, dtype=np.int32))


@njit(cache=True, parallel=True)
def winding_numbers(xs: Array, ys: Array, zs: Array, triangles: Array) -> Array:
    """Return how often triangles [m, 3, 3] wind around the points of a grid, 1 deep inside, float64 [x, y, z].

    Solid angles after van Oosterom and Strackee, 1983.
    """
    winding = np.zeros((xs.size, ys.size, zs.size))
    for i in prange(xs.size):
        for j in range(ys.size):
            for k in range(zs.size):
                solid_angle = 0.0
                for t in range(triangles.shape[0]):
                    ax, ay, az = triangles[t, 0, 0] - xs[i], triangles[t, 0, 1] - ys[j], triangles[t, 0, 2] - zs[k]
                    bx, by, bz = triangles[t, 1, 0] - xs[i], triangles[t, 1, 1] - ys[j], triangles[t, 1, 2] - zs[k]
                    cx, cy, cz = triangles[t, 2, 0] - xs[i], triangles[t, 2, 1] - ys[j], triangles[t, 2, 2] - zs[k]
                    a = np.sqrt(ax * ax + ay * ay + az * az)
                    b = np.sqrt(bx * bx + by * by + bz * bz)
                    c = np.sqrt(cx * cx + cy * cy + cz * cz)
                    triple_product = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
                    denominator = a * b * c + (ax * bx + ay * by + az * bz) * c
                    denominator += (bx * cx + by * cy + bz * cz) * a + (cx * ax + cy * ay + cz * az) * b
                    solid_angle += 2.0 * np.arctan2(triple_product, denominator)
                winding[i, j, k] = solid_angle / (4.0 * np.pi)
    return winding


def asset_of_mesh(
    mesh: Mesh,
    solid: Mesh,
    world_from_asset: Array,
    notes: tuple[str, ...],
    *,
    name: str = "object_0",
    label: str | None = None,
    seed: int = 0,
) -> Asset:
    """Return the asset of a finished mesh and its watertight solid; its shape names it where no label is given."""
    asset_from_world = invert(world_from_asset)
    solid_in_asset = solid.transformed(asset_from_world)
    collision = decompose(solid_in_asset, seed=seed)
    size = np.ptp(solid_in_asset.vertices, axis=0)
    label_text = name_by_geometry(solid_in_asset.vertices).text if label is None else label
    material = material_for(label_text, longest_side_m=float(size.max()))
    mass, center, inertia = mass_properties(solid_in_asset, material.density_kg_m3)
    link = Link(
        name="body",
        visual=mesh.transformed(asset_from_world),
        pieces=collision.pieces,
        mass_kg=mass,
        center_of_mass_m=center,
        inertia_kg_m2=inertia,
    )
    area = float(solid_in_asset.to_trimesh().area)
    return Asset(
        name=name,
        label=label_text,
        label_source="geometry" if label is None else "file name",
        links=(link,),
        friction=material.friction,
        restitution=material.restitution,
        material=material.name,
        size_m=size,
        observed_area_m2=area,
        completed_area_m2=0.0,
        completions=("finished mesh",),
        fallbacks=notes + collision.fallbacks,
    )


def _floor(points: Array) -> Plane:
    low, high = points[:, :2].min(axis=0) - FLOOR_MARGIN_M, points[:, :2].max(axis=0) + FLOOR_MARGIN_M
    corners = np.array([[low[0], low[1], 0.0], [high[0], low[1], 0.0], [high[0], high[1], 0.0], [low[0], high[1], 0.0]])
    return Plane(name="floor", kind="floor", normal=np.array([0.0, 0.0, 1.0]), offset_m=0.0, outline=corners)


def _mesh_of_manifold(solid: manifold3d.Manifold) -> Mesh:
    flat = solid.to_mesh64()
    return Mesh(
        vertices=np.asarray(flat.vert_properties[:, :3], dtype=np.float64),
        faces=np.asarray(flat.tri_verts, dtype=np.int32),
    )


def _read_arrays(path: Path) -> dict[str, Array]:
    if path.stat().st_size > MAX_MESH_BYTES:
        raise _unreadable(path, f"larger than {MAX_MESH_BYTES >> 20} MB")
    try:
        output = run_sandboxed("cousins.importers.mesh_worker", path)
        with np.load(io.BytesIO(output), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (SandboxError, zipfile.BadZipFile, ValueError, OSError) as error:
        raise _unreadable(path, str(error)) from error
    if "error" in arrays:
        raise _unreadable(path, str(arrays["error"]))
    return arrays


def _checked_mesh(arrays: dict[str, Array], path: Path) -> Mesh:
    vertices, faces = arrays["vertices"], arrays["faces"]
    if not np.isfinite(vertices).all() or faces.min() < 0 or faces.max() >= len(vertices):
        raise _unreadable(path, "corners that are no numbers or point nowhere")
    uv, texture, colors = (arrays.get(name) for name in ("uv", "texture", "colors"))
    return Mesh(vertices=vertices, faces=faces.astype(np.int32), uv=uv, texture=texture, colors=colors)


def _unreadable(path: Path, reason: str) -> CaptureError:
    return CaptureError(
        f"{path.name} that cannot be read as a mesh: {reason}",
        expected="one of " + ", ".join(MESH_SUFFIXES),
        hint="Export it again, as GLB for example.",
    )
