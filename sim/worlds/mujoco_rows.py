"""Where each column of a batch lies in the state of one row's model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import mujoco
import numpy as np
from numba import njit

from cousins.geometry import Array
from sim.bodies.body import Body
from sim.bodies.kinematics import Chain, tips_in_world
from sim.worlds.mujoco_models import Compiled
from sim.worlds.worlds import BODY, Slots, State

_BEYOND: Final = 7
_STATE: Final = mujoco.mjtState.mjSTATE_INTEGRATION
_AWAKE_COUNTS: Final = ("ntree_awake", "nbody_awake", "nparent_awake", "nv_awake")
_AWAKE_ARRAYS: Final = (
    "tree_asleep",
    "tree_awake",
    "body_awake",
    "body_awake_ind",
    "parent_awake_ind",
    "dof_awake_ind",
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Columns:
    """Addresses in one model; `nq` or `nv`, one past the end, stands for zero."""

    present: Array
    """Which objects there are, bool [objects]."""
    free: Array
    """Which of them move freely, bool [objects]."""
    root_q: Array
    """First position of each free object, int64 [objects]."""
    root_v: Array
    """First velocity of each free object, int64 [objects]."""
    still: Array
    """Place and quaternion of the fixed ones [objects, 7]."""
    center_m: Array
    """Centre of mass of each root link in its frame [objects, 3]."""
    joint_q: Array
    """Position of each joint, int64 [joints]."""
    joint_v: Array
    """Velocity of each joint, int64 [joints]."""
    drive_q: Array
    """Position of each drive, int64 [drives]."""
    drive_v: Array
    """Velocity of each drive, int64 [drives]."""
    owner: Array
    """Of each geom the object's column, -1 for the body, `objects` for all else, int64 [ngeom]."""


def columns_of(compiled: Compiled, slots: Slots, body: Body) -> Columns:
    """Return where the columns lie in a model."""
    model = compiled.model
    count = len(slots.objects)
    present, free = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    root_q, root_v = np.full(count, model.nq), np.full(count, model.nv)
    still, center_m = np.zeros((count, 7)), np.zeros((count, 3))
    owner_of_root = np.full(model.nbody, count)
    owner_of_root[model.body(BODY).id] = -1
    for column, name in enumerate(slots.objects):
        if name not in compiled.joints or name == BODY:
            continue
        root = model.body(name).id
        present[column], owner_of_root[root], center_m[column] = True, column, model.body_ipos[root]
        first = int(model.body_jntadr[root])
        if first < 0:
            still[column] = [*model.body_pos[root], *model.body_quat[root]]
            continue
        free[column] = True
        root_q[column], root_v[column] = model.jnt_qposadr[first], model.jnt_dofadr[first]
    joints = [_joint_of(compiled, name, number) for name, number in slots.joints]
    drives = [int(model.joint(f"{BODY}__{drive.joint}").id) for drive in body.drives]
    return Columns(
        present=present,
        free=free,
        root_q=root_q,
        root_v=root_v,
        still=still,
        center_m=center_m,
        joint_q=_at(model.jnt_qposadr, joints, model.nq),
        joint_v=_at(model.jnt_dofadr, joints, model.nv),
        drive_q=_at(model.jnt_qposadr, drives, model.nq),
        drive_v=_at(model.jnt_dofadr, drives, model.nv),
        owner=owner_of_root[model.body_rootid[model.geom_bodyid]],
    )


def _joint_of(compiled: Compiled, name: str, number: int) -> int:
    names = compiled.joints.get(name, [])
    return int(compiled.model.joint(names[number]).id) if number < len(names) else -1


def _at(addresses: Any, joints: list[int], missing: int) -> Array:
    return np.array([addresses[joint] if joint >= 0 else missing for joint in joints], dtype=np.int64)


class Row:
    """A row's own data over a model it may share."""

    def __init__(self, compiled: Compiled, data: Any, slots: Slots, body: Body) -> None:
        self.compiled = compiled
        self.data = data
        self.columns = columns_of(compiled, slots, body)
        self.qpos: Array = data.qpos
        self.qvel: Array = data.qvel
        self.ctrl: Array = data.ctrl

    def snapshot(self) -> bytes:
        """Return the number of the cousin, the state, and what sleeps."""
        state = np.empty(mujoco.mj_stateSize(self.compiled.model, _STATE))
        mujoco.mj_getState(self.compiled.model, self.data, state, _STATE)
        counts = np.array([self.compiled.index, *(getattr(self.data, name) for name in _AWAKE_COUNTS)])
        sleep = [getattr(self.data, name).tobytes() for name in _AWAKE_ARRAYS]
        return b"".join([counts.tobytes(), state.tobytes(), *sleep])

    def restore(self, snapshot: bytes) -> bool:
        """Bring back a snapshot; False where it is none of this cousin's.

        What sleeps is left out by MuJoCo's passes, so everything is computed awake first.
        """
        model, data = self.compiled.model, self.data
        arrays = [getattr(data, name) for name in _AWAKE_ARRAYS]
        sizes = [8 * (1 + len(_AWAKE_COUNTS)), 8 * mujoco.mj_stateSize(model, _STATE), *(one.nbytes for one in arrays)]
        ends = np.cumsum(sizes).tolist()
        parts = [snapshot[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        counts = np.frombuffer(parts[0], dtype=np.int64).tolist()
        if len(snapshot) != ends[-1] or counts[0] != self.compiled.index:
            return False
        state = np.frombuffer(parts[1])
        mujoco.mj_resetData(model, data)
        mujoco.mj_setState(model, data, state, _STATE)
        mujoco.mj_forward(model, data)
        mujoco.mj_setState(model, data, state, _STATE)
        for array, part in zip(arrays, parts[2:], strict=True):
            array[:] = np.frombuffer(part, dtype=array.dtype)
        for name, count in zip(_AWAKE_COUNTS, counts[1:], strict=True):
            setattr(data, name, count)
        return True


class Table:
    """The states of all rows side by side, and where each column lies in them."""

    def __init__(self, rows: int, slots: Slots, drives: int) -> None:
        objects, joints = len(slots.objects), len(slots.joints)
        self._q, self._v = np.zeros((rows, _BEYOND)), np.zeros((rows, _BEYOND))
        self._before = self._q.copy()
        self._columns: list[Columns | None] = [None] * rows
        self._present = np.zeros((rows, objects), dtype=bool)
        self._still = np.zeros((rows, objects, 7))
        self._center_m = np.zeros((rows, objects, 3))
        self._root_q, self._root_v = (np.zeros((rows, objects), dtype=np.int64) for _ in "qv")
        self._joint_q, self._joint_v = (np.zeros((rows, joints), dtype=np.int64) for _ in "qv")
        self._drive_q, self._drive_v = (np.zeros((rows, drives), dtype=np.int64) for _ in "qv")
        self._owner = np.full((rows, 1), objects)
        self.touched = np.zeros((rows, objects), dtype=bool)
        self.world_from_base = np.tile(np.eye(4), (rows, 1, 1))

    def enter(self, row: int, shown: Row) -> None:
        """Take over what a row shows now."""
        columns = shown.columns
        wide = max(len(shown.qpos) + _BEYOND, self._q.shape[1])
        if self._columns[row] is not columns:
            self._columns[row] = columns
            self._present[row], self._still[row], self._center_m[row] = columns.present, columns.still, columns.center_m
            self.world_from_base[row] = shown.compiled.world_from_base
            geoms = max(len(columns.owner), self._owner.shape[1])
            self._owner = np.pad(self._owner, ((0, 0), (0, geoms - self._owner.shape[1])), mode="edge")
            self._owner[row, : len(columns.owner)] = columns.owner
            if wide > self._q.shape[1]:
                more = ((0, 0), (0, wide - self._q.shape[1]))
                self._q, self._v = np.pad(self._q, more), np.pad(self._v, more)
            self._root_q[row], self._root_v[row] = columns.root_q, columns.root_v
            self._joint_q[row], self._joint_v[row] = columns.joint_q, columns.joint_v
            self._drive_q[row], self._drive_v[row] = columns.drive_q, columns.drive_v
        self._q[row], self._v[row], self.touched[row] = 0.0, 0.0, False
        self.copy(row, shown)

    def copy(self, row: int, shown: Row) -> None:
        """Take over a row's positions and velocities."""
        self._q[row, : len(shown.qpos)] = shown.qpos
        self._v[row, : len(shown.qvel)] = shown.qvel

    def keep(self) -> None:
        """Remember the positions for rows that break in the next step."""
        self._before = self._q.copy()

    def broken(self, fastest: float) -> list[int]:
        """Return the rows that hold a NaN, or a speed beyond the fastest."""
        sane = np.isfinite(self._q).all(axis=1) & (np.abs(self._v) <= fastest).all(axis=1)
        return [] if sane.all() else np.flatnonzero(~sane).tolist()

    def halt(self, row: int) -> None:
        """Let a row stand still where it was before the step."""
        self._q[row], self._v[row] = self._before[row], 0.0

    def touch(self, rows: list[tuple[int, Any]]) -> None:
        """Find out which objects the body touches in rows that were stepped."""
        self.touched[[row for row, _ in rows]] = False
        met = [(row, data.contact.geom) for row, data in rows if data.ncon]
        if not met:
            return
        numbers = np.repeat([row for row, _ in met], [len(geoms) for _, geoms in met])
        owners = self._owner[numbers[:, None], np.concatenate([geoms for _, geoms in met])]
        mine = owners == -1
        other = owners[:, ::-1][mine]
        of = np.repeat(numbers[:, None], 2, axis=1)[mine]
        real = other < self.touched.shape[1]
        self.touched[of[real], other[real]] = True

    def state(self, chain: Chain) -> State:
        """Return the state of all rows."""
        at = (self._root_q, self._root_v, self._joint_q, self._joint_v, self._drive_q, self._drive_v)
        position, quat, velocity, joints, rates, drives, speeds = gather(
            self._q, self._v, *at, self._still, self._center_m
        )
        tip_position, tip_quat = tips_in_world(chain, self.world_from_base, drives)
        return State(
            present=self._present.copy(),
            position_m=position,
            quat_wxyz=quat,
            velocity=velocity,
            joint_position=joints,
            joint_velocity=rates,
            drive_position=drives,
            drive_velocity=speeds,
            tip_position_m=tip_position,
            tip_quat_wxyz=tip_quat,
            touched=self.touched.copy(),
        )


@njit(cache=True)
def gather(
    q: Array,
    v: Array,
    root_q: Array,
    root_v: Array,
    joint_q: Array,
    joint_v: Array,
    drive_q: Array,
    drive_v: Array,
    still: Array,
    center_m: Array,
) -> tuple[Array, Array, Array, Array, Array, Array, Array]:
    """Return place, quaternion and velocity of objects, then positions and speeds of joints and of drives."""
    rows, objects = root_q.shape
    position, quat, velocity = np.zeros((rows, objects, 3)), np.zeros((rows, objects, 4)), np.zeros((rows, objects, 6))
    for row in range(rows):
        for one in range(objects):
            a, b = root_q[row, one], root_v[row, one]
            for i in range(3):
                position[row, one, i] = q[row, a + i] + still[row, one, i]
            for i in range(4):
                quat[row, one, i] = q[row, a + 3 + i] + still[row, one, 3 + i]
            spin, arm = velocity[row, one, 3:], velocity[row, one, :3]
            _turn(quat[row, one], v[row, b + 3 : b + 6], spin)
            _turn(quat[row, one], center_m[row, one], arm)
            x, y, z = arm[0], arm[1], arm[2]
            arm[0] = v[row, b] + spin[1] * z - spin[2] * y
            arm[1] = v[row, b + 1] + spin[2] * x - spin[0] * z
            arm[2] = v[row, b + 2] + spin[0] * y - spin[1] * x
    return (
        position,
        quat,
        velocity,
        _picked(q, joint_q),
        _picked(v, joint_v),
        _picked(q, drive_q),
        _picked(v, drive_v),
    )


@njit(cache=True)
def _picked(table: Array, at: Array) -> Array:
    found = np.zeros(at.shape)
    for row in range(at.shape[0]):
        for column in range(at.shape[1]):
            found[row, column] = table[row, at[row, column]]
    return found


@njit(cache=True)
def _turn(quat: Array, vector: Array, out: Array) -> None:
    """Fill a vector turned by a unit quaternion; by zeros, it stays as it is."""
    w, x, y, z = quat[0], quat[1], quat[2], quat[3]
    a, b, c = (
        2.0 * (y * vector[2] - z * vector[1]),
        2.0 * (z * vector[0] - x * vector[2]),
        2.0 * (x * vector[1] - y * vector[0]),
    )
    out[0] = vector[0] + w * a + y * c - z * b
    out[1] = vector[1] + w * b + z * a - x * c
    out[2] = vector[2] + w * c + x * b - y * a
