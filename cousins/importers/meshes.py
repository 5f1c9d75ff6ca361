"""Import a mesh of one object as a scene: watertight, with collision pieces and mass, on a floor."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from cousins.capture.captures import Scale
from cousins.capture.formats.arkit import Z_UP_FROM_Y_UP
from cousins.errors import CaptureError
from cousins.geometry import Array, invert, rigid, transform
from cousins.importers.ground_patch import cut_from_ground
from cousins.importers.units import METRES_PER_UNIT, SIZE_RANGE_M, LengthUnit, format_length, size_advice, size_doubts
from cousins.importers.watertight import WatertightMesh, watertight_mesh
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

MESH_SUFFIXES: Final = (".glb", ".obj", ".ply", ".stl", ".usd", ".usda", ".usdc", ".usdz")
"""Kinds of file that are read."""
MAX_MESH_BYTES: Final = 512 << 20
"""Largest file that is opened [bytes]."""
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


def read_mesh(
    path: Path, *, up: UpAxis | None = None, unit: LengthUnit | None = None, root: Path | None = None
) -> ImportedMesh:
    """Return the mesh of a file in metres with z up, read in a child process.

    `up` and `unit` override what the file states; a USD may reference what lies below `root`. Raises CaptureError where
    it cannot be read or has no possible size.
    """
    arrays = _read_arrays(path, root)
    mesh = _checked_mesh(arrays, path)
    kind = path.suffix.lower()
    authored_up = str(arrays["up"]) if "up" in arrays else "y" if kind == ".glb" else None
    up_axis = up or authored_up or ("y" if kind == ".obj" else "z")
    notes = []
    if up is None and authored_up is None:
        notes.append(f"the up axis of the mesh was taken to be {up_axis}: --up tells another")
    if unit is None and authored_up is None:
        notes.append("the unit of the mesh was taken to be the metre: --unit tells another")
    if "beside" in arrays:
        notes.append(f"its material file is missing: {arrays['beside']} beside it was taken for its texture")
    mesh = mesh.transformed(Z_UP_FROM_Y_UP) if up_axis == "y" else mesh
    if unit is not None:
        stated_m = float(arrays.get("unit_m", 1.0))
        mesh = replace(mesh, vertices=mesh.vertices * (METRES_PER_UNIT[unit] / stated_m))
    low, high = SIZE_RANGE_M
    longest = float(np.ptp(mesh.vertices, axis=0).max())
    if not low <= longest <= high:
        advice = size_advice(longest, unit)
        raise CaptureError(
            f"{path.name}, {format_length(longest)} long",
            expected=f"a thing of {low:g} to {high:g} m",
            hint=f"State the unit of its numbers: {advice}." if advice else "Export it in metres.",
        )
    return ImportedMesh(mesh=mesh, notes=tuple(notes))


def solid_thing(mesh: Mesh) -> WatertightMesh:
    """Return the solid of the mesh of a thing, cut free of the patch of ground it stands on; raises StageError."""
    freed = cut_from_ground(mesh)
    closed = watertight_mesh(mesh if freed is None else freed.mesh)
    if freed is None:
        return closed
    note = (
        f"it stood on {freed.ground_area_m2:.2f} m² of ground, which was cut away; what lies lower than "
        f"{1000.0 * freed.cut_m:.0f} mm above it was lost"
    )
    return replace(closed, notes=(note, *closed.notes))


def scene_of_mesh(
    path: Path, name: str, *, digest: str, up: UpAxis | None = None, unit: LengthUnit | None = None, seed: int = 0
) -> Scene:
    """Return a scene of one asset on a floor."""
    imported = read_mesh(path, up=up, unit=unit)
    closed = solid_thing(imported.mesh)
    world_from_asset = upright_frame(closed.solid)
    asset = asset_of_mesh(closed, world_from_asset, seed=seed)
    low = closed.solid.vertices.min(axis=0)
    pose = rigid(None, np.array([0.0, 0.0, -low[2]])) @ world_from_asset
    scene = Scene(
        name=name,
        structures=(structure_from_plane(_floor(transform(pose, asset.links[0].visual.vertices)), []),),
        objects=(PlacedAsset(asset=asset, world_from_asset=pose),),
        relations=(),
        scale=Scale(source="file", error=0.0),
        capture_digest=digest,
        warnings=size_doubts(float(asset.size_m.max()), asset.links[0].mass_kg.value, unit=unit),
        fallbacks=imported.notes,
    )
    return replace(scene, relations=find_relations(scene))


def read_mesh_as_authored(path: Path) -> Mesh:
    """Return the mesh of a file in its own axes and unit, read in a child process; raises CaptureError."""
    return _checked_mesh(_read_arrays(path), path)


def asset_of_mesh(
    closed: WatertightMesh,
    world_from_asset: Array,
    *,
    notes: tuple[str, ...] = (),
    name: str = "object_0",
    label: str | None = None,
    seed: int = 0,
) -> Asset:
    """Return the asset of a finished mesh in a frame [4, 4]; its shape names it where no label is given."""
    asset_from_world = invert(world_from_asset)
    solid = closed.solid.transformed(asset_from_world)
    collision = decompose(solid, seed=seed)
    size = np.ptp(solid.vertices, axis=0)
    label_text = name_by_geometry(solid.vertices).text if label is None else label
    material = material_for(label_text, longest_side_m=float(size.max()))
    mass, center, inertia = mass_properties(solid, material.density_kg_m3)
    link = Link(
        name="body",
        visual=closed.surface.transformed(asset_from_world),
        pieces=collision.pieces,
        mass_kg=mass,
        center_of_mass_m=center,
        inertia_kg_m2=inertia,
    )
    return Asset(
        name=name,
        label=label_text,
        label_source="geometry" if label is None else "file name",
        links=(link,),
        friction=material.friction,
        restitution=material.restitution,
        material=material.name,
        size_m=size,
        observed_area_m2=float(solid.triangle_areas_m2().sum()) - closed.added_area_m2,
        completed_area_m2=closed.added_area_m2,
        completions=("finished mesh", "closed openings") if closed.added_area_m2 > 0.0 else ("finished mesh",),
        fallbacks=notes + closed.notes + collision.fallbacks,
    )


def _floor(points: Array) -> Plane:
    low, high = points[:, :2].min(axis=0) - FLOOR_MARGIN_M, points[:, :2].max(axis=0) + FLOOR_MARGIN_M
    corners = np.array([[low[0], low[1], 0.0], [high[0], low[1], 0.0], [high[0], high[1], 0.0], [low[0], high[1], 0.0]])
    return Plane(name="floor", kind="floor", normal=np.array([0.0, 0.0, 1.0]), offset_m=0.0, outline=corners)


def _read_arrays(path: Path, root: Path | None = None) -> dict[str, Array]:
    if path.stat().st_size > MAX_MESH_BYTES:
        raise _unreadable(path, f"larger than {MAX_MESH_BYTES >> 20} MB")
    try:
        output = run_sandboxed("cousins.importers.mesh_worker", path, root or path.parent)
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
