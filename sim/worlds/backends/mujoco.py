"""Batches of worlds in MuJoCo: one compiled model per cousin, one data object per row.

Models are compiled once and kept; rows with the same cousin share one. A row is stepped by one thread, so the number of
threads changes only the duration of a step. Automatic resets are off, so that an exploding state is reported. Objects
at rest may sleep until they are touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array, quat_wxyz_from_rotation
from sim.bodies.body import Body
from sim.bodies.kinematics import tip_chain
from sim.physics.engine import MAX_SPEED_M_S, Contact, require_finite
from sim.worlds.faults import NO_COUSIN, clip_commands, explosion_fault
from sim.worlds.mujoco_compiler import contacts_of
from sim.worlds.mujoco_models import CompiledCousin, ModelCache
from sim.worlds.mujoco_rows import MujocoRow, StateTable
from sim.worlds.worlds import CousinSource, Slots, State


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of MuJoCo for a batch."""

    timestep_s: float = 1.0 / 480.0
    """Duration of one step [s]. Objects pushed by 18 cm end 3 mm from where steps of 0.5 ms bring them; with 1/240 s
    7 mm, at 0.6 of the cost, because steps above half the contacts' time constant soften these."""
    sleep: bool = True
    """Whether objects at rest may sleep until they are touched."""
    threads: int = 1
    """Number of threads that step rows in parallel."""
    cache_mb: float = 2048.0
    """Memory for compiled cousins [MB]; the most recently used are kept. One of ten objects takes 1.5 to 2."""
    folder: Path | None = None
    """Folder for compiled cousins on disk, if any; reading one takes 1 ms, compiling it 50 ms."""


def build(source: CousinSource, body: Body, *, rows: int, slots: Slots, config: Config | None = None) -> MujocoWorlds:
    """Return a batch of rows without cousins."""
    return MujocoWorlds(source, body, rows=rows, slots=slots, config=config or Config())


class MujocoWorlds:
    """The `Worlds` protocol on one MuJoCo model per cousin and one data object per row."""

    name = "mujoco"

    def __init__(self, source: CousinSource, body: Body, *, rows: int, slots: Slots, config: Config) -> None:
        self.version = str(mujoco.__version__)
        self.timestep_s = config.timestep_s
        self.size = rows
        self.body = body
        self.slots = slots
        self.models = ModelCache(
            source,
            body,
            slots,
            timestep_s=config.timestep_s,
            sleep=config.sleep,
            cache_mb=config.cache_mb,
            folder=config.folder,
        )
        self._chain = tip_chain(body)
        self._max_speeds = np.array([drive.max_speed for drive in body.drives])
        self._rows: list[MujocoRow | None] = [None] * rows
        self._faults = [NO_COUSIN] * rows
        self._states = StateTable(rows, slots, len(body.drives))
        self._pool = ThreadPoolExecutor(config.threads - 1) if config.threads > 1 else None
        self._threads = config.threads

    def load_cousin(self, row: int, index: int) -> None:
        """Load a cousin into a row in its initial state: at rest, drives at home; raises `EngineError`."""
        previous = self._rows[row]
        if previous is None or previous.compiled.index != index:
            self._rows[row], self._faults[row] = None, NO_COUSIN
            if previous is not None:
                self._states.clear_row(row)
                self.models.release(previous.compiled, previous)
            self._rows[row] = _row_of(self.models.model(index))
        now = self._row(row)
        now.begin()
        self._faults[row] = ""
        self._states.set_row(row, now)

    def cousin_index(self, row: int) -> int:
        """Return the number of the cousin in a row; raises `EngineError` where it has none."""
        return self._row(row).compiled.index

    def place(self, row: int, name: str, world_from_object: Array) -> None:
        """Set the pose `world_from_object` [4, 4] of a free object, at rest; raises `EngineError`."""
        require_finite(world_from_object, description=f"the pose of {name}", engine=self.name)
        now = self._row(row)
        column = self.slots.objects.index(name) if name in self.slots.objects else -1
        if column < 0 or not now.columns.free[column]:
            raise EngineError(f"row {row} has no free object {name!r}", engine=self.name)
        address = now.columns.root_q[column]
        now.qpos[address : address + 3] = world_from_object[:3, 3]
        now.qpos[address + 3 : address + 7] = quat_wxyz_from_rotation(world_from_object[:3, :3])
        now.qvel[now.compiled.model.dof_treeid == now.compiled.model.dof_treeid[now.columns.root_v[column]]] = 0.0
        self._state_changed(row)

    def set_joint(self, row: int, joint: int, position: float) -> None:
        """Set the position of a joint (a column of `Slots.joints`) [rad or m], at rest; raises `EngineError`."""
        require_finite(np.array(position), description=f"the position of joint {joint}", engine=self.name)
        now = self._row(row)
        if now.columns.joint_q[joint] >= len(now.qpos):
            raise EngineError(f"row {row} has no joint {self.slots.joints[joint]}", engine=self.name)
        now.qpos[now.columns.joint_q[joint]] = position
        now.qvel[now.columns.joint_v[joint]] = 0.0
        self._state_changed(row)

    def set_drives(self, row: int, position: Array) -> None:
        """Set the positions of the robot's drives [drives], at rest; raises `EngineError` on a NaN."""
        require_finite(position, description="the position of a drive", engine=self.name)
        now = self._row(row)
        now.qpos[now.columns.drive_q] = position
        now.qvel[now.columns.drive_v] = 0.0
        self._state_changed(row)

    def step(self, drive_velocity: Array, count: int) -> list[str]:
        """Advance all rows by `count` steps at target velocities [n, drives], clipped to the limits of the drives.

        Returns the fault of each row, empty where there is none, until a cousin is loaded into it again.
        """
        commands = drive_velocity
        if not np.all(np.abs(drive_velocity) <= self._max_speeds):
            commands, command_faults = clip_commands(self.body, drive_velocity)
            self._faults = [
                fault or command_fault for fault, command_fault in zip(self._faults, command_faults, strict=True)
            ]
        live = [row for row in range(self.size) if not self._faults[row]]
        self._states.save_positions()
        pending = iter(live)
        if self._pool is None or len(live) < 2:
            self._advance(pending, commands, count)
        else:
            jobs = [self._pool.submit(self._advance, pending, commands, count) for _ in range(self._threads - 1)]
            self._advance(pending, commands, count)
            for job in jobs:
                job.result()
        for row in self._states.broken(MAX_SPEED_M_S):
            velocity = self._states.state(self._chain).velocity[row]
            self._faults[row] = (
                self._faults[row] or explosion_fault(self.slots.objects, velocity) or "the body exploded"
            )
        for row in live:
            if self._faults[row]:
                self._states.halt(row)
        self._states.update_touched([(row, self._row(row).data) for row in live if not self._faults[row]])
        return list(self._faults)

    def read(self) -> State:
        """Return the current state in new arrays."""
        return self._states.state(self._chain)

    def contacts(self, row: int) -> list[Contact]:
        """Return the contacts of a row; the robot is named `ROBOT_NAME`."""
        compiled = self._row(row).compiled
        scratch = _row_of(compiled)
        contacts = contacts_of(compiled.model, scratch.data, self._row(row).qpos)
        self.models.release(compiled, scratch)
        return contacts

    def snapshot(self, row: int) -> bytes:
        """Return the full simulation state of a row with its current cousin; raises `EngineError` for a broken row."""
        now = self._row(row)
        if self._faults[row]:
            raise EngineError(f"row {row} is broken: {self._faults[row]}", engine=self.name)
        return now.snapshot() + self._states.touched[row].tobytes()

    def restore(self, row: int, snapshot: bytes) -> None:
        """Restore a snapshot of a row with the same cousin; the simulation continues from it bit for bit."""
        now = self._row(row)
        length = len(snapshot) - len(self.slots.objects)
        if not now.restore(snapshot[:length]):
            raise EngineError(f"row {row} shows another cousin than the snapshot", engine=self.name)
        self._faults[row] = ""
        self._states.set_row(row, now)
        self._states.touched[row] = np.frombuffer(snapshot[length:], dtype=bool)

    def close(self) -> None:
        """Free the engine."""
        if self._pool is not None:
            self._pool.shutdown()
        self._rows = [None] * self.size
        self._faults = ["closed"] * self.size
        self.models.clear()

    def _row(self, row: int) -> MujocoRow:
        state = self._rows[row]
        if state is None:
            raise EngineError(f"row {row} shows no cousin", engine=self.name)
        return state

    def _advance(self, pending: Iterator[int], commands: Array, count: int) -> None:
        """Step the pending rows one after another; several threads share the iterator."""
        for number in pending:
            row: Any = self._rows[number]
            row.ctrl[:] = commands[number]
            try:
                mujoco.mj_step(row.compiled.model, row.data, count)
            except mujoco.FatalError as error:
                self._faults[number] = f"MuJoCo gave up: {error}"
            self._states.copy_state(number, row)

    def _state_changed(self, row: int) -> None:
        """Clear the solver's warm start and copy the state; MuJoCo itself wakes moved bodies."""
        now = self._row(row)
        now.data.qacc_warmstart[:] = 0.0
        self._states.copy_state(row, now)


def _row_of(compiled: CompiledCousin) -> MujocoRow:
    """Return data for a row with this model, reused from an earlier row where possible."""
    memory = compiled.free_memory.pop() if compiled.free_memory else None
    return memory if isinstance(memory, MujocoRow) else MujocoRow(compiled)
