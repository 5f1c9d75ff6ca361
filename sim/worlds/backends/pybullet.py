"""Worlds under PyBullet: one DIRECT client a row, in this process or spread over worker processes.

How bodies behave is told in `sim.physics.bullet_objects`, what a change to another cousin takes in
`sim.worlds.bullet_rows`.
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
from sim.physics.bullet_bodies import Shapes
from sim.physics.bullet_client import MOST_MADE, Stepping
from sim.physics.engine import Contact
from sim.worlds.bullet_plans import WorldPlan, plan_world
from sim.worlds.bullet_state import frames, halt, layout_of, note_frames, state_of
from sim.worlds.bullet_workers import Crew, Workers, here
from sim.worlds.faults import NOTHING_SHOWN, cut_commands
from sim.worlds.worlds import Slots, Source, State


@dataclass(frozen=True, kw_only=True)
class Config:
    """How Bullet steps, and where."""

    timestep_s: float = 1.0 / 240.0
    """Step that Bullet's own defaults are tuned for [s]."""
    solver_iterations: int = 50
    """Most constraint iterations a step, Bullet's own."""
    residual: float = 1e-9
    """Squared change of the impulses at which the solver stops: 0.008 N a step, where what rests creeps by 1 µm/s."""
    sleep: bool = True
    """Whether what rests for two seconds may sleep until it is touched."""
    margin_m: float = 1e-5
    """Collision margin [m]; Bullet's own is 0.001."""
    workers: int = 0
    """Processes that the rows are spread over; with 0 all rows are stepped in this one."""
    stall_s: float = 20.0
    """A worker that does not answer for so long is killed and replaced [s]."""
    plans: int = 256
    """Cousins that are kept ready to be shown."""
    shapes: int = 4096
    """Collision shapes that are kept ready."""
    made: int = MOST_MADE
    """Shapes and bodies that a row makes until its client is emptied, which takes as long as showing fifteen cousins;
    what is removed before leaves some 6 kB each, 12 MB a row."""


def build(source: Source, body: Body, *, rows: int, slots: Slots, config: Config | None = None) -> PyBulletWorlds:
    """Return rows that show nothing yet."""
    return PyBulletWorlds(source, body, rows=rows, slots=slots, config=Config() if config is None else config)


class PyBulletWorlds:
    """The protocol of worlds over PyBullet."""

    name = "pybullet"

    def __init__(self, source: Source, body: Body, *, rows: int, slots: Slots, config: Config) -> None:
        self.version = str(pybullet.getAPIVersion())
        self.timestep_s, self.size, self.body, self.slots = config.timestep_s, rows, body, slots
        self.config = config
        self._source = source
        self._layout = layout_of(slots, body)
        self._numbers = np.zeros((rows, self._layout.size))
        self._frames = frames(rows, slots)
        self._shown = [-1] * rows
        self._apart: set[int] = set()
        self._shapes = Shapes(config.shapes)
        self._plans: OrderedDict[int, WorldPlan] = OrderedDict()
        stepping = Stepping(
            timestep_s=config.timestep_s,
            solver_iterations=config.solver_iterations,
            residual=config.residual,
            margin_m=config.margin_m,
            sleep=config.sleep,
            most_made=config.made,
        )
        self._crew: Crew = (
            Workers(body, slots, stepping, rows=rows, workers=config.workers, stall_s=config.stall_s)
            if config.workers
            else here(body, slots, stepping, rows=rows)
        )

    @property
    def replaced(self) -> int:
        """Workers that died or stalled and were replaced."""
        return self._crew.replaced

    @property
    def worker_ids(self) -> list[int]:
        """Process numbers of the workers, none without any."""
        return self._crew.worker_ids

    def show(self, row: int, index: int) -> None:
        """Let a row show a cousin from its start: at rest, drives at home; raises `EngineError`."""
        self._shown[row], self._numbers[row], self._frames.present[row] = -1, 0.0, False
        plan = self._plan(index)
        numbers = self._crew.ask(row, "show", plan)
        if index not in self._apart:
            self._crew.ask(row, "require_apart")
            self._apart.add(index)
        self._numbers[row] = numbers
        note_frames(self._frames, row, self.slots, plan)
        self._shown[row] = index

    def shown(self, row: int) -> int:
        """Return the number of the cousin that a row shows; raises `EngineError` where it shows none."""
        if self._shown[row] < 0:
            raise EngineError(f"row {row} shows no cousin", engine=self.name)
        return self._shown[row]

    def place(self, row: int, name: str, world_from_object: Array) -> None:
        """Put a free object somewhere, at rest."""
        self._numbers[row] = self._ask(row, "place", name, world_from_object)

    def set_joint(self, row: int, joint: int, position: float) -> None:
        """Put a joint (a column of `Slots.joints`) somewhere [rad or m], at rest."""
        self._numbers[row] = self._ask(row, "set_joint", joint, position)

    def set_drives(self, row: int, position: Array) -> None:
        """Put the body's drives somewhere [drives], at rest."""
        self._numbers[row] = self._ask(row, "set_drives", np.asarray(position, dtype=np.float64))

    def step(self, drive_velocity: Array, count: int) -> list[str]:
        """Advance all rows; return by row what broke, again and again until the row is shown a cousin."""
        commands, wrong = cut_commands(self.body, drive_velocity)
        wrong = [told if shown >= 0 else NOTHING_SHOWN for told, shown in zip(wrong, self._shown, strict=True)]
        answers = self._crew.step(commands, count, wrong)
        for row, (fault, numbers) in enumerate(answers):
            if fault:
                halt(self._numbers[row], self._layout)
            else:
                self._numbers[row] = numbers
        return [fault for fault, _ in answers]

    def read(self) -> State:
        """Return the present state; the arrays are the caller's."""
        return state_of(self._numbers, self._layout, self._frames, self.body)

    def contacts(self, row: int) -> list[Contact]:
        """Return the contacts of a row; the body goes by the name of `BODY`."""
        found: list[Contact] = self._ask(row, "contacts")
        return found

    def snapshot(self, row: int) -> bytes:
        """Return all that decides a row's future while it shows its cousin.

        Bullet's contact points and sleep cannot be taken along, so the row itself goes on without them, too: its
        future is that of the snapshot, and differs by micrometres from what it would have been.
        """
        taken, self._numbers[row] = self._ask(row, "snapshot")
        return bytes(taken)

    def restore(self, row: int, snapshot: bytes) -> None:
        """Bring back what `snapshot` of a row that shows the same cousin returned: the same future, bit for bit."""
        self._numbers[row] = self._ask(row, "restore", snapshot)

    def close(self) -> None:
        """Free the engine and end the workers."""
        self._crew.close()

    def _ask(self, row: int, what: str, *given: Any) -> Any:
        self.shown(row)
        return self._crew.ask(row, what, *given)

    def _plan(self, index: int) -> WorldPlan:
        plan = self._plans.pop(index, None)
        if plan is None:
            scene, task = self._source.scene(index), self._source.cousin(index).task
            plan = plan_world(index, scene, task, self.body, self._shapes)
            if len(self._plans) >= self.config.plans:
                self._plans.popitem(last=False)
        self._plans[index] = plan
        return plan
