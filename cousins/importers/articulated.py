"""A URDF or MJCF of one thing as an asset: pieces and looks of each moving part, joints, masses by volume.

Declared masses and inertias are not believed: many are placeholders. Parts weigh what their collision pieces hold of
the material that the thing's name tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import manifold3d
import numpy as np
import trimesh

from cousins.errors import StageError
from cousins.geometry import Array, rigid, transform
from cousins.importers.articulation import ToldLink, ToldShape, refused
from cousins.importers.meshes import SUFFIXES, closed, decoded
from cousins.importers.mjcf import read_mjcf
from cousins.importers.msh import read_msh
from cousins.importers.urdf import read_urdf
from cousins.meshes import Mesh, concatenate
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.reconstruct.build import mass_properties
from cousins.reconstruct.collision.decomposition import decompose
from cousins.reconstruct.collision.solids import mesh_of, solid_of
from cousins.reconstruct.materials import Material, material_for

GREY: Final = (186, 186, 190)
"""Colour of what has none."""

Decode = Callable[[str], Mesh]
"""Gives the mesh of a file that a description names."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """What moves as one: a link with all that is fixed to it."""

    link: ToldLink
    parent: str
    parent_from_part: Array
    shapes: tuple[ToldShape, ...]


def told_links(path: Path) -> dict[str, ToldLink]:
    """Return the links that a URDF or MJCF tells; raises CaptureError."""
    return read_urdf(path) if path.suffix.lower() == ".urdf" else read_mjcf(path)


def jointed_asset(path: Path, *, root: Path, name: str, label: str) -> Asset:
    """Return the asset of a description; its meshes must lie inside `root`."""
    cache: dict[str, Mesh] = {}

    def decode(file: str) -> Mesh:
        if file not in cache:
            cache[file] = _mesh_of(path, file, root)
        return cache[file]

    parts = moving_parts(told_links(path))
    if not parts:
        raise refused(path, "no links")
    notes: list[str] = []
    made = {part.link.name: (_pieces(part, decode, notes), _looks(part, decode)) for part in parts}
    for part in parts:
        if not made[part.link.name][0]:
            raise refused(path, f"nothing to touch at {part.link.name[:40]!r}")
    middle, size = _box(parts, made)
    material = material_for(label, longest_side_m=float(size.max()))
    links = tuple(
        _link(part.link.name, *made[part.link.name], material, middle if not part.parent else np.zeros(3))
        for part in parts
    )
    top = parts[0].link.name
    return Asset(
        name=name,
        label=label,
        label_source="file name",
        links=links,
        joints=tuple(_joint(part, middle if part.parent == top else np.zeros(3)) for part in parts[1:]),
        friction=material.friction,
        restitution=material.restitution,
        material=material.name,
        size_m=size,
        observed_area_m2=float(sum(link.visual.to_trimesh().area for link in links)),
        completed_area_m2=0.0,
        completions=(f"finished {'URDF' if path.suffix.lower() == '.urdf' else 'MJCF'}",),
        fallbacks=tuple(dict.fromkeys(notes)),
    )


def moving_parts(links: Mapping[str, ToldLink]) -> list[Part]:
    """Return the moving parts, parents first; links without a joint belong to their parents."""
    owner: dict[str, str] = {}
    poses: dict[str, Array] = {}
    found: dict[str, Part] = {}
    waiting = list(links.values())
    while waiting:
        ready = [link for link in waiting if not link.parent or link.parent in owner]
        if not ready:
            break
        for link in ready:
            pose = poses[link.parent] @ link.parent_from_link if link.parent else link.parent_from_link
            still = link.parent and (link.joint is None or link.joint.kind == "fixed")
            if still:
                owner[link.name], poses[link.name] = owner[link.parent], pose
                first = found[owner[link.name]]
                shapes = tuple(_moved(shape, pose) for shape in link.shapes)
                found[owner[link.name]] = replace(first, shapes=first.shapes + shapes)
                continue
            turn = np.eye(4) if link.parent else link.parent_from_link
            shapes = tuple(_moved(shape, turn) for shape in link.shapes)
            owner[link.name], poses[link.name] = link.name, turn
            parent = owner[link.parent] if link.parent else ""
            found[link.name] = Part(link=link, parent=parent, parent_from_part=pose, shapes=shapes)
        waiting = [link for link in waiting if link.name not in owner]
    return list(found.values())


def _moved(shape: ToldShape, part_from_link: Array) -> ToldShape:
    return replace(shape, link_from_shape=part_from_link @ shape.link_from_shape)


def _pieces(part: Part, decode: Decode, notes: list[str]) -> list[Piece]:
    """Return the convex pieces of a part in its frame: of what is there to be touched, else of what is seen."""
    touched = [shape for shape in part.shapes if shape.collides] or list(part.shapes)
    found: list[Piece] = []
    for shape in touched:
        if shape.kind != "mesh":
            found += primitive_pieces(shape)
            continue
        solid, open_notes = closed(placed_mesh(decode(shape.file), shape))
        try:
            collision = decompose(solid)
        except StageError as error:
            notes.append(f"a collision mesh was left out: {error.message}")
            continue
        found += collision.pieces
        notes += [*open_notes, *collision.fallbacks]
    return found


def primitive_pieces(shape: ToldShape) -> list[Piece]:
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


def _looks(part: Part, decode: Decode) -> Mesh | None:
    """Return what is seen of a part in its frame: one mesh as it is, several with a colour each; None for nothing."""
    meshes = [placed_mesh(decode(shape.file), shape) for shape in part.shapes if shape.seen and shape.kind == "mesh"]
    if len(meshes) == 1:
        return meshes[0]
    return concatenate([_colored(mesh) for mesh in meshes]) if meshes else None


def placed_mesh(mesh: Mesh, shape: ToldShape) -> Mesh:
    """Return a mesh scaled and moved into its part's frame; a mirroring scale turns its faces around."""
    faces = mesh.faces[:, ::-1] if np.prod(np.sign(shape.size_m)) < 0.0 else mesh.faces
    scaled = replace(mesh, vertices=mesh.vertices * np.array(shape.size_m), faces=faces)
    return scaled.transformed(shape.link_from_shape)


def _colored(mesh: Mesh) -> Mesh:
    if mesh.colors is not None:
        return mesh
    color = GREY if mesh.texture is None else mesh.texture.reshape(-1, 3).mean(axis=0)
    colors = np.tile(np.asarray(color, dtype=np.uint8), (len(mesh.vertices), 1))
    return Mesh(vertices=mesh.vertices, faces=mesh.faces, colors=colors)


def _box(parts: list[Part], made: Mapping[str, tuple[list[Piece], Mesh | None]]) -> tuple[Array, Array]:
    """Return the middle and the extents of the thing with its joints at 0, in the root's frame [m]."""
    poses: dict[str, Array] = {}
    points = []
    for part in parts:
        poses[part.link.name] = poses[part.parent] @ part.parent_from_part if part.parent else np.eye(4)
        pieces, looks = made[part.link.name]
        meshes = [piece.mesh for piece in pieces] + ([] if looks is None else [looks])
        points += [transform(poses[part.link.name], mesh.vertices) for mesh in meshes]
    everything = np.concatenate(points)
    low, high = everything.min(axis=0), everything.max(axis=0)
    return (low + high) / 2.0, high - low


def _link(name: str, pieces: list[Piece], looks: Mesh | None, material: Material, shift: Array) -> Link:
    move = rigid(translation=-shift)
    moved = tuple(
        replace(
            piece,
            mesh=piece.mesh.transformed(move),
            link_from_piece=piece.link_from_piece if piece.kind == "mesh" else move @ piece.link_from_piece,
        )
        for piece in pieces
    )
    whole = manifold3d.Manifold.batch_boolean([solid_of(piece.mesh) for piece in moved], manifold3d.OpType.Add)
    solid = mesh_of(whole)
    mass, center, inertia = mass_properties(solid, material.density_kg_m3)
    return Link(
        name=_safe(name),
        visual=solid if looks is None else looks.transformed(move),
        pieces=moved,
        mass_kg=mass,
        center_of_mass_m=center,
        inertia_kg_m2=inertia,
    )


def _joint(part: Part, shift: Array) -> Joint:
    told = part.link.joint
    assert told is not None
    return Joint(
        name=_safe(told.name),
        kind=told.kind,
        parent=_safe(part.parent),
        child=_safe(part.link.name),
        parent_from_child=rigid(translation=-shift) @ part.parent_from_part,
        axis=told.axis,
        lower=told.lower,
        upper=told.upper,
        damping=told.damping,
        friction=told.friction,
    )


def _mesh_of(path: Path, file: str, root: Path) -> Mesh:
    """Return the mesh of a file that a description names; raises CaptureError for one outside of the folder."""
    inner = re.sub(r"^package://[^/]+/", "", file)
    target = (path.parent / inner).resolve()
    if not inner or not target.is_relative_to(root.resolve()) or not target.is_file():
        raise refused(path, f"a mesh {file[:80]!r} that is not inside its folder")
    if target.suffix.lower() == ".msh":
        return read_msh(target)
    if target.suffix.lower() not in SUFFIXES:
        raise refused(path, f"a mesh of the kind {target.suffix[:20]!r}")
    return decoded(target)


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("-")[:64] or "part"
