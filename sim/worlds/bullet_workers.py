"""Execution of rows in this process, or in worker processes that are replaced when they die or stall."""

from __future__ import annotations

import multiprocessing
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

from cousins.child_processes import end_with_parent, interrupts_held
from cousins.errors import EngineError
from cousins.geometry import Array
from sim.bodies.body import Body
from sim.physics.bullet_bodies import ShapePlan
from sim.physics.bullet_client import BulletSolver
from sim.worlds.bullet_plans import WorldPlan
from sim.worlds.bullet_rows import BulletRow
from sim.worlds.worlds import Slots

_START_TIMEOUT_S: Final = 120.0
"""Time limit for a worker to start [s]."""
_EXIT_TIMEOUT_S: Final = 2.0
"""Time limit for a worker to exit by itself [s]."""


class RowExecutor(Protocol):
    """Executes the rows of a batch."""

    replaced: int
    """Number of workers that were replaced."""

    @property
    def worker_ids(self) -> list[int]:
        """Process numbers of the workers."""
        ...

    def call(self, row: int, method: str, *arguments: Any) -> Any:
        """Call a method of a row by name and return its result; raises `EngineError`."""
        ...

    def step(self, commands: Array, count: int, faults: Sequence[str]) -> list[tuple[str, Array]]:
        """Step all rows at target velocities [n, drives], or mark rows as broken where their command has a fault.

        Returns by row its fault, empty if none, and its values [size].
        """
        ...

    def close(self) -> None:
        """Free all rows."""
        ...


def local_rows(body: Body, slots: Slots, solver: BulletSolver, *, rows: int) -> RowExecutor:
    """Return an executor of rows in this process."""
    shape_plans: dict[str, ShapePlan] = {}
    return _LocalRows([BulletRow(body, slots, solver, shape_plans) for _ in range(rows)])


class _LocalRows:
    """Rows in this process."""

    replaced = 0

    def __init__(self, rows: list[BulletRow]) -> None:
        self._rows = rows

    @property
    def worker_ids(self) -> list[int]:
        return []

    def call(self, row: int, method: str, *arguments: Any) -> Any:
        return _call_method(self._rows[row], method, arguments)

    def step(self, commands: Array, count: int, faults: Sequence[str]) -> list[tuple[str, Array]]:
        return _step_rows(self._rows, commands, count, faults)

    def close(self) -> None:
        for row in self._rows:
            row.close()
        self._rows = []


@dataclass(kw_only=True)
class _Worker:
    """A worker process and its rows."""

    process: BaseProcess
    """The process."""
    pipe: Connection
    """This process's end of the pipe."""
    rows: range
    """Rows of the batch that it executes."""
    ready: bool = False
    """Whether it has reported that it has started."""
    shapes: set[str] = field(default_factory=set)
    """Keys of the shapes that it was sent."""


class WorkerPool:
    """Rows distributed over worker processes."""

    def __init__(
        self, body: Body, slots: Slots, solver: BulletSolver, *, rows: int, workers: int, stall_s: float
    ) -> None:
        self.replaced = 0
        self._row_arguments = (body, slots, solver)
        self._timeout_s, self._stalled = stall_s, f"stalled for {stall_s:g} s"
        self._faults: dict[int, str] = {}
        edges = np.linspace(0, rows, min(workers, rows) + 1).astype(int).tolist()
        self._workers = [self._start(range(a, b)) for a, b in pairwise(edges)]
        self._worker_of_row = [number for number, worker in enumerate(self._workers) for _ in worker.rows]

    @property
    def worker_ids(self) -> list[int]:
        """Process numbers of the workers."""
        return [worker.process.pid or 0 for worker in self._workers]

    def call(self, row: int, method: str, *arguments: Any) -> Any:
        """Call a method of a row by name; raises `EngineError`, also where the worker dies or stalls."""
        if method == "load_cousin":
            self._faults.pop(row, None)
            return self._call(row, method, self._without_sent_shapes(row, *arguments))
        if row in self._faults:
            raise EngineError(f"a row that cannot be used: {self._faults[row]}", engine="pybullet")
        return self._call(row, method, *arguments)

    def _call(self, row: int, method: str, *arguments: Any) -> Any:
        number = self._worker_of_row[row]
        first = self._workers[number].rows.start
        is_sent = self._send(number, ("call", row - first, method, arguments))
        answer = self._receive(number, time.monotonic() + self._timeout_s) if is_sent else None
        if answer is None:
            raise EngineError(self._faults[row], engine="pybullet")
        if isinstance(answer, EngineError):
            raise answer
        return answer[0]

    def step(self, commands: Array, count: int, faults: Sequence[str]) -> list[tuple[str, Array]]:
        """Step all workers' rows in parallel at target velocities [n, drives]; return faults and values [size]."""
        sent = []
        for number, worker in enumerate(self._workers):
            rows_of_worker = slice(worker.rows.start, worker.rows.stop)
            idle = all(row in self._faults for row in worker.rows)
            sent.append(
                not idle and self._send(number, ("step", commands[rows_of_worker], count, list(faults[rows_of_worker])))
            )
        deadline = time.monotonic() + self._timeout_s
        results: list[tuple[str, Array]] = []
        for number, is_sent in enumerate(sent):
            rows = self._workers[number].rows
            answer = self._receive(number, deadline) if is_sent else None
            if answer is None:
                results += [(self._faults[row], np.zeros(0)) for row in rows]
                continue
            for row, (fault, numbers) in zip(rows, answer, strict=True):
                results.append((self._faults.get(row, fault), numbers))
        return results

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(_EXIT_TIMEOUT_S)
            _kill(worker)
        self._workers = []

    def _without_sent_shapes(self, row: int, plan: WorldPlan) -> WorldPlan:
        """Return the plan without the shapes that the row's worker has already received."""
        sent_keys = self._workers[self._worker_of_row[row]].shapes
        new_shapes = {key: shape for key, shape in plan.shapes.items() if key not in sent_keys}
        sent_keys |= new_shapes.keys()
        return replace(plan, shapes=new_shapes)

    def _start(self, rows: range) -> _Worker:
        context = multiprocessing.get_context("spawn")
        pipe, worker_pipe = context.Pipe()
        process = context.Process(target=_worker_main, args=(worker_pipe, *self._row_arguments, len(rows)), daemon=True)
        with interrupts_held():
            process.start()
        worker_pipe.close()
        return _Worker(process=process, pipe=pipe, rows=rows)

    def _send(self, number: int, message: tuple[Any, ...]) -> bool:
        worker = self._workers[number]
        if not worker.ready:
            worker.ready = self._receive(number, time.monotonic() + _START_TIMEOUT_S, fault="did not start") is not None
            if not worker.ready:
                return False
        stalled = threading.Event()  # a plan may exceed the pipe's buffer, and a stalled worker reads nothing
        watchdog = threading.Timer(self._timeout_s, _kill_stalled, (worker.process, stalled))
        if message[0] != "step":
            watchdog.start()
        try:
            worker.pipe.send(message)
        except OSError:
            self._replace(number, self._stalled if stalled.is_set() else "died")
            return False
        finally:
            watchdog.cancel()
        return True

    def _receive(self, number: int, deadline: float, *, fault: str = "") -> Any:
        """Return a worker's answer, or None if it died or stalled and was replaced."""
        pipe = self._workers[number].pipe
        try:
            if pipe.poll(max(deadline - time.monotonic(), 0.0)):
                return pipe.recv()
        except (EOFError, OSError):
            self._replace(number, "died")
            return None
        self._replace(number, fault or self._stalled)
        return None

    def _replace(self, number: int, fault: str) -> None:
        old = self._workers[number]
        old.pipe.close()
        _kill(old)
        self.replaced += 1
        self._faults |= dict.fromkeys(old.rows, f"the worker of this row {fault} and was replaced")
        self._workers[number] = self._start(old.rows)


def _kill_stalled(process: BaseProcess, stalled: threading.Event) -> None:
    """Kill a worker that does not read, so that the blocked sender continues."""
    stalled.set()
    process.kill()


def _kill(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.process.close()


def _worker_main(pipe: Connection, body: Body, slots: Slots, solver: BulletSolver, rows: int) -> None:
    """Create the rows of a worker process and serve requests until the other end of the pipe is closed."""
    end_with_parent()
    shape_plans: dict[str, ShapePlan] = {}
    local = [BulletRow(body, slots, solver, shape_plans) for _ in range(rows)]
    with suppress(EOFError, BrokenPipeError):
        pipe.send("ready")
        _serve(pipe, local)


def _serve(pipe: Connection, rows: list[BulletRow]) -> None:
    """Serve requests; raises `EOFError` or `BrokenPipeError` once the other end of the pipe is closed."""
    while True:
        kind, *payload = pipe.recv()
        if kind == "step":
            pipe.send(_step_rows(rows, *payload))
            continue
        row, method, arguments = payload
        try:
            pipe.send((_call_method(rows[row], method, arguments),))
        except EngineError as error:
            pipe.send(error)


def _call_method(row: BulletRow, method: str, arguments: tuple[Any, ...]) -> Any:
    return getattr(row, method)(*arguments)


def _step_rows(rows: list[BulletRow], commands: Array, count: int, faults: Sequence[str]) -> list[tuple[str, Array]]:
    for row, fault in zip(rows, faults, strict=True):
        if fault:
            row.mark_broken(fault)
    return [row.step(command, count) for row, command in zip(rows, commands, strict=True)]
