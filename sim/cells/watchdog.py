"""The watchdog of a cell: a process that stops the robot where another process is silent, stopped or gone.

It reads beats, and holds a wire of its own to the robot; it runs neither policy nor driver. When it acts, it first ends
the driver, so that a process that was only asleep cannot wake up and move the robot on.
"""

from __future__ import annotations

import os
import select
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

from cousins.errors import CellError, CousinsError
from cousins.plugins import load_backend
from sim.cells.cell import StopLine
from sim.cells.latch import Latch

POLL_S: Final = 0.005
"""How often ages are compared [s]."""
KILL_WAIT_S: Final = 0.05
"""Longest wait for the end of a driver that was killed [s]."""
STOP_TRIES: Final = 20
"""A stop that fails is tried so often."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Supervised:
    """What a watchdog guards."""

    backend: str
    """Name of the driver's file."""
    config: Any
    """Its `Config`."""
    driver: int
    """Process id of the driver."""
    silence_s: float
    """After so much silence the robot is stopped [s]."""
    folder: Path | None
    """Folder of latches; None for the user's."""


def watch(supervised: Supervised, runner: Connection, driver: Connection, ready: Connection) -> None:
    """Open the wire, report that it is open, and wait for the end, or for silence."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        line: StopLine = load_backend("sim.cells.backends", supervised.backend, kind="cell").stop_line(
            supervised.config
        )
        process = os.pidfd_open(supervised.driver)
    except (CousinsError, OSError) as error:
        ready.send(f"{error}")
        return
    ready.send("")
    ready.close()
    reason = _reason_to_act(supervised, runner, driver)
    if reason:
        _act(supervised, line, process, reason)
    line.close()


def _reason_to_act(supervised: Supervised, runner: Connection, driver: Connection) -> str:
    """Return why the robot must be stopped; empty where the run ended as it should."""
    names = {runner: "the program that runs the policy", driver: "the driver"}
    last = dict.fromkeys(names, time.monotonic())
    is_armed = False
    while True:
        for connection in wait([runner, driver], timeout=POLL_S):
            assert isinstance(connection, Connection)
            try:
                message = connection.recv()
            except (EOFError, OSError):
                return "" if _has_ended(runner) else f"{names[connection]} ended"
            if message == "end":
                return ""
            if message == "arm":
                is_armed, last = True, dict.fromkeys(names, time.monotonic())
            last[connection] = time.monotonic()
        now = time.monotonic()
        for connection, name in names.items():
            if is_armed and now - last[connection] > supervised.silence_s and not connection.poll():
                return f"{name} was silent for {1e3 * (now - last[connection]):.0f} ms"


def _has_ended(runner: Connection) -> bool:
    """Return whether the end of the run is among what was not read yet."""
    try:
        while runner.poll():
            if runner.recv() == "end":
                return True
    except (EOFError, OSError):
        return False
    return False


def _act(supervised: Supervised, line: StopLine, process: int, reason: str) -> None:
    """End the driver, stop the robot, then latch: writing a file may take longer than the robot has."""
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [], KILL_WAIT_S)
    except ProcessLookupError:
        pass
    problem = ""
    for _ in range(STOP_TRIES):
        try:
            line.stop(reason)
            problem = ""
            break
        except CellError as error:
            problem = f"; the stop did not reach the robot ({error})"
    Latch(supervised.config.name, supervised.folder).set(reason + problem, by="watchdog")
