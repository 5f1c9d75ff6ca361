"""A cell behind its guard: the only door through which a policy's targets reach a robot."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from cousins.errors import CellError
from sim.cells.cell import Cell, CellObservation, CellSpec, Sent, Target
from sim.cells.guard import GuardLimits, GuardState, Verdict, check_target
from sim.cells.latch import Latch


class GuardedCell:
    """A `Cell` whose targets pass a guard; a stop latches, in memory and in the cell's latch file."""

    def __init__(self, cell: Cell, limits: GuardLimits, latch: Latch) -> None:
        self.cell, self.limits, self.latch = cell, limits, latch
        self.stopped = ""
        self._state = GuardState()
        self._observation: CellObservation | None = None

    @property
    def spec(self) -> CellSpec:
        """What the cell is."""
        return self.cell.spec

    def connect(self) -> None:
        """Reach the robot; raises `CellError` where it was stopped and not released."""
        self.latch.require_released()
        self.cell.connect()

    def observe(self) -> CellObservation:
        """Return the newest measurement; a robot that cannot be measured is stopped."""
        try:
            self._observation = self.cell.observe()
        except CellError as error:
            self.stop(str(error))
            raise
        return self._observation

    def send(self, target: Target) -> Sent:
        """Send what the guard passes of a target; raises `CellError` where it stopped the cell."""
        if not self.stopped and self.latch.path.exists():
            self.stop(self.latch.reason)
        if self.stopped:
            raise CellError(self.stopped, kind="stopped")
        if self._observation is None:
            raise CellError("a target before the first observation", kind="guard")
        now_ns = time.monotonic_ns()
        verdict, self._state = check_target(target, self._observation, self.limits, self._state, now_ns=now_ns)
        if verdict.action == "stop":
            self.stop(verdict.reason)
            raise CellError(verdict.reason, kind="guard")
        try:
            return self._carry_out(verdict, target, now_ns)
        except CellError as error:
            self.stop(str(error))
            raise

    def hold(self) -> None:
        """Stay at the present position."""
        self._state = replace(self._state, q=None, dq=None)
        self.cell.hold()

    def stop(self, reason: str) -> None:
        """Stop and latch; the latch is set before the wire is tried, which may be the cause."""
        self.stopped = self.stopped or reason
        self.latch.set(reason, by="guard")
        self.cell.stop(reason)

    def close(self) -> None:
        """Let go of the connection."""
        self.cell.close()

    def _carry_out(self, verdict: Verdict, target: Target, now_ns: int) -> Sent:
        if verdict.action == "hold":
            self.cell.hold()
            return Sent(seq=target.seq, t_ns=now_ns, q=None, dq=None, gripper=None, held=verdict.reason)
        passed = Target(
            seq=target.seq,
            t_ns=target.t_ns,
            q=verdict.q,
            dq=verdict.dq,
            gripper=verdict.gripper,
            valid_for_s=target.valid_for_s,
        )
        return replace(self.cell.send(passed), clamps=verdict.clamps)


def is_at_rest(observation: CellObservation, *, speed: float = 0.02) -> bool:
    """Return whether no joint moves faster than `speed` [rad/s or m/s]."""
    return bool((np.abs(observation.dq) <= speed).all())
