"""The MuJoCo state of each row, and the states of all rows in common arrays."""

from __future__ import annotations

from typing import Any, Final

import mujoco
import numpy as np
from numba import njit

from cousins.geometry import Array
from sim.bodies.kernels import forward_kinematics, tips_to_world
from sim.bodies.kinematics import TipChain
from sim.worlds.mujoco_models import CompiledCousin
from sim.worlds.mujoco_state_layout import StateAddresses
from sim.worlds.worlds import Slots, State

_PADDING: Final = 7
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


class MujocoRow:
    """MuJoCo data of a row, for a model that rows may share."""

    def __init__(self, compiled: CompiledCousin) -> None:
        data = mujoco.MjData(compiled.model)
        self.compiled = compiled
        self.data = data
        self.columns = compiled.columns
        self.qpos: Array = data.qpos
        self.qvel: Array = data.qvel
        self.ctrl: Array = data.ctrl

    @property
    def size(self) -> int:
        """Size of its data [bytes]."""
        return int(self.data.nbuffer + self.data.maxuse_arena)

    def begin(self) -> None:
        """Set the state to the cousin's initial state."""
        mujoco.mj_resetData(self.compiled.model, self.data)
        self.qpos[:] = self.compiled.start

    def snapshot(self) -> bytes:
        """Return the number of the cousin, the integration state, and the sleep state."""
        state = np.empty(mujoco.mj_stateSize(self.compiled.model, _STATE))
        mujoco.mj_getState(self.compiled.model, self.data, state, _STATE)
        counts = np.array([self.compiled.index, *(getattr(self.data, name) for name in _AWAKE_COUNTS)])
        sleep = [getattr(self.data, name).tobytes() for name in _AWAKE_ARRAYS]
        return b"".join([counts.tobytes(), state.tobytes(), *sleep])

    def restore(self, snapshot: bytes) -> bool:
        """Restore a snapshot; return False if it is not one of this cousin.

        MuJoCo skips sleeping bodies, so all derived quantities are computed awake first.
        """
        model, data = self.compiled.model, self.data
        arrays = [getattr(data, name) for name in _AWAKE_ARRAYS]
        sizes = [
            8 * (1 + len(_AWAKE_COUNTS)),
            8 * mujoco.mj_stateSize(model, _STATE),
            *(values.nbytes for values in arrays),
        ]
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


class StateTable:
    """Positions and velocities of all rows in common arrays, and the addresses of the columns in them."""

    def __init__(self, rows: int, slots: Slots, drives: int) -> None:
        objects, joints = len(slots.objects), len(slots.joints)
        self._q, self._v = np.zeros((rows, _PADDING)), np.zeros((rows, _PADDING))
        self._saved_q = self._q.copy()
        self._columns: list[StateAddresses | None] = [None] * rows
        self._present = np.zeros((rows, objects), dtype=bool)
        self._fixed_pose = np.zeros((rows, objects, 7))
        self._center_m = np.zeros((rows, objects, 3))
        self._root_q, self._root_v = (np.zeros((rows, objects), dtype=np.int64) for _ in "qv")
        self._joint_q, self._joint_v = (np.zeros((rows, joints), dtype=np.int64) for _ in "qv")
        self._drive_q, self._drive_v = (np.zeros((rows, drives), dtype=np.int64) for _ in "qv")
        self._owner = np.full((rows, 1), objects)
        self.touched = np.zeros((rows, objects), dtype=bool)
        self.world_from_base = np.tile(np.eye(4), (rows, 1, 1))

    def set_row(self, row: int, source: MujocoRow) -> None:
        """Set a row to its current cousin and state."""
        columns = source.columns
        width = max(len(source.qpos) + _PADDING, self._q.shape[1])
        if self._columns[row] is not columns:
            self._columns[row] = columns
            self._present[row], self._fixed_pose[row], self._center_m[row] = (
                columns.present,
                columns.still,
                columns.center_m,
            )
            self.world_from_base[row] = source.compiled.world_from_base
            geoms = max(len(columns.owner), self._owner.shape[1])
            self._owner = np.pad(self._owner, ((0, 0), (0, geoms - self._owner.shape[1])), mode="edge")
            self._owner[row, : len(columns.owner)] = columns.owner
            if width > self._q.shape[1]:
                padding = ((0, 0), (0, width - self._q.shape[1]))
                self._q, self._v = np.pad(self._q, padding), np.pad(self._v, padding)
            self._root_q[row], self._root_v[row] = columns.root_q, columns.root_v
            self._joint_q[row], self._joint_v[row] = columns.joint_q, columns.joint_v
            self._drive_q[row], self._drive_v[row] = columns.drive_q, columns.drive_v
        self._q[row], self._v[row], self.touched[row] = 0.0, 0.0, False
        self.copy_state(row, source)

    def clear_row(self, row: int) -> None:
        """Set a row to zeros, without a cousin."""
        self._columns[row], self._present[row], self.touched[row] = None, False, False
        self._q[row], self._v[row], self._fixed_pose[row], self._center_m[row] = 0.0, 0.0, 0.0, 0.0
        self.world_from_base[row] = np.eye(4)

    def copy_state(self, row: int, source: MujocoRow) -> None:
        """Copy the positions and velocities of a row."""
        self._q[row, : len(source.qpos)] = source.qpos
        self._v[row, : len(source.qvel)] = source.qvel

    def save_positions(self) -> None:
        """Save the positions, for rows that break in the next step."""
        self._saved_q = self._q.copy()

    def broken(self, fastest: float) -> list[int]:
        """Return the rows with a NaN, or with a velocity above `fastest`."""
        if np.abs(self._v).max() <= fastest and np.isfinite(self._q.sum()):
            return []
        sane = np.isfinite(self._q).all(axis=1) & (np.abs(self._v) <= fastest).all(axis=1)
        return [int(row) for row in np.flatnonzero(~sane)]

    def halt(self, row: int) -> None:
        """Set a row to its saved positions at rest."""
        self._q[row], self._v[row] = self._saved_q[row], 0.0

    def update_touched(self, rows: list[tuple[int, Any]]) -> None:
        """Update the touch flags of rows that were stepped, given as (row, MuJoCo data)."""
        self.touched[[row for row, _ in rows]] = False
        touching = [(row, data.contact.geom) for row, data in rows if data.ncon]
        if not touching:
            return
        numbers = np.repeat([row for row, _ in touching], [len(geoms) for _, geoms in touching])
        owners = self._owner[numbers[:, None], np.concatenate([geoms for _, geoms in touching])]
        is_robot = owners == -1
        other = owners[:, ::-1][is_robot]
        robot_rows = np.repeat(numbers[:, None], 2, axis=1)[is_robot]
        is_object = other < self.touched.shape[1]
        self.touched[robot_rows[is_object], other[is_object]] = True

    def state(self, chain: TipChain) -> State:
        """Return the state of all rows."""
        addresses = (self._root_q, self._root_v, self._joint_q, self._joint_v, self._drive_q, self._drive_v)
        kinematics = (chain.drives, chain.parent_from_joint, chain.joint_from_tip, chain.axes, chain.turns)
        position, quat, velocity, joints, joint_velocity, drives, speeds, tip_position, tip_quat = gather_state(
            self._q, self._v, *addresses, self._fixed_pose, self._center_m, self.world_from_base, kinematics
        )
        return State(
            present=self._present.copy(),
            position_m=position,
            quat_wxyz=quat,
            velocity=velocity,
            joint_position=joints,
            joint_velocity=joint_velocity,
            drive_position=drives,
            drive_velocity=speeds,
            tip_position_m=tip_position,
            tip_quat_wxyz=tip_quat,
            touched=self.touched.copy(),
        )


@njit(cache=True)
def gather_state(
    q: Array,
    v: Array,
    root_q: Array,
    root_v: Array,
    joint_q: Array,
    joint_v: Array,
    drive_q: Array,
    drive_v: Array,
    fixed_pose: Array,
    center_m: Array,
    world_from_base: Array,
    chain: tuple[Array, ...],
) -> tuple[Array, ...]:
    """Return the fields of a batch state: positions, quaternions and velocities of objects, joints, drives and tips.

    `q` and `v` are [n, width]; the addresses are [n, objects], [n, joints] and [n, drives].
    """
    rows, objects = root_q.shape
    position, quat, velocity = np.zeros((rows, objects, 3)), np.zeros((rows, objects, 4)), np.zeros((rows, objects, 6))
    local, spin, lever = np.zeros(3), np.zeros(3), np.zeros(3)
    for row in range(rows):
        for column in range(objects):
            a, b = root_q[row, column], root_v[row, column]
            for i in range(3):
                position[row, column, i] = q[row, a + i] + fixed_pose[row, column, i]
            for i in range(4):
                quat[row, column, i] = q[row, a + 3 + i] + fixed_pose[row, column, 3 + i]
            for i in range(3):
                local[i] = v[row, b + 3 + i]
            _rotate(quat[row, column], local, spin)
            _rotate(quat[row, column], center_m[row, column], lever)
            for i in range(3):
                j, k = (i + 1) % 3, (i + 2) % 3
                velocity[row, column, i] = v[row, b + i] + spin[j] * lever[k] - spin[k] * lever[j]
                velocity[row, column, 3 + i] = spin[i]
    drives = _gather_columns(q, drive_q)
    tips = tips_to_world(world_from_base, forward_kinematics(drives, *chain)[0])
    return (
        position,
        quat,
        velocity,
        _gather_columns(q, joint_q),
        _gather_columns(v, joint_v),
        drives,
        _gather_columns(v, drive_v),
        *tips,
    )


@njit(cache=True)
def _gather_columns(table: Array, addresses: Array) -> Array:
    values = np.zeros(addresses.shape)
    for row in range(addresses.shape[0]):
        for column in range(addresses.shape[1]):
            values[row, column] = table[row, addresses[row, column]]
    return values


@njit(cache=True)
def _rotate(quat: Array, vector: Array, out: Array) -> None:
    """Write a vector [3] rotated by a unit quaternion wxyz [4] to `out` [3]; a zero quaternion copies it."""
    w, x, y, z = quat[0], quat[1], quat[2], quat[3]
    a, b, c = (
        2.0 * (y * vector[2] - z * vector[1]),
        2.0 * (z * vector[0] - x * vector[2]),
        2.0 * (x * vector[1] - y * vector[0]),
    )
    out[0] = vector[0] + w * a + y * c - z * b
    out[1] = vector[1] + w * b + z * a - x * c
    out[2] = vector[2] + w * c + x * b - y * a
