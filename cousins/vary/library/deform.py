"""Bend an asset's shape: stretch, taper, twist and bow, by height, so that a level foot stays level."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import trimesh

from cousins.geometry import Array, transform
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.scene.kinematics import asset_from_links
from cousins.scene.layout.collision_bodies import piece_hull

PLAIN: Final = 1e-9
"""A taper, twist or bow below this is none."""


@dataclass(frozen=True, kw_only=True)
class Bend:
    """How a shape is changed, in the asset's frame, whose origin is the middle of its box."""

    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Factor on each extent."""
    taper: float = 0.0
    """How much wider the top is than the bottom, as a share of the mean."""
    twist_rad: float = 0.0
    """How far the top is turned against the bottom, about z [rad]."""
    bow: tuple[float, float] = (0.0, 0.0)
    """How far the middle leaves the line from bottom to top, along x and y, as a share of the height."""

    @property
    def straight(self) -> bool:
        """Whether it only stretches, so that boxes stay boxes."""
        return max(abs(self.taper), abs(self.twist_rad), abs(self.bow[0]), abs(self.bow[1])) < PLAIN

    def words(self) -> str:
        """Return what it does in words."""
        parts = ["stretch " + "×".join(f"{value:.2f}" for value in self.stretch)]
        if abs(self.taper) >= PLAIN:
            parts.append(f"taper {self.taper:+.2f}")
        if abs(self.twist_rad) >= PLAIN:
            parts.append(f"twist {np.rad2deg(self.twist_rad):+.0f}°")
        if max(abs(self.bow[0]), abs(self.bow[1])) >= PLAIN:
            parts.append(f"bow {100 * float(np.hypot(*self.bow)):.0f} %")
        return ", ".join(parts)

    def moved(self, points: Array, height_m: float) -> Array:
        """Return points [n, 3] of an asset of a height [m] after the change."""
        t = points[:, 2] / height_m
        wide = 1.0 + self.taper * t
        angle = self.twist_rad * t
        x, y = (points[:, axis] * self.stretch[axis] * wide for axis in (0, 1))
        arch = (0.25 - t**2) * 4.0 * height_m * self.stretch[2]
        return np.stack(
            [
                np.cos(angle) * x - np.sin(angle) * y + self.bow[0] * arch,
                np.sin(angle) * x + np.cos(angle) * y + self.bow[1] * arch,
                points[:, 2] * self.stretch[2],
            ],
            axis=1,
        )


def bent(asset: Asset, bend: Bend, *, name: str) -> Asset:
    """Return an asset of a changed shape; an asset with joints is only stretched, alike along all axes.

    Masses follow the volume of the pieces. The centre of the new box becomes the origin.
    """
    if asset.joints:
        bend = Bend(stretch=(float(np.prod(bend.stretch)) ** (1.0 / 3.0),) * 3)
    height = max(float(asset.size_m[2]), 1e-6)
    visual = bend.moved(asset.links[0].visual.vertices, height)
    center = np.zeros(3) if asset.joints else (visual.min(axis=0) + visual.max(axis=0)) / 2.0
    links = tuple(_bent_link(link, bend, height, center) for link in asset.links)
    factor = bend.stretch[0]
    joints = tuple(_scaled_joint(joint, factor) for joint in asset.joints)
    changed = replace(asset, name=name, links=links, joints=joints)
    area = bend.stretch[0] * bend.stretch[1] * bend.stretch[2]
    return replace(
        changed,
        size_m=_extents(changed),
        observed_area_m2=asset.observed_area_m2 * area ** (2.0 / 3.0),
        completed_area_m2=asset.completed_area_m2 * area ** (2.0 / 3.0),
    )


def _bent_link(link: Link, bend: Bend, height_m: float, center: Array) -> Link:
    pieces = tuple(_bent_piece(piece, bend, height_m, center) for piece in link.pieces)
    visual = replace(link.visual, vertices=bend.moved(link.visual.vertices, height_m) - center)
    (before, middle), (after, center_of_volume) = _volume(link.visual), _volume(visual)
    solid = before > 0.0 and after > 0.0
    factor = after / before if solid else float(np.prod(bend.stretch))
    mass = link.mass_kg.scaled(factor)
    com = bend.moved(link.center_of_mass_m[None], height_m)[0] - center
    if solid:
        com = com + center_of_volume - (bend.moved(middle[None], height_m)[0] - center)
    return replace(
        link,
        visual=visual,
        pieces=pieces,
        mass_kg=mass,
        center_of_mass_m=com,
        inertia_kg_m2=_stretched_inertia(link.inertia_kg_m2, np.array(bend.stretch)) * factor,
    )


def _stretched_inertia(inertia: Array, stretch: Array) -> Array:
    """Return a unit-mass-true inertia after a stretch: second moments scale with both factors."""
    second = 0.5 * np.trace(inertia) * np.eye(3) - inertia
    second = second * np.outer(stretch, stretch)
    return np.asarray(np.trace(second) * np.eye(3) - second)


def _bent_piece(piece: Piece, bend: Bend, height_m: float, center: Array) -> Piece:
    pose = piece.link_from_piece
    factors = np.array(bend.stretch)
    upright = np.allclose(np.abs(pose[:3, :3]), np.eye(3), atol=1e-9)
    alike = np.ptp(factors) < PLAIN
    round_ok = piece.kind == "cylinder" and abs(factors[0] - factors[1]) < PLAIN and upright
    if bend.straight and ((piece.kind == "box" and upright) or round_ok or (alike and piece.kind != "mesh")):
        moved = pose.copy()
        moved[:3, 3] = pose[:3, 3] * factors - center
        mesh = replace(piece.mesh, vertices=piece.mesh.vertices * factors - center)
        return replace(piece, mesh=mesh, link_from_piece=moved, size_m=piece.size_m * factors)
    points = bend.moved(_dense(piece), height_m) - center
    hull = Mesh.from_trimesh(_hull(points))
    return Piece(kind="mesh", mesh=hull, link_from_piece=np.eye(4), size_m=np.ptp(hull.vertices, axis=0))


def _dense(piece: Piece) -> Array:
    """Return a piece's corners, and the middles of its edges, whose arcs a bow would cut off."""
    corners = piece.mesh.vertices if piece.kind == "mesh" else piece_hull(piece).points
    mesh = _hull(corners)
    return np.concatenate([mesh.vertices, mesh.vertices[mesh.edges_unique].mean(axis=1)])


def _hull(points: Array) -> trimesh.Trimesh:
    return trimesh.convex.convex_hull(points)


def _scaled_joint(joint: Joint, factor: float) -> Joint:
    pose = joint.parent_from_child.copy()
    pose[:3, 3] *= factor
    if joint.kind != "prismatic":
        return replace(joint, parent_from_child=pose)
    return replace(joint, parent_from_child=pose, lower=joint.lower * factor, upper=joint.upper * factor)


def _volume(mesh: Mesh) -> tuple[float, Array]:
    """Return the volume inside a mesh [m³] and its centre [3] [m]."""
    triangles = mesh.vertices[mesh.faces]
    parts = np.einsum("ij,ij->i", triangles[:, 0], np.cross(triangles[:, 1], triangles[:, 2])) / 6.0
    volume = float(parts.sum())
    return volume, parts @ triangles.sum(axis=1) / (4.0 * (volume or 1.0))


def _extents(asset: Asset) -> Array:
    poses = asset_from_links(asset)
    points = np.concatenate([transform(poses[link.name], link.visual.vertices) for link in asset.links])
    return np.ptp(points, axis=0)
