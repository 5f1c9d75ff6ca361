"""Batches of worlds under MuJoCo: a compiled model for each cousin, data of its own for each row.

Models are compiled once and kept; rows that show the same cousin share one. A row is stepped whole by one thread, so
threads change how long a step takes and nothing else. Automatic resets are off: a state that breaks is told. Objects
at rest may sleep until something touches them.
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
from sim.bodies.kinematics import chain_of
from sim.physics.engine import FASTEST_M_S, Contact, require_finite
from sim.worlds.faults import NOTHING_SHOWN, cut_commands, exploded
from sim.worlds.mujoco_compiler import contacts_of
from sim.worlds.mujoco_models import Compiled, Models
from sim.worlds.mujoco_rows import Row, Table
from sim.worlds.worlds import Slots, Source, State


@dataclass(frozen=True, kw_only=True)
class Config:
    """How MuJoCo steps a batch."""

    timestep_s: float = 1.0 / 480.0
    """Step [s]. Pushed 18 cm, things end 3 mm from where steps of 0.5 ms bring them, with 1/240 s 7 mm at 0.6 the cost:
    steps over half the contacts' time constant soften these."""
    sleep: bool = True
    """Whether what rests may sleep until it is touched."""
    threads: int = 1
    """Threads that step rows side by side."""
    cache_mb: float = 2048.0
    """Memory for compiled cousins [MB]; the last used are kept. One of ten objects takes 1.5 to 2."""
    folder: Path | None = None
    """Where compiled cousins are kept on disk, if anywhere: read from there they take 1 ms, made anew 50."""


def build(source: Source, body: Body, *, rows: int, slots: Slots, config: Config | None = None) -> MujocoWorlds:
    """Return a batch of rows that show nothing yet."""
    return MujocoWorlds(source, body, rows=rows, slots=slots, config=config or Config())


class MujocoWorlds:
    """The protocol of worlds over one model a cousin and one data a row."""

    name = "mujoco"

    def __init__(self, source: Source, body: Body, *, rows: int, slots: Slots, config: Config) -> None:
        self.version = str(mujoco.__version__)
        self.timestep_s = config.timestep_s
        self.size = rows
        self.body = body
        self.slots = slots
        self.models = Models(
            source,
            body,
            slots,
            timestep_s=config.timestep_s,
            sleep=config.sleep,
            cache_mb=config.cache_mb,
            folder=config.folder,
        )
        self._chain = chain_of(body)
        self._most = np.array([drive.most_speed for drive in body.drives])
        self._rows: list[Row | None] = [None] * rows
        self._faults = [NOTHING_SHOWN] * rows
        self._table = Table(rows, slots, len(body.drives))
        self._others = ThreadPoolExecutor(config.threads - 1) if config.threads > 1 else None
        self._threads = config.threads

    def show(self, row: int, index: int) -> None:
        """Let a row show a cousin from its start: at rest, drives at home; raises `EngineError`."""
        before = self._rows[row]
        if before is None or before.compiled.index != index:
            self._rows[row], self._faults[row] = None, NOTHING_SHOWN
            if before is not None:
                self._table.leave(row)
                self.models.give_back(before.compiled, before)
            self._rows[row] = _row_of(self.models.model(index))
        now = self._row(row)
        now.begin()
        self._faults[row] = ""
        self._table.enter(row, now)

    def shown(self, row: int) -> int:
        """Return the number of the cousin that a row shows; raises `EngineError` where it shows none."""
        return self._row(row).compiled.index

    def place(self, row: int, name: str, world_from_object: Array) -> None:
        """Put a free object somewhere, at rest; raises `EngineError` for a fixed or absent one, or on a NaN."""
        require_finite(world_from_object, what=f"the pose of {name}", engine=self.name)
        now = self._row(row)
        column = self.slots.objects.index(name) if name in self.slots.objects else -1
        if column < 0 or not now.columns.free[column]:
            raise EngineError(f"row {row} has no free object {name!r}", engine=self.name)
        at = now.columns.root_q[column]
        now.qpos[at : at + 3] = world_from_object[:3, 3]
        now.qpos[at + 3 : at + 7] = quat_wxyz_from_rotation(world_from_object[:3, :3])
        now.qvel[now.compiled.model.dof_treeid == now.compiled.model.dof_treeid[now.columns.root_v[column]]] = 0.0
        self._disturbed(row)

    def set_joint(self, row: int, joint: int, position: float) -> None:
        """Put a joint (a column of `Slots.joints`) somewhere [rad or m], at rest; raises `EngineError`."""
        require_finite(np.array(position), what=f"the position of joint {joint}", engine=self.name)
        now = self._row(row)
        if now.columns.joint_q[joint] >= len(now.qpos):
            raise EngineError(f"row {row} has no joint {self.slots.joints[joint]}", engine=self.name)
        now.qpos[now.columns.joint_q[joint]] = position
        now.qvel[now.columns.joint_v[joint]] = 0.0
        self._disturbed(row)

    def set_drives(self, row: int, position: Array) -> None:
        """Put the body's drives somewhere [drives], at rest; raises `EngineError` on a NaN."""
        require_finite(position, what="the position of a drive", engine=self.name)
        now = self._row(row)
        now.qpos[now.columns.drive_q] = position
        now.qvel[now.columns.drive_v] = 0.0
        self._disturbed(row)

    def step(self, drive_velocity: Array, count: int) -> list[str]:
        """Advance all rows by `count` steps at these target speeds [n, drives], cut to the drives' own limits.

        Returns by row what broke, empty where nothing did, until the row is shown a cousin again.
        """
        commands = drive_velocity
        if not np.all(np.abs(drive_velocity) <= self._most):
            commands, wrong = cut_commands(self.body, drive_velocity)
            self._faults = [fault or told for fault, told in zip(self._faults, wrong, strict=True)]
        live = [row for row in range(self.size) if not self._faults[row]]
        self._table.keep()
        left = iter(live)
        if self._others is None or len(live) < 2:
            self._advance(left, commands, count)
        else:
            jobs = [self._others.submit(self._advance, left, commands, count) for _ in range(self._threads - 1)]
            self._advance(left, commands, count)
            for job in jobs:
                job.result()
        for row in self._table.broken(FASTEST_M_S):
            velocity = self._table.state(self._chain).velocity[row]
            self._faults[row] = self._faults[row] or exploded(self.slots.objects, velocity) or "the body exploded"
        for row in live:
            if self._faults[row]:
                self._table.halt(row)
        self._table.touch([(row, self._row(row).data) for row in live if not self._faults[row]])
        return list(self._faults)

    def read(self) -> State:
        """Return the present state; the arrays are the caller's."""
        return self._table.state(self._chain)

    def contacts(self, row: int) -> list[Contact]:
        """Return the contacts of a row; the body goes by the name of `BODY`."""
        compiled = self._row(row).compiled
        aside = _row_of(compiled)
        found = contacts_of(compiled.model, aside.data, self._row(row).qpos)
        self.models.give_back(compiled, aside)
        return found

    def snapshot(self, row: int) -> bytes:
        """Return all that decides a row's future while it shows its cousin; raises `EngineError` for a broken row."""
        now = self._row(row)
        if self._faults[row]:
            raise EngineError(f"row {row} is broken: {self._faults[row]}", engine=self.name)
        return now.snapshot() + self._table.touched[row].tobytes()

    def restore(self, row: int, snapshot: bytes) -> None:
        """Bring back what `snapshot` of a row that shows the same cousin returned: the same future, bit for bit."""
        now = self._row(row)
        length = len(snapshot) - len(self.slots.objects)
        if not now.restore(snapshot[:length]):
            raise EngineError(f"row {row} shows another cousin than the snapshot", engine=self.name)
        self._faults[row] = ""
        self._table.enter(row, now)
        self._table.touched[row] = np.frombuffer(snapshot[length:], dtype=bool)

    def close(self) -> None:
        """Free the engine."""
        if self._others is not None:
            self._others.shutdown()
        self._rows = [None] * self.size
        self._faults = ["closed"] * self.size
        self.models.clear()

    def _row(self, row: int) -> Row:
        found = self._rows[row]
        if found is None:
            raise EngineError(f"row {row} shows no cousin", engine=self.name)
        return found

    def _advance(self, left: Iterator[int], commands: Array, count: int) -> None:
        """Step the rows that are left, one after the other; several threads share the iterator."""
        for number in left:
            row: Any = self._rows[number]
            row.ctrl[:] = commands[number]
            try:
                mujoco.mj_step(row.compiled.model, row.data, count)
            except mujoco.FatalError as error:
                self._faults[number] = f"MuJoCo gave up: {error}"
            self._table.copy(number, row)

    def _disturbed(self, row: int) -> None:
        """Let the solver forget; MuJoCo itself wakes what was moved."""
        now = self._row(row)
        now.data.qacc_warmstart[:] = 0.0
        self._table.copy(row, now)


def _row_of(compiled: Compiled) -> Row:
    """Return memory for a row that shows this model: what another has left, or new."""
    left = compiled.spare.pop() if compiled.spare else None
    return left if isinstance(left, Row) else Row(compiled)
