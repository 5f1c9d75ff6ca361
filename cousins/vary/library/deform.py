"""Deform an asset: stretch, taper, twist and bow as functions of height, so that a level foot stays level."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import trimesh

from cousins.geometry import Array, transform
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.reconstruct.kinematics import asset_from_links
from cousins.scene.layout.collision_bodies import piece_hull

NEGLIGIBLE: Final = 1e-9
"""A taper, twist or bow below this counts as zero."""


@dataclass(frozen=True, kw_only=True)
class Deformation:
    """Parameters of a deformation in the asset's frame, whose origin is the centre of its bounding box."""

    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Factor on each extent."""
    taper: float = 0.0
    """Relative change of width from bottom to top."""
    twist_rad: float = 0.0
    """Rotation of the top relative to the bottom, about z [rad]."""
    bow: tuple[float, float] = (0.0, 0.0)
    """Deviation of the middle from the line between bottom and top, along x and y, as a share of the height."""

    @property
    def is_pure_stretch(self) -> bool:
        """Whether it only stretches, so that boxes stay boxes."""
        return max(abs(self.taper), abs(self.twist_rad), abs(self.bow[0]), abs(self.bow[1])) < NEGLIGIBLE

    def describe(self) -> str:
        """Return a text that describes the deformation."""
        parts = ["stretch " + "×".join(f"{value:.2f}" for value in self.stretch)]
        if abs(self.taper) >= NEGLIGIBLE:
            parts.append(f"taper {self.taper:+.2f}")
        if abs(self.twist_rad) >= NEGLIGIBLE:
            parts.append(f"twist {np.rad2deg(self.twist_rad):+.0f}°")
        if max(abs(self.bow[0]), abs(self.bow[1])) >= NEGLIGIBLE:
            parts.append(f"bow {100 * float(np.hypot(*self.bow)):.0f} %")
        return ", ".join(parts)

    def apply(self, points: Array, height_m: float) -> Array:
        """Return the deformed points [n, 3] of an asset of a height [m]."""
        relative_height = points[:, 2] / height_m
        width_factor = 1.0 + self.taper * relative_height
        angle = self.twist_rad * relative_height
        x, y = (points[:, axis] * self.stretch[axis] * width_factor for axis in (0, 1))
        arch = (0.25 - relative_height**2) * 4.0 * height_m * self.stretch[2]
        return np.stack(
            [
                np.cos(angle) * x - np.sin(angle) * y + self.bow[0] * arch,
                np.sin(angle) * x + np.cos(angle) * y + self.bow[1] * arch,
                points[:, 2] * self.stretch[2],
            ],
            axis=1,
        )


def deform(asset: Asset, deformation: Deformation, *, name: str) -> Asset:
    """Return a deformed asset; an asset with joints is only scaled uniformly.

    Mass follows volume. The centre of the new bounding box becomes the origin.
    """
    if asset.joints:
        deformation = Deformation(stretch=(float(np.prod(deformation.stretch)) ** (1.0 / 3.0),) * 3)
    height = max(float(asset.size_m[2]), 1e-6)
    visual = deformation.apply(asset.links[0].visual.vertices, height)
    center = np.zeros(3) if asset.joints else (visual.min(axis=0) + visual.max(axis=0)) / 2.0
    links = tuple(_deformed_link(link, deformation, height, center) for link in asset.links)
    factor = deformation.stretch[0]
    joints = tuple(_scaled_joint(joint, factor) for joint in asset.joints)
    changed = replace(asset, name=name, links=links, joints=joints)
    area = deformation.stretch[0] * deformation.stretch[1] * deformation.stretch[2]
    return replace(
        changed,
        size_m=_extents(changed),
        observed_area_m2=asset.observed_area_m2 * area ** (2.0 / 3.0),
        completed_area_m2=asset.completed_area_m2 * area ** (2.0 / 3.0),
    )


def _deformed_link(link: Link, deformation: Deformation, height_m: float, center: Array) -> Link:
    pieces = tuple(_deformed_piece(piece, deformation, height_m, center) for piece in link.pieces)
    visual = replace(link.visual, vertices=deformation.apply(link.visual.vertices, height_m) - center)
    (before, middle), (after, center_of_volume) = _volume(link.visual), _volume(visual)
    solid = before > 0.0 and after > 0.0
    factor = after / before if solid else float(np.prod(deformation.stretch))
    mass = link.mass_kg.scaled(factor)
    com = deformation.apply(link.center_of_mass_m[None], height_m)[0] - center
    if solid:
        com = com + center_of_volume - (deformation.apply(middle[None], height_m)[0] - center)
    return replace(
        link,
        visual=visual,
        pieces=pieces,
        mass_kg=mass,
        center_of_mass_m=com,
        inertia_kg_m2=_stretched_inertia(link.inertia_kg_m2, np.array(deformation.stretch)) * factor,
    )


def _stretched_inertia(inertia: Array, stretch: Array) -> Array:
    """Return an inertia [3, 3] after a stretch [3] at constant mass: second moments scale with both factors."""
    second = 0.5 * np.trace(inertia) * np.eye(3) - inertia
    second = second * np.outer(stretch, stretch)
    return np.asarray(np.trace(second) * np.eye(3) - second)


def _deformed_piece(piece: Piece, deformation: Deformation, height_m: float, center: Array) -> Piece:
    pose = piece.link_from_piece
    factors = np.array(deformation.stretch)
    is_axis_aligned = np.allclose(np.abs(pose[:3, :3]), np.eye(3), atol=1e-9)
    is_uniform = np.ptp(factors) < NEGLIGIBLE
    stays_cylinder = piece.kind == "cylinder" and abs(factors[0] - factors[1]) < NEGLIGIBLE and is_axis_aligned
    if deformation.is_pure_stretch and (
        (piece.kind == "box" and is_axis_aligned) or stays_cylinder or (is_uniform and piece.kind != "mesh")
    ):
        moved = pose.copy()
        moved[:3, 3] = pose[:3, 3] * factors - center
        mesh = replace(piece.mesh, vertices=piece.mesh.vertices * factors - center)
        return replace(piece, mesh=mesh, link_from_piece=moved, size_m=piece.size_m * factors)
    points = deformation.apply(_dense_points(piece), height_m) - center
    hull = Mesh.from_trimesh(_hull(points))
    return Piece(kind="mesh", mesh=hull, link_from_piece=np.eye(4), size_m=np.ptp(hull.vertices, axis=0))


def _dense_points(piece: Piece) -> Array:
    """Return the corners [n, 3] of a piece and the midpoints of its edges, which a bow turns into arcs."""
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
