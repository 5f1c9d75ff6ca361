"""Batches of worlds in PyBullet: one DIRECT client per row, in this process or in worker processes.

`sim.physics.bullet_objects` documents the dynamics of bodies, `sim.worlds.bullet_rows` how a row changes its cousin.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pybullet

from cousins.errors import EngineError
from cousins.geometry import Array
from sim.bodies.body import Body
from sim.physics.bullet_bodies import ShapePlanCache
from sim.physics.bullet_client import MAX_CREATED, BulletSolver
from sim.physics.engine import Contact
from sim.worlds.bullet_plans import WorldPlan, plan_world
from sim.worlds.bullet_state import empty_frames, row_layout, set_frames, state_of, zero_velocities
from sim.worlds.bullet_workers import RowExecutor, WorkerPool, local_rows
from sim.worlds.faults import NO_COUSIN, clip_commands
from sim.worlds.worlds import CousinSource, Slots, State


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of PyBullet for a batch."""

    timestep_s: float = 1.0 / 240.0
    """Duration of one step [s], the one that Bullet's defaults are tuned for."""
    solver_iterations: int = 50
    """Largest number of solver iterations per step, Bullet's default."""
    residual: float = 1e-9
    """Squared impulse change at which the solver stops [N²·s²]: 0.008 N per step; bodies at rest creep by 1 µm/s."""
    sleep: bool = True
    """Whether objects at rest for two seconds may sleep until they are touched."""
    margin_m: float = 1e-5
    """Collision margin [m]; Bullet's default is 0.001."""
    workers: int = 0
    """Number of worker processes for the rows; with 0, all rows are stepped in this process."""
    stall_s: float = 20.0
    """Time after which a worker that does not answer is killed and replaced [s]."""
    max_plans: int = 256
    """Largest number of cousins whose plans are kept."""
    max_shapes: int = 4096
    """Largest number of collision shapes that are kept."""
    max_created: int = MAX_CREATED
    """Shapes and bodies created in a row until its client is reset, which takes as long as loading fifteen cousins;
    removed ones leak some 6 kB each until then, 12 MB per row."""


def build(source: CousinSource, body: Body, *, rows: int, slots: Slots, config: Config | None = None) -> PyBulletWorlds:
    """Return a batch of rows without cousins."""
    return PyBulletWorlds(source, body, rows=rows, slots=slots, config=Config() if config is None else config)


class PyBulletWorlds:
    """The `Worlds` protocol on PyBullet."""

    name = "pybullet"

    def __init__(self, source: CousinSource, body: Body, *, rows: int, slots: Slots, config: Config) -> None:
        self.version = str(pybullet.getAPIVersion())
        self.timestep_s, self.size, self.body, self.slots = config.timestep_s, rows, body, slots
        self.config = config
        self._source = source
        self._row_layout = row_layout(slots, body)
        self._values = np.zeros((rows, self._row_layout.size))
        self._frames = empty_frames(rows, slots)
        self._cousin_of_row = [-1] * rows
        self._checked: set[int] = set()
        self._shape_cache = ShapePlanCache(config.max_shapes)
        self._plan_cache: OrderedDict[int, WorldPlan] = OrderedDict()
        solver = BulletSolver(
            timestep_s=config.timestep_s,
            solver_iterations=config.solver_iterations,
            residual=config.residual,
            margin_m=config.margin_m,
            sleep=config.sleep,
            max_created=config.max_created,
        )
        self._executor: RowExecutor = (
            WorkerPool(body, slots, solver, rows=rows, workers=config.workers, stall_s=config.stall_s)
            if config.workers
            else local_rows(body, slots, solver, rows=rows)
        )

    @property
    def replaced(self) -> int:
        """Number of workers that died or stalled and were replaced."""
        return self._executor.replaced

    @property
    def worker_ids(self) -> list[int]:
        """Process ids of the workers; empty without workers."""
        return self._executor.worker_ids

    def load_cousin(self, row: int, index: int) -> None:
        """Load a cousin into a row in its initial state: at rest, drives at home; raises `EngineError`."""
        self._cousin_of_row[row], self._values[row], self._frames.present[row] = -1, 0.0, False
        plan = self._plan_of(index)
        values = self._executor.call(row, "load_cousin", plan)
        if index not in self._checked:
            self._executor.call(row, "require_apart")
            self._checked.add(index)
        self._values[row] = values
        set_frames(self._frames, row, self.slots, plan)
        self._cousin_of_row[row] = index

    def cousin_index(self, row: int) -> int:
        """Return the number of the cousin in a row; raises `EngineError` where it has none."""
        if self._cousin_of_row[row] < 0:
            raise EngineError(f"row {row} shows no cousin", engine=self.name)
        return self._cousin_of_row[row]

    def place(self, row: int, name: str, world_from_object: Array) -> None:
        """Set the pose `world_from_object` [4, 4] of a free object, at rest."""
        self._values[row] = self._call(row, "place", name, world_from_object)

    def set_joint(self, row: int, joint: int, position: float) -> None:
        """Set the position of a joint (a column of `Slots.joints`) [rad or m], at rest."""
        self._values[row] = self._call(row, "set_joint", joint, position)

    def set_drives(self, row: int, position: Array) -> None:
        """Set the positions of the robot's drives [drives], at rest."""
        self._values[row] = self._call(row, "set_drives", np.asarray(position, dtype=np.float64))

    def step(self, drive_velocity: Array, count: int) -> list[str]:
        """Advance all rows by `count` steps at target velocities [n, drives]; return each row's fault, else ''."""
        commands, faults = clip_commands(self.body, drive_velocity)
        faults = [fault if index >= 0 else NO_COUSIN for fault, index in zip(faults, self._cousin_of_row, strict=True)]
        answers = self._executor.step(commands, count, faults)
        for row, (fault, values) in enumerate(answers):
            if fault:
                zero_velocities(self._values[row], self._row_layout)
            else:
                self._values[row] = values
        return [fault for fault, _ in answers]

    def read(self) -> State:
        """Return the current state in new arrays."""
        return state_of(self._values, self._row_layout, self._frames, self.body)

    def contacts(self, row: int) -> list[Contact]:
        """Return the contacts of a row; the robot is named `ROBOT_NAME`."""
        contacts: list[Contact] = self._call(row, "contacts")
        return contacts

    def snapshot(self, row: int) -> bytes:
        """Return the full simulation state of a row with its current cousin.

        Bullet's cached contact points and sleep timers cannot be saved, so the row itself continues without them: from
        the state of the snapshot, which differs by micrometres from a run without it.
        """
        data, self._values[row] = self._call(row, "snapshot")
        return bytes(data)

    def restore(self, row: int, snapshot: bytes) -> None:
        """Restore a snapshot of a row with the same cousin; the simulation continues from it bit for bit."""
        self._values[row] = self._call(row, "restore", snapshot)

    def close(self) -> None:
        """Free the engine and end the workers."""
        self._executor.close()

    def _call(self, row: int, method: str, *arguments: Any) -> Any:
        self.cousin_index(row)
        return self._executor.call(row, method, *arguments)

    def _plan_of(self, index: int) -> WorldPlan:
        plan = self._plan_cache.pop(index, None)
        if plan is None:
            scene, task = self._source.scene(index), self._source.cousin(index).task
            plan = plan_world(index, scene, task, self.body, self._shape_cache)
            if len(self._plan_cache) >= self.config.max_plans:
                self._plan_cache.popitem(last=False)
        self._plan_cache[index] = plan
        return plan
