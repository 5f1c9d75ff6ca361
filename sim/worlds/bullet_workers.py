"""Who steps the rows: this process, or workers that are replaced when they die or stall."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final, Protocol

import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array
from sim.bodies.body import Body
from sim.physics.bullet_bodies import ShapePlan
from sim.physics.bullet_client import Stepping
from sim.worlds.bullet_plans import WorldPlan
from sim.worlds.bullet_rows import BulletRow
from sim.worlds.worlds import Slots

_START_S: Final = 120.0
"""Time that a worker gets to start [s]."""
_END_S: Final = 2.0
"""Time that a worker gets to end by itself [s]."""


class Crew(Protocol):
    """Holds the rows of a batch."""

    replaced: int
    """Workers that were replaced."""

    @property
    def worker_ids(self) -> list[int]:
        """Process numbers of the workers."""
        ...

    def ask(self, row: int, what: str, *given: Any) -> Any:
        """Call a method of a row; raises `EngineError`."""
        ...

    def step(self, commands: Array, count: int, wrong: Sequence[str]) -> list[tuple[str, Array]]:
        """Step each row, or break it where something is wrong with its command."""
        ...

    def close(self) -> None:
        """Free all."""
        ...


def here(body: Body, slots: Slots, stepping: Stepping, *, rows: int) -> Crew:
    """Return rows in this process."""
    book: dict[str, ShapePlan] = {}
    return _Here([BulletRow(body, slots, stepping, book) for _ in range(rows)])


class _Here:
    """Rows in this process."""

    replaced = 0

    def __init__(self, rows: list[BulletRow]) -> None:
        self._rows = rows

    @property
    def worker_ids(self) -> list[int]:
        return []

    def ask(self, row: int, what: str, *given: Any) -> Any:
        return _call(self._rows[row], what, given)

    def step(self, commands: Array, count: int, wrong: Sequence[str]) -> list[tuple[str, Array]]:
        return _stepped(self._rows, commands, count, wrong)

    def close(self) -> None:
        for row in self._rows:
            row.close()
        self._rows = []


@dataclass(kw_only=True)
class _Worker:
    """A process with some rows."""

    process: BaseProcess
    """The process."""
    pipe: Connection
    """Our end."""
    rows: range
    """Its rows."""
    ready: bool = False
    """Whether it said that it has started."""
    shapes: set[str] = field(default_factory=set)
    """Keys of the shapes that it was sent."""


class Workers:
    """Rows spread over processes."""

    def __init__(
        self, body: Body, slots: Slots, stepping: Stepping, *, rows: int, workers: int, stall_s: float
    ) -> None:
        self.replaced = 0
        self._made_of = (body, slots, stepping)
        self._stall_s, self._stalled = stall_s, f"stalled for {stall_s:g} s"
        self._lost: dict[int, str] = {}
        edges = np.linspace(0, rows, min(workers, rows) + 1).astype(int).tolist()
        self._workers = [self._start(range(a, b)) for a, b in pairwise(edges)]
        self._of_row = [number for number, one in enumerate(self._workers) for _ in one.rows]

    @property
    def worker_ids(self) -> list[int]:
        """Process numbers of the workers."""
        return [one.process.pid or 0 for one in self._workers]

    def ask(self, row: int, what: str, *given: Any) -> Any:
        """Call a method of a row; raises `EngineError`, also where the worker dies or stalls."""
        if what == "show":
            self._lost.pop(row, None)
            return self._ask(row, what, self._unsent(row, *given))
        if row in self._lost:
            raise EngineError(f"a row that cannot be used: {self._lost[row]}", engine="pybullet")
        return self._ask(row, what, *given)

    def _ask(self, row: int, what: str, *given: Any) -> Any:
        number = self._of_row[row]
        first = self._workers[number].rows.start
        sent = self._send(number, ("ask", row - first, what, given))
        answer = self._receive(number, time.monotonic() + self._stall_s) if sent else None
        if answer is None:
            raise EngineError(self._lost[row], engine="pybullet")
        if isinstance(answer, EngineError):
            raise answer
        return answer[0]

    def step(self, commands: Array, count: int, wrong: Sequence[str]) -> list[tuple[str, Array]]:
        """Step all workers' rows side by side."""
        sent = []
        for number, one in enumerate(self._workers):
            part = slice(one.rows.start, one.rows.stop)
            idle = all(row in self._lost for row in one.rows)
            sent.append(not idle and self._send(number, ("step", commands[part], count, list(wrong[part]))))
        deadline = time.monotonic() + self._stall_s
        found: list[tuple[str, Array]] = []
        for number, good in enumerate(sent):
            rows = self._workers[number].rows
            answer = self._receive(number, deadline) if good else None
            if answer is None:
                found += [(self._lost[row], np.zeros(0)) for row in rows]
                continue
            for row, (fault, numbers) in zip(rows, answer, strict=True):
                found.append((self._lost.get(row, fault), numbers))
        return found

    def close(self) -> None:
        """End all workers."""
        for one in self._workers:
            one.pipe.close()
        for one in self._workers:
            one.process.join(_END_S)
            _kill(one)
        self._workers = []

    def _unsent(self, row: int, plan: WorldPlan) -> WorldPlan:
        """Return a plan with those shapes alone that the row's worker was not sent before."""
        known = self._workers[self._of_row[row]].shapes
        new = {key: shape for key, shape in plan.shapes.items() if key not in known}
        known |= new.keys()
        return replace(plan, shapes=new)

    def _start(self, rows: range) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, *self._made_of, len(rows)), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process=process, pipe=ours, rows=rows)

    def _send(self, number: int, message: tuple[Any, ...]) -> bool:
        worker = self._workers[number]
        if not worker.ready:
            worker.ready = self._receive(number, time.monotonic() + _START_S, what="did not start") is not None
            if not worker.ready:
                return False
        stalled = threading.Event()  # a cousin may be more than a pipe holds, and who stalls reads nothing
        watch = threading.Timer(self._stall_s, _kill_stalled, (worker.process, stalled))
        if message[0] != "step":
            watch.start()
        try:
            worker.pipe.send(message)
        except OSError:
            self._replace(number, self._stalled if stalled.is_set() else "died")
            return False
        finally:
            watch.cancel()
        return True

    def _receive(self, number: int, deadline: float, *, what: str = "") -> Any:
        """Return a worker's answer; None where it died or stalled and was replaced."""
        pipe = self._workers[number].pipe
        try:
            if pipe.poll(max(deadline - time.monotonic(), 0.0)):
                return pipe.recv()
        except (EOFError, OSError):
            self._replace(number, "died")
            return None
        self._replace(number, what or self._stalled)
        return None

    def _replace(self, number: int, what: str) -> None:
        old = self._workers[number]
        old.pipe.close()
        _kill(old)
        self.replaced += 1
        self._lost |= dict.fromkeys(old.rows, f"the worker of this row {what} and was replaced")
        self._workers[number] = self._start(old.rows)


def _kill_stalled(process: BaseProcess, stalled: threading.Event) -> None:
    """Kill a worker that takes nothing in, so that whoever sends to it goes on."""
    stalled.set()
    process.kill()


def _kill(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.process.close()


def _work(pipe: Connection, body: Body, slots: Slots, stepping: Stepping, rows: int) -> None:
    """Answer until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    book: dict[str, ShapePlan] = {}
    mine = [BulletRow(body, slots, stepping, book) for _ in range(rows)]
    with suppress(EOFError, BrokenPipeError):
        pipe.send("ready")
        _answer(pipe, mine)


def _answer(pipe: Connection, mine: list[BulletRow]) -> None:
    """Do what is asked; raises `EOFError` or `BrokenPipeError` once the other end is closed."""
    while True:
        kind, *given = pipe.recv()
        if kind == "step":
            pipe.send(_stepped(mine, *given))
            continue
        row, what, arguments = given
        try:
            pipe.send((_call(mine[row], what, arguments),))
        except EngineError as error:
            pipe.send(error)


def _call(row: BulletRow, what: str, given: tuple[Any, ...]) -> Any:
    return getattr(row, what)(*given)


def _stepped(rows: list[BulletRow], commands: Array, count: int, wrong: Sequence[str]) -> list[tuple[str, Array]]:
    for row, fault in zip(rows, wrong, strict=True):
        if fault:
            row.give_up(fault)
    return [row.step(command, count) for row, command in zip(rows, commands, strict=True)]
