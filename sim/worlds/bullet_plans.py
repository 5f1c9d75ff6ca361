"""Worlds as PyBullet takes them; a plan is made once for a cousin and shown in any row of any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cousins.errors import EngineError
from cousins.geometry import rigid, rotation_about
from cousins.reconstruct.assets import Piece
from cousins.scene.scenes import Placed, Scene
from cousins.vary.cousins import Task
from sim.bodies.body import Body
from sim.physics.bullet_bodies import BodyPlan, ShapePlan, Shapes, plan_object, plan_structure
from sim.physics.engine import require_loadable
from sim.worlds.worlds import BODY


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
        structures=tuple(plan_structure(structure, key_of) for structure in scene.structures),
        robot=plan_object(robot, key_of, name=BODY),
        objects=tuple(plan_object(placed, key_of, name=placed.asset.name) for placed in scene.objects),
        shapes=found,
    )
