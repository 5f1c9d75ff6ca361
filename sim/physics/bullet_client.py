"""A PyBullet client that bodies are made in and removed from, so that the next to come has the same future.

Bullet's future depends on more than poses and speeds: on contact points that it keeps, on how long a body has been
about to sleep, on the order in which bodies were made. So bodies are removed last first and made anew, and one that
stays has its contact points dropped. Removed bodies leave some kilobytes behind; whoever uses a client empties it now
and then.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pybullet

from cousins.errors import EngineError
from cousins.geometry import Array
from sim.physics.bullet_bodies import BASE, BodyPlan, ShapePlan
from sim.physics.bullet_objects import CONTACT_ERP, RESIDUAL, body_dynamics, configure, created_shape, tidy_up, xyzw_of
from sim.physics.engine import SLEEP_SPEED

MOST_MADE: Final = 2000
"""Shapes and bodies made until a client is emptied; each leaves some 6 kB behind."""
GEAR_ERP: Final = 0.2
"""Share of their difference that gears take away in a step."""
GEAR_FORCE: Final = 1e4
"""Largest force of gears [N] or [N·m]."""
_MOVING: Final = (1, -1)
_STILL: Final = (2, -3)
"""Bullet's own collision groups and masks of what moves and of what stands still."""
_AT_REST: Final = [0.0, 0.0, 0.0]


@dataclass(frozen=True, kw_only=True)
class Stepping:
    """How Bullet steps, and for how long in one client."""

    timestep_s: float
    """Duration of one step [s]."""
    solver_iterations: int
    """Most constraint iterations a step."""
    margin_m: float
    """Collision margin [m]."""
    residual: float = RESIDUAL
    """Squared change of the impulses [N²·s²] at which the solver stops."""
    contact_erp: float = CONTACT_ERP
    """Share of an overlap that a step takes away."""
    sleep: bool = False
    """Whether bodies at rest may sleep."""
    most_made: int = MOST_MADE
    """Shapes and bodies made until the client is emptied."""


class BulletClient:
    """A client and its bodies by name."""

    def __init__(self, stepping: Stepping, book: Mapping[str, ShapePlan]) -> None:
        """Connect; `book` holds the shapes that bodies will ask for."""
        self.number: int = pybullet.connect(pybullet.DIRECT)
        self.bodies: dict[str, int] = {}
        self.made = 0
        self._stepping, self._book = stepping, book
        self._shapes: dict[str, int] = {}
        self._visual, self._ball = -1, -1

    @property
    def full(self) -> bool:
        """Whether so much was made that it is to be emptied."""
        return self.made >= self._stepping.most_made

    def empty(self) -> None:
        """Forget everything."""
        stepping = self._stepping
        configure(
            self.number,
            timestep_s=stepping.timestep_s,
            solver_iterations=stepping.solver_iterations,
            contact_erp=stepping.contact_erp,
            residual=stepping.residual,
        )
        self._shapes, self.bodies, self.made = {"": -1}, {}, 0
        self._visual = pybullet.createVisualShape(
            pybullet.GEOM_BOX, halfExtents=[1e-3] * 3, physicsClientId=self.number
        )
        self._ball = pybullet.createCollisionShape(pybullet.GEOM_SPHERE, radius=0.1, physicsClientId=self.number)

    def make(self, plan: BodyPlan, *, sleeps: bool = False) -> None:
        """Make a body, which may sleep where that is wished; it has to be put in its place."""
        shapes = [self._shape(shape) for shape in plan.shapes]
        arguments = dict(plan.arguments)
        if shapes[1:]:
            arguments["linkCollisionShapeIndices"] = shapes[1:]
            arguments["linkVisualShapeIndices"] = [self._visual] * len(shapes[1:])
        body = pybullet.createMultiBody(plan.mass_kg, shapes[0], self._visual, physicsClientId=self.number, **arguments)
        if body < 0:
            raise EngineError(f"{plan.name} was refused", engine="pybullet")
        self.bodies[plan.name] = body
        self.made += 1
        pybullet.changeDynamics(body, BASE, physicsClientId=self.number, **body_dynamics())
        if sleeps and self._stepping.sleep:
            self.let_sleep(plan.name)
        self.set_dynamics(plan)
        for joint, friction in zip(plan.joints, plan.friction, strict=True):
            pybullet.setJointMotorControl2(
                body,
                joint,
                pybullet.VELOCITY_CONTROL,
                targetVelocity=0.0,
                force=friction,
                physicsClientId=self.number,
            )

    def let_sleep(self, name: str) -> None:
        """Let a body sleep once it has been slower than `SLEEP_SPEED` for two seconds."""
        pybullet.changeDynamics(
            self.bodies[name],
            BASE,
            activationState=pybullet.ACTIVATION_STATE_ENABLE_SLEEPING,
            sleepThreshold=SLEEP_SPEED**2,
            physicsClientId=self.number,
        )

    def link_joints(self, name: str, first: int, other: int) -> None:
        """Let gears keep two joints of a body equal."""
        body, nowhere = self.bodies[name], [0.0, 0.0, 0.0]
        gear = pybullet.createConstraint(
            body,
            first,
            body,
            other,
            pybullet.JOINT_GEAR,
            [1.0, 0.0, 0.0],
            nowhere,
            nowhere,
            physicsClientId=self.number,
        )
        pybullet.changeConstraint(gear, gearRatio=-1.0, erp=GEAR_ERP, maxForce=GEAR_FORCE, physicsClientId=self.number)

    def remove(self, name: str) -> None:
        """Remove a body; exact only for the one that was made last."""
        pybullet.removeBody(self.bodies.pop(name), physicsClientId=self.number)

    def tidy_up(self) -> None:
        """Let nothing be left of removed bodies; exact only where no two bodies that stayed are near each other."""
        tidy_up(self.number, self._ball, self._visual)

    def set_dynamics(self, plan: BodyPlan) -> None:
        """Give a body its masses and surfaces."""
        body = self.bodies[plan.name]
        for index, values in enumerate(plan.dynamics):
            pybullet.changeDynamics(body, index - 1, physicsClientId=self.number, **values)

    def drop_contacts(self, plan: BodyPlan) -> None:
        """Let Bullet forget where a body touches others."""
        body = self.bodies[plan.name]
        for index in range(BASE, len(plan.shapes) - 1):
            group = _STILL if plan.fixed and index == BASE else _MOVING
            pybullet.setCollisionFilterGroupMask(body, index, *group, physicsClientId=self.number)

    def wake(self, plan: BodyPlan) -> None:
        """Wake a body; it sleeps on after a step that does not move it."""
        pybullet.changeDynamics(
            self.bodies[plan.name],
            BASE,
            activationState=pybullet.ACTIVATION_STATE_WAKE_UP,
            physicsClientId=self.number,
        )

    def put(self, plan: BodyPlan, world_from_root: Array) -> None:
        """Put a body somewhere, its root at rest."""
        pose, body = world_from_root @ plan.root_from_inertial, self.bodies[plan.name]
        pybullet.resetBasePositionAndOrientation(
            body, pose[:3, 3].tolist(), xyzw_of(pose[:3, :3]), physicsClientId=self.number
        )
        if not plan.fixed:
            pybullet.resetBaseVelocity(body, _AT_REST, _AT_REST, physicsClientId=self.number)

    def state_of(self, plan: BodyPlan) -> list[float]:
        """Return all numbers that `set_state` needs."""
        body, values = self.bodies[plan.name], []
        if not plan.fixed:
            for part in pybullet.getBasePositionAndOrientation(body, physicsClientId=self.number):
                values += part
            for part in pybullet.getBaseVelocity(body, physicsClientId=self.number):
                values += part
        for joint in plan.joints:
            values += pybullet.getJointState(body, joint, physicsClientId=self.number)[:2]
        return values

    def set_state(self, plan: BodyPlan, values: list[float]) -> None:
        """Bring a body to a state."""
        body, at = self.bodies[plan.name], 0
        if not plan.fixed:
            pybullet.resetBasePositionAndOrientation(body, values[:3], values[3:7], physicsClientId=self.number)
            pybullet.resetBaseVelocity(body, values[7:10], values[10:13], physicsClientId=self.number)
            at = 13
        for number, joint in enumerate(plan.joints):
            position, speed = values[at + 2 * number : at + 2 * number + 2]
            pybullet.resetJointState(body, joint, position, speed, physicsClientId=self.number)

    def close(self) -> None:
        """Free the client."""
        pybullet.disconnect(physicsClientId=self.number)

    def _shape(self, key: str) -> int:
        """Return a shape; it is made once, for all bodies that will share it."""
        known = self._shapes.get(key)
        if known is None:
            plan = self._book[key]
            with tempfile.TemporaryDirectory(prefix="cousins-pybullet-") as folder:
                known = created_shape(
                    plan.primitives,
                    plan.obj,
                    Path(folder) / "hulls.obj",
                    self.number,
                    margin_m=self._stepping.margin_m,
                    visual=self._visual,
                )
            self._shapes[key] = known
            self.made += 1
        return known


def state_size(plan: BodyPlan) -> int:
    """Return how many numbers `BulletClient.state_of` returns."""
    return 2 * len(plan.joints) + (0 if plan.fixed else 13)
