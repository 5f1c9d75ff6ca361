"""Assets out of parts: one watertight mesh for each link with its texture, convex pieces, mass and joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import manifold3d
import numpy as np

from cousins.families.finishes import texture
from cousins.families.parts import Convex, Part, Point
from cousins.geometry import Array, rigid
from cousins.meshes import Mesh
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.reconstruct.collision.solids import mesh_of
from cousins.reconstruct.materials import MATERIALS

INSET: Final = 0.02
"""Rim of a coat's tile that no surface uses, so that neighbours do not shine through."""
SMALLEST_M: Final = 2e-5
"""Shorter edges and thinner slivers are taken out [m]: files keep micrometres."""
ATTEMPTS: Final = 5
"""How often parts are joined anew until their surface stays closed when it is written."""
LEAST_PIECE_M3: Final = 1e-12
"""Pieces of less volume are left out [m³]: folds of a profile."""


@dataclass(frozen=True, kw_only=True)
class Coat:
    """What a part is made of and looks like."""

    matter: str
    """Key of the material table."""
    finish: str
    """Key of the finishes."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Body:
    """One rigid part of an asset, in the frame that all bodies of the asset share."""

    name: str
    """Name of the link."""
    parts: Sequence[Part]
    """What it is put together from; they may overlap."""


@dataclass(frozen=True, kw_only=True)
class Hinge:
    """A joint, in the frame that all bodies share."""

    name: str
    """Name of the joint."""
    kind: Literal["revolute", "prismatic"]
    """Type of motion."""
    child: str
    """Name of the body that moves against the first one."""
    origin_m: Point
    """A place on the axis [m]."""
    axis: Point
    """Unit axis."""
    upper: float
    """Upper limit [rad] or [m]; the lower one is 0."""
    damping: float
    """Viscous damping [N·m·s/rad] or [N·s/m]."""
    friction: float
    """Dry friction [N·m] or [N]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shape:
    """Bodies and joints; the first body is the root."""

    bodies: Sequence[Body]
    """All bodies."""
    coats: Sequence[Coat]
    """What parts name by number; the first one gives friction and restitution."""
    hinges: Sequence[Hinge] = ()
    """All joints; each moves a body against the first."""


def rigid_shape(parts: Sequence[Part], *coats: Coat) -> Shape:
    """Return the shape of one body."""
    return Shape(bodies=(Body(name="body", parts=parts),), coats=coats)


def assembled(shape: Shape, *, name: str, label: str, rng: np.random.Generator, texture_px: int) -> Asset:
    """Return the asset of a shape, its origin moved to the centre of its bounding box."""
    solids = [_joined(body.parts) for body in shape.bodies]
    bounds = np.array([solid.bounding_box() for solid in solids])
    low, high = bounds[:, :3].min(axis=0), bounds[:, 3:].max(axis=0)
    middle = (low + high) / 2.0
    root = shape.bodies[0].name
    origins = {root: middle} | {hinge.child: np.array(hinge.origin_m) for hinge in shape.hinges}
    tiles = [texture(coat.finish, rng, texture_px) for coat in shape.coats] if texture_px else []
    links = tuple(
        _link(body, solid, shape.coats, tiles, origins[body.name])
        for body, solid in zip(shape.bodies, solids, strict=True)
    )
    stuff = MATERIALS[shape.coats[0].matter]
    return Asset(
        name=name,
        label=label,
        label_source="family",
        links=links,
        joints=tuple(_joint(hinge, root, middle) for hinge in shape.hinges),
        friction=stuff.friction,
        restitution=stuff.restitution,
        material=stuff.name,
        size_m=high - low,
        observed_area_m2=0.0,
        completed_area_m2=float(sum(solid.surface_area() for solid in solids)),
        completions=("made by program",),
    )


def _joined(parts: Sequence[Part]) -> manifold3d.Manifold:
    """Return the parts as one solid that knows by `run_original_id` which part each face is of, in order.

    Where faces lie so close that rounding would join them, parts are tried again a few micrometres larger.
    """
    solid = manifold3d.Manifold()
    for attempt in range(ATTEMPTS):
        grown = [_grown(part.solid, attempt * (index % 7) * SMALLEST_M) for index, part in enumerate(parts)]
        originals = [one.as_original() for one in grown]
        solid = manifold3d.Manifold.batch_boolean(originals, manifold3d.OpType.Add).simplify(SMALLEST_M)
        if _closed_as_written(solid):
            break
    return solid


def _grown(solid: manifold3d.Manifold, by_m: float) -> manifold3d.Manifold:
    """Return a solid that is larger by a length in every direction, stretched about its middle."""
    if by_m == 0.0:
        return solid
    low, high = np.array(solid.bounding_box()).reshape(2, 3)
    middle, factor = (low + high) / 2.0, 1.0 + by_m / np.maximum(high - low, by_m)
    return solid.translate((-middle).tolist()).scale(factor.tolist()).translate(middle.tolist())


def _closed_as_written(solid: manifold3d.Manifold) -> bool:
    """Return whether each edge still has two faces when places are rounded to the micrometre."""
    told = mesh_of(solid)
    places = np.round(told.vertices * 1e6).astype(np.int64)
    _, index = np.unique(places, axis=0, return_inverse=True)
    faces = index.ravel()[told.faces].astype(np.int64)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, counts = np.unique(edges[:, 0] * (len(places) + 1) + edges[:, 1], return_counts=True)
    return bool(np.all(counts == 2))


def _link(body: Body, solid: manifold3d.Manifold, coats: Sequence[Coat], tiles: Sequence[Array], origin: Array) -> Link:
    used = sorted({part.coat for part in body.parts})
    visual = _unfolded(solid, body.parts, used)
    atlas = np.concatenate([tiles[coat] for coat in used], axis=1) if tiles else None
    mass, center, inertia = _weight(mesh_of(solid), _density(body.parts, coats))
    return Link(
        name=body.name,
        visual=Mesh(vertices=visual.vertices - origin, faces=visual.faces, uv=visual.uv, texture=atlas),
        pieces=tuple(piece for part in body.parts for one in part.pieces for piece in _piece(one, origin)),
        mass_kg=mass,
        center_of_mass_m=center - origin,
        inertia_kg_m2=inertia,
    )


def _unfolded(solid: manifold3d.Manifold, parts: Sequence[Part], used: Sequence[int]) -> Mesh:
    """Return a solid's surface laid onto the tiles of its parts' coats, each face along the axis that it faces.

    Vertices are doubled where parts or axes change.
    """
    told = solid.to_mesh64()
    vertices = np.asarray(told.vert_properties, dtype=np.float64)[:, :3]
    faces = np.asarray(told.tri_verts, dtype=np.int64)
    lengths = np.diff(np.asarray(told.run_index, dtype=np.int64)) // 3
    identities = np.asarray(told.run_original_id, dtype=np.int64)
    order = np.unique(identities, return_inverse=True)[1].ravel()
    part = np.repeat(order, lengths.astype(np.intp))
    corners = vertices[faces]
    axis = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])).argmax(axis=1)
    group = 3 * part + axis
    keys = group[:, None] * len(vertices) + faces
    distinct, index = np.unique(keys, return_inverse=True)
    groups, places = np.divmod(distinct, len(vertices))
    uv = np.empty((len(distinct), 2))
    for number in np.unique(groups):
        chosen = groups == number
        uv[chosen] = _laid(parts[number // 3], int(number % 3), vertices[places[chosen]], used)
    return Mesh(vertices=vertices[places], faces=index.reshape(-1, 3).astype(np.int32), uv=uv)


def _laid(part: Part, axis: int, points: Array, used: Sequence[int]) -> Array:
    """Return texture coordinates [n, 2] of points of a part's faces that look along an axis; grain runs lengthwise."""
    bounds = np.array(part.solid.bounding_box()).reshape(2, 3)
    extents = np.maximum(np.ptp(bounds, axis=0), 1e-9)
    first, second = ((1, 2), (0, 2), (0, 1))[axis]
    if not part.fitted and extents[second] > extents[first]:
        first, second = second, first
    scale = extents if part.fitted else np.full(3, extents.max())
    flat = np.clip((points - bounds[0]) / scale, 0.0, 1.0)[:, [first, second]]
    inside = INSET + (1.0 - 2.0 * INSET) * flat
    return np.asarray((inside + np.array([used.index(part.coat), 0.0])) / [len(used), 1.0])


def _density(parts: Sequence[Part], coats: Sequence[Coat]) -> Quantity:
    """Return the density of parts together, by their volumes."""
    volumes = np.array([part.solid.volume() for part in parts])
    densities = [MATERIALS[coats[part.coat].matter].density_kg_m3 for part in parts]
    value, low, high = (
        float(volumes @ [getattr(density, field) for density in densities] / volumes.sum())
        for field in ("value", "low", "high")
    )
    return Quantity(value=value, low=min(low, value), high=max(high, value), source="material table")


def _weight(mesh: Mesh, density_kg_m3: Quantity) -> tuple[Quantity, Array, Array]:
    """Return mass, centre of mass [3] [m] and inertia about it [3, 3] [kg·m²] of a solid of one density."""
    solid = mesh.to_trimesh()
    solid.density = density_kg_m3.value
    inertia = np.asarray(solid.moment_inertia, dtype=np.float64)
    mass = density_kg_m3.scaled(float(solid.volume))
    return mass, np.asarray(solid.center_mass, dtype=np.float64), (inertia + inertia.T) / 2.0


def _piece(convex: Convex, origin: Array) -> tuple[Piece, ...]:
    """Return a convex piece in its link's frame; none for a fold that has no volume."""
    solid = manifold3d.Manifold.hull_points(np.ascontiguousarray(convex.points - origin))
    if solid.volume() < LEAST_PIECE_M3:
        return ()
    mesh = mesh_of(solid)
    if convex.kind == "mesh":
        return (Piece(kind="mesh", mesh=mesh, link_from_piece=np.eye(4), size_m=np.ptp(mesh.vertices, axis=0)),)
    pose = rigid(translation=np.array(convex.center_m) - origin)
    return (Piece(kind=convex.kind, mesh=mesh, link_from_piece=pose, size_m=np.array(convex.size_m)),)


def _joint(hinge: Hinge, root: str, middle: Array) -> Joint:
    return Joint(
        name=hinge.name,
        kind=hinge.kind,
        parent=root,
        child=hinge.child,
        parent_from_child=rigid(translation=np.array(hinge.origin_m) - middle),
        axis=np.array(hinge.axis, dtype=np.float64),
        lower=0.0,
        upper=hinge.upper,
        damping=hinge.damping,
        friction=hinge.friction,
    )
