"""One row of worlds: a PyBullet client that shows one cousin after another."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pybullet

from cousins.errors import EngineError
from cousins.geometry import Array
from cousins.scene.kinematics import asset_from_links, joints_in_order
from sim.bodies.body import Body
from sim.physics.bullet_bodies import BASE, ShapePlan, same_ground
from sim.physics.bullet_client import BulletClient, Stepping, state_size
from sim.physics.bullet_objects import contacts_between, xyzw_of
from sim.physics.engine import GRAVITY_M_S2, Contact, require_finite
from sim.worlds.bullet_plans import WorldPlan
from sim.worlds.bullet_state import layout_of
from sim.worlds.faults import NOTHING_SHOWN, exploded, require_apart
from sim.worlds.worlds import BODY, Slots

TOUCH_M: Final = 0.001
"""What is nearer to the body than this counts as touched, as under MuJoCo: what is pushed hops a little [m]."""


class BulletRow:
    """A client with a robot in a cousin; what changes it returns its new numbers, laid out as in `Layout`."""

    def __init__(self, body: Body, slots: Slots, stepping: Stepping, book: dict[str, ShapePlan]) -> None:
        """Show nothing; `book` keeps the shapes of all that is shown, and rows of one process share it."""
        self._body, self._slots, self._book = body, slots, book
        self._layout = layout_of(slots, body)
        self._order = joints_in_order(body.asset)
        of_joint = {joint.name: index for index, joint in enumerate(self._order)}
        self._drives = [of_joint[drive.joint] for drive in body.drives]
        self._fingers = [of_joint[finger] for finger in body.fingers]
        self._forces = [drive.most_force for drive in body.drives]
        self._tip = {joint.child: index for index, joint in enumerate(self._order)}.get(body.tip, BASE)
        self._client = BulletClient(stepping, book)
        self._plan: WorldPlan | None = None
        self._broken = NOTHING_SHOWN
        self._joints: list[tuple[int, int] | None] = []
        self._made: set[str] = set()
        self._weights = carried_weights(body)

    def show(self, plan: WorldPlan) -> Array:
        """Show a cousin from its start."""
        client, old = self._client, self._plan
        self._book.update(plan.shapes)
        if old is None or self._broken or client.full or not same_ground(old.structures, plan.structures):
            client.empty()
            self._made = set()
            for one in (*plan.structures, plan.robot):
                client.make(one)
            for finger in self._fingers[1:] if self._body.fingers_linked else ():
                client.link_joints(BODY, self._fingers[0], finger)
        elif old.index != plan.index:
            for structure in plan.structures:
                client.set_dynamics(structure)
        self._plan, self._broken = plan, NOTHING_SHOWN
        self._renew(plan)
        self._put_back(plan)
        self._broken = ""
        return self._numbers()

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
        if self._broken:
            return self._broken, np.zeros(0)
        client, robot = self._client.number, self._client.bodies[BODY]
        pybullet.setJointMotorControlArray(
            robot,
            self._drives,
            pybullet.VELOCITY_CONTROL,
            targetVelocities=drive_velocity.tolist(),
            forces=self._forces,
            physicsClientId=client,
        )
        for _ in range(count):
            if self._weights:
                self._carry(robot)
            pybullet.stepSimulation(physicsClientId=client)
        numbers = self._numbers()
        self._broken = self._exploded(numbers)
        return self._broken, numbers

    def place(self, name: str, world_from_object: Array) -> Array:
        """Put a free object somewhere, at rest."""
        require_finite(world_from_object, what=f"the pose of {name}", engine="pybullet")
        plan = next((one for one in self._shown().objects if one.name == name and not one.fixed), None)
        if plan is None:
            raise EngineError(f"the cousin has no free object {name!r}", engine="pybullet")
        self._wake()
        self._client.put(plan, world_from_object)
        for joint in plan.joints:
            index = (self._client.bodies[name], joint)
            position = pybullet.getJointState(*index, physicsClientId=self._client.number)[0]
            pybullet.resetJointState(*index, position, 0.0, physicsClientId=self._client.number)
        return self._numbers()

    def set_joint(self, joint: int, position: float) -> Array:
        """Put a joint (a column) somewhere, at rest."""
        require_finite(np.array(position), what=f"the position of joint {joint}", engine="pybullet")
        self._shown()
        found = self._joints[joint]
        if found is None:
            raise EngineError(f"the cousin has no joint {self._slots.joints[joint]}", engine="pybullet")
        self._wake()
        pybullet.resetJointState(*found, position, 0.0, physicsClientId=self._client.number)
        return self._numbers()

    def set_drives(self, position: Array) -> Array:
        """Put the drives somewhere, at rest."""
        require_finite(position, what="the position of a drive", engine="pybullet")
        self._shown()
        self._wake()
        self._put_drives(position.tolist())
        return self._numbers()

    def contacts(self) -> list[Contact]:
        """Return the contacts of the present state; the robot's root stands still, as structures do."""
        plan = self._shown()
        names = [BODY, *(one.name for one in plan.objects), *(one.name for one in plan.structures)]
        still = {one.name for one in (*plan.objects, *plan.structures) if one.fixed}
        bodies = {name: self._client.bodies[name] for name in names}
        return contacts_between(bodies, still=still, rooted={BODY}, client=self._client.number)

    def snapshot(self) -> tuple[bytes, Array]:
        """Return what decides the future, and let the row go on from just that: awake, without contact points."""
        plan = self._shown()
        values = [float(plan.index)]
        for one in (plan.robot, *plan.objects):
            values += self._client.state_of(one)
        taken = np.array(values).tobytes()
        return taken, self.restore(taken)

    def restore(self, snapshot: bytes) -> Array:
        """Bring back what `snapshot` returned."""
        plan, values = self._shown(), np.frombuffer(snapshot).tolist()
        bodies = (plan.robot, *plan.objects)
        sizes = [state_size(one) for one in bodies]
        if len(values) != 1 + sum(sizes) or values[0] != plan.index:
            raise EngineError(f"this is no snapshot of cousin {plan.index}, which the row shows", engine="pybullet")
        self._renew(plan)
        at = 1
        for one, size in zip(bodies, sizes, strict=True):
            self._client.set_state(one, values[at : at + size])
            at += size
        return self._numbers()

    def close(self) -> None:
        """Free the client."""
        self._client.close()

    def _shown(self) -> WorldPlan:
        if self._plan is None or self._broken:
            raise EngineError(f"a row that cannot be used: {self._broken}", engine="pybullet")
        return self._plan

    def _renew(self, plan: WorldPlan) -> None:
        """Make all objects anew, and let the robot forget what it touched."""
        client = self._client
        for name in reversed([name for name in client.bodies if name in self._made]):
            client.remove(name)
        self._made = {one.name for one in plan.objects}
        client.drop_contacts(plan.robot)
        for one in plan.objects:
            client.make(one, sleeps=True)
        movable = {one.name: one.joints for one in plan.objects}
        self._joints = [
            (client.bodies[name], movable[name][number]) if number < len(movable.get(name, ())) else None
            for name, number in self._slots.joints
        ]

    def _wake(self) -> None:
        for one in self._shown().objects:
            self._client.wake(one)

    def _put_back(self, plan: WorldPlan) -> None:
        for one in (plan.robot, *plan.objects):
            self._client.put(one, one.world_from_root)
            for joint in one.joints:
                pybullet.resetJointState(
                    self._client.bodies[one.name], joint, 0.0, 0.0, physicsClientId=self._client.number
                )
        self._put_drives([drive.home for drive in self._body.drives])

    def _put_drives(self, position: list[float]) -> None:
        for index, value in zip(self._drives, position, strict=True):
            pybullet.resetJointState(self._client.bodies[BODY], index, value, 0.0, physicsClientId=self._client.number)

    def _carry(self, robot: int) -> None:
        """Bear the weight of the robot's links for one step, as an upward force at each centre of mass.

        Bullet's inverse dynamics would be quicker, but is wrong by a tenth for a Panda.
        """
        client = self._client.number
        states = pybullet.getLinkStates(robot, list(self._weights), physicsClientId=client)
        for (index, weight), state in zip(self._weights.items(), states, strict=True):
            pybullet.applyExternalForce(
                robot, index, [0.0, 0.0, weight], state[0], pybullet.WORLD_FRAME, physicsClientId=client
            )

    def _touched(self) -> set[int]:
        """Return the bodies that the robot touches; Bullet keeps no contact points of a gap."""
        bodies, client = self._client.bodies, self._client.number
        others = [bodies[one.name] for one in self._shown().objects]
        return {
            body for body in others if pybullet.getClosestPoints(bodies[BODY], body, TOUCH_M, physicsClientId=client)
        }

    def _numbers(self) -> Array:
        plan, layout, client = self._shown(), self._layout, self._client.number
        out, touched = [0.0] * layout.size, self._touched()
        there = {one.name for one in plan.objects}
        for column, name in enumerate(self._slots.objects):
            if name not in there:
                continue
            body, at = self._client.bodies[name], 13 * column
            out[at : at + 3], out[at + 3 : at + 7] = pybullet.getBasePositionAndOrientation(
                body, physicsClientId=client
            )
            out[at + 7 : at + 10], out[at + 10 : at + 13] = pybullet.getBaseVelocity(body, physicsClientId=client)
            out[layout.touched + column] = float(body in touched)
        for number, joint in enumerate(self._joints):
            if joint is not None:
                at = layout.joint + 2 * number
                out[at : at + 2] = pybullet.getJointState(*joint, physicsClientId=client)[:2]
        robot = self._client.bodies[BODY]
        for number, state in enumerate(pybullet.getJointStates(robot, self._drives, physicsClientId=client)):
            at = layout.drive + 2 * number
            out[at : at + 2] = state[:2]
        out[layout.tip : layout.touched] = self._tip_pose(robot)
        return np.array(out)

    def _tip_pose(self, robot: int) -> list[float]:
        if self._tip == BASE:
            pose = self._shown().robot.world_from_root
            return [*pose[:3, 3].tolist(), *xyzw_of(pose[:3, :3])]
        found: Any = pybullet.getLinkState(
            robot, self._tip, computeForwardKinematics=1, physicsClientId=self._client.number
        )
        return [*found[4], *found[5]]

    def _exploded(self, numbers: Array) -> str:
        layout = self._layout
        told = exploded(self._slots.objects, numbers[: layout.joint].reshape(-1, 13)[:, 7:])
        if told:
            return told
        speeds = numbers[layout.joint + 1 : layout.drive : 2, None]
        joints = (f"joint {number} of {name}" for name, number in self._slots.joints)
        return exploded(joints, speeds) or exploded([BODY], numbers[None, layout.drive + 1 : layout.tip : 2])


def carried_weights(body: Body) -> dict[int, float]:
    """Return the weight [N] of the links by Bullet's number; none where gravity moves no joint in any pose."""
    order, poses = joints_in_order(body.asset), asset_from_links(body.asset)
    up = np.array([abs((poses[joint.child][:3, :3] @ joint.axis)[2]) for joint in order])
    slides = np.array([joint.kind != "revolute" for joint in order])
    fixed = np.array([joint.kind == "fixed" for joint in order])
    if np.all(fixed | np.where(slides, up < 1e-9, up > 1.0 - 1e-9)):
        return {}
    masses = {link.name: link.mass_kg.value for link in body.asset.links}
    return {index: GRAVITY_M_S2 * masses[joint.child] for index, joint in enumerate(order)}
