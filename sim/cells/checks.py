"""The check of a cell: what it measures, how regularly, and whether small moves do what they say.

First nothing moves. Then, where the operator allows it, each joint moves by a few degrees and back at a quarter of its
speed. A check holds for the description of the cell that it was made with; until one has passed, runs are slow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from cousins.findings import Finding
from cousins.geometry import Array
from sim.cells.cell import CellObservation, CellSpec, Domain, Target
from sim.cells.check_records import FORMAT, SLOW_SHARE, check_path
from sim.cells.guarded import is_at_rest
from sim.cells.supervision import SupervisedCell

WATCHED_S: Final = 2.0
"""How long a cell is observed before anything moves [s]."""
MOVE_SHARE: Final = 0.04
"""Share of a joint's range by which it is moved."""
MOVE_TIME_S: Final = 3.0
"""Longest duration of a move [s]."""
MAX_LATENCY_S: Final = 0.3
"""A joint that has not begun to move so long after its target does not follow [s]."""
FIXES: Final = {
    "fault": "Let the robot cool or mend its supply, then check again.",
    "not at rest": "End other programs that move it.",
    "outside its range": "Turn the joint back by hand with the power off, or calibrate again.",
    "dropped observations": "Look at the cable, and at what else this computer does.",
    "slow observations": "Look at the cable, or lower control_hz in the cell's file.",
    "wrong sign": "Calibrate again: the servo turns the other way round.",
    "does not follow": "Look for what is in its way, and at the supply.",
    "another joint moves": "Ids are mixed up: give the servos those of the calibration.",
    "late": "Look at the link to the robot; a policy would act on what is past.",
}
"""What to do about each finding."""


@dataclass(frozen=True, kw_only=True)
class CellCheck:
    """Result of a check."""

    cell: str
    """Name of the cell."""
    domain: Domain
    """What answered: the check of a `peer` or a `sim` is none of a robot."""
    spec_digest: str
    """Digest of the description that it holds for."""
    moved: bool
    """Whether joints were moved."""
    numbers: dict[str, Any] = field(default_factory=dict)
    """What was measured, by name."""
    findings: list[Finding] = field(default_factory=list)
    """What is wrong."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.severity == "error" for finding in self.findings)


def check_cell(cell: SupervisedCell, *, move: bool) -> CellCheck:
    """Return what a connected cell measures and, with `move`, how its joints move; raises `CellError` at a stop."""
    spec = cell.spec
    numbers, findings = _watch(cell, spec)
    if move and not findings:
        cell.arm()
        numbers["joints"] = {}
        seq = 0
        for number, joint in enumerate(spec.joints):
            measured, seq = _move(cell, number, seq)
            numbers["joints"][joint.name] = measured
            findings += _move_findings(joint.name, measured)
    return CellCheck(
        cell=spec.name,
        domain=spec.domain,
        spec_digest=spec.digest,
        moved=move and "joints" in numbers,
        numbers=numbers,
        findings=findings,
    )


def write_check(check: CellCheck, folder: Path | None = None) -> Path:
    """Write a check to the folder of cells, and return its path."""
    path = check_path(check.cell, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"format": FORMAT, "ok": check.ok, "unix_s": round(time.time(), 3)} | asdict(check)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def _watch(cell: SupervisedCell, spec: CellSpec) -> tuple[dict[str, Any], list[Finding]]:
    """Return rates and ages of observations, and what is wrong before anything moves."""
    observations: list[CellObservation] = []
    durations: list[float] = []
    begun = time.monotonic()
    while time.monotonic() - begun < WATCHED_S:
        cell.tick()
        request_s = time.monotonic()
        observations.append(cell.observe())
        durations.append(time.monotonic() - request_s)
        time.sleep(max(0.0, 1.0 / spec.control_hz - durations[-1]))
    fresh = len({observation.seq for observation in observations})
    numbers = {
        "observations": len(observations),
        "dropped": len(observations) - fresh,
        "observe_ms_p50": round(1e3 * float(np.percentile(durations, 50)), 2),
        "observe_ms_p99": round(1e3 * float(np.percentile(durations, 99)), 2),
        "q": np.round(observations[-1].q, 4).tolist(),
        "gripper": observations[-1].gripper,
    }
    return numbers, list(_watch_findings(observations, numbers, spec))


def _watch_findings(observations: list[CellObservation], numbers: dict[str, Any], spec: CellSpec) -> Iterator[Finding]:
    last = observations[-1]
    for fault in sorted({fault for observation in observations for fault in observation.faults}):
        yield _finding("fault", spec.name, fault)
    if not is_at_rest(last):
        yield _finding("not at rest", spec.name, "a joint moves although nothing was sent")
    for joint, position in zip(spec.joints, last.q, strict=True):
        if not joint.low <= position <= joint.high:
            text = f"at {position:.3f}, outside {joint.low:.3f} to {joint.high:.3f}: calibrate again, or turn it back"
            yield _finding("outside its range", joint.name, text)
    if numbers["dropped"] > 0.05 * len(observations):
        yield _finding("dropped observations", spec.name, f"{numbers['dropped']} of {len(observations)} were not new")
    if numbers["observe_ms_p99"] > 1e3 / spec.control_hz:
        yield _finding("slow observations", spec.name, f"p99 {numbers['observe_ms_p99']} ms at {spec.control_hz} Hz")


def _move(cell: SupervisedCell, number: int, seq: int) -> tuple[dict[str, Any], int]:
    """Move a joint away from its nearer stop and back; return shares of the travel, latency, and the next number."""
    spec, joint = cell.spec, cell.spec.joints[number]
    start = cell.observe().q.copy()
    travel = MOVE_SHARE * (joint.high - joint.low)
    travel = travel if start[number] < 0.5 * (joint.low + joint.high) else -travel
    reached, latency_s, seq = _go(cell, number, start, start[number] + travel, seq)
    back, _, seq = _go(cell, number, start, start[number], seq)
    other_moves = np.delete(np.abs(back - start), number)
    return {
        "asked": round(float(travel), 4),
        "moved": round(float(reached[number] - start[number]), 4),
        "returned_within": round(float(abs(back[number] - start[number])), 4),
        "others_moved": round(float(other_moves.max(initial=0.0)), 4),
        "latency_ms": None if latency_s is None else round(1e3 * latency_s, 1),
        "unit": spec.joints[number].unit,
    }, seq


def _go(cell: SupervisedCell, number: int, start: Array, goal: float, seq: int) -> tuple[Array, float | None, int]:
    """Send a joint to a goal at a quarter of its speed; return where the joints end, and when motion began [s]."""
    spec, joint = cell.spec, cell.spec.joints[number]
    period_s, begun, latency_s = 1.0 / spec.control_hz, time.monotonic(), None
    observation = cell.observe()
    first = float(observation.q[number])
    while time.monotonic() - begun < MOVE_TIME_S and abs(observation.q[number] - goal) > 0.002:
        cell.tick()
        observation = cell.observe()
        if latency_s is None and abs(observation.q[number] - first) > 0.1 * abs(goal - first):
            latency_s = time.monotonic() - begun
        limit = SLOW_SHARE * joint.max_speed
        speed = float(np.clip((goal - observation.q[number]) / (2.0 * period_s), -limit, limit))
        seq += 1
        cell.send(_target(spec, start, number, speed, goal, seq))
        time.sleep(period_s)
    return cell.observe().q, latency_s, seq


def _target(spec: CellSpec, start: Array, number: int, speed: float, goal: float, seq: int) -> Target:
    stamp: dict[str, Any] = {"seq": seq, "t_ns": time.monotonic_ns(), "valid_for_s": 2.0 / spec.control_hz}
    if spec.actions[0] == "joint_velocity":
        return Target(dq=np.where(np.arange(len(start)) == number, speed, 0.0), **stamp)
    return Target(q=np.where(np.arange(len(start)) == number, goal, start), **stamp)


def _move_findings(name: str, measured: dict[str, Any]) -> Iterator[Finding]:
    if measured["asked"] * measured["moved"] <= 0.0:
        yield _finding("wrong sign", name, f"moved {measured['moved']} where {measured['asked']} was asked")
    elif abs(measured["moved"] - measured["asked"]) > 0.25 * abs(measured["asked"]):
        yield _finding("does not follow", name, f"moved {measured['moved']} where {measured['asked']} was asked")
    if measured["others_moved"] > 0.25 * abs(measured["asked"]):
        yield _finding("another joint moves", name, f"by {measured['others_moved']}")
    if measured["latency_ms"] is None or measured["latency_ms"] > 1e3 * MAX_LATENCY_S:
        yield _finding("late", name, f"motion began after {measured['latency_ms']} ms")


def _finding(rule: str, location: str, message: str) -> Finding:
    return Finding(rule=rule, severity="error", where=location, message=message, fix=FIXES[rule])
