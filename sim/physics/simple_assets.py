"""Simple assets, floors and scenes for probes, tests and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import trimesh

from cousins.capture.captures import Scale
from cousins.geometry import Array, rigid
from cousins.meshes import Mesh, concatenate
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.scene.scenes import PlacedAsset, Scene, Structure

FRICTION: Final = 0.5
"""Coulomb friction coefficient of a simple asset."""
SPHERE_SUBDIVISIONS: Final = 3
"""Subdivisions of a sphere's mesh (1280 faces); engines collide with the exact sphere."""


def exact_quantity(value: float) -> Quantity:
    """Return a quantity of source `default` whose interval has zero width."""
    return Quantity(value=value, low=value, high=value, source="default")


def box_piece(size_m: Sequence[float], *, center_m: Sequence[float] = (0.0, 0.0, 0.0)) -> Piece:
    """Return a box of full extents `size_m` [m] around a centre in the link's frame [m]."""
    pose = rigid(translation=np.asarray(center_m, dtype=np.float64))
    mesh = Mesh.from_trimesh(trimesh.creation.box(extents=size_m)).transformed(pose)
    return Piece(kind="box", mesh=mesh, link_from_piece=pose, size_m=np.asarray(size_m, dtype=np.float64))


def hull_piece(points: Array) -> Piece:
    """Return the convex hull of points [n, 3] in the link's frame [m]."""
    hull = trimesh.convex.convex_hull(points)
    return Piece(kind="mesh", mesh=Mesh.from_trimesh(hull), link_from_piece=np.eye(4), size_m=hull.extents)


def sphere_piece(radius_m: float) -> Piece:
    """Return a sphere around the link's origin."""
    ball = Mesh.from_trimesh(trimesh.creation.icosphere(subdivisions=SPHERE_SUBDIVISIONS, radius=radius_m))
    return Piece(kind="sphere", mesh=ball, link_from_piece=np.eye(4), size_m=np.full(3, 2.0 * radius_m))


def cylinder_piece(radius_m: float, height_m: float) -> Piece:
    """Return a cylinder along z around the link's origin."""
    mesh = Mesh.from_trimesh(trimesh.creation.cylinder(radius=radius_m, height=height_m, sections=64))
    size_m = np.array([2.0 * radius_m, 2.0 * radius_m, height_m])
    return Piece(kind="cylinder", mesh=mesh, link_from_piece=np.eye(4), size_m=size_m)


def make_link(name: str, pieces: Sequence[Piece], *, mass_kg: float) -> Link:
    """Return a link of convex pieces of uniform density; overlapping volumes count twice."""
    parts = [piece.mesh.to_trimesh() for piece in pieces]
    volumes = np.array([part.volume for part in parts])
    centers = np.array([part.center_mass for part in parts])
    center = volumes @ centers / volumes.sum()
    inertia = np.zeros((3, 3))
    for part, volume, middle in zip(parts, volumes, centers, strict=True):
        offset = middle - center
        inertia += part.moment_inertia + volume * (offset @ offset * np.eye(3) - np.outer(offset, offset))
    return Link(
        name=name,
        visual=concatenate([piece.mesh for piece in pieces]),
        pieces=tuple(pieces),
        mass_kg=exact_quantity(mass_kg),
        center_of_mass_m=center,
        inertia_kg_m2=inertia * mass_kg / volumes.sum(),
    )


def rigid_asset(
    name: str,
    pieces: Sequence[Piece],
    *,
    mass_kg: float = 0.2,
    friction: float = FRICTION,
    restitution: float = 0.0,
) -> Asset:
    """Return a rigid asset of convex pieces."""
    return articulated_asset(
        name, [make_link("base", pieces, mass_kg=mass_kg)], joints=(), friction=friction, restitution=restitution
    )


def articulated_asset(
    name: str,
    links: Sequence[Link],
    *,
    joints: Sequence[Joint],
    friction: float = FRICTION,
    restitution: float = 0.0,
) -> Asset:
    """Return an asset of links and joints; the first link is its root."""
    vertices = links[0].visual.vertices
    return Asset(
        name=name,
        label=name,
        links=tuple(links),
        joints=tuple(joints),
        friction=exact_quantity(friction),
        restitution=exact_quantity(restitution),
        material="unknown",
        size_m=np.ptp(vertices, axis=0),
        observed_area_m2=links[0].visual.to_trimesh().area,
        completed_area_m2=0.0,
    )


def slab(
    name: str = "floor",
    *,
    size_m: Sequence[float] = (4.0, 4.0, 0.1),
    top_m: float = 0.0,
    friction: float = FRICTION,
    restitution: float = 0.0,
) -> Structure:
    """Return a fixed box, centred on the z axis, whose top is at `top_m` [m]."""
    piece = box_piece(size_m, center_m=(0.0, 0.0, top_m - size_m[2] / 2.0))
    return Structure(
        name=name,
        kind="floor",
        visual=piece.mesh,
        pieces=(piece,),
        friction=exact_quantity(friction),
        restitution=exact_quantity(restitution),
    )


def place(asset: Asset, *position_m: float, rotation: Array | None = None) -> PlacedAsset:
    """Return an asset at a position x, y, z in the world [m], turned by a rotation [3, 3]."""
    return PlacedAsset(asset=asset, world_from_asset=rigid(rotation, np.array(position_m, dtype=np.float64)))


def make_scene(*objects: PlacedAsset, structures: Sequence[Structure] | None = None, name: str = "props") -> Scene:
    """Return a scene of these objects, on a floor at z = 0 unless other structures are given."""
    return Scene(
        name=name,
        structures=(slab(),) if structures is None else tuple(structures),
        objects=tuple(objects),
        relations=(),
        scale=Scale(source="assumed", error=0.0),
    )
