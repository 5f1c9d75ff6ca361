"""A second process that takes some of the work, started when the first real work begins."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cousins.store import Store
from flows.desk import Desk, Options, Reference, Stage

Call = tuple[Stage, dict[str, Any]]
"""A stage and its inputs by name."""

_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux's prctl(2)."""


@dataclass(eq=False)
class Helper:
    """Shares calls between this process and one other; the results do not depend on who did what."""

    desk: Desk
    """Carries out what stays here."""
    _pool: ProcessPoolExecutor | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the other process, so that its imports are done when it is needed; once is enough."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_prepare)
            self._pool.submit(_import_stages)

    def share(self, calls: Sequence[Call]) -> tuple[Reference, ...]:
        """Carry out calls that do not need each other: the other process from the front, this one from the back."""
        if self._pool is None or len(calls) < 2:
            return tuple(self.desk.carry_out(stage, **inputs) for stage, inputs in calls)
        sent = [self._send(self._pool, call) for call in calls]
        done: dict[int, Reference] = {}
        for index in reversed(range(len(calls))):
            if sent[index].cancel():
                stage, inputs = calls[index]
                done[index] = self.desk.carry_out(stage, **inputs)
        for index, (stage, inputs) in enumerate(calls):
            if index not in done:
                done[index] = self._fetch(sent[index], stage, inputs)
        return tuple(done[index] for index in range(len(calls)))

    def close(self) -> None:
        """End the other process."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _send(self, pool: ProcessPoolExecutor, call: Call) -> Future[Reference]:
        stage, inputs = call
        return pool.submit(_carry_out, self.desk.store.root, self.desk.options, stage.name, inputs)

    def _fetch(self, future: Future[Reference], stage: Stage, inputs: dict[str, Any]) -> Reference:
        """Wait for the other process; where it was killed, the same work is done here."""
        try:
            reference = future.result()
        except BrokenProcessPool:
            return self.desk.carry_out(stage, **inputs)
        self.desk.tell(stage, reference)
        return reference


def _prepare() -> None:
    """End with the parent, also when that is killed; leave Ctrl-C to it."""
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _import_stages() -> None:
    import flows.stages  # noqa: F401


_desks: dict[tuple[Path, Options], Desk] = {}


def _carry_out(root: Path, options: Options, stage: str, inputs: dict[str, Any]) -> Reference:
    from flows.stages import STAGES

    desk = _desks.setdefault((root, options), Desk(store=Store(root), options=options))
    return desk.carry_out(STAGES[stage], **inputs)
