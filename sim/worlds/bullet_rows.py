"""One row of worlds: a PyBullet client into which cousins are loaded one after another."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pybullet

from cousins.errors import EngineError
from cousins.geometry import Array
from cousins.reconstruct.kinematics import asset_from_links, joints_in_order
from sim.bodies.body import Body
from sim.physics.bullet_bodies import BASE_LINK, ShapePlan, same_structures
from sim.physics.bullet_client import BulletClient, BulletSolver, state_size
from sim.physics.bullet_objects import contacts_between, quat_xyzw_from_rotation
from sim.physics.engine import GRAVITY_M_S2, Contact, require_finite
from sim.worlds.bullet_plans import WorldPlan
from sim.worlds.bullet_state import row_layout
from sim.worlds.faults import NO_COUSIN, explosion_fault, require_apart
from sim.worlds.worlds import ROBOT_NAME, Slots

TOUCH_DISTANCE_M: Final = 0.001
"""Gap below which an object counts as touched by the robot [m], as in MuJoCo; pushed objects hop a little."""


class BulletRow:
    """A client with a robot in a cousin; methods that change its state return its new values, as in `RowLayout`."""

    def __init__(self, body: Body, slots: Slots, solver: BulletSolver, shape_plans: dict[str, ShapePlan]) -> None:
        """Start without a cousin; `shape_plans` collects collision shapes and is shared by the rows of a process."""
        self._body, self._slots, self._shape_plans = body, slots, shape_plans
        self._layout = row_layout(slots, body)
        self._order = joints_in_order(body.asset)
        joint_index = {joint.name: index for index, joint in enumerate(self._order)}
        self._drives = [joint_index[drive.joint] for drive in body.drives]
        self._fingers = [joint_index[finger] for finger in body.fingers]
        self._forces = [drive.max_force for drive in body.drives]
        self._tip = {joint.child: index for index, joint in enumerate(self._order)}.get(body.tip, BASE_LINK)
        self._client = BulletClient(solver, shape_plans)
        self._plan: WorldPlan | None = None
        self._fault = NO_COUSIN
        self._joints: list[tuple[int, int] | None] = []
        self._object_names: set[str] = set()
        self._link_weights = compensated_weights(body)

    def load_cousin(self, plan: WorldPlan) -> Array:
        """Load a cousin in its initial state; return the row's values [size]."""
        client, previous = self._client, self._plan
        self._shape_plans.update(plan.shapes)
        if (
            previous is None
            or self._fault
            or client.needs_reset
            or not same_structures(previous.structures, plan.structures)
        ):
            client.reset()
            self._object_names = set()
            for body_plan in (*plan.structures, plan.robot):
                client.create_body(body_plan)
            for finger in self._fingers[1:] if self._body.fingers_linked else ():
                client.add_gear(ROBOT_NAME, self._fingers[0], finger)
        elif previous.index != plan.index:
            for structure in plan.structures:
                client.set_dynamics(structure)
        self._plan, self._fault = plan, NO_COUSIN
        self._recreate_objects(plan)
        self._reset_poses(plan)
        self._fault = ""
        return self._read_values()

    def require_apart(self) -> None:
        """Raise `EngineError`, and mark the row as broken, where two bodies overlap too deeply."""
        try:
            require_apart(self.contacts(), engine="pybullet")
        except EngineError:
            self._fault = NO_COUSIN
            raise

    def mark_broken(self, fault: str) -> None:
        """Stop the row until a cousin is loaded again; the first fault is kept."""
        self._fault = self._fault or fault

    def step(self, drive_velocity: Array, count: int) -> tuple[str, Array]:
        """Advance by `count` steps at target velocities [drives]; return the fault, else '', and values [size]."""
        if self._fault:
            return self._fault, np.zeros(0)
        client, robot = self._client.client_id, self._client.bodies[ROBOT_NAME]
        pybullet.setJointMotorControlArray(
            robot,
            self._drives,
            pybullet.VELOCITY_CONTROL,
            targetVelocities=drive_velocity.tolist(),
            forces=self._forces,
            physicsClientId=client,
        )
        for _ in range(count):
            if self._link_weights:
                self._apply_gravity_compensation(robot)
            pybullet.stepSimulation(physicsClientId=client)
        values = self._read_values()
        self._fault = self._exploded(values)
        return self._fault, values

    def place(self, name: str, world_from_object: Array) -> Array:
        """Set the pose `world_from_object` [4, 4] of a free object, at rest; return the values [size]."""
        require_finite(world_from_object, description=f"the pose of {name}", engine="pybullet")
        plan = next(
            (
                object_plan
                for object_plan in self._require_plan().objects
                if object_plan.name == name and not object_plan.fixed
            ),
            None,
        )
        if plan is None:
            raise EngineError(f"the cousin has no free object {name!r}", engine="pybullet")
        self._wake()
        self._client.set_pose(plan, world_from_object)
        for joint in plan.joints:
            index = (self._client.bodies[name], joint)
            position = pybullet.getJointState(*index, physicsClientId=self._client.client_id)[0]
            pybullet.resetJointState(*index, position, 0.0, physicsClientId=self._client.client_id)
        return self._read_values()

    def set_joint(self, joint: int, position: float) -> Array:
        """Set the position of a joint (a column) [rad or m], at rest; return the values [size]."""
        require_finite(np.array(position), description=f"the position of joint {joint}", engine="pybullet")
        self._require_plan()
        body_and_joint = self._joints[joint]
        if body_and_joint is None:
            raise EngineError(f"the cousin has no joint {self._slots.joints[joint]}", engine="pybullet")
        self._wake()
        pybullet.resetJointState(*body_and_joint, position, 0.0, physicsClientId=self._client.client_id)
        return self._read_values()

    def set_drives(self, position: Array) -> Array:
        """Set the positions of the drives [drives], at rest; return the values [size]."""
        require_finite(position, description="the position of a drive", engine="pybullet")
        self._require_plan()
        self._wake()
        self._set_drive_positions(position.tolist())
        return self._read_values()

    def contacts(self) -> list[Contact]:
        """Return the contacts in the current state; the robot's root link is static, as structures are."""
        plan = self._require_plan()
        names = [
            ROBOT_NAME,
            *(body_plan.name for body_plan in plan.objects),
            *(body_plan.name for body_plan in plan.structures),
        ]
        static = {body_plan.name for body_plan in (*plan.objects, *plan.structures) if body_plan.fixed}
        bodies = {name: self._client.bodies[name] for name in names}
        return contacts_between(bodies, static=static, static_roots={ROBOT_NAME}, client=self._client.client_id)

    def snapshot(self) -> tuple[bytes, Array]:
        """Return a snapshot and restore the row from it, so that it continues awake and without cached contact points.

        The second value is the row's values [size].
        """
        plan = self._require_plan()
        values = [float(plan.index)]
        for body_plan in (plan.robot, *plan.objects):
            values += self._client.state_of(body_plan)
        snapshot = np.array(values).tobytes()
        return snapshot, self.restore(snapshot)

    def restore(self, snapshot: bytes) -> Array:
        """Restore a snapshot; return the values [size]."""
        plan, values = self._require_plan(), np.frombuffer(snapshot).tolist()
        bodies = (plan.robot, *plan.objects)
        sizes = [state_size(body_plan) for body_plan in bodies]
        if len(values) != 1 + sum(sizes) or values[0] != plan.index:
            raise EngineError(f"this is no snapshot of cousin {plan.index}, which the row shows", engine="pybullet")
        self._recreate_objects(plan)
        start = 1
        for body_plan, size in zip(bodies, sizes, strict=True):
            self._client.set_state(body_plan, values[start : start + size])
            start += size
        return self._read_values()

    def close(self) -> None:
        """Free the client."""
        self._client.close()

    def _require_plan(self) -> WorldPlan:
        if self._plan is None or self._fault:
            raise EngineError(f"a row that cannot be used: {self._fault}", engine="pybullet")
        return self._plan

    def _recreate_objects(self, plan: WorldPlan) -> None:
        """Remove and create all objects, and clear the robot's cached contact points."""
        client = self._client
        for name in reversed([name for name in client.bodies if name in self._object_names]):
            client.remove_body(name)
        self._object_names = {object_plan.name for object_plan in plan.objects}
        client.clear_contacts(plan.robot)
        for object_plan in plan.objects:
            client.create_body(object_plan, may_sleep=True)
        movable = {object_plan.name: object_plan.joints for object_plan in plan.objects}
        self._joints = [
            (client.bodies[name], movable[name][number]) if number < len(movable.get(name, ())) else None
            for name, number in self._slots.joints
        ]

    def _wake(self) -> None:
        for object_plan in self._require_plan().objects:
            self._client.wake(object_plan)

    def _reset_poses(self, plan: WorldPlan) -> None:
        for body_plan in (plan.robot, *plan.objects):
            self._client.set_pose(body_plan, body_plan.world_from_root)
            for joint in body_plan.joints:
                pybullet.resetJointState(
                    self._client.bodies[body_plan.name], joint, 0.0, 0.0, physicsClientId=self._client.client_id
                )
        self._set_drive_positions([drive.home for drive in self._body.drives])

    def _set_drive_positions(self, position: list[float]) -> None:
        for index, value in zip(self._drives, position, strict=True):
            pybullet.resetJointState(
                self._client.bodies[ROBOT_NAME], index, value, 0.0, physicsClientId=self._client.client_id
            )

    def _apply_gravity_compensation(self, robot: int) -> None:
        """Compensate the weight of the robot's links for one step by an upward force at each centre of mass.

        Bullet's inverse dynamics would be faster, but is wrong by 10 % for a Panda.
        """
        client = self._client.client_id
        states = pybullet.getLinkStates(robot, list(self._link_weights), physicsClientId=client)
        for (index, weight), state in zip(self._link_weights.items(), states, strict=True):
            pybullet.applyExternalForce(
                robot, index, [0.0, 0.0, weight], state[0], pybullet.WORLD_FRAME, physicsClientId=client
            )

    def _touched(self) -> set[int]:
        """Return the bodies within `TOUCH_DISTANCE_M` of the robot; Bullet has no contact points across a gap."""
        bodies, client = self._client.bodies, self._client.client_id
        object_bodies = [bodies[object_plan.name] for object_plan in self._require_plan().objects]
        return {
            body
            for body in object_bodies
            if pybullet.getClosestPoints(bodies[ROBOT_NAME], body, TOUCH_DISTANCE_M, physicsClientId=client)
        }

    def _read_values(self) -> Array:
        plan, layout, client = self._require_plan(), self._layout, self._client.client_id
        values, touched = [0.0] * layout.size, self._touched()
        present_names = {object_plan.name for object_plan in plan.objects}
        for column, name in enumerate(self._slots.objects):
            if name not in present_names:
                continue
            body, start = self._client.bodies[name], 13 * column
            values[start : start + 3], values[start + 3 : start + 7] = pybullet.getBasePositionAndOrientation(
                body, physicsClientId=client
            )
            values[start + 7 : start + 10], values[start + 10 : start + 13] = pybullet.getBaseVelocity(
                body, physicsClientId=client
            )
            values[layout.touched_start + column] = float(body in touched)
        for number, joint in enumerate(self._joints):
            if joint is not None:
                start = layout.joint_start + 2 * number
                values[start : start + 2] = pybullet.getJointState(*joint, physicsClientId=client)[:2]
        robot = self._client.bodies[ROBOT_NAME]
        for number, state in enumerate(pybullet.getJointStates(robot, self._drives, physicsClientId=client)):
            start = layout.drive_start + 2 * number
            values[start : start + 2] = state[:2]
        values[layout.tip_start : layout.touched_start] = self._tip_pose(robot)
        return np.array(values)

    def _tip_pose(self, robot: int) -> list[float]:
        if self._tip == BASE_LINK:
            pose = self._require_plan().robot.world_from_root
            return [*pose[:3, 3].tolist(), *quat_xyzw_from_rotation(pose[:3, :3])]
        link_state: Any = pybullet.getLinkState(
            robot, self._tip, computeForwardKinematics=1, physicsClientId=self._client.client_id
        )
        return [*link_state[4], *link_state[5]]

    def _exploded(self, values: Array) -> str:
        layout = self._layout
        fault = explosion_fault(self._slots.objects, values[: layout.joint_start].reshape(-1, 13)[:, 7:])
        if fault:
            return fault
        speeds = values[layout.joint_start + 1 : layout.drive_start : 2, None]
        joints = (f"joint {number} of {name}" for name, number in self._slots.joints)
        return explosion_fault(joints, speeds) or explosion_fault(
            [ROBOT_NAME], values[None, layout.drive_start + 1 : layout.tip_start : 2]
        )


def compensated_weights(body: Body) -> dict[int, float]:
    """Return the weight [N] of each link by Bullet's index; empty if gravity moves no joint in any pose."""
    order, poses = joints_in_order(body.asset), asset_from_links(body.asset)
    up = np.array([abs((poses[joint.child][:3, :3] @ joint.axis)[2]) for joint in order])
    slides = np.array([joint.kind != "revolute" for joint in order])
    fixed = np.array([joint.kind == "fixed" for joint in order])
    if np.all(fixed | np.where(slides, up < 1e-9, up > 1.0 - 1e-9)):
        return {}
    masses = {link.name: link.mass_kg.value for link in body.asset.links}
    return {index: GRAVITY_M_S2 * masses[joint.child] for index, joint in enumerate(order)}
