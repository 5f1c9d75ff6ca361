"""Bodies as plans: everything about them that can be worked out before a PyBullet client is at hand.

Shapes carry a name made of their content, so that a client makes each of them once, however many bodies show it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cousins.geometry import Array
from cousins.reconstruct.assets import Piece
from cousins.scene.kinematics import joints_in_order
from cousins.scene.scenes import Placed, Structure
from sim.physics.bullet_objects import (
    inertial_frame,
    joint_dynamics,
    link_arguments,
    link_dynamics,
    shape_entries,
    surface_dynamics,
    xyzw_of,
)

BASE: Final = -1
"""Bullet's number of a body's root link."""
KeyOf = Callable[[tuple[Piece, ...]], str]
"""Returns the key of a link's pieces."""


@dataclass(frozen=True, kw_only=True)
class ShapePlan:
    """The collision shape of a link."""

    key: str
    """Hash of its content; empty for a link that touches nothing."""
    primitives: list[dict[str, Any]]
    """Primitives, as `sim.physics.bullet_objects.created_shape` takes them."""
    obj: bytes
    """OBJ file of its hulls."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BodyPlan:
    """A body."""

    name: str
    """Unique in the world."""
    fixed: bool
    """True for what is joined to the world."""
    mass_kg: float
    """Mass of the root, 0 where it is fixed."""
    shapes: tuple[str, ...]
    """Keys of the links' shapes: root first, then in Bullet's order."""
    arguments: Mapping[str, Any]
    """What else `createMultiBody` takes, without shapes."""
    dynamics: tuple[Mapping[str, Any], ...]
    """What `changeDynamics` takes, by link from the root on."""
    joints: tuple[int, ...]
    """Bullet's numbers of the movable joints."""
    friction: tuple[float, ...]
    """Dry friction of these joints [N] or [N·m]."""
    root_from_inertial: Array
    """Pose of the root's principal axes [4, 4]."""
    world_from_root: Array
    """Pose at the start [4, 4]."""


class Shapes:
    """Shape plans by the identity of their pieces, which the cousins of a source share."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[int, tuple[tuple[Piece, ...], ShapePlan]] = {}

    def of(self, pieces: tuple[Piece, ...], found: dict[str, ShapePlan]) -> str:
        """Return the key of a link's pieces, whose plan is added to those that were found."""
        known = self._known.pop(id(pieces), None)
        if known is None:
            known = (pieces, _shape_plan(pieces))
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
        self._known[id(pieces)] = known
        found[known[1].key] = known[1]
        return known[1].key


def same_ground(first: Sequence[BodyPlan], second: Sequence[BodyPlan]) -> bool:
    """Tell whether structures are the same but for their surfaces."""
    return [(one.name, one.shapes) for one in first] == [(one.name, one.shapes) for one in second]


def plan_structure(structure: Structure, key_of: KeyOf) -> BodyPlan:
    """Return a structure as a plan."""
    return BodyPlan(
        name=structure.name,
        fixed=True,
        mass_kg=0.0,
        shapes=(key_of(structure.pieces),),
        arguments={},
        dynamics=(surface_dynamics(structure.friction.value, structure.restitution.value),),
        joints=(),
        friction=(),
        root_from_inertial=np.eye(4),
        world_from_root=np.eye(4),
    )


def plan_object(placed: Placed, key_of: KeyOf, *, name: str) -> BodyPlan:
    """Return an object as a plan, under a name."""
    asset = placed.asset
    root, ordered = asset.links[0], joints_in_order(asset)
    links = {link.name: link for link in asset.links}
    frame = inertial_frame(root)
    surface = surface_dynamics(asset.friction.value, asset.restitution.value)
    below = [
        link_dynamics(links[joint.child], fixed=False)
        | surface
        | (joint_dynamics(joint) if joint.kind != "fixed" else {})
        for joint in ordered
    ]
    arguments = link_arguments(asset, ordered, dict.fromkeys(links, -1))
    return BodyPlan(
        name=name,
        fixed=placed.fixed,
        mass_kg=0.0 if placed.fixed else root.mass_kg.value,
        shapes=(key_of(root.pieces), *(key_of(links[joint.child].pieces) for joint in ordered)),
        arguments=arguments
        | {
            "baseInertialFramePosition": frame[:3, 3].tolist(),
            "baseInertialFrameOrientation": xyzw_of(frame[:3, :3]),
        },
        dynamics=(link_dynamics(root, fixed=placed.fixed) | surface, *below),
        joints=tuple(i for i, joint in enumerate(ordered) if joint.kind != "fixed"),
        friction=tuple(joint.friction for joint in ordered if joint.kind != "fixed"),
        root_from_inertial=frame,
        world_from_root=placed.world_from_asset,
    )


def _shape_plan(pieces: tuple[Piece, ...]) -> ShapePlan:
    if not pieces:
        return ShapePlan(key="", primitives=[], obj=b"")
    primitives, obj = shape_entries(pieces)
    key = hashlib.sha256(json.dumps(primitives).encode() + obj).hexdigest()
    return ShapePlan(key=key, primitives=primitives, obj=obj)
