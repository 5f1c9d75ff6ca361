"""The state of each row, and of all rows side by side."""

from __future__ import annotations

from typing import Any, Final

import mujoco
import numpy as np
from numba import njit

from cousins.geometry import Array
from sim.bodies.kernels import follow, in_world
from sim.bodies.kinematics import Chain
from sim.worlds.mujoco_models import Compiled
from sim.worlds.mujoco_state_layout import Columns
from sim.worlds.worlds import Slots, State

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


class Row:
    """A row's own data over a model it may share."""

    def __init__(self, compiled: Compiled) -> None:
        data = mujoco.MjData(compiled.model)
        self.compiled = compiled
        self.data = data
        self.columns = compiled.columns
        self.qpos: Array = data.qpos
        self.qvel: Array = data.qvel
        self.ctrl: Array = data.ctrl

    @property
    def size(self) -> int:
        """Memory that its data take [bytes]."""
        return int(self.data.nbuffer + self.data.maxuse_arena)

    def begin(self) -> None:
        """Go to the start of the cousin."""
        mujoco.mj_resetData(self.compiled.model, self.data)
        self.qpos[:] = self.compiled.start

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

    def leave(self, row: int) -> None:
        """Hold nothing but zeros for a row."""
        self._columns[row], self._present[row], self.touched[row] = None, False, False
        self._q[row], self._v[row], self._still[row], self._center_m[row] = 0.0, 0.0, 0.0, 0.0
        self.world_from_base[row] = np.eye(4)

    def copy(self, row: int, shown: Row) -> None:
        """Take over a row's positions and velocities."""
        self._q[row, : len(shown.qpos)] = shown.qpos
        self._v[row, : len(shown.qvel)] = shown.qvel

    def keep(self) -> None:
        """Remember the positions for rows that break in the next step."""
        self._before = self._q.copy()

    def broken(self, fastest: float) -> list[int]:
        """Return the rows that hold a NaN, or a speed beyond the fastest."""
        if np.abs(self._v).max() <= fastest and np.isfinite(self._q.sum()):
            return []
        sane = np.isfinite(self._q).all(axis=1) & (np.abs(self._v) <= fastest).all(axis=1)
        return [int(row) for row in np.flatnonzero(~sane)]

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
        way = (chain.drives, chain.parent_from_joint, chain.joint_from_tip, chain.axes, chain.turns)
        position, quat, velocity, joints, rates, drives, speeds, tip_position, tip_quat = gather(
            self._q, self._v, *at, self._still, self._center_m, self.world_from_base, way
        )
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
    world_from_base: Array,
    chain: tuple[Array, ...],
) -> tuple[Array, ...]:
    """Return place, quaternion and velocity of objects, positions and speeds of joints and of drives, and the tips."""
    rows, objects = root_q.shape
    position, quat, velocity = np.zeros((rows, objects, 3)), np.zeros((rows, objects, 4)), np.zeros((rows, objects, 6))
    local, spin, arm = np.zeros(3), np.zeros(3), np.zeros(3)
    for row in range(rows):
        for one in range(objects):
            a, b = root_q[row, one], root_v[row, one]
            for i in range(3):
                position[row, one, i] = q[row, a + i] + still[row, one, i]
            for i in range(4):
                quat[row, one, i] = q[row, a + 3 + i] + still[row, one, 3 + i]
            for i in range(3):
                local[i] = v[row, b + 3 + i]
            _turn(quat[row, one], local, spin)
            _turn(quat[row, one], center_m[row, one], arm)
            for i in range(3):
                j, k = (i + 1) % 3, (i + 2) % 3
                velocity[row, one, i] = v[row, b + i] + spin[j] * arm[k] - spin[k] * arm[j]
                velocity[row, one, 3 + i] = spin[i]
    drives = _picked(q, drive_q)
    tips = in_world(world_from_base, follow(drives, *chain)[0])
    return position, quat, velocity, _picked(q, joint_q), _picked(v, joint_v), drives, _picked(v, drive_v), *tips


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
