"""Addresses of a batch's columns in the state of one MuJoCo model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cousins.geometry import Array
from sim.bodies.body import Body
from sim.worlds.worlds import ROBOT_NAME, Slots


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StateAddresses:
    """Addresses in the state of one model; `nq` or `nv`, one past the end, stands for a value of zero."""

    present: Array
    """Whether the model has the object, bool [objects]."""
    free: Array
    """Whether the object is free, bool [objects]."""
    root_q: Array
    """Address of each free object's first position, int64 [objects]."""
    root_v: Array
    """Address of each free object's first velocity, int64 [objects]."""
    still: Array
    """Position and quaternion wxyz of fixed objects, zeros for free ones [objects, 7]."""
    center_m: Array
    """Centre of mass of each root link in its frame [objects, 3]."""
    joint_q: Array
    """Address of each joint's position, int64 [joints]."""
    joint_v: Array
    """Address of each joint's velocity, int64 [joints]."""
    drive_q: Array
    """Address of each drive's position, int64 [drives]."""
    drive_v: Array
    """Address of each drive's velocity, int64 [drives]."""
    owner: Array
    """Object column of each geom, -1 for the robot, `objects` for all others, int64 [ngeom]."""


def state_addresses(model: Any, joints_of: Mapping[str, Sequence[str]], slots: Slots, body: Body) -> StateAddresses:
    """Return the addresses of the columns in a model, given the names of each object's movable joints in order."""
    count = len(slots.objects)
    present, free = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    root_q, root_v = np.full(count, model.nq), np.full(count, model.nv)
    still, center_m = np.zeros((count, 7)), np.zeros((count, 3))
    owner_of_root = np.full(model.nbody, count)
    owner_of_root[model.body(ROBOT_NAME).id] = -1
    for column, name in enumerate(slots.objects):
        if name not in joints_of or name == ROBOT_NAME:
            continue
        root = model.body(name).id
        present[column], owner_of_root[root], center_m[column] = True, column, model.body_ipos[root]
        first = int(model.body_jntadr[root])
        if first < 0:
            still[column] = [*model.body_pos[root], *model.body_quat[root]]
            continue
        free[column] = True
        root_q[column], root_v[column] = model.jnt_qposadr[first], model.jnt_dofadr[first]
    joints = [_joint_of(model, joints_of.get(name, ()), number) for name, number in slots.joints]
    drives = [int(model.joint(f"{ROBOT_NAME}__{drive.joint}").id) for drive in body.drives]
    return StateAddresses(
        present=present,
        free=free,
        root_q=root_q,
        root_v=root_v,
        still=still,
        center_m=center_m,
        joint_q=_addresses_of(model.jnt_qposadr, joints, model.nq),
        joint_v=_addresses_of(model.jnt_dofadr, joints, model.nv),
        drive_q=_addresses_of(model.jnt_qposadr, drives, model.nq),
        drive_v=_addresses_of(model.jnt_dofadr, drives, model.nv),
        owner=owner_of_root[model.body_rootid[model.geom_bodyid]],
    )


def _joint_of(model: Any, names: Sequence[str], number: int) -> int:
    return int(model.joint(names[number]).id) if number < len(names) else -1


def _addresses_of(addresses: Any, joints: list[int], missing: int) -> Array:
    return np.array([addresses[joint] if joint >= 0 else missing for joint in joints], dtype=np.int64)
