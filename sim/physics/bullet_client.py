"""A PyBullet client in which bodies are created and removed without changing the simulation of later bodies.

Bullet's state is more than poses and velocities: it includes cached contact points, sleep timers, and the order in
which bodies were created. So bodies are removed in reverse order and created again, and the contact points of a body
that stays are cleared. Each removed body leaks some kilobytes, so the client has to be reset from time to time.
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
from sim.physics.bullet_bodies import BASE_LINK, BodyPlan, ShapePlan
from sim.physics.bullet_objects import (
    CONTACT_ERP,
    SOLVER_RESIDUAL,
    body_dynamics,
    configure,
    create_shape,
    quat_xyzw_from_rotation,
    reset_broad_phase,
)
from sim.physics.engine import SLEEP_SPEED

MAX_CREATED: Final = 2000
"""Shapes and bodies created until a client needs a reset; each leaks some 6 kB."""
GEAR_ERP: Final = 0.2
"""Share of the position difference that a gear constraint removes in one step."""
GEAR_FORCE: Final = 1e4
"""Largest force of a gear constraint [N] or [N·m]."""
_MOVING_FILTER: Final = (1, -1)
_STATIC_FILTER: Final = (2, -3)
"""Bullet's default collision groups and masks of moving and of static bodies."""
_ZERO_VELOCITY: Final = [0.0, 0.0, 0.0]


@dataclass(frozen=True, kw_only=True)
class BulletSolver:
    """Solver settings of Bullet, and the lifetime of a client."""

    timestep_s: float
    """Duration of one step [s]."""
    solver_iterations: int
    """Largest number of solver iterations per step."""
    margin_m: float
    """Collision margin [m]."""
    residual: float = SOLVER_RESIDUAL
    """Squared change of the impulses [N²·s²] at which the solver stops."""
    contact_erp: float = CONTACT_ERP
    """Share of an overlap that one step removes."""
    sleep: bool = False
    """Whether bodies at rest may sleep."""
    max_created: int = MAX_CREATED
    """Shapes and bodies created until the client needs a reset."""


class BulletClient:
    """A PyBullet client and its bodies by name."""

    def __init__(self, solver: BulletSolver, shape_plans: Mapping[str, ShapePlan]) -> None:
        """Connect; `shape_plans` holds the collision shapes of all bodies by key."""
        self.client_id: int = pybullet.connect(pybullet.DIRECT)
        self.bodies: dict[str, int] = {}
        self.created_count = 0
        self._solver, self._shape_plans = solver, shape_plans
        self._shapes: dict[str, int] = {}
        self._visual_shape, self._sphere_shape = -1, -1

    @property
    def needs_reset(self) -> bool:
        """Whether so many bodies were created that the client should be reset."""
        return self.created_count >= self._solver.max_created

    def reset(self) -> None:
        """Remove all bodies and shapes, and apply the solver settings."""
        solver = self._solver
        configure(
            self.client_id,
            timestep_s=solver.timestep_s,
            solver_iterations=solver.solver_iterations,
            contact_erp=solver.contact_erp,
            residual=solver.residual,
        )
        self._shapes, self.bodies, self.created_count = {"": -1}, {}, 0
        self._visual_shape = pybullet.createVisualShape(
            pybullet.GEOM_BOX, halfExtents=[1e-3] * 3, physicsClientId=self.client_id
        )
        self._sphere_shape = pybullet.createCollisionShape(
            pybullet.GEOM_SPHERE, radius=0.1, physicsClientId=self.client_id
        )

    def create_body(self, plan: BodyPlan, *, may_sleep: bool = False) -> None:
        """Create a body, which may sleep if the settings allow it; its pose has to be set afterwards."""
        shapes = [self._shape(shape) for shape in plan.shapes]
        arguments = dict(plan.arguments)
        if shapes[1:]:
            arguments["linkCollisionShapeIndices"] = shapes[1:]
            arguments["linkVisualShapeIndices"] = [self._visual_shape] * len(shapes[1:])
        body = pybullet.createMultiBody(
            plan.mass_kg, shapes[0], self._visual_shape, physicsClientId=self.client_id, **arguments
        )
        if body < 0:
            raise EngineError(f"{plan.name} was refused", engine="pybullet")
        self.bodies[plan.name] = body
        self.created_count += 1
        pybullet.changeDynamics(body, BASE_LINK, physicsClientId=self.client_id, **body_dynamics())
        if may_sleep and self._solver.sleep:
            self.enable_sleeping(plan.name)
        self.set_dynamics(plan)
        for joint, friction in zip(plan.joints, plan.friction, strict=True):
            pybullet.setJointMotorControl2(
                body,
                joint,
                pybullet.VELOCITY_CONTROL,
                targetVelocity=0.0,
                force=friction,
                physicsClientId=self.client_id,
            )

    def enable_sleeping(self, name: str) -> None:
        """Allow a body to sleep once it has been slower than `SLEEP_SPEED` for two seconds."""
        pybullet.changeDynamics(
            self.bodies[name],
            BASE_LINK,
            activationState=pybullet.ACTIVATION_STATE_ENABLE_SLEEPING,
            sleepThreshold=SLEEP_SPEED**2,
            physicsClientId=self.client_id,
        )

    def add_gear(self, name: str, first: int, second: int) -> None:
        """Couple two joints of a body by a gear constraint that keeps their positions equal."""
        body, origin = self.bodies[name], [0.0, 0.0, 0.0]
        gear = pybullet.createConstraint(
            body,
            first,
            body,
            second,
            pybullet.JOINT_GEAR,
            [1.0, 0.0, 0.0],
            origin,
            origin,
            physicsClientId=self.client_id,
        )
        pybullet.changeConstraint(
            gear, gearRatio=-1.0, erp=GEAR_ERP, maxForce=GEAR_FORCE, physicsClientId=self.client_id
        )

    def remove_body(self, name: str) -> None:
        """Remove a body; leaves no trace only for the body that was created last."""
        pybullet.removeBody(self.bodies.pop(name), physicsClientId=self.client_id)

    def reset_broad_phase(self) -> None:
        """Clear the broad phase of removed bodies; exact only where no two remaining bodies are near each other."""
        reset_broad_phase(self.client_id, self._sphere_shape, self._visual_shape)

    def set_dynamics(self, plan: BodyPlan) -> None:
        """Apply a body's masses and surface properties."""
        body = self.bodies[plan.name]
        for index, values in enumerate(plan.dynamics):
            pybullet.changeDynamics(body, index - 1, physicsClientId=self.client_id, **values)

    def clear_contacts(self, plan: BodyPlan) -> None:
        """Drop the cached contact points of a body."""
        body = self.bodies[plan.name]
        for index in range(BASE_LINK, len(plan.shapes) - 1):
            group = _STATIC_FILTER if plan.fixed and index == BASE_LINK else _MOVING_FILTER
            pybullet.setCollisionFilterGroupMask(body, index, *group, physicsClientId=self.client_id)

    def wake(self, plan: BodyPlan) -> None:
        """Wake a body; it falls asleep again after a step that does not move it."""
        pybullet.changeDynamics(
            self.bodies[plan.name],
            BASE_LINK,
            activationState=pybullet.ACTIVATION_STATE_WAKE_UP,
            physicsClientId=self.client_id,
        )

    def set_pose(self, plan: BodyPlan, world_from_root: Array) -> None:
        """Set the pose `world_from_root` [4, 4] of a body, its root at rest."""
        pose, body = world_from_root @ plan.root_from_inertial, self.bodies[plan.name]
        pybullet.resetBasePositionAndOrientation(
            body, pose[:3, 3].tolist(), quat_xyzw_from_rotation(pose[:3, :3]), physicsClientId=self.client_id
        )
        if not plan.fixed:
            pybullet.resetBaseVelocity(body, _ZERO_VELOCITY, _ZERO_VELOCITY, physicsClientId=self.client_id)

    def state_of(self, plan: BodyPlan) -> list[float]:
        """Return the state of a body as numbers: root pose and velocity if free, then position and speed per joint."""
        body, values = self.bodies[plan.name], []
        if not plan.fixed:
            for part in pybullet.getBasePositionAndOrientation(body, physicsClientId=self.client_id):
                values += part
            for part in pybullet.getBaseVelocity(body, physicsClientId=self.client_id):
                values += part
        for joint in plan.joints:
            values += pybullet.getJointState(body, joint, physicsClientId=self.client_id)[:2]
        return values

    def set_state(self, plan: BodyPlan, values: list[float]) -> None:
        """Set the state of a body to numbers that `state_of` returned."""
        body, joint_start = self.bodies[plan.name], 0
        if not plan.fixed:
            pybullet.resetBasePositionAndOrientation(body, values[:3], values[3:7], physicsClientId=self.client_id)
            pybullet.resetBaseVelocity(body, values[7:10], values[10:13], physicsClientId=self.client_id)
            joint_start = 13
        for number, joint in enumerate(plan.joints):
            position, speed = values[joint_start + 2 * number : joint_start + 2 * number + 2]
            pybullet.resetJointState(body, joint, position, speed, physicsClientId=self.client_id)

    def close(self) -> None:
        """Disconnect the client."""
        pybullet.disconnect(physicsClientId=self.client_id)

    def _shape(self, key: str) -> int:
        """Return Bullet's index of a collision shape, created at its first use."""
        shape = self._shapes.get(key)
        if shape is None:
            plan = self._shape_plans[key]
            with tempfile.TemporaryDirectory(prefix="cousins-pybullet-") as folder:
                shape = create_shape(
                    plan.primitives,
                    plan.obj,
                    Path(folder) / "hulls.obj",
                    self.client_id,
                    margin_m=self._solver.margin_m,
                    visual_shape=self._visual_shape,
                )
            self._shapes[key] = shape
            self.created_count += 1
        return shape


def state_size(plan: BodyPlan) -> int:
    """Return the length of the list that `BulletClient.state_of` returns."""
    return 2 * len(plan.joints) + (0 if plan.fixed else 13)
