"""PyBullet, without a window; one client an engine, so that nothing leaks from one scene to the next.

How bodies behave is told in `sim.physics.bullet_objects`.
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
from cousins.scene.kinematics import joints_in_order
from cousins.scene.scenes import Scene
from sim.physics.bullet_bodies import BodyPlan, ShapePlan, Shapes, plan_object, plan_structure, same_ground
from sim.physics.bullet_client import MOST_MADE, BulletClient, Stepping
from sim.physics.bullet_objects import CONTACT_ERP, contacts_between, pose_of
from sim.physics.engine import Contact, require_finite, require_loadable, require_sane


@dataclass(frozen=True, kw_only=True)
class Config:
    """How Bullet steps."""

    timestep_s: float = 1.0 / 240.0
    """Step that Bullet's own defaults are tuned for [s]."""
    solver_iterations: int = 200
    """Constraint iterations a step; with Bullet's 50, slender things at rest creep by 0.3 mm a second."""
    contact_erp: float = CONTACT_ERP
    """Share of an overlap that a step takes away."""
    margin_m: float = 1e-5
    """Collision margin [m]; Bullet's own is 0.001. With 0 its depth of two faces that lie square is wrong by √3."""


def for_trials() -> Config:
    """Return how cousins are tried: what lies at rest takes a fifth of the iterations, and what sinks is soon done."""
    return Config(solver_iterations=40, contact_erp=0.3)


def build(config: Config) -> PyBulletEngine:
    """Return an engine without a scene."""
    return PyBulletEngine(config)


class PyBulletEngine:
    """The engine protocol over a DIRECT client."""

    name = "pybullet"

    def __init__(self, config: Config) -> None:
        self.config = config
        self.version = str(pybullet.getAPIVersion())
        self.timestep_s = config.timestep_s
        self._book: dict[str, ShapePlan] = {}
        self._shapes = Shapes(most=MOST_MADE)
        stepping = Stepping(
            timestep_s=config.timestep_s,
            solver_iterations=config.solver_iterations,
            margin_m=config.margin_m,
            contact_erp=config.contact_erp,
        )
        self._client: BulletClient | None = BulletClient(stepping, self._book)
        self._structures: list[BodyPlan] = []
        self._objects: dict[str, BodyPlan] = {}
        self._joints: dict[tuple[str, str], tuple[int, int]] = {}

    def load(self, scene: Scene) -> None:
        """Build the scene as it lies, at rest, joints at 0; raises `EngineError`.

        Structure and shapes that the last scene had too are kept. Bodies go last first, so that the future of a scene
        does not depend on what was loaded before.
        """
        require_loadable(scene, engine=self.name)
        client = self._open()
        old, self._structures = self._structures, []
        self._book.clear()
        structures = [plan_structure(one, self._key_of) for one in scene.structures]
        if client.full or not old or not same_ground(old, structures):
            client.empty()
            for plan in structures:
                client.make(plan)
        else:
            for name in reversed(self._objects):
                client.remove(name)
            client.tidy_up()
            for plan in structures:
                client.set_dynamics(plan)
        self._objects, self._joints = {}, {}
        for placed in scene.objects:
            asset = placed.asset
            plan = plan_object(placed, self._key_of, name=asset.name)
            client.make(plan)
            self._objects[asset.name] = plan
            for index, joint in enumerate(joints_in_order(asset)):
                if joint.kind != "fixed":
                    self._joints[asset.name, joint.name] = (client.bodies[asset.name], index)
            self.set_pose(asset.name, placed.world_from_asset)
        self._structures = structures

    def step(self, count: int) -> None:
        """Advance by `count` steps; raises `EngineError` on a NaN or exploding state."""
        client = self._open().number
        for _ in range(count):
            pybullet.stepSimulation(physicsClientId=client)
        require_sane(self.poses(), self.velocities(), engine=self.name)

    def poses(self) -> Mapping[str, Array]:
        """Return `world_from_asset` [4, 4] of every object by name."""
        client = self._open()
        found = {}
        for name, plan in self._objects.items():
            pose = pybullet.getBasePositionAndOrientation(client.bodies[name], physicsClientId=client.number)
            found[name] = pose_of(*pose) @ invert(plan.root_from_inertial)
        return found

    def velocities(self) -> Mapping[str, Array]:
        """Return by object the velocity of its root link's centre of mass [m/s] and its spin [rad/s], world, [6]."""
        client = self._open()
        return {
            name: np.concatenate(pybullet.getBaseVelocity(client.bodies[name], physicsClientId=client.number))
            for name in self._objects
        }

    def set_pose(self, name: str, world_from_asset: Array) -> None:
        """Put an object somewhere, at rest, its joints at 0; raises `EngineError` on a NaN."""
        require_finite(world_from_asset, what=f"the pose of {name}", engine=self.name)
        self._open().put(self._objects[name], world_from_asset)
        for asset, joint in self._joints:
            if asset == name:
                self.set_joint(asset, joint, 0.0)

    def set_velocity(self, name: str, velocity: Array) -> None:
        """Give an object a velocity as in `velocities`, its joints at rest; raises `EngineError` on a NaN."""
        require_finite(velocity, what=f"the velocity of {name}", engine=self.name)
        client = self._open()
        if not self._objects[name].fixed:
            pybullet.resetBaseVelocity(
                client.bodies[name], velocity[:3].tolist(), velocity[3:].tolist(), physicsClientId=client.number
            )
        for (asset, joint), position in self.joints().items():
            if asset == name:
                self.set_joint(asset, joint, position)

    def joints(self) -> Mapping[tuple[str, str], float]:
        """Return the position [rad or m] of every movable joint by (asset, joint)."""
        client = self._open().number
        return {
            key: float(pybullet.getJointState(body, index, physicsClientId=client)[0])
            for key, (body, index) in self._joints.items()
        }

    def set_joint(self, asset: str, joint: str, position: float) -> None:
        """Put a joint somewhere [rad or m], at rest; the asset's root stays where it is."""
        require_finite(np.array(position), what=f"the position of joint {joint}", engine=self.name)
        body, index = self._joints[asset, joint]
        pybullet.resetJointState(body, index, position, 0.0, physicsClientId=self._open().number)

    def allow_sleep(self) -> None:
        """From now on, let bodies slower than `SLEEP_SPEED` for two seconds sleep; loading ends it."""
        for name in self._objects:
            self._open().let_sleep(name)

    def contacts(self) -> list[Contact]:
        """Return the contacts of the present state between different objects or structures, without stepping."""
        client = self._open()
        names = [*self._objects, *(plan.name for plan in self._structures)]
        still = {name for name, plan in self._objects.items() if plan.fixed} | {one.name for one in self._structures}
        return contacts_between({name: client.bodies[name] for name in names}, still=still, client=client.number)

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

    def _open(self) -> BulletClient:
        if self._client is None:
            raise EngineError("used after it was closed", engine=self.name)
        return self._client

    def _key_of(self, pieces: tuple[Piece, ...]) -> str:
        return self._shapes.of(pieces, self._book)
