"""Body plans: all arguments for PyBullet bodies that can be computed without a client.

Collision shapes are keyed by a hash of their content, so that a client creates each of them once for all bodies.
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
from cousins.reconstruct.kinematics import joints_in_order
from cousins.scene.scenes import PlacedAsset, Structure
from sim.physics.bullet_objects import (
    child_link_arguments,
    inertial_frame,
    joint_dynamics,
    link_dynamics,
    quat_xyzw_from_rotation,
    shape_entries,
    surface_dynamics,
)

BASE_LINK: Final = -1
"""Bullet's index of a body's root link."""
ShapeKeyFunction = Callable[[tuple[Piece, ...]], str]
"""Function that returns the shape key of a link's collision pieces."""


@dataclass(frozen=True, kw_only=True)
class ShapePlan:
    """The collision shape of a link."""

    key: str
    """Hash of the content; empty for a link without collision pieces."""
    primitives: list[dict[str, Any]]
    """Arguments of the primitives for `sim.physics.bullet_objects.create_shape`."""
    obj: bytes
    """OBJ file of the convex hulls."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BodyPlan:
    """Arguments to create and configure one PyBullet body."""

    name: str
    """Name, unique in the world."""
    fixed: bool
    """Whether the root link is joined to the world."""
    mass_kg: float
    """Mass of the root link [kg], 0 where it is fixed."""
    shapes: tuple[str, ...]
    """Shape keys of the links: root first, then in Bullet's order."""
    arguments: Mapping[str, Any]
    """Further arguments of `createMultiBody`, without shapes."""
    dynamics: tuple[Mapping[str, Any], ...]
    """Arguments of `changeDynamics` by link, root first."""
    joints: tuple[int, ...]
    """Bullet's indices of the movable joints."""
    friction: tuple[float, ...]
    """Dry friction of these joints [N] or [N·m]."""
    root_from_inertial: Array
    """Pose of the principal axes of inertia in the root link's frame [4, 4]."""
    world_from_root: Array
    """Initial pose of the root link [4, 4]."""


class ShapePlanCache:
    """A cache of shape plans by identity of the collision pieces, which the cousins of a source share."""

    def __init__(self, max_plans: int) -> None:
        self._max_plans = max_plans
        self._entries: dict[int, tuple[tuple[Piece, ...], ShapePlan]] = {}

    def key_for(self, pieces: tuple[Piece, ...], used_plans: dict[str, ShapePlan]) -> str:
        """Return the shape key of a link's pieces and add its plan to `used_plans`."""
        entry = self._entries.pop(id(pieces), None)
        if entry is None:
            entry = (pieces, _shape_plan(pieces))
            if len(self._entries) >= self._max_plans:
                del self._entries[next(iter(self._entries))]
        self._entries[id(pieces)] = entry
        used_plans[entry[1].key] = entry[1]
        return entry[1].key


def same_structures(first: Sequence[BodyPlan], second: Sequence[BodyPlan]) -> bool:
    """Return whether two lists of structures have the same names and shapes; surface properties may differ."""
    return [(plan.name, plan.shapes) for plan in first] == [(plan.name, plan.shapes) for plan in second]


def plan_structure(structure: Structure, shape_key_of: ShapeKeyFunction) -> BodyPlan:
    """Return the body plan of a structure."""
    return BodyPlan(
        name=structure.name,
        fixed=True,
        mass_kg=0.0,
        shapes=(shape_key_of(structure.pieces),),
        arguments={},
        dynamics=(surface_dynamics(structure.friction.value, structure.restitution.value),),
        joints=(),
        friction=(),
        root_from_inertial=np.eye(4),
        world_from_root=np.eye(4),
    )


def plan_object(placed: PlacedAsset, shape_key_of: ShapeKeyFunction, *, name: str) -> BodyPlan:
    """Return the body plan of an object, under a given name."""
    asset = placed.asset
    root, joints = asset.links[0], joints_in_order(asset)
    links = {link.name: link for link in asset.links}
    root_from_inertial = inertial_frame(root)
    surface = surface_dynamics(asset.friction.value, asset.restitution.value)
    child_dynamics = [
        link_dynamics(links[joint.child], fixed=False)
        | surface
        | (joint_dynamics(joint) if joint.kind != "fixed" else {})
        for joint in joints
    ]
    arguments = child_link_arguments(asset, joints, dict.fromkeys(links, -1))
    return BodyPlan(
        name=name,
        fixed=placed.fixed,
        mass_kg=0.0 if placed.fixed else root.mass_kg.value,
        shapes=(shape_key_of(root.pieces), *(shape_key_of(links[joint.child].pieces) for joint in joints)),
        arguments=arguments
        | {
            "baseInertialFramePosition": root_from_inertial[:3, 3].tolist(),
            "baseInertialFrameOrientation": quat_xyzw_from_rotation(root_from_inertial[:3, :3]),
        },
        dynamics=(link_dynamics(root, fixed=placed.fixed) | surface, *child_dynamics),
        joints=tuple(i for i, joint in enumerate(joints) if joint.kind != "fixed"),
        friction=tuple(joint.friction for joint in joints if joint.kind != "fixed"),
        root_from_inertial=root_from_inertial,
        world_from_root=placed.world_from_asset,
    )


def _shape_plan(pieces: tuple[Piece, ...]) -> ShapePlan:
    if not pieces:
        return ShapePlan(key="", primitives=[], obj=b"")
    primitives, obj = shape_entries(pieces)
    key = hashlib.sha256(json.dumps(primitives).encode() + obj).hexdigest()
    return ShapePlan(key=key, primitives=primitives, obj=obj)
