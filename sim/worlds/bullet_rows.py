"""One row of worlds: a PyBullet client that shows one cousin after another.

Bullet's future depends on more than poses and speeds: on contact points that it keeps, and on the order in which
bodies were made. So objects are removed last first and made anew in order, and where bodies stay, their contact points
are dropped. Removed bodies leave some kilobytes behind, so the client is emptied now and then.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pybullet

from cousins.errors import EngineError
from cousins.geometry import Array
from cousins.scene.kinematics import joints_in_order
from sim.bodies.body import Body
from sim.bullet import body_dynamics, configure, contacts_between, created_shape, xyzw_of
from sim.engine import Contact, require_finite
from sim.worlds.bullet_plans import BASE, BodyPlan, ShapePlan, WorldPlan
from sim.worlds.bullet_readings import layout_of
from sim.worlds.faults import NOTHING_SHOWN, exploded, require_apart
from sim.worlds.worlds import BODY, Slots

MOST_BODIES: Final = 2000
"""Bodies made until a client is emptied; each leaves some 3 kB behind."""
_MOVING: Final = (1, -1)
_STILL: Final = (2, -3)
"""Bullet's own collision groups and masks of what moves and of what stands still."""
_AT_REST: Final = [0.0, 0.0, 0.0]


@dataclass(frozen=True, kw_only=True)
class Stepping:
    """How Bullet steps."""

    timestep_s: float
    """Duration of one step [s]."""
    solver_iterations: int
    """Constraint iterations a step."""
    margin_m: float
    """Collision margin [m]."""


class BulletRow:
    """A client with a robot in a cousin; what changes it returns its new numbers, laid out as in `Layout`."""

    def __init__(self, body: Body, slots: Slots, stepping: Stepping) -> None:
        self._body, self._slots, self._stepping = body, slots, stepping
        self._layout = layout_of(slots, body)
        order = joints_in_order(body.asset)
        of_joint = {joint.name: index for index, joint in enumerate(order)}
        self._drives = [of_joint[drive.joint] for drive in body.drives]
        self._forces = [drive.most_force for drive in body.drives]
        self._tip = {joint.child: index for index, joint in enumerate(order)}.get(body.tip, BASE)
        self._client: int = pybullet.connect(pybullet.DIRECT)
        self._plan: WorldPlan | None = None
        self._broken = NOTHING_SHOWN
        self._made = 0
        self._shapes: dict[str, int] = {}
        self._visual = -1
        self._bodies: dict[str, int] = {}
        self._joints: list[tuple[int, int] | None] = []
        self._heavy = False

    def show(self, plan: WorldPlan) -> Array:
        """Show a cousin from its start; raises `EngineError` where two bodies overlap far too deeply."""
        old, self._plan = self._plan, plan
        if old is None or self._broken or self._made >= MOST_BODIES or not _same_ground(old, plan):
            self._begin(plan)
        elif old is not plan:
            for one in reversed(old.objects):
                pybullet.removeBody(self._bodies.pop(one.name), physicsClientId=self._client)
            for structure in plan.structures:
                self._set_dynamics(structure)
        self._broken = ""
        self._drop_contacts(plan.robot)
        for one in plan.objects:
            if one.name in self._bodies:
                self._drop_contacts(one)
            else:
                self._make(one)
        self._put_back(plan)
        self._find_joints(plan)
        return self._numbers(self._near())

    def require_apart(self) -> None:
        """Raise `EngineError` where two bodies overlap far too deeply; the row is broken then."""
        try:
            require_apart(self.contacts(), engine="pybullet")
        except EngineError:
            self._broken = NOTHING_SHOWN
            raise

    def give_up(self, fault: str) -> None:
        """Stand still until a cousin is shown again; what broke first stays told."""
        self._broken = self._broken or fault

    def step(self, drive_velocity: Array, count: int) -> tuple[str, Array]:
        """Advance by `count` steps at target speeds within the limits; return what broke, too."""
        client = self._client
        if self._broken:
            return self._broken, np.zeros(self._layout.size)
        robot = self._bodies[BODY]
        pybullet.setJointMotorControlArray(
            robot,
            self._drives,
            pybullet.VELOCITY_CONTROL,
            targetVelocities=drive_velocity.tolist(),
            forces=self._forces,
            physicsClientId=client,
        )
        for _ in range(count):
            if self._heavy:
                self._carry(robot)
            pybullet.stepSimulation(physicsClientId=client)
        numbers = self._numbers(self._touched())
        objects = numbers[: self._layout.joint].reshape(-1, 13)
        self._broken = exploded(self._slots.objects, objects[:, 7:])
        if not self._broken and not np.all(np.isfinite(numbers)):
            self._broken = "the state holds NaN or infinity"
        return self._broken, numbers

    def place(self, name: str, world_from_object: Array) -> Array:
        """Put a free object somewhere, at rest."""
        require_finite(world_from_object, what=f"the pose of {name}", engine="pybullet")
        plan = next((one for one in self._shown().objects if one.name == name and not one.fixed), None)
        if plan is None:
            raise EngineError(f"no free object named {name!r}", engine="pybullet")
        self._put(plan, world_from_object)
        return self._numbers(self._near())

    def set_joint(self, joint: int, position: float) -> Array:
        """Put a joint (a column) somewhere, at rest."""
        require_finite(np.array(position), what=f"the position of joint {joint}", engine="pybullet")
        self._shown()
        found = self._joints[joint]
        if found is None:
            raise EngineError(f"the cousin has no joint {self._slots.joints[joint]}", engine="pybullet")
        pybullet.resetJointState(*found, position, 0.0, physicsClientId=self._client)
        return self._numbers(self._near())

    def set_drives(self, position: Array) -> Array:
        """Put the drives somewhere, at rest."""
        require_finite(position, what="the position of the drives", engine="pybullet")
        self._shown()
        for index, value in zip(self._drives, position.tolist(), strict=True):
            pybullet.resetJointState(self._bodies[BODY], index, value, 0.0, physicsClientId=self._client)
        return self._numbers(self._near())

    def contacts(self) -> list[Contact]:
        """Return the contacts of the present state; the robot's root stands still, as structures do."""
        plan = self._shown()
        names = [BODY, *(one.name for one in plan.objects), *(one.name for one in plan.structures)]
        still = {one.name for one in (*plan.objects, *plan.structures) if one.fixed}
        bodies = {name: self._bodies[name] for name in names}
        return contacts_between(bodies, still=still, rooted={BODY}, client=self._client)

    def snapshot(self) -> tuple[bytes, Array]:
        """Return what decides the future, and let the row go on from just that: without its contact points."""
        plan = self._shown()
        values: list[float] = [float(plan.index)]
        for one in (plan.robot, *plan.objects):
            body = self._bodies[one.name]
            if not one.fixed:
                for part in pybullet.getBasePositionAndOrientation(body, physicsClientId=self._client):
                    values += part
                for part in pybullet.getBaseVelocity(body, physicsClientId=self._client):
                    values += part
            for joint in one.joints:
                values += pybullet.getJointState(body, joint, physicsClientId=self._client)[:2]
        taken = np.array(values).tobytes()
        return taken, self.restore(taken)

    def restore(self, snapshot: bytes) -> Array:
        """Bring back what `snapshot` returned."""
        plan, values = self._shown(), np.frombuffer(snapshot).tolist()
        bodies = (plan.robot, *plan.objects)
        if len(values) != 1 + sum(2 * len(one.joints) + 13 * (not one.fixed) for one in bodies):
            raise EngineError("a snapshot of another cousin", engine="pybullet")
        if values[0] != plan.index:
            raise EngineError(
                f"a snapshot of cousin {values[0]:.0f} in a row that shows {plan.index}", engine="pybullet"
            )
        at = 1
        for one in bodies:
            body = self._bodies[one.name]
            self._drop_contacts(one)
            if not one.fixed:
                pybullet.resetBasePositionAndOrientation(
                    body, values[at : at + 3], values[at + 3 : at + 7], physicsClientId=self._client
                )
                pybullet.resetBaseVelocity(
                    body, values[at + 7 : at + 10], values[at + 10 : at + 13], physicsClientId=self._client
                )
                at += 13
            for joint in one.joints:
                pybullet.resetJointState(body, joint, *values[at : at + 2], physicsClientId=self._client)
                at += 2
        return self._numbers(self._near())

    def close(self) -> None:
        """Free the client."""
        pybullet.disconnect(physicsClientId=self._client)

    def _shown(self) -> WorldPlan:
        if self._plan is None or self._broken:
            raise EngineError(f"a row that cannot be used: {self._broken}", engine="pybullet")
        return self._plan

    def _begin(self, plan: WorldPlan) -> None:
        """Empty the client and make what stays."""
        configure(
            self._client, timestep_s=self._stepping.timestep_s, solver_iterations=self._stepping.solver_iterations
        )
        self._shapes, self._bodies, self._made = {"": -1}, {}, 0
        self._visual = pybullet.createVisualShape(
            pybullet.GEOM_BOX, halfExtents=[1e-3] * 3, physicsClientId=self._client
        )
        for one in (*plan.structures, plan.robot):
            self._make(one)
        self._heavy = self._has_weight(plan.robot)

    def _make(self, plan: BodyPlan) -> None:
        shapes = [self._shape(shape) for shape in plan.shapes]
        arguments = dict(plan.arguments)
        if shapes[1:]:
            arguments["linkCollisionShapeIndices"] = shapes[1:]
            arguments["linkVisualShapeIndices"] = [self._visual] * len(shapes[1:])
        body = pybullet.createMultiBody(
            plan.mass_kg, shapes[0], self._visual, physicsClientId=self._client, **arguments
        )
        if body < 0:
            raise EngineError(f"{plan.name} was refused", engine="pybullet")
        self._bodies[plan.name] = body
        self._made += 1
        self._set_dynamics(plan)
        for joint, friction in zip(plan.joints, plan.friction, strict=True):
            pybullet.setJointMotorControl2(
                body,
                joint,
                pybullet.VELOCITY_CONTROL,
                targetVelocity=0.0,
                force=friction,
                physicsClientId=self._client,
            )

    def _set_dynamics(self, plan: BodyPlan) -> None:
        body = self._bodies[plan.name]
        pybullet.changeDynamics(body, BASE, physicsClientId=self._client, **body_dynamics())
        for index, values in enumerate(plan.dynamics):
            pybullet.changeDynamics(body, index - 1, physicsClientId=self._client, **values)

    def _shape(self, plan: ShapePlan) -> int:
        """Return a shape by its content; it is made once, for all bodies that will share it."""
        known = self._shapes.get(plan.key)
        if known is None:
            with tempfile.TemporaryDirectory(prefix="cousins-pybullet-") as folder:
                known = created_shape(
                    plan.primitives,
                    plan.obj,
                    Path(folder) / "hulls.obj",
                    self._client,
                    margin_m=self._stepping.margin_m,
                    visual=self._visual,
                )
            self._shapes[plan.key] = known
            self._made += 1
        return known

    def _drop_contacts(self, plan: BodyPlan) -> None:
        body = self._bodies[plan.name]
        for index in range(BASE, len(plan.shapes) - 1):
            group = _STILL if plan.fixed and index == BASE else _MOVING
            pybullet.setCollisionFilterGroupMask(body, index, *group, physicsClientId=self._client)

    def _put_back(self, plan: WorldPlan) -> None:
        for one in (plan.robot, *plan.objects):
            self._put(one, one.world_from_root)
            for joint in one.joints:
                pybullet.resetJointState(self._bodies[one.name], joint, 0.0, 0.0, physicsClientId=self._client)
        for index, drive in zip(self._drives, self._body.drives, strict=True):
            pybullet.resetJointState(self._bodies[BODY], index, drive.home, 0.0, physicsClientId=self._client)

    def _put(self, plan: BodyPlan, world_from_root: Array) -> None:
        pose, body = world_from_root @ plan.root_from_inertial, self._bodies[plan.name]
        pybullet.resetBasePositionAndOrientation(
            body, pose[:3, 3].tolist(), xyzw_of(pose[:3, :3]), physicsClientId=self._client
        )
        if not plan.fixed:
            pybullet.resetBaseVelocity(body, _AT_REST, _AT_REST, physicsClientId=self._client)

    def _find_joints(self, plan: WorldPlan) -> None:
        movable = {one.name: one.joints for one in plan.objects}
        self._joints = [
            (self._bodies[name], movable[name][number]) if number < len(movable.get(name, ())) else None
            for name, number in self._slots.joints
        ]

    def _has_weight(self, robot: BodyPlan) -> bool:
        """Whether gravity moves any joint in some of three very different poses."""
        joints = joints_in_order(self._body.asset)
        for share in (0.1, 0.4, 0.8):
            q = [joints[i].lower + share * (joints[i].upper - joints[i].lower) for i in robot.joints]
            if max(map(abs, self._weights(self._bodies[BODY], q)), default=0.0) > 1e-9:
                return True
        return False

    def _weights(self, robot: int, position: list[float]) -> list[float]:
        still = [0.0] * len(position)
        return list(pybullet.calculateInverseDynamics(robot, position, still, still, physicsClientId=self._client))

    def _carry(self, robot: int) -> None:
        """Bear the weight of the robot's links for one step."""
        joints = self._shown().robot.joints
        states = pybullet.getJointStates(robot, joints, physicsClientId=self._client)
        pybullet.setJointMotorControlArray(
            robot,
            joints,
            pybullet.TORQUE_CONTROL,
            forces=self._weights(robot, [state[0] for state in states]),
            physicsClientId=self._client,
        )

    def _touched(self) -> set[int]:
        """Return the bodies that pressed against the robot in the last step, or were in it."""
        robot = self._bodies[BODY]
        points = pybullet.getContactPoints(bodyA=robot, physicsClientId=self._client)
        return {point[1] + point[2] - robot for point in points if point[9] > 0.0 or point[8] <= 0.0}

    def _near(self) -> set[int]:
        """Return the bodies that the robot touches before any step."""
        robot, client = self._bodies[BODY], self._client
        near = [self._bodies[one.name] for one in self._shown().objects]
        return {body for body in near if pybullet.getClosestPoints(robot, body, 0.0, physicsClientId=client)}

    def _numbers(self, touched: set[int]) -> Array:
        plan, layout, client = self._shown(), self._layout, self._client
        out = [0.0] * layout.size
        there = {one.name for one in plan.objects}
        for column, name in enumerate(self._slots.objects):
            if name not in there:
                continue
            body, at = self._bodies[name], 13 * column
            out[at : at + 3], out[at + 3 : at + 7] = pybullet.getBasePositionAndOrientation(
                body, physicsClientId=client
            )
            out[at + 7 : at + 10], out[at + 10 : at + 13] = pybullet.getBaseVelocity(body, physicsClientId=client)
            out[layout.touched + column] = float(body in touched)
        for number, joint in enumerate(self._joints):
            if joint is not None:
                at = layout.joint + 2 * number
                out[at : at + 2] = pybullet.getJointState(*joint, physicsClientId=client)[:2]
        robot = self._bodies[BODY]
        for number, state in enumerate(pybullet.getJointStates(robot, self._drives, physicsClientId=client)):
            at = layout.drive + 2 * number
            out[at : at + 2] = state[:2]
        out[layout.tip : layout.touched] = self._tip_pose(robot)
        return np.array(out)

    def _tip_pose(self, robot: int) -> list[float]:
        if self._tip == BASE:
            pose = self._shown().robot.world_from_root
            return [*pose[:3, 3].tolist(), *xyzw_of(pose[:3, :3])]
        found: Any = pybullet.getLinkState(robot, self._tip, computeForwardKinematics=1, physicsClientId=self._client)
        return [*found[4], *found[5]]


def _same_ground(old: WorldPlan, new: WorldPlan) -> bool:
    """Whether two worlds have the same structures but for their surfaces."""
    return [one.name for one in old.structures] == [one.name for one in new.structures] and [
        one.shapes[0].key for one in old.structures
    ] == [one.shapes[0].key for one in new.structures]
