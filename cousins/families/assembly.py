"""Build assets from parts: one watertight textured mesh for each link, with convex pieces, mass and joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import manifold3d
import numpy as np

from cousins.families.finishes import make_texture
from cousins.families.parts import ConvexPiece, Point, SolidPart
from cousins.geometry import Array, rigid
from cousins.meshes import Mesh
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.reconstruct.collision.solids import mesh_of
from cousins.reconstruct.materials import MATERIALS

TILE_INSET: Final = 0.02
"""Unused margin of a texture tile, so that neighbouring tiles do not bleed in."""
MIN_EDGE_M: Final = 2e-5
"""Shorter edges and thinner slivers are removed [m]; files are rounded to micrometres."""
MAX_ATTEMPTS: Final = 5
"""Most attempts to unite parts into a surface that is still watertight after rounding."""
MIN_PIECE_VOLUME_M3: Final = 1e-12
"""Pieces of less volume are omitted [m³]: degenerate folds of a profile."""


@dataclass(frozen=True, kw_only=True)
class PartMaterial:
    """Physical material and finish of a part."""

    material: str
    """Key of the material table, which gives density, friction and restitution."""
    finish: str
    """Key of the table of finishes, which gives the texture."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AssemblyBody:
    """A rigid body of an asset, in the frame that all bodies of the asset share."""

    name: str
    """Name of the link."""
    parts: Sequence[SolidPart]
    """Parts that it is composed of; they may overlap."""


@dataclass(frozen=True, kw_only=True)
class AssemblyJoint:
    """A joint between the root and another body, in the frame that all bodies share."""

    name: str
    """Name of the joint."""
    kind: Literal["revolute", "prismatic"]
    """Type of motion."""
    child: str
    """Name of the body that moves relative to the root."""
    origin_m: Point
    """A point on the axis [m]."""
    axis: Point
    """Unit axis."""
    upper: float
    """Upper limit [rad] or [m]; the lower one is 0."""
    damping: float
    """Viscous damping [N·m·s/rad] or [N·s/m]."""
    friction: float
    """Dry friction [N·m] or [N]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Assembly:
    """Bodies and joints; the first body is the root."""

    bodies: Sequence[AssemblyBody]
    """All bodies."""
    materials: Sequence[PartMaterial]
    """Materials that parts refer to by index; the first one gives friction and restitution."""
    joints: Sequence[AssemblyJoint] = ()
    """All joints; each moves a body relative to the root."""


def single_body(parts: Sequence[SolidPart], *materials: PartMaterial) -> Assembly:
    """Return an assembly of one body."""
    return Assembly(bodies=(AssemblyBody(name="body", parts=parts),), materials=materials)


def build_asset(assembly: Assembly, *, name: str, label: str, rng: np.random.Generator, texture_px: int) -> Asset:
    """Return the asset of an assembly, with its origin at the centre of its bounding box."""
    solids = [_union(body.parts) for body in assembly.bodies]
    bounds = np.array([solid.bounding_box() for solid in solids])
    low, high = bounds[:, :3].min(axis=0), bounds[:, 3:].max(axis=0)
    center = (low + high) / 2.0
    root = assembly.bodies[0].name
    origins = {root: center} | {joint.child: np.array(joint.origin_m) for joint in assembly.joints}
    tiles = [make_texture(material.finish, rng, texture_px) for material in assembly.materials] if texture_px else []
    links = tuple(
        _link(body, solid, assembly.materials, tiles, origins[body.name])
        for body, solid in zip(assembly.bodies, solids, strict=True)
    )
    base_material = MATERIALS[assembly.materials[0].material]
    return Asset(
        name=name,
        label=label,
        label_source="family",
        links=links,
        joints=tuple(_joint(joint, root, center) for joint in assembly.joints),
        friction=base_material.friction,
        restitution=base_material.restitution,
        material=base_material.name,
        size_m=high - low,
        observed_area_m2=0.0,
        completed_area_m2=float(sum(solid.surface_area() for solid in solids)),
        completions=("made by program",),
    )


def _union(parts: Sequence[SolidPart]) -> manifold3d.Manifold:
    """Return the union of the parts; its `run_original_id` gives the part of each face, in order.

    Where rounding would join nearby faces, the union is repeated with parts enlarged by a few micrometres.
    """
    solid = manifold3d.Manifold()
    for attempt in range(MAX_ATTEMPTS):
        enlarged = [_enlarged(part.solid, attempt * (index % 7) * MIN_EDGE_M) for index, part in enumerate(parts)]
        originals = [enlarged_solid.as_original() for enlarged_solid in enlarged]
        solid = manifold3d.Manifold.batch_boolean(originals, manifold3d.OpType.Add).simplify(MIN_EDGE_M)
        if _closed_as_written(solid):
            break
    return solid


def _enlarged(solid: manifold3d.Manifold, by_m: float) -> manifold3d.Manifold:
    """Return a solid whose extents are larger by a length [m], scaled about its centre."""
    if by_m == 0.0:
        return solid
    low, high = np.array(solid.bounding_box()).reshape(2, 3)
    middle, factor = (low + high) / 2.0, 1.0 + by_m / np.maximum(high - low, by_m)
    return solid.translate((-middle).tolist()).scale(factor.tolist()).translate(middle.tolist())


def _closed_as_written(solid: manifold3d.Manifold) -> bool:
    """Return whether each edge still has two faces after vertices are rounded to the micrometre."""
    mesh = mesh_of(solid)
    micrometres = np.round(mesh.vertices * 1e6).astype(np.int64)
    _, index = np.unique(micrometres, axis=0, return_inverse=True)
    faces = index.ravel()[mesh.faces].astype(np.int64)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, counts = np.unique(edges[:, 0] * (len(micrometres) + 1) + edges[:, 1], return_counts=True)
    return bool(np.all(counts == 2))


def _link(
    body: AssemblyBody,
    solid: manifold3d.Manifold,
    materials: Sequence[PartMaterial],
    tiles: Sequence[Array],
    origin: Array,
) -> Link:
    used_materials = sorted({part.material_index for part in body.parts})
    visual = _uv_mapped(solid, body.parts, used_materials)
    atlas = np.concatenate([tiles[index] for index in used_materials], axis=1) if tiles else None
    mass, center, inertia = _mass_properties(mesh_of(solid), _density(body.parts, materials))
    return Link(
        name=body.name,
        visual=Mesh(vertices=visual.vertices - origin, faces=visual.faces, uv=visual.uv, texture=atlas),
        pieces=tuple(piece for part in body.parts for convex in part.pieces for piece in _piece(convex, origin)),
        mass_kg=mass,
        center_of_mass_m=center - origin,
        inertia_kg_m2=inertia,
    )


def _uv_mapped(solid: manifold3d.Manifold, parts: Sequence[SolidPart], used_materials: Sequence[int]) -> Mesh:
    """Return a solid's surface with texture coordinates, by box projection onto the tile of each part's material.

    Vertices are duplicated where parts or projection axes change.
    """
    mesh = solid.to_mesh64()
    vertices = np.asarray(mesh.vert_properties, dtype=np.float64)[:, :3]
    faces = np.asarray(mesh.tri_verts, dtype=np.int64)
    lengths = np.diff(np.asarray(mesh.run_index, dtype=np.int64)) // 3
    identities = np.asarray(mesh.run_original_id, dtype=np.int64)
    order = np.unique(identities, return_inverse=True)[1].ravel()
    part_index = np.repeat(order, lengths.astype(np.intp))
    corners = vertices[faces]
    axis = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])).argmax(axis=1)
    group_index = 3 * part_index + axis
    keys = group_index[:, None] * len(vertices) + faces
    distinct, index = np.unique(keys, return_inverse=True)
    groups, places = np.divmod(distinct, len(vertices))
    uv = np.empty((len(distinct), 2))
    for number in np.unique(groups):
        in_group = groups == number
        uv[in_group] = _texture_coordinates(
            parts[number // 3], int(number % 3), vertices[places[in_group]], used_materials
        )
    return Mesh(vertices=vertices[places], faces=index.reshape(-1, 3).astype(np.int32), uv=uv)


def _texture_coordinates(part: SolidPart, axis: int, points: Array, used_materials: Sequence[int]) -> Array:
    """Return texture coordinates [n, 2] of points [n, 3] on faces normal to an axis; grain runs lengthwise."""
    bounds = np.array(part.solid.bounding_box()).reshape(2, 3)
    extents = np.maximum(np.ptp(bounds, axis=0), 1e-9)
    first, second = ((1, 2), (0, 2), (0, 1))[axis]
    if not part.stretch_texture and extents[second] > extents[first]:
        first, second = second, first
    scale = extents if part.stretch_texture else np.full(3, extents.max())
    flat = np.clip((points - bounds[0]) / scale, 0.0, 1.0)[:, [first, second]]
    inside = TILE_INSET + (1.0 - 2.0 * TILE_INSET) * flat
    return np.asarray(
        (inside + np.array([used_materials.index(part.material_index), 0.0])) / [len(used_materials), 1.0]
    )


def _density(parts: Sequence[SolidPart], materials: Sequence[PartMaterial]) -> Quantity:
    """Return the mean density of parts, weighted by volume."""
    volumes = np.array([part.solid.volume() for part in parts])
    densities = [MATERIALS[materials[part.material_index].material].density_kg_m3 for part in parts]
    value, low, high = (
        float(volumes @ [getattr(density, field) for density in densities] / volumes.sum())
        for field in ("value", "low", "high")
    )
    return Quantity(value=value, low=min(low, value), high=max(high, value), source="material table")


def _mass_properties(mesh: Mesh, density_kg_m3: Quantity) -> tuple[Quantity, Array, Array]:
    """Return mass, centre of mass [3] [m] and inertia about it [3, 3] [kg·m²] of a solid of one density."""
    solid = mesh.to_trimesh()
    solid.density = density_kg_m3.value
    inertia = np.asarray(solid.moment_inertia, dtype=np.float64)
    mass = density_kg_m3.scaled(float(solid.volume))
    return mass, np.asarray(solid.center_mass, dtype=np.float64), (inertia + inertia.T) / 2.0


def _piece(convex: ConvexPiece, origin: Array) -> tuple[Piece, ...]:
    """Return a convex piece in its link's frame; empty for a degenerate fold."""
    solid = manifold3d.Manifold.hull_points(np.ascontiguousarray(convex.points - origin))
    if solid.volume() < MIN_PIECE_VOLUME_M3:
        return ()
    mesh = mesh_of(solid)
    if convex.kind == "mesh":
        return (Piece(kind="mesh", mesh=mesh, link_from_piece=np.eye(4), size_m=np.ptp(mesh.vertices, axis=0)),)
    pose = rigid(translation=np.array(convex.center_m) - origin)
    return (Piece(kind=convex.kind, mesh=mesh, link_from_piece=pose, size_m=np.array(convex.size_m)),)


def _joint(joint: AssemblyJoint, root: str, center: Array) -> Joint:
    return Joint(
        name=joint.name,
        kind=joint.kind,
        parent=root,
        child=joint.child,
        parent_from_child=rigid(translation=np.array(joint.origin_m) - center),
        axis=np.array(joint.axis, dtype=np.float64),
        lower=0.0,
        upper=joint.upper,
        damping=joint.damping,
        friction=joint.friction,
    )
