"""PyBullet without a window, with one client per engine.

`sim.physics.bullet_objects` documents the dynamics of its bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import pybullet

from cousins.errors import EngineError
from cousins.geometry import Array, invert
from cousins.reconstruct.assets import Piece
from cousins.reconstruct.kinematics import joints_in_order
from cousins.scene.scenes import Scene
from sim.physics.bullet_bodies import BodyPlan, ShapePlan, ShapePlanCache, plan_object, plan_structure, same_structures
from sim.physics.bullet_client import MAX_CREATED, BulletClient, BulletSolver
from sim.physics.bullet_objects import CONTACT_ERP, contacts_between, pose_from_bullet
from sim.physics.engine import Contact, require_finite, require_loadable, require_valid_state


@dataclass(frozen=True, kw_only=True)
class Config:
    """How Bullet steps."""

    timestep_s: float = 1.0 / 240.0
    """Duration of one step [s], the one that Bullet's defaults are tuned for."""
    solver_iterations: int = 200
    """Solver iterations per step; with Bullet's default of 50, slender objects at rest creep by 0.3 mm/s."""
    contact_erp: float = CONTACT_ERP
    """Share of an overlap that one step removes."""
    margin_m: float = 1e-5
    """Collision margin [m]; Bullet's default is 0.001. With 0, its depth between two parallel faces is wrong by √3."""


def for_trials() -> Config:
    """Return the settings for stability trials: a fifth of the iterations, and overlaps removed faster."""
    return Config(solver_iterations=40, contact_erp=0.3)


def build(config: Config) -> PyBulletEngine:
    """Return an engine without a scene."""
    return PyBulletEngine(config)


class PyBulletEngine:
    """The engine protocol on a DIRECT client."""

    name = "pybullet"

    def __init__(self, config: Config) -> None:
        self.config = config
        self.version = str(pybullet.getAPIVersion())
        self.timestep_s = config.timestep_s
        self._shape_plans: dict[str, ShapePlan] = {}
        self._plan_cache = ShapePlanCache(max_plans=MAX_CREATED)
        solver = BulletSolver(
            timestep_s=config.timestep_s,
            solver_iterations=config.solver_iterations,
            margin_m=config.margin_m,
            contact_erp=config.contact_erp,
        )
        self._client: BulletClient | None = BulletClient(solver, self._shape_plans)
        self._structures: list[BodyPlan] = []
        self._objects: dict[str, BodyPlan] = {}
        self._joints: dict[tuple[str, str], tuple[int, int]] = {}

    def load(self, scene: Scene) -> None:
        """Build the scene at its given poses, at rest, joints at 0; raises `EngineError`.

        Structures and collision shapes that the previous scene shares are kept. Bodies are removed in reverse order of
        creation, so that the simulation does not depend on the scenes loaded before.
        """
        require_loadable(scene, engine=self.name)
        client = self._require_client()
        previous, self._structures = self._structures, []
        self._shape_plans.clear()
        structures = [plan_structure(structure, self._shape_key_of) for structure in scene.structures]
        if client.needs_reset or not previous or not same_structures(previous, structures):
            client.reset()
            for plan in structures:
                client.create_body(plan)
        else:
            for name in reversed(self._objects):
                client.remove_body(name)
            client.reset_broad_phase()
            for plan in structures:
                client.set_dynamics(plan)
        self._objects, self._joints = {}, {}
        for placed in scene.objects:
            asset = placed.asset
            plan = plan_object(placed, self._shape_key_of, name=asset.name)
            client.create_body(plan)
            self._objects[asset.name] = plan
            for index, joint in enumerate(joints_in_order(asset)):
                if joint.kind != "fixed":
                    self._joints[asset.name, joint.name] = (client.bodies[asset.name], index)
            self.set_pose(asset.name, placed.world_from_asset)
        self._structures = structures

    def step(self, count: int) -> None:
        """Advance by `count` steps; raises `EngineError` on a NaN or exploding state."""
        client = self._require_client().client_id
        for _ in range(count):
            pybullet.stepSimulation(physicsClientId=client)
        require_valid_state(self.poses(), self.velocities(), engine=self.name)

    def poses(self) -> Mapping[str, Array]:
        """Return `world_from_asset` [4, 4] of every object by name."""
        client = self._require_client()
        pose_of_object = {}
        for name, plan in self._objects.items():
            pose = pybullet.getBasePositionAndOrientation(client.bodies[name], physicsClientId=client.client_id)
            pose_of_object[name] = pose_from_bullet(*pose) @ invert(plan.root_from_inertial)
        return pose_of_object

    def velocities(self) -> Mapping[str, Array]:
        """Return by object the velocity of its root link's centre of mass [m/s] and its spin [rad/s], world, [6]."""
        client = self._require_client()
        return {
            name: np.concatenate(pybullet.getBaseVelocity(client.bodies[name], physicsClientId=client.client_id))
            for name in self._objects
        }

    def set_pose(self, name: str, world_from_asset: Array) -> None:
        """Set an object's pose `world_from_asset` [4, 4], at rest, its joints at 0; raises `EngineError` on a NaN."""
        require_finite(world_from_asset, description=f"the pose of {name}", engine=self.name)
        self._require_client().set_pose(self._objects[name], world_from_asset)
        for asset, joint in self._joints:
            if asset == name:
                self.set_joint(asset, joint, 0.0)

    def set_velocity(self, name: str, velocity: Array) -> None:
        """Set an object's velocity [6] as in `velocities`, its joints at rest; raises `EngineError` on a NaN."""
        require_finite(velocity, description=f"the velocity of {name}", engine=self.name)
        client = self._require_client()
        if not self._objects[name].fixed:
            pybullet.resetBaseVelocity(
                client.bodies[name], velocity[:3].tolist(), velocity[3:].tolist(), physicsClientId=client.client_id
            )
        for (asset, joint), position in self.joints().items():
            if asset == name:
                self.set_joint(asset, joint, position)

    def joints(self) -> Mapping[tuple[str, str], float]:
        """Return the position [rad or m] of every movable joint by (asset, joint)."""
        client = self._require_client().client_id
        return {
            key: float(pybullet.getJointState(body, index, physicsClientId=client)[0])
            for key, (body, index) in self._joints.items()
        }

    def set_joint(self, asset: str, joint: str, position: float) -> None:
        """Set the position of a joint [rad or m], at rest; the asset's root link does not move."""
        require_finite(np.array(position), description=f"the position of joint {joint}", engine=self.name)
        body, index = self._joints[asset, joint]
        pybullet.resetJointState(body, index, position, 0.0, physicsClientId=self._require_client().client_id)

    def allow_sleep(self) -> None:
        """Allow bodies that stay slower than `SLEEP_SPEED` for two seconds to sleep, until the next `load`."""
        for name in self._objects:
            self._require_client().enable_sleeping(name)

    def contacts(self) -> list[Contact]:
        """Return the contacts between different objects or structures in the current state, without stepping."""
        client = self._require_client()
        names = [*self._objects, *(plan.name for plan in self._structures)]
        static = {name for name, plan in self._objects.items() if plan.fixed} | {
            structure.name for structure in self._structures
        }
        return contacts_between({name: client.bodies[name] for name in names}, static=static, client=client.client_id)

    def close(self) -> None:
        """Free the engine."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_client(self) -> BulletClient:
        if self._client is None:
            raise EngineError("used after it was closed", engine=self.name)
        return self._client

    def _shape_key_of(self, pieces: tuple[Piece, ...]) -> str:
        return self._plan_cache.key_for(pieces, self._shape_plans)
