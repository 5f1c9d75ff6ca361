"""Import a URDF or MJCF of one object as an asset: pieces and looks of each moving part, joints, masses by volume.

Declared masses and inertias are not believed: many are placeholders. The mass of a
part is the volume of its collision pieces times the density of the material that its name suggests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Final

import manifold3d
import numpy as np
import trimesh

from cousins.errors import CaptureError, StageError
from cousins.geometry import Array, rigid, transform
from cousins.importers.articulation import LinkSpec, ShapeSpec, description_error, mesh_file
from cousins.importers.meshes import MESH_SUFFIXES, read_mesh_as_authored
from cousins.importers.mjcf import read_mjcf
from cousins.importers.msh import read_msh
from cousins.importers.units import METRES_PER_UNIT, SIZE_RANGE_M, LengthUnit, format_length, size_advice
from cousins.importers.urdf import read_urdf
from cousins.importers.watertight import watertight_mesh
from cousins.meshes import Mesh, concatenate
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.reconstruct.build import mass_properties
from cousins.reconstruct.collision.decomposition import decompose
from cousins.reconstruct.collision.solids import mesh_of, solid_of
from cousins.reconstruct.materials import Material, material_for

DEFAULT_COLOR: Final = (186, 186, 190)
"""sRGB of meshes without colours."""

MeshDecoder = Callable[[str], Mesh]
"""Returns the mesh of a file that a description references."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MovingPart:
    """A rigid group of links: a link and all links that are fixed to it."""

    link: LinkSpec
    parent: str
    parent_from_part: Array
    shapes: tuple[ShapeSpec, ...]


@dataclass(kw_only=True, slots=True)
class _Report:
    """What is noted while the parts are built."""

    notes: list[str] = field(default_factory=list)
    """Assumptions and omissions, a sentence each."""
    added_area_m2: float = 0.0
    """Area of collision surface that no file contained [m²]."""


def read_articulation(path: Path, *, root: Path | None = None) -> dict[str, LinkSpec]:
    """Return the links of a URDF or MJCF file by name, the root first; raises CaptureError."""
    return read_urdf(path) if path.suffix.lower() == ".urdf" else read_mjcf(path, root=root)


def articulated_asset(path: Path, *, root: Path, name: str, label: str, unit: LengthUnit | None = None) -> Asset:
    """Return the asset of a URDF or MJCF file; its meshes must lie inside `root`, their numbers in `unit`."""
    cache: dict[str, Mesh] = {}

    def decode(file: str) -> Mesh:
        if file not in cache:
            mesh = _mesh_of(path, file, root)
            cache[file] = replace(mesh, vertices=mesh.vertices * METRES_PER_UNIT[unit or "m"])
        return cache[file]

    parts = moving_parts(read_articulation(path, root=root))
    if not parts:
        raise description_error(path, "no links")
    report = _Report(notes=_motionless_notes(parts))
    geometry = {part.link.name: (_pieces(part, decode, report), _visual_mesh(part, decode, report)) for part in parts}
    for part in parts:
        if not geometry[part.link.name][0]:
            raise description_error(path, f"nothing to touch at {part.link.name[:40]!r}")
    middle, size = _bounding_box(parts, geometry)
    if not SIZE_RANGE_M[0] <= float(size.max()) <= SIZE_RANGE_M[1]:
        advice = size_advice(float(size.max()), unit)
        raise description_error(
            path,
            f"a thing {format_length(float(size.max()))} long",
            hint=f"State the unit of its meshes: {advice}." if advice else "A URDF or MJCF counts in metres.",
        )
    material = material_for(label, longest_side_m=float(size.max()))
    links = tuple(
        _link(part.link.name, *geometry[part.link.name], material, middle if not part.parent else np.zeros(3))
        for part in parts
    )
    root_name = parts[0].link.name
    return Asset(
        name=name,
        label=label,
        label_source="file name",
        links=links,
        joints=tuple(_joint(part, middle if part.parent == root_name else np.zeros(3)) for part in parts[1:]),
        friction=material.friction,
        restitution=material.restitution,
        material=material.name,
        size_m=size,
        observed_area_m2=max(
            0.0, float(sum(link.visual.triangle_areas_m2().sum() for link in links)) - report.added_area_m2
        ),
        completed_area_m2=report.added_area_m2,
        completions=(f"finished {'URDF' if path.suffix.lower() == '.urdf' else 'MJCF'}",),
        fallbacks=tuple(dict.fromkeys(report.notes)),
    )


def moving_parts(links: Mapping[str, LinkSpec]) -> list[MovingPart]:
    """Return the moving parts, parents first; links without a joint belong to their parents."""
    owner: dict[str, str] = {}
    poses: dict[str, Array] = {}
    parts: dict[str, MovingPart] = {}
    waiting = list(links.values())
    while waiting:
        ready = [link for link in waiting if not link.parent or link.parent in owner]
        if not ready:
            break
        for link in ready:
            pose = poses[link.parent] @ link.parent_from_link if link.parent else link.parent_from_link
            is_fixed = link.parent and (link.joint is None or link.joint.kind == "fixed")
            if is_fixed:
                owner[link.name], poses[link.name] = owner[link.parent], pose
                first = parts[owner[link.name]]
                shapes = tuple(_moved_shape(shape, pose) for shape in link.shapes)
                parts[owner[link.name]] = replace(first, shapes=first.shapes + shapes)
                continue
            part_from_link = np.eye(4) if link.parent else link.parent_from_link
            shapes = tuple(_moved_shape(shape, part_from_link) for shape in link.shapes)
            owner[link.name], poses[link.name] = link.name, part_from_link
            parent = owner[link.parent] if link.parent else ""
            parts[link.name] = MovingPart(link=link, parent=parent, parent_from_part=pose, shapes=shapes)
        waiting = [link for link in waiting if link.name not in owner]
    return list(parts.values())


def _motionless_notes(parts: list[MovingPart]) -> list[str]:
    """Return which joints cannot move, as sentences."""
    names = [
        part.link.joint.name for part in parts if part.link.joint and part.link.joint.lower == part.link.joint.upper
    ]
    return [f"the joint {name[:40]!r} has no limits, so that it cannot move" for name in names]


def _moved_shape(shape: ShapeSpec, part_from_link: Array) -> ShapeSpec:
    return replace(shape, link_from_shape=part_from_link @ shape.link_from_shape)


def _pieces(part: MovingPart, decode: MeshDecoder, report: _Report) -> list[Piece]:
    """Return the convex pieces of a part in its frame: of its collision shapes, else of its visual shapes."""
    collision_shapes = [shape for shape in part.shapes if shape.is_collision] or list(part.shapes)
    pieces: list[Piece] = []
    for shape in collision_shapes:
        if shape.kind != "mesh":
            pieces += pieces_of_primitive(shape)
            continue
        try:
            closed = watertight_mesh(mesh_in_part(decode(shape.file), shape))
            collision = decompose(closed.solid)
        except StageError as error:
            report.notes.append(f"the mesh {PurePath(shape.file).name[:80]!r} collides with nothing: {error.message}")
            continue
        pieces += collision.pieces
        report.added_area_m2 += closed.added_area_m2
        report.notes += [*closed.notes, *collision.fallbacks]
    return pieces


def pieces_of_primitive(shape: ShapeSpec) -> list[Piece]:
    """Return a primitive as a piece; none where it has no volume. A capsule becomes a hull."""
    x, y, z = shape.size_m
    if min(x, y) <= 1e-6 or (shape.kind != "capsule" and z <= 1e-6):
        return []
    if shape.kind == "box":
        mesh = trimesh.creation.box(extents=shape.size_m)
    elif shape.kind == "cylinder":
        mesh = trimesh.creation.cylinder(radius=x / 2, height=z, sections=32)
    elif shape.kind == "sphere":
        mesh = trimesh.creation.icosphere(subdivisions=2, radius=x / 2)
    else:
        mesh = trimesh.creation.capsule(radius=x / 2, height=z, count=(16, 16))
        mesh.apply_translation(-mesh.bounds.mean(axis=0))
        hull = mesh_of(manifold3d.Manifold.hull_points(transform(shape.link_from_shape, np.asarray(mesh.vertices))))
        return [Piece(kind="mesh", mesh=hull, link_from_piece=np.eye(4), size_m=np.ptp(hull.vertices, axis=0))]
    placed = Mesh.from_trimesh(mesh).transformed(shape.link_from_shape)
    return [Piece(kind=shape.kind, mesh=placed, link_from_piece=shape.link_from_shape, size_m=np.array(shape.size_m))]


def _visual_mesh(part: MovingPart, decode: MeshDecoder, report: _Report) -> Mesh | None:
    """Return the visual mesh of a part in its frame: one mesh as it is, several with a colour each; None for none.

    What only looks and cannot be read is left out and reported where the part has something to touch.
    """
    is_touchable = any(shape.is_collision for shape in part.shapes)
    meshes = []
    for shape in part.shapes:
        if shape.is_visual and shape.kind == "mesh":
            try:
                meshes.append(mesh_in_part(decode(shape.file), shape))
            except CaptureError as error:
                if not is_touchable or shape.is_collision:
                    raise
                report.notes.append(f"a look was left out, collision shapes are seen instead: {error.found}")
    if len(meshes) == 1:
        return meshes[0]
    return concatenate([_colored(mesh) for mesh in meshes]) if meshes else None


def mesh_in_part(mesh: Mesh, shape: ShapeSpec) -> Mesh:
    """Return a mesh scaled and moved into its part's frame; a mirroring scale turns its faces around."""
    faces = mesh.faces[:, ::-1] if np.prod(np.sign(shape.size_m)) < 0.0 else mesh.faces
    scaled = replace(mesh, vertices=mesh.vertices * np.array(shape.size_m), faces=faces)
    return scaled.transformed(shape.link_from_shape)


def _colored(mesh: Mesh) -> Mesh:
    if mesh.colors is not None:
        return mesh
    color = DEFAULT_COLOR if mesh.texture is None else mesh.texture.reshape(-1, 3).mean(axis=0)
    colors = np.tile(np.asarray(color, dtype=np.uint8), (len(mesh.vertices), 1))
    return Mesh(vertices=mesh.vertices, faces=mesh.faces, colors=colors)


def _bounding_box(
    parts: list[MovingPart], geometry: Mapping[str, tuple[list[Piece], Mesh | None]]
) -> tuple[Array, Array]:
    """Return the middle and the extents of the thing with its joints at 0, in the root's frame [m]."""
    poses: dict[str, Array] = {}
    points = []
    for part in parts:
        poses[part.link.name] = poses[part.parent] @ part.parent_from_part if part.parent else np.eye(4)
        pieces, visual = geometry[part.link.name]
        meshes = [piece.mesh for piece in pieces] + ([] if visual is None else [visual])
        points += [transform(poses[part.link.name], mesh.vertices) for mesh in meshes]
    all_points = np.concatenate(points)
    low, high = all_points.min(axis=0), all_points.max(axis=0)
    return (low + high) / 2.0, high - low


def _link(name: str, pieces: list[Piece], visual: Mesh | None, material: Material, offset: Array) -> Link:
    move = rigid(translation=-offset)
    moved_pieces = tuple(
        replace(
            piece,
            mesh=piece.mesh.transformed(move),
            link_from_piece=piece.link_from_piece if piece.kind == "mesh" else move @ piece.link_from_piece,
        )
        for piece in pieces
    )
    union = manifold3d.Manifold.batch_boolean([solid_of(piece.mesh) for piece in moved_pieces], manifold3d.OpType.Add)
    solid = mesh_of(union)
    mass, center, inertia = mass_properties(solid, material.density_kg_m3)
    return Link(
        name=_safe_name(name),
        visual=solid if visual is None else visual.transformed(move),
        pieces=moved_pieces,
        mass_kg=mass,
        center_of_mass_m=center,
        inertia_kg_m2=inertia,
    )


def _joint(part: MovingPart, offset: Array) -> Joint:
    joint = part.link.joint
    assert joint is not None
    return Joint(
        name=_safe_name(joint.name),
        kind=joint.kind,
        parent=_safe_name(part.parent),
        child=_safe_name(part.link.name),
        parent_from_child=rigid(translation=-offset) @ part.parent_from_part,
        axis=joint.axis,
        lower=joint.lower,
        upper=joint.upper,
        damping=joint.damping,
        friction=joint.friction,
    )


def _mesh_of(path: Path, file: str, root: Path) -> Mesh:
    """Return the mesh of a file that a description names; raises CaptureError for one outside of the folder."""
    target = mesh_file(path, file, root)
    if target is None:
        raise description_error(
            path,
            f"a mesh {file[:80]!r} that is not inside the folder",
            hint="Give the folder above that holds both, or copy the mesh beside it.",
        )
    if target.suffix.lower() == ".msh":
        return read_msh(target)
    if target.suffix.lower() not in MESH_SUFFIXES:
        raise description_error(
            path,
            f"a mesh {target.name[:80]!r} of a kind that is not read",
            hint=f"Convert it to one of {', '.join(MESH_SUFFIXES)} and name that file.",
        )
    return read_mesh_as_authored(target)


def _safe_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("-")[:64] or "part"
