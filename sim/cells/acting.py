"""A policy on a cell: its columns filled from what the cell measures, its actions turned into targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cousins.errors import InputError
from cousins.geometry import Array
from sim.bodies.body import Body
from sim.bodies.columns import Column, action_columns, body_columns, last_action_columns
from sim.bodies.controllers import Control, Controller, hand_opening
from sim.bodies.kinematics import TipChain, tip_chain, tip_kinematics
from sim.cells.cell import CellObservation, CellSpec, Target
from sim.envs.episodes import OBSERVATION_LIMIT
from sim.tasks.batch_rotations import first_two_columns
from sim.tasks.episode_batch import finger_axis


class CellActions:
    """Columns and targets of one policy on one cell; holds the targets of its controller and the last action."""

    def __init__(self, spec: CellSpec, body: Body, control: Control, columns: Sequence[Column]) -> None:
        """Compare what the policy needs with what the cell supplies; raises `InputError` where something is missing."""
        self.spec, self.body, self.columns = spec, body, tuple(columns)
        self._control = replace(control, rate_hz=spec.control_hz, latency_s=0.0)
        self.actions = action_columns(self._control, body)
        _require_joints(spec, body)
        require_supplied(self.columns, spec, body, self.actions)
        self._controller = Controller(self._control, body, 1)
        self._chain: TipChain = tip_chain(body)
        self._finger_axis = finger_axis(body)
        joints = {joint.name: joint for joint in body.asset.joints}
        self._fingers = [(joints[name].lower, joints[name].upper) for name in body.fingers]
        self._home = {drive.joint: drive.home for drive in body.drives}
        self._last_action = np.zeros(len(self.actions))
        self._seq = 0

    def begin(self, observation: CellObservation) -> None:
        """Begin where the robot is: no target of an earlier run is left."""
        self._controller.reset(np.array([0]), self._drives(observation)[None])
        self._last_action[:] = 0.0

    def vector(self, observation: CellObservation) -> Array:
        """Return the policy's observation, float32 [columns]."""
        values = {**self._joint_values(observation), **observation.columns}
        numbers = np.array([values[column.name] for column in self.columns])
        return np.clip(numbers, -OBSERVATION_LIMIT, OBSERVATION_LIMIT).astype(np.float32)

    def target(self, action: Array, observation: CellObservation, *, t_ns: int, valid_for_s: float) -> Target:
        """Return the target of an action [actions] in [-1, 1]; one that is not finite is left for the guard to name."""
        drives = self._drives(observation)
        speeds = self._controller.speeds(np.asarray(action, dtype=np.float64)[None], drives[None])[0]
        arm = len(self.spec.joints)
        is_position = self.spec.actions[0] == "joint_position"
        self._last_action[:] = action
        self._seq += 1
        return Target(
            seq=self._seq,
            t_ns=t_ns,
            q=drives[:arm] + speeds[:arm] / self.spec.control_hz if is_position else None,
            dq=None if is_position else speeds[:arm],
            gripper=float(hand_opening(np.asarray(action)[-1])) if self.spec.has_gripper else None,
            valid_for_s=valid_for_s,
        )

    def _drives(self, observation: CellObservation) -> Array:
        """Return the positions of all drives [drives]; the fingers' as measured, or by the opening of the hand."""
        fingers = [
            observation.columns[key] + self._home[name]
            if (key := f"drive_from_home.{name}") in observation.columns
            else low + (observation.gripper or 0.0) * (high - low)
            for name, (low, high) in zip(self.body.fingers, self._fingers, strict=True)
        ]
        return np.append(observation.q, fingers)

    def _joint_values(self, observation: CellObservation) -> Mapping[str, float]:
        """Return the columns that follow from the joints alone."""
        drives = self._drives(observation)
        speeds = np.append(observation.dq, np.zeros(len(self._fingers)))
        base_from_tip = tip_kinematics(self._chain, drives[None]).base_from_tip
        rotation = base_from_tip[:, :3, :3]
        numbers = [drives - np.array(list(self._home.values())), speeds, base_from_tip[0, :3, 3]]
        names = [column.name for column in body_columns(self.body)]
        if len(names) > sum(len(part) for part in numbers):
            numbers.append(first_two_columns(rotation)[0])
        values = dict(zip(names, np.concatenate(numbers).tolist(), strict=True))
        values |= dict(zip(_finger_axis_names(), (rotation[0] @ self._finger_axis).tolist(), strict=True))
        last = last_action_columns(self.actions)
        return values | dict(zip((column.name for column in last), self._last_action.tolist(), strict=True))


def supplied_columns(spec: CellSpec, body: Body, actions: Sequence[Column]) -> set[str]:
    """Return the names of all columns that a cell supplies: by its joints, and by its own measurements."""
    joint_columns = (*body_columns(body), *last_action_columns(actions))
    return {column.name for column in joint_columns} | set(_finger_axis_names()) | set(spec.supplies)


def require_supplied(columns: Sequence[Column], spec: CellSpec, body: Body, actions: Sequence[Column]) -> None:
    """Raise `InputError` where a policy needs a column that a cell does not supply, or has columns without names."""
    if not columns:
        raise InputError(
            "a policy whose card does not name its columns",
            expected="name, unit and sources of every number that it sees",
            hint="Train it again with this version: older cards have no names.",
        )
    supplied = supplied_columns(spec, body, actions)
    missing = [column for column in columns if column.name not in supplied]
    if missing:
        sources = sorted({source for column in missing for source in column.sources} - {"proprio"})
        raise InputError(
            f"a policy that sees {missing[0].name} [{missing[0].unit}] and {len(missing) - 1} more columns that the "
            f"cell {spec.name!r} does not measure",
            expected=f"a cell that measures {', '.join(sources) or 'them'}",
            hint=f"Use a policy of {', '.join(sorted(supplied)[:4])}, …, or a cell with a tracker of objects.",
        )


def _finger_axis_names() -> tuple[str, ...]:
    return tuple(f"finger_axis.{axis}" for axis in "xyz")


def _require_joints(spec: CellSpec, body: Body) -> None:
    arm = tuple(drive.joint for drive in body.drives if drive.joint not in body.fingers)
    names = tuple(joint.name for joint in spec.joints)
    if names != arm or spec.has_gripper != bool(body.fingers):
        raise InputError(
            f"a cell {spec.name!r} with the joints {', '.join(names)}",
            expected=f"{', '.join(arm)}, as the body {body.name!r} has them",
            hint="Name the body of the robot in the cell's file, with its URDF.",
        )
