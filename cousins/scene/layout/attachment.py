"""How a body lies against a wall or under a ceiling: the gap between them, and how much of the body it backs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import manifold3d
import numpy as np
from scipy.spatial import ConvexHull

from cousins.geometry import Array
from cousins.scene.layout.collision_bodies import CollisionBody, body_corners, structure_body
from cousins.scene.scenes import Structure

MAX_WALL_SLOPE: Final = 0.35
"""Largest z component of the normal of a wall that carries something: 20° off upright."""
MIN_BACKED_FRACTION: Final = 0.5
"""Least part of a body, seen along the normal, that must lie over a wall or ceiling to be carried by it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Attachment:
    """A body against the flat face of a structure."""

    structure: str
    """Name of the structure."""
    kind: str
    """Type of the structure, `wall` or `ceiling`."""
    outward: Array
    """Unit normal of the face, towards the body, float64 [3]."""
    gap_m: float
    """Distance of the body's nearest point from the face's plane [m]; negative where the body is behind the plane."""
    backed_m2: float
    """Area of the body, seen along the normal, that lies over the structure [m²]."""
    backed_fraction: float
    """The same as a fraction of the body's area."""


def find_attachments(body: CollisionBody, structures: Sequence[Structure]) -> list[Attachment]:
    """Return how a body lies against each wall, and under each ceiling, that backs at least half of it."""
    attachments = []
    for structure in structures:
        if structure.kind not in ("wall", "ceiling"):
            continue
        attachment = _attachment(body, structure)
        if attachment is not None and attachment.backed_fraction >= MIN_BACKED_FRACTION:
            attachments.append(attachment)
    return attachments


def _attachment(body: CollisionBody, structure: Structure) -> Attachment | None:
    """Return how a body lies against a flat structure; None where that faces the wrong way."""
    pieces = [hull.points for hull in structure_body(structure).hulls]
    corners = np.concatenate(pieces)
    middle = corners.mean(axis=0)
    along, up, normal = np.linalg.svd(corners - middle, full_matrices=False)[2]
    body_points = body_corners(body)
    if structure.kind == "ceiling":
        outward = -normal if normal[2] > 0.0 else normal
        faces_body = outward[2] < -MAX_WALL_SLOPE
    else:
        center = (body.box.low + body.box.high) / 2.0
        outward = normal if normal @ (center - middle) >= 0.0 else -normal
        faces_body = abs(float(outward[2])) <= MAX_WALL_SLOPE
    if not faces_body:
        return None
    axes = np.stack([along, up], axis=1)
    outline = _convex_section(body_points @ axes)
    backing = manifold3d.CrossSection.batch_boolean(
        [_convex_section(points @ axes) for points in pieces], manifold3d.OpType.Add
    )
    backed_m2 = float((outline ^ backing).area())
    return Attachment(
        structure=structure.name,
        kind=structure.kind,
        outward=outward,
        gap_m=float((body_points @ outward).min() - (corners @ outward).max()),
        backed_m2=backed_m2,
        backed_fraction=backed_m2 / max(float(outline.area()), 1e-12),
    )


def _convex_section(points: Array) -> manifold3d.CrossSection:
    """Return the convex hull of points [n, 2] as a section."""
    ring = np.ascontiguousarray(points[ConvexHull(points).vertices], dtype=np.float64)
    return manifold3d.CrossSection([ring], manifold3d.FillRule.NonZero)
