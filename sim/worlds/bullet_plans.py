"""Plans of worlds for PyBullet; one plan per cousin serves all rows in all processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cousins.errors import EngineError
from cousins.geometry import rigid, rotation_about
from cousins.reconstruct.assets import Piece
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.vary.cousins import GoalSpec
from sim.bodies.body import Body
from sim.physics.bullet_bodies import BodyPlan, ShapePlan, ShapePlanCache, plan_object, plan_structure
from sim.physics.engine import require_loadable
from sim.worlds.worlds import ROBOT_NAME


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WorldPlan:
    """Body plans of a cousin and its robot."""

    index: int
    """Number of the cousin."""
    structures: tuple[BodyPlan, ...]
    """Fixed structures."""
    robot: BodyPlan
    """The robot."""
    objects: tuple[BodyPlan, ...]
    """Objects of the scene."""
    shapes: Mapping[str, ShapePlan]
    """Collision shapes of all bodies by key; those that the receiver already has may be left out."""


def plan_world(index: int, scene: Scene, task: GoalSpec, body: Body, cache: ShapePlanCache) -> WorldPlan:
    """Return the plan of a cousin with its robot; raises `EngineError` for a scene that cannot be simulated."""
    require_loadable(scene, engine="pybullet")
    names = [placed.asset.name for placed in scene.objects] + [structure.name for structure in scene.structures]
    if ROBOT_NAME in names:
        raise EngineError(f"cousin {index} has an object named {ROBOT_NAME!r}, as the body is", engine="pybullet")
    rotation = rotation_about(np.array([0.0, 0.0, 1.0]), task.robot_yaw_rad)
    robot = PlacedAsset(asset=body.asset, world_from_asset=rigid(rotation, np.array(task.robot_base_m)), fixed=True)
    used_plans: dict[str, ShapePlan] = {}

    def shape_key_of(pieces: tuple[Piece, ...]) -> str:
        return cache.key_for(pieces, used_plans)

    return WorldPlan(
        index=index,
        structures=tuple(plan_structure(structure, shape_key_of) for structure in scene.structures),
        robot=plan_object(robot, shape_key_of, name=ROBOT_NAME),
        objects=tuple(plan_object(placed, shape_key_of, name=placed.asset.name) for placed in scene.objects),
        shapes=used_plans,
    )
