"""Supports under objects for which no surface was found, and objects that nothing carries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Literal

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.scene.layout.collision_bodies import CollisionBody, clearance_below, structure_body
from cousins.scene.layout.observed_region import count_structure_observations, is_looked_through
from cousins.scene.layout.structures import hull_outline, in_convex_outline, structure_from_plane
from cousins.scene.scenes import Structure
from cousins.segment.segments import Plane

SUPPORT_REACH_M: Final = 0.05
"""An object whose underside is this near to a plane or another object stands on it [m]."""
BELOW_M: Final = 0.03
"""Depth under an object at which a support would be measured [m]: beyond the tolerance of a depth image at 1 m."""
BELOW_STEP_M: Final = 0.01
"""Distance of the points under an object at which frames are asked [m]."""
MAX_OPEN_SHARE_BELOW: Final = 0.25
"""An object hangs in the air where frames look through this share of the space under it: less is its noisy outline."""
SUPPORT_MARGIN_M: Final = 0.05
"""How far an added support reaches beyond what stands on it [m]."""


def added_supports(
    bodies: dict[str, CollisionBody],
    structures: Sequence[Structure],
    frames: Sequence[Frame],
    *,
    hanging: Collection[str] = (),
) -> tuple[list[tuple[Structure, Plane]], set[str], list[str]]:
    """Return what becomes of objects that have nothing within reach below, lowest first, and a note each.

    Where no frame shows what is under an object, a support is put there (returned with its plane). Where frames look
    through the space under it although structure was found, nothing that was filmed carries it: it is no object by
    itself, and its name is returned. What is `hanging` on a wall needs no support and may be one.
    """
    fixed = [structure_body(structure) for structure in structures]
    used_names = {body.name for body in fixed} | set(bodies)
    added: list[tuple[Structure, Plane]] = []
    floating: set[str] = set()
    notes: list[str] = []
    standing = [body for name, body in bodies.items() if name not in hanging]
    for body in sorted(standing, key=lambda body: (float(body.box.low[2]), body.name)):
        other_bodies = [*fixed, *(other for name, other in bodies.items() if name not in {body.name, *floating})]
        if (
            min((clearance_below(body, other, reach_m=SUPPORT_REACH_M) for other in other_bodies), default=np.inf)
            <= SUPPORT_REACH_M
        ):
            continue
        if structures and _open_share_below(body, frames) >= MAX_OPEN_SHARE_BELOW:
            floating.add(body.name)
            notes.append(
                f"{body.name} was kept as fixed surface and not as an object: the camera looked through under it"
            )
            continue
        lowest = all(body.box.low[2] < other.box.low[2] for other in fixed)
        kind: Literal["floor", "table"] = "floor" if lowest else "table"
        name = next(name for name in _candidate_names(kind) if name not in used_names)
        used_names.add(name)
        plane = _plane_under(body, name, kind)
        structure = structure_from_plane(plane, [])
        added.append((structure, plane))
        fixed.append(structure_body(structure))
        notes.append(f"no surface was seen under {body.name}: {name} was put there")
    return added, floating, notes


def _open_share_below(body: CollisionBody, frames: Sequence[Frame]) -> float:
    """Return the share of the space just under a body's foot that frames look through."""
    foot = footprint(body)
    low, high = foot[:, :2].min(axis=0), foot[:, :2].max(axis=0)
    axes = [np.arange(low[axis], high[axis] + BELOW_STEP_M, BELOW_STEP_M) for axis in range(2)]
    x, y = np.meshgrid(*axes)
    points = np.stack([x.ravel(), y.ravel(), np.full(x.size, foot[0, 2] - BELOW_M)], axis=1)
    points = points[in_convex_outline(points[:, :2], hull_outline(foot[:, :2]))]
    measured, through = count_structure_observations(points, frames)
    return float(is_looked_through(measured, through).mean()) if len(points) else 0.0


def _candidate_names(kind: str) -> list[str]:
    return [f"{kind}_added", *(f"{kind}_added_{index}" for index in range(1, 10_000))]


def _plane_under(body: CollisionBody, name: str, kind: Literal["floor", "table"]) -> Plane:
    low, high = body.box.low[:2] - SUPPORT_MARGIN_M, body.box.high[:2] + SUPPORT_MARGIN_M
    z = float(body.box.low[2])
    corners = np.array([[low[0], low[1], z], [high[0], low[1], z], [high[0], high[1], z], [low[0], high[1], z]])
    return Plane(name=name, kind=kind, normal=np.array([0.0, 0.0, 1.0]), offset_m=z, outline=corners)


def footprint(body: CollisionBody) -> Array:
    """Return the corners of a body within a contact's reach of its lowest point, put at that height [n, 3]."""
    points = np.concatenate([hull.points for hull in body.hulls])
    low = float(points[:, 2].min())
    feet = points[points[:, 2] <= low + SUPPORT_REACH_M].copy()
    feet[:, 2] = low
    return feet
