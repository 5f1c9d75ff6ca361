"""Decisions of a policy behind a wire on a cell, which does not wait: the loop goes on while the server thinks.

Action *i* of an answer is meant for the time of its observation plus *i* periods. What is past when the answer comes is
never executed; where nothing is left for now, the cell holds. After a time-out the connection is closed and another
one opened, so that a late answer belongs to no one.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.errors import CellError, CousinsError
from cousins.geometry import Array
from sim.cells.running import Decision
from sim.wire.policies import FIRST_ANSWER_TIMEOUT_S, WirePolicy

MAX_RECONNECTS: Final = 5
"""Time-outs or broken links in a row after which the run ends."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Chunk:
    actions: Array
    observed_ns: int


class WireActions:
    """An `ActionSource` that asks in a thread of its own."""

    def __init__(self, policy: WirePolicy, *, control_hz: float, timeout_s: float = 1.0) -> None:
        self.policy, self.timeout_s = policy, timeout_s
        self.answers = self.lost = 0
        self._period_ns = round(1e9 / control_hz)
        self._lock = threading.Condition()
        self._request: tuple[Array, int] | None = None
        self._chunk: _Chunk | None = None
        self._is_asking = False
        self._latency_ns = 0
        self._epoch = 0
        self._failures = 0
        self._error: CousinsError | None = None
        threading.Thread(target=self._ask_forever, daemon=True).start()

    def warm_up(self, observation: Array) -> None:
        """Wait for a first answer to an observation [columns], which is not used."""
        self.policy.chunks(observation[None], timeout_s=FIRST_ANSWER_TIMEOUT_S)

    def begin(self) -> None:
        """Forget every answer, also the one that is on its way."""
        with self._lock:
            self._epoch += 1
            self._chunk = self._request = None
            while self._is_asking:
                self._lock.wait()
        self.policy.begin()

    def decide(self, observation: Array, t_ns: int) -> Decision | None:
        """Return the action that is meant for now; asks about this observation [columns] where nobody is asked."""
        with self._lock:
            if self._error is not None:
                raise self._error
            if not self._is_asking and self._request is None and self._is_short():
                self._request = (np.array(observation), t_ns)
                self._lock.notify_all()
            return self._now()

    def _is_short(self) -> bool:
        """Return whether the chunk ends before an answer that is asked for now would be there."""
        if self._chunk is None:
            return True
        ends_ns = self._chunk.observed_ns + len(self._chunk.actions) * self._period_ns
        return time.monotonic_ns() + self._latency_ns + self._period_ns >= ends_ns

    def _now(self) -> Decision | None:
        if self._chunk is None:
            return None
        number = (time.monotonic_ns() - self._chunk.observed_ns) // self._period_ns
        if number >= len(self._chunk.actions):
            return None
        return Decision(
            action=np.clip(self._chunk.actions[number], -1.0, 1.0),
            t_ns=self._chunk.observed_ns + int(number) * self._period_ns,
            observed_ns=self._chunk.observed_ns,
        )

    def _ask_forever(self) -> None:
        while True:
            with self._lock:
                while self._request is None:
                    self._lock.wait()
                (observation, t_ns), self._request = self._request, None
                self._is_asking, epoch = True, self._epoch
            chunk: Array | None = None
            error: CousinsError | None = None
            try:
                chunk = self.policy.chunks(observation[None], timeout_s=self.timeout_s)[0]
            except CousinsError as failure:
                error = self._after(failure)
            with self._lock:
                self._is_asking = False
                self._error = error
                if chunk is not None and epoch == self._epoch:
                    self.answers += 1
                    self._failures = 0
                    self._latency_ns = time.monotonic_ns() - t_ns
                    self._chunk = _Chunk(actions=chunk, observed_ns=t_ns)
                self._lock.notify_all()

    def _after(self, failure: CousinsError) -> CousinsError | None:
        """Connect again after a lost answer; return the error that ends the run, None to go on."""
        self.lost += 1
        self._failures += 1
        if not isinstance(failure, CellError):
            return CellError(str(failure), kind="policy")
        if self._failures >= MAX_RECONNECTS:
            return failure
        try:
            self.policy.client.reconnect()
        except CousinsError as error:
            return CellError(str(error), kind="link lost")
        return None
