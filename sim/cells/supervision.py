"""A cell under supervision: its driver in one process, its watchdog in another, the policy in a third.

    policy ── requests ──> driver (guard, cell) ── robot
       └── beats ──> watchdog <── beats ──┘  └── its own wire ──> robot

A vendor's library may crash or freeze, and a policy may stall the interpreter; neither stops the watchdog. Where one
of the two is killed, stopped or silent, the watchdog ends the driver and stops the robot over a wire of its own.
Without its watchdog the driver stops the robot itself.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from cousins.errors import CellError, CousinsError
from cousins.plugins import load_backend
from sim.cells.cell import CellObservation, CellSpec, Sent, Target
from sim.cells.check_records import speed_share
from sim.cells.guard import Workspace, guard_limits, warm_up
from sim.cells.guarded import GuardedCell
from sim.cells.latch import Latch
from sim.cells.watchdog import Supervised, watch

BACKENDS: Final = "sim.cells.backends"
SILENCE_S: Final = 0.05
"""After so much silence of a process the robot is stopped, unless a cell is given more patience [s]."""
BEAT_PERIOD_S: Final = 0.01
"""How often each process shows that it lives [s]."""
REPLY_TIMEOUT_S: Final = 2.0
"""Longest time that a driver may take for a request [s]."""
CONNECT_TIMEOUT_S: Final = 60.0
"""Longest time that it may take to reach a robot, imports included [s]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CellPlan:
    """Which cell, and within which limits."""

    backend: str
    """Name of the driver's file."""
    config: Any
    """Its `Config`."""
    workspace: Workspace | None = None
    """Where the tip may be."""
    speed_share: float | None = None
    """Share of the joints' largest speeds that is used; None for all of it after a check, and a quarter before."""
    folder: Path | None = None
    """Folder of latches; None for the user's."""
    silence_s: float = SILENCE_S
    """After so much silence of a process the watchdog stops the robot [s]."""


class SupervisedCell:
    """A `Cell` whose driver and watchdog run in processes of their own."""

    def __init__(self, plan: CellPlan) -> None:
        self.plan = plan
        self.latch = Latch(plan.config.name, plan.folder)
        self._spec: CellSpec | None = None
        self._processes: list[Any] = []
        self._requests: Connection | None = None
        self._beats: Connection | None = None
        self._loop_ns = 0
        self._is_armed = False
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._is_armed and self.is_connected:
            self.stop(f"{kind.__name__}: {error}"[:200])
        self.close()

    @property
    def spec(self) -> CellSpec:
        """What it is; known from `connect` on."""
        if self._spec is None:
            raise CellError("connect comes first", kind="not connected")
        return self._spec

    @property
    def is_connected(self) -> bool:
        """Whether the driver runs."""
        return self._requests is not None and bool(self._processes) and self._processes[0].is_alive()

    @property
    def process_ids(self) -> dict[str, int]:
        """Ids of the driver and of the watchdog."""
        return {name: process.pid for name, process in zip(("driver", "watchdog"), self._processes, strict=False)}

    def connect(self) -> None:
        """Start both processes and reach the robot; nothing moves. The watchdog does not act before `arm`."""
        self.latch.require_released()
        context = multiprocessing.get_context("spawn")
        self._requests, driver_end = context.Pipe()
        driver_beats, driver_beats_end = context.Pipe(duplex=False)
        beats, self._beats = context.Pipe(duplex=False)
        driver = context.Process(target=_drive, args=(self.plan, driver_end, driver_beats_end), daemon=False)
        driver.start()
        self._processes = [driver]
        driver_end.close()
        driver_beats_end.close()
        self._spec = self._ask("connect", timeout_s=CONNECT_TIMEOUT_S)
        assert driver.pid is not None
        supervised = Supervised(
            backend=self.plan.backend,
            config=self.plan.config,
            driver=driver.pid,
            silence_s=self.plan.silence_s,
            folder=self.plan.folder,
        )
        ready, ready_end = context.Pipe(duplex=False)
        watchdog = context.Process(target=watch, args=(supervised, beats, driver_beats, ready_end), daemon=False)
        watchdog.start()
        self._processes.append(watchdog)
        for end in (beats, driver_beats, ready_end):
            end.close()
        if not ready.poll(CONNECT_TIMEOUT_S):
            raise CellError("the watchdog does not start", kind="no watchdog")
        problem = _received(ready)
        if problem:
            raise CellError(problem, kind="no watchdog")

    def arm(self) -> None:
        """Let the watchdog act from now on; call `tick` in every turn of the loop."""
        self.tick()
        self._is_armed = True
        threading.Thread(target=self._beat, daemon=True).start()

    def tick(self) -> None:
        """Show that the control loop turns."""
        self._loop_ns = time.monotonic_ns()

    def observe(self) -> CellObservation:
        """Return the newest measurement."""
        observation: CellObservation = self._ask("observe")
        return observation

    def send(self, target: Target) -> Sent:
        """Send what the guard passes of a target."""
        sent: Sent = self._ask("send", target)
        return sent

    def hold(self) -> None:
        """Stay at the present position."""
        self._ask("hold")

    def stop(self, reason: str) -> None:
        """Stop and latch."""
        self._ask("stop", reason)

    def close(self) -> None:
        """End both processes; nothing moves and torque stays on."""
        self._ended.set()
        if self._beats is not None:
            _send_quietly(self._beats, "end")
        if self.is_connected:
            _send_quietly(self._requests, ("close", None))
        for process in self._processes:
            process.join(5.0)
            if process.is_alive():
                process.kill()
                process.join()
        for connection in (self._requests, self._beats):
            if connection is not None:
                connection.close()
        self._requests = self._beats = None

    def _ask(self, name: str, value: Any = None, *, timeout_s: float = REPLY_TIMEOUT_S) -> Any:
        if self._requests is None:
            raise CellError("connect comes first", kind="not connected")
        try:
            self._requests.send((name, value))
            if not self._requests.poll(timeout_s):
                raise CellError(f"no answer to {name} within {timeout_s:.0f} s", kind="driver silent")
            answer = self._requests.recv()
        except (EOFError, OSError) as error:
            reason = self.latch.reason or "its driver ended"
            raise CellError(f"the driver is gone: {reason}", kind="driver gone") from error
        if isinstance(answer, CousinsError):
            raise answer
        return answer

    def _beat(self) -> None:
        """Show the watchdog that this process lives and its loop turns; ends with the first beat that fails."""
        stall_ns = int(1e9 * max(0.25, 3.0 / self.spec.control_hz))
        _send_quietly(self._beats, "arm")
        while not self._ended.wait(BEAT_PERIOD_S):
            beats = self._beats
            if beats is None or (time.monotonic_ns() - self._loop_ns < stall_ns and not _send_quietly(beats, "beat")):
                return


def _drive(plan: CellPlan, requests: Connection, beats: Connection) -> None:
    """Answer requests with the cell behind its guard until the run ends, as it should or not."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_blocking(beats.fileno(), False)
    cell: GuardedCell | None = None
    reason = ""
    while not reason:
        is_asked = requests.poll(BEAT_PERIOD_S)
        if cell is not None and not _send_quietly(beats, "beat"):
            reason = "the watchdog is gone"
        elif is_asked:
            try:
                name, value = requests.recv()
            except EOFError:
                name, value = "gone", None
            if name == "close":
                break
            cell, answer = _answer(plan, cell, name, value)
            if name == "gone" or not _send_quietly(requests, answer):
                reason = "the program that runs the policy ended"
    if cell is not None:
        if reason:
            cell.stop(reason)
        cell.close()


def _answer(plan: CellPlan, cell: GuardedCell | None, name: str, value: Any) -> tuple[GuardedCell | None, Any]:
    """Return the cell and the answer to a request; an error is an answer too."""
    if name == "gone":
        return cell, None
    try:
        if name == "connect":
            return _connected(plan)
        assert cell is not None, "connect comes first"
        return cell, getattr(cell, name)() if value is None else getattr(cell, name)(value)
    except CousinsError as error:
        return cell, error


def _connected(plan: CellPlan) -> tuple[GuardedCell, CellSpec]:
    module = load_backend(BACKENDS, plan.backend, kind="cell")
    latch = Latch(plan.config.name, plan.folder)
    latch.require_released()
    bare = module.build(plan.config)
    bare.connect()
    share = speed_share(bare.spec, plan.folder)[0] if plan.speed_share is None else plan.speed_share
    limits = guard_limits(bare.spec, workspace=plan.workspace, speed_share=share)
    warm_up(limits)
    return GuardedCell(bare, limits, latch), bare.spec


def _send_quietly(connection: Connection | None, message: Any) -> bool:
    """Return whether a message was sent: the other end may be gone, which its reader notices."""
    if connection is None:
        return False
    try:
        connection.send(message)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def _received(connection: Connection) -> str:
    try:
        return str(connection.recv())
    except EOFError:
        return "it ended before it was ready"
