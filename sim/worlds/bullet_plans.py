"""Worlds as PyBullet takes them: everything that can be worked out before a client is at hand.

A plan is made once for a cousin and shown in any row of any process. Shapes carry a name made of their content, so that
a row makes each of them once, however many cousins show it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array, rigid, rotation_about
from cousins.reconstruct.assets import Piece
from cousins.scene.kinematics import joints_in_order
from cousins.scene.scenes import Placed, Scene, Structure
from cousins.vary.cousins import Task
from sim.bodies.body import Body
from sim.bullet import (
    inertial_frame,
    joint_dynamics,
    link_arguments,
    link_dynamics,
    shape_entries,
    surface_dynamics,
    xyzw_of,
)
from sim.engine import require_loadable
from sim.worlds.worlds import BODY

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
    """Primitives, as `sim.bullet.created_shape` takes them."""
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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WorldPlan:
    """A cousin with a robot."""

    index: int
    """Number of the cousin."""
    structures: tuple[BodyPlan, ...]
    """What stands still."""
    robot: BodyPlan
    """The body that acts."""
    objects: tuple[BodyPlan, ...]
    """Objects of the scene."""
    shapes: Mapping[str, ShapePlan]
    """Shapes of all these by key; who was shown them before does without."""


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


def plan_world(index: int, scene: Scene, task: Task, body: Body, shapes: Shapes) -> WorldPlan:
    """Return a cousin with its robot as a plan; raises `EngineError` for one that no engine can hold."""
    require_loadable(scene, engine="pybullet")
    names = [placed.asset.name for placed in scene.objects] + [one.name for one in scene.structures]
    if BODY in names:
        raise EngineError(f"cousin {index} has an object named {BODY!r}, as the body is", engine="pybullet")
    turn = rotation_about(np.array([0.0, 0.0, 1.0]), task.robot_yaw_rad)
    robot = Placed(asset=body.asset, world_from_asset=rigid(turn, np.array(task.robot_base_m)), fixed=True)
    found: dict[str, ShapePlan] = {}

    def key_of(pieces: tuple[Piece, ...]) -> str:
        return shapes.of(pieces, found)

    return WorldPlan(
        index=index,
        structures=tuple(_plan_structure(structure, key_of) for structure in scene.structures),
        robot=_plan_object(robot, key_of, name=BODY),
        objects=tuple(_plan_object(placed, key_of, name=placed.asset.name) for placed in scene.objects),
        shapes=found,
    )


def _plan_structure(structure: Structure, key_of: KeyOf) -> BodyPlan:
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


def _plan_object(placed: Placed, key_of: KeyOf, *, name: str) -> BodyPlan:
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
