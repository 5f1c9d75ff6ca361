"""The solid of a foreign mesh: closed parts as they are, a skin around open ones, and what of it no file contained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import fast_simplification
import manifold3d
import numpy as np
from scipy.spatial import cKDTree
from skimage import measure

from cousins.errors import StageError
from cousins.geometry import Array
from cousins.importers.orientation import OrientedFaces, orient_faces
from cousins.importers.winding import winding_grid
from cousins.meshes import Mesh
from cousins.reconstruct.collision.solids import mesh_of, solid_of

WRAP_CELLS: Final = 72
"""Cells along the longest side of a surface that has to be wrapped."""
WRAP_FACES: Final = 2000
"""Most faces of the surface that is wrapped: the work grows with cells times faces."""
MIN_FILL_FRACTION: Final = 1e-3
"""Least volume of a thing beside the cube of its longest side: a pen fills three times as much."""
MIN_PART_SHARE: Final = 0.02
"""Least volume of a loose part of a skin beside the largest one; smaller ones are dust."""
MAX_UNENCLOSED_SHARE: Final = 0.8
"""Largest share of a mesh's area that may lie apart from its solid: more is no thing but a set of sheets."""
REPORTED_UNENCLOSED_SHARE: Final = 0.1
"""Least share of a mesh's area apart from its solid that is reported."""
MATCH_CELLS: Final = 1.5
"""Farthest that surface of a skin lies from the surface it was laid around [cells]: farther is made up."""
SURFACE_SAMPLES: Final = 30_000
"""Points of a surface whose distance to another is measured."""
MIN_REACH_SPACINGS: Final = 2.5
"""Least distance that is resolved by these points, in mean spacings of the points."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WatertightMesh:
    """A watertight solid of a mesh."""

    solid: Mesh
    """The solid, without colours."""
    surface: Mesh
    """The mesh itself, with the faces turned outwards that pointed inwards."""
    added_area_m2: float
    """Area of the solid that the mesh does not have [m²]: closed holes and undersides."""
    notes: tuple[str, ...]
    """What was assumed or changed, a sentence each."""


def watertight_mesh(mesh: Mesh) -> WatertightMesh:
    """Return a watertight solid of a mesh; raises StageError where the surface encloses nothing."""
    vertices, inverse = np.unique(np.round(mesh.vertices, 7), axis=0, return_inverse=True)
    welded = inverse.ravel()[mesh.faces]
    is_face = (welded[:, 0] != welded[:, 1]) & (welded[:, 1] != welded[:, 2]) & (welded[:, 2] != welded[:, 0])
    if not is_face.any():
        raise _encloses_nothing()
    oriented = orient_faces(vertices, welded[is_face])
    turned = np.zeros(len(mesh.faces), dtype=bool)
    turned[is_face] = oriented.turned
    surface = replace(mesh, faces=np.where(turned[:, None], mesh.faces[:, ::-1], mesh.faces))
    notes = _turned_notes(oriented)
    closed, open_faces = _closed_parts(vertices, oriented)
    if not open_faces.size:
        return WatertightMesh(solid=mesh_of(_united(closed)), surface=surface, added_area_m2=0.0, notes=notes)
    skin, cell_m, skin_notes = _skin(Mesh(vertices=vertices, faces=oriented.faces[open_faces].astype(np.int32)))
    if skin is None and not closed:
        raise _encloses_nothing()
    solid = mesh_of(_united(([] if skin is None else [(skin, False)]) + closed))
    original = Mesh(vertices=vertices, faces=oriented.faces.astype(np.int32))
    return WatertightMesh(
        solid=solid,
        surface=surface,
        added_area_m2=_area_apart(solid, original, MATCH_CELLS * cell_m),
        notes=notes + skin_notes + _unenclosed_notes(original, solid, MATCH_CELLS * cell_m),
    )


def _turned_notes(oriented: OrientedFaces) -> tuple[str, ...]:
    """Return what was turned round, as sentences."""
    notes = []
    if oriented.turned_parts:
        notes.append(
            f"{oriented.turned_parts} of its {len(oriented.parts)} parts {_were(oriented.turned_parts)} inside out: "
            "turned round"
        )
    elif oriented.turned.any():
        count = int(oriented.turned.sum())
        faces = f"{count} of its {len(oriented.faces)} faces"
        notes.append(f"{faces} {_were(count)} inside out beside their neighbours: turned round")
    return tuple(notes)


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _closed_parts(vertices: Array, oriented: OrientedFaces) -> tuple[list[tuple[manifold3d.Manifold, bool]], Array]:
    """Return the closed parts as solids, each with whether it is a cavity, and the indices of all other faces [k]."""
    closed, open_parts = [], []
    for index, part in enumerate(oriented.parts):
        used, faces = np.unique(oriented.faces[part], return_inverse=True)
        is_cavity = index in oriented.cavities
        faces = faces.reshape(-1, 3)[:, ::-1] if is_cavity else faces.reshape(-1, 3)
        solid = solid_of(Mesh(vertices=vertices[used], faces=faces))
        if solid.is_empty() or solid.volume() <= 0.0:
            open_parts.append(part)
        else:
            closed.append((solid, is_cavity))
    return closed, np.sort(np.concatenate(open_parts)) if open_parts else np.zeros(0, dtype=np.int64)


def _united(parts: list[tuple[manifold3d.Manifold, bool]]) -> manifold3d.Manifold:
    """Return all parts as one solid, cavities cut out of those before them."""
    if len(parts) == 1:
        return parts[0][0]
    if not any(is_cavity for _, is_cavity in parts):
        return manifold3d.Manifold.batch_boolean([solid for solid, _ in parts], manifold3d.OpType.Add)
    united = manifold3d.Manifold()
    for solid, is_cavity in parts:
        united = united - solid if is_cavity else united + solid
    return united


def _skin(open_mesh: Mesh) -> tuple[manifold3d.Manifold | None, float, tuple[str, ...]]:
    """Return the iso-surface of an open surface at winding number 0.5, which closes holes smoothly; its cells [m]."""
    corners = open_mesh.vertices[open_mesh.faces]
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    longest_m = float((high - low).max())
    cell = longest_m / WRAP_CELLS
    axes = [np.arange(low[k] - 1.5 * cell, high[k] + 2.5 * cell, cell) for k in range(3)]
    decimated = _decimated(open_mesh)
    winding = winding_grid(axes, decimated.vertices[decimated.faces])
    if not float(winding.min()) < 0.5 < float(winding.max()):
        return None, cell, ()
    vertices, faces, _, _ = measure.marching_cubes(winding, 0.5, gradient_direction="ascent")
    body = solid_of(Mesh(vertices=vertices * cell + np.array([axis[0] for axis in axes]), faces=faces))
    parts = sorted(body.decompose(), key=lambda part: -float(part.volume()))
    if not parts or parts[0].volume() < MIN_FILL_FRACTION * longest_m**3:
        return None, cell, ()
    significant = [part for part in parts if part.volume() >= MIN_PART_SHARE * parts[0].volume()]
    notes = [f"the surface is open: a skin was laid around it with cells of {1000.0 * cell:.1f} mm"]
    dust = sum(part.volume() > 0.0 for part in parts) - len(significant)
    if dust:
        notes.append(f"{dust} loose crumbs of its surface {_were(dust)} left out of the solid")
    skin = manifold3d.Manifold.compose(significant) if len(significant) > 1 else significant[0]
    return skin.simplify(0.1 * cell), cell, tuple(notes)


def _decimated(mesh: Mesh) -> Mesh:
    """Return the mesh with at most `WRAP_FACES` faces."""
    if len(mesh.faces) <= WRAP_FACES:
        return mesh
    vertices, faces = fast_simplification.simplify(
        mesh.vertices.astype(np.float32), np.ascontiguousarray(mesh.faces), target_count=WRAP_FACES
    )
    return Mesh(vertices=np.asarray(vertices, dtype=np.float64), faces=np.asarray(faces, dtype=np.int32))


def _unenclosed_notes(mesh: Mesh, solid: Mesh, distance_m: float) -> tuple[str, ...]:
    """Return how much of a mesh lies apart from its solid, as sentences; raises StageError where it is most of it."""
    share = _area_apart(mesh, solid, distance_m) / max(float(mesh.triangle_areas_m2().sum()), 1e-12)
    if share > MAX_UNENCLOSED_SHARE:
        raise StageError(
            f"{share:.0%} of the surface encloses nothing: is it the mesh of one whole thing?", stage="mesh"
        )
    if share < REPORTED_UNENCLOSED_SHARE:
        return ()
    return (f"{share:.0%} of the surface are sheets that enclose nothing: they are seen, but nothing touches them",)


def _area_apart(mesh: Mesh, other: Mesh, distance_m: float) -> float:
    """Return the area of a mesh that lies farther than a distance from the surface of another [m²]."""
    spacing_m = float(np.sqrt(other.triangle_areas_m2().sum() / SURFACE_SAMPLES))
    reach_m = max(distance_m, MIN_REACH_SPACINGS * spacing_m)
    distances, _ = cKDTree(_surface_points(other)).query(_surface_points(mesh), distance_upper_bound=reach_m)
    return float(np.mean(np.isinf(distances)) * mesh.triangle_areas_m2().sum())


def _surface_points(mesh: Mesh) -> Array:
    """Return points [n, 3] spread evenly by area over a mesh."""
    total = np.cumsum(mesh.triangle_areas_m2())
    picked = np.searchsorted(total, (np.arange(SURFACE_SAMPLES) + 0.5) / SURFACE_SAMPLES * total[-1])
    weights = np.random.default_rng(0).dirichlet((1.0, 1.0, 1.0), SURFACE_SAMPLES)
    return np.einsum("nk,nkd->nd", weights, mesh.vertices[mesh.faces[picked]])


def _encloses_nothing() -> StageError:
    return StageError("the surface encloses nothing: is it the mesh of one whole thing?", stage="mesh")
