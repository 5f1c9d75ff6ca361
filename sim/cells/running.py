"""Run a policy on a cell: observe, decide, send, at the cell's rate; every tick is counted, late ones by name."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TextIO

import numpy as np

from cousins.errors import CellError
from cousins.geometry import Array
from sim.cells.acting import CellActions
from sim.cells.cell import CellObservation, CellSpec, Domain, Sent
from sim.cells.supervision import SupervisedCell
from sim.train.actors import Actor

LATE_PERIODS: Final = 2.0
"""A tick that comes more than so many periods after the one before is late."""
MAX_CLAMPED_SHARE: Final = 0.2
"""A run in which the guard changed a larger share of the targets is a fault: the guard drove, not the policy."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Decision:
    """An action, when it is meant to act, and what it follows from."""

    action: Array
    """Numbers from -1 to 1 [actions]."""
    t_ns: int
    """When it is meant to act [ns]; that of the observation, but for later actions of a chunk."""
    observed_ns: int
    """When what it follows from was measured [ns]."""


class ActionSource(Protocol):
    """What decides on a cell: a policy in this process, or one behind a wire."""

    def warm_up(self, observation: Array) -> None:
        """Decide once on an observation [columns] for nothing: what is compiled or loaded at first takes its time."""
        ...

    def begin(self) -> None:
        """Begin a run: nothing of an earlier one is left."""
        ...

    def decide(self, observation: Array, t_ns: int) -> Decision | None:
        """Return what to do after an observation [columns]; None where nothing is known in time: the cell holds."""
        ...


class LocalActions:
    """A policy in this process."""

    def __init__(self, policy: Actor) -> None:
        self.policy = policy

    def warm_up(self, observation: Array) -> None:
        """Let the policy act once on an observation [columns]."""
        self.policy.act(observation[None])

    def begin(self) -> None:
        """Reset the policy's memory."""
        self.policy.begin()

    def decide(self, observation: Array, t_ns: int) -> Decision:
        """Return the policy's action for an observation [columns]."""
        return Decision(action=self.policy.act(observation[None])[0], t_ns=t_ns, observed_ns=t_ns)


@dataclass(frozen=True, kw_only=True)
class CellRun:
    """What happened in a run."""

    cell: str
    """Name of the cell."""
    domain: Domain
    """What answered: a result of a `peer` or a `sim` is none of a robot."""
    spec_digest: str
    """Digest of the cell's description."""
    seconds: float
    """Duration [s]."""
    ticks: int
    """Turns of the loop."""
    late_ticks: int
    """Turns more than two periods after the one before."""
    held: int
    """Turns in which the cell held its position, for any reason."""
    held_by: dict[str, int]
    """The same by reason."""
    clamped: int
    """Turns in which the guard changed the target."""
    clamped_by: dict[str, int]
    """The same by limit."""
    action_age_ms: dict[str, float]
    """Age of what the executed actions follow from: `p50`, `p99`, `max` [ms]; empty where none was executed."""
    stopped: str
    """Why the cell was stopped; empty where the run ended as it should."""
    speed_share: float
    """Share of the joints' largest speeds that was used; below 1 the guard is expected to slow a policy down."""

    @property
    def faults(self) -> list[str]:
        """Return why the run does not count as the policy's; empty where it does."""
        share = self.clamped / max(self.ticks, 1)
        clamped = (
            [f"the guard changed {share:.0%} of the targets"]
            if share > MAX_CLAMPED_SHARE and self.speed_share == 1.0
            else []
        )
        return ([self.stopped] if self.stopped else []) + clamped


def run_cell(
    cell: SupervisedCell,
    actions: CellActions,
    source: ActionSource,
    *,
    seconds: float,
    speed_share: float = 1.0,
    record: TextIO | None = None,
    stop_when: Callable[[], bool] = lambda: False,
) -> CellRun:
    """Run for so many seconds [s]; the cell ends held, or stopped and latched with the reason in the result.

    `record` gets a line of JSON for each turn. The policy is asked once before the clock starts, so that what it
    compiles or loads at first counts for nothing.
    """
    ticks = _Ticks(cell.spec)
    actions.begin(cell.observe())
    source.begin()
    first = cell.observe()
    source.warm_up(actions.vector(first))
    actions.target(np.zeros(len(actions.actions)), first, t_ns=first.t_capture_ns, valid_for_s=1.0)
    source.begin()
    actions.begin(cell.observe())
    cell.arm()
    begun = due = time.monotonic()
    try:
        while (now := time.monotonic()) - begun < seconds and not stop_when():
            cell.tick()
            line = _turn(cell, actions, source, ticks, now)
            if record is not None:
                record.write(json.dumps(line, allow_nan=False) + "\n")
            due = max(due + ticks.period_s, time.monotonic() - ticks.period_s)
            time.sleep(max(0.0, due - time.monotonic()))
        cell.hold()
    except CellError as error:
        ticks.stopped = str(error)
    except KeyboardInterrupt:
        cell.stop("interrupted by the operator")
        ticks.stopped = "interrupted by the operator"
    return ticks.report(time.monotonic() - begun, speed_share)


def _turn(
    cell: SupervisedCell, actions: CellActions, source: ActionSource, ticks: _Ticks, now: float
) -> dict[str, Any]:
    """Observe, decide and send once; return what happened as a line of the record."""
    observation = cell.observe()
    decision = source.decide(actions.vector(observation), observation.t_capture_ns)
    sent: Sent | None = None
    reason = "no action in time"
    if decision is None:
        cell.hold()
    else:
        valid_for_s = 2.0 * ticks.period_s
        target = actions.target(decision.action, observation, t_ns=decision.t_ns, valid_for_s=valid_for_s)
        sent = cell.send(target)
        reason = sent.held
    age_ms = None if decision is None else 1e-6 * (time.monotonic_ns() - decision.observed_ns)
    ticks.add(now, sent, reason, age_ms)
    return _line(observation, decision, sent, reason, age_ms)


class _Ticks:
    """Counts of a run."""

    def __init__(self, spec: CellSpec) -> None:
        self.spec, self.period_s = spec, 1.0 / spec.control_hz
        self.count = self.late = self.clamped = 0
        self.held_by: Counter[str] = Counter()
        self.clamped_by: Counter[str] = Counter()
        self.ages_ms: list[float] = []
        self.stopped = ""
        self._last: float | None = None

    def add(self, now: float, sent: Sent | None, reason: str, age_ms: float | None) -> None:
        """Count a turn that began at a time [s]."""
        self.count += 1
        self.late += self._last is not None and now - self._last > LATE_PERIODS * self.period_s
        self._last = now
        if reason:
            self.held_by[reason] += 1
        elif age_ms is not None:
            self.ages_ms.append(age_ms)
        clamps = () if sent is None else sent.clamps
        self.clamped += bool(clamps)
        self.clamped_by.update(clamps)

    def report(self, seconds: float, speed_share: float) -> CellRun:
        """Return the counts as a result."""
        ages = {}
        if self.ages_ms:
            p50, p99, largest = np.percentile(self.ages_ms, [50, 99, 100])
            ages = {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "max": round(float(largest), 2)}
        return CellRun(
            cell=self.spec.name,
            domain=self.spec.domain,
            spec_digest=self.spec.digest,
            seconds=round(seconds, 3),
            ticks=self.count,
            late_ticks=self.late,
            held=sum(self.held_by.values()),
            held_by=dict(self.held_by),
            clamped=self.clamped,
            clamped_by=dict(self.clamped_by),
            action_age_ms=ages,
            stopped=self.stopped,
            speed_share=speed_share,
        )


def _line(
    observation: CellObservation, decision: Decision | None, sent: Sent | None, reason: str, age_ms: float | None
) -> dict[str, Any]:
    command = None if sent is None else sent.q if sent.q is not None else sent.dq
    return {
        "t_ns": observation.t_capture_ns,
        "q": np.round(observation.q, 6).tolist(),
        "dq": np.round(observation.dq, 6).tolist(),
        "gripper": observation.gripper,
        "columns": {name: round(value, 6) for name, value in observation.columns.items()},
        "action": None if decision is None else np.round(decision.action, 6).tolist(),
        "sent": None if command is None else np.round(command, 6).tolist(),
        "clamps": [] if sent is None else list(sent.clamps),
        "held": reason,
        "age_ms": None if age_ms is None else round(age_ms, 3),
    }
