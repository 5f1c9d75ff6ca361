"""PyBullet, without a window; one client an engine, so that nothing leaks from one scene to the next.

How bodies behave is told in `sim.bullet`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import pybullet

from cousins.errors import EngineError
from cousins.geometry import Array, invert
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.scene.kinematics import joints_in_order
from cousins.scene.scenes import Placed, Scene, Structure
from sim.bullet import (
    CONTACT_ERP,
    body_dynamics,
    collision_shape,
    configure,
    contacts_between,
    inertial_frame,
    joint_dynamics,
    link_arguments,
    link_dynamics,
    pose_of,
    surface_dynamics,
    tidy_up,
    xyzw_of,
)
from sim.engine import SLEEP_SPEED, Contact, require_finite, require_loadable, require_sane

_BASE: Final = -1
MOST_BODIES: Final = 2000
"""Shapes and bodies made before a client is emptied: removed ones leave some kilobytes behind."""


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


def _same_ground(first: tuple[Structure, ...], second: tuple[Structure, ...]) -> bool:
    """Tell whether two scenes stand on the same structure, surfaces aside."""
    return len(first) == len(second) > 0 and all(
        one.name == other.name and one.pieces is other.pieces for one, other in zip(first, second, strict=True)
    )


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
        self._client: int | None = pybullet.connect(pybullet.DIRECT)
        self._bodies: dict[str, int] = {}
        self._assets: dict[str, Asset] = {}
        self._fixed: set[str] = set()
        self._root_from_inertial: dict[str, Array] = {}
        self._joints: dict[tuple[str, str], tuple[int, int]] = {}
        self._ground: tuple[Structure, ...] = ()
        self._shapes: dict[int, tuple[tuple[Piece, ...], int]] = {}
        self._visual, self._ball = -1, -1
        self._made = 0

    def load(self, scene: Scene) -> None:
        """Build the scene as it lies, at rest, joints at 0; raises `EngineError`.

        Structure and shapes that the last scene had too are kept. Bodies go last first, so that the future of a scene
        does not depend on what was loaded before.
        """
        require_loadable(scene, engine=self.name)
        ground, self._ground = self._ground, ()
        if self._made > MOST_BODIES or not _same_ground(ground, scene.structures):
            self._empty()
        else:
            self._clear()
        self._assets, self._root_from_inertial, self._joints = {}, {}, {}
        self._fixed = {placed.asset.name for placed in scene.objects if placed.fixed}
        with tempfile.TemporaryDirectory(prefix="cousins-pybullet-") as folder:
            for structure in scene.structures:
                self._add_structure(structure, Path(folder))
            for placed in scene.objects:
                self._add_object(placed, Path(folder))
        self._ground = scene.structures

    def step(self, count: int) -> None:
        """Advance by `count` steps; raises `EngineError` on a NaN or exploding state."""
        client = self._open()
        for _ in range(count):
            pybullet.stepSimulation(physicsClientId=client)
        require_sane(self.poses(), self.velocities(), engine=self.name)

    def poses(self) -> Mapping[str, Array]:
        """Return `world_from_asset` [4, 4] of every object by name."""
        client = self._open()
        found = {}
        for name in self._assets:
            position, xyzw = pybullet.getBasePositionAndOrientation(self._bodies[name], physicsClientId=client)
            found[name] = pose_of(position, xyzw) @ invert(self._root_from_inertial[name])
        return found

    def velocities(self) -> Mapping[str, Array]:
        """Return by object the velocity of its root link's centre of mass [m/s] and its spin [rad/s], world, [6]."""
        client = self._open()
        return {
            name: np.concatenate(pybullet.getBaseVelocity(self._bodies[name], physicsClientId=client))
            for name in self._assets
        }

    def set_pose(self, name: str, world_from_asset: Array) -> None:
        """Put an object somewhere, at rest, its joints at 0; raises `EngineError` on a NaN."""
        require_finite(world_from_asset, what=f"the pose of {name}", engine=self.name)
        world_from_inertial = world_from_asset @ self._root_from_inertial[name]
        pybullet.resetBasePositionAndOrientation(
            self._bodies[name],
            world_from_inertial[:3, 3].tolist(),
            xyzw_of(world_from_inertial[:3, :3]),
            physicsClientId=self._open(),
        )
        for asset, joint in self._joints:
            if asset == name:
                self.set_joint(asset, joint, 0.0)
        self.set_velocity(name, np.zeros(6))

    def set_velocity(self, name: str, velocity: Array) -> None:
        """Give an object a velocity as in `velocities`, its joints at rest; raises `EngineError` on a NaN."""
        require_finite(velocity, what=f"the velocity of {name}", engine=self.name)
        client = self._open()
        if name not in self._fixed:
            pybullet.resetBaseVelocity(
                self._bodies[name], velocity[:3].tolist(), velocity[3:].tolist(), physicsClientId=client
            )
        for (asset, _), (body, index) in self._joints.items():
            if asset == name:
                position = pybullet.getJointState(body, index, physicsClientId=client)[0]
                pybullet.resetJointState(body, index, position, 0.0, physicsClientId=client)

    def joints(self) -> Mapping[tuple[str, str], float]:
        """Return the position [rad or m] of every movable joint by (asset, joint)."""
        client = self._open()
        return {
            key: float(pybullet.getJointState(body, index, physicsClientId=client)[0])
            for key, (body, index) in self._joints.items()
        }

    def set_joint(self, asset: str, joint: str, position: float) -> None:
        """Put a joint somewhere [rad or m], at rest; the asset's root stays where it is."""
        require_finite(np.array(position), what=f"the position of joint {joint}", engine=self.name)
        body, index = self._joints[asset, joint]
        pybullet.resetJointState(body, index, position, 0.0, physicsClientId=self._open())

    def allow_sleep(self) -> None:
        """From now on, let bodies slower than `SLEEP_SPEED` for two seconds sleep; loading ends it."""
        for name in self._assets:
            pybullet.changeDynamics(
                self._bodies[name],
                _BASE,
                activationState=pybullet.ACTIVATION_STATE_ENABLE_SLEEPING,
                sleepThreshold=SLEEP_SPEED**2,
                physicsClientId=self._open(),
            )

    def contacts(self) -> list[Contact]:
        """Return the contacts of the present state between different objects or structures, without stepping."""
        names = [*self._assets, *(name for name in self._bodies if name not in self._assets)]
        still = self._fixed | (self._bodies.keys() - self._assets.keys())
        return contacts_between({name: self._bodies[name] for name in names}, still=still, client=self._open())

    def close(self) -> None:
        """Free the engine."""
        if self._client is not None:
            pybullet.disconnect(physicsClientId=self._client)
            self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> int:
        if self._client is None:
            raise EngineError("used after it was closed", engine=self.name)
        return self._client

    def _empty(self) -> None:
        """Forget everything."""
        client = self._open()
        configure(
            client,
            timestep_s=self.timestep_s,
            solver_iterations=self.config.solver_iterations,
            contact_erp=self.config.contact_erp,
        )
        self._bodies, self._assets, self._shapes, self._made = {}, {}, {}, 0
        self._visual = pybullet.createVisualShape(pybullet.GEOM_BOX, halfExtents=[1e-3] * 3, physicsClientId=client)
        self._ball = pybullet.createCollisionShape(pybullet.GEOM_SPHERE, radius=0.1, physicsClientId=client)

    def _clear(self) -> None:
        """Remove the objects, the last first."""
        for name in reversed(self._assets):
            pybullet.removeBody(self._bodies.pop(name), physicsClientId=self._open())
        tidy_up(self._open(), self._ball, self._visual)

    def _shape(self, pieces: tuple[Piece, ...], path: Path) -> int:
        """Return Bullet's number of a link's pieces, by their identity: the cousins of a library share them."""
        known = self._shapes.get(id(pieces))
        if known is None:
            known = (pieces, collision_shape(pieces, path, self._open(), margin_m=self.config.margin_m))
            self._shapes[id(pieces)] = known
            self._made += 1
        return known[1]

    def _add_structure(self, structure: Structure, folder: Path) -> None:
        if structure.name not in self._bodies:
            shape = self._shape(structure.pieces, folder / f"{structure.name}.obj")
            body = pybullet.createMultiBody(0.0, shape, self._visual, physicsClientId=self._open())
            self._bodies[structure.name] = body
        self._set_surface(self._bodies[structure.name], _BASE, structure.friction.value, structure.restitution.value)

    def _add_object(self, placed: Placed, folder: Path) -> None:
        asset, client = placed.asset, self._open()
        root = asset.links[0]
        root_from_inertial = inertial_frame(root)
        ordered = joints_in_order(asset)
        shapes = {link.name: self._shape(link.pieces, folder / f"{asset.name}-{link.name}.obj") for link in asset.links}
        arguments = link_arguments(asset, ordered, shapes) | {"linkVisualShapeIndices": [self._visual] * len(ordered)}
        body = pybullet.createMultiBody(
            0.0 if placed.fixed else root.mass_kg.value,
            shapes[root.name],
            self._visual,
            baseInertialFramePosition=root_from_inertial[:3, 3].tolist(),
            baseInertialFrameOrientation=xyzw_of(root_from_inertial[:3, :3]),
            physicsClientId=client,
            **arguments,
        )
        self._made += 1
        if body < 0:
            raise EngineError(f"{asset.name} was refused", engine=self.name)
        self._bodies[asset.name], self._assets[asset.name] = body, asset
        self._root_from_inertial[asset.name] = root_from_inertial
        self._set_link(body, _BASE, asset, root, fixed=placed.fixed)
        links = {link.name: link for link in asset.links}
        for index, joint in enumerate(ordered):
            self._set_link(body, index, asset, links[joint.child])
            if joint.kind != "fixed":
                self._joints[asset.name, joint.name] = (body, index)
                self._set_joint_limits(body, index, joint)
        self.set_pose(asset.name, placed.world_from_asset)

    def _set_link(self, body: int, index: int, asset: Asset, link: Link, *, fixed: bool = False) -> None:
        client = self._open()
        if index == _BASE:
            pybullet.changeDynamics(body, _BASE, physicsClientId=client, **body_dynamics())
        pybullet.changeDynamics(body, index, physicsClientId=client, **link_dynamics(link, fixed=fixed))
        self._set_surface(body, index, asset.friction.value, asset.restitution.value)

    def _set_surface(self, body: int, index: int, friction: float, restitution: float) -> None:
        surface = surface_dynamics(friction, restitution)
        pybullet.changeDynamics(body, index, physicsClientId=self._open(), **surface)

    def _set_joint_limits(self, body: int, index: int, joint: Joint) -> None:
        client = self._open()
        pybullet.changeDynamics(body, index, physicsClientId=client, **joint_dynamics(joint))
        pybullet.setJointMotorControl2(
            body,
            index,
            pybullet.VELOCITY_CONTROL,
            targetVelocity=0.0,
            force=joint.friction,
            physicsClientId=client,
        )
