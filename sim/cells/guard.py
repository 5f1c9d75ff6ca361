"""The guard between a policy and a cell: a pure function from a target to what may be sent.

It is no rated safety function: it runs on an ordinary computer and knows only what its limits say. Each command that it
passes can be followed by braking that crosses no limit, which is what the next call falls back on; so no sequence of
targets, however wrong, leads past a limit of speed, acceleration, joint range or workspace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from cousins.errors import InputError
from cousins.geometry import Array
from sim.bodies.kinematics import TipChain, tip_kinematics
from sim.cells.cell import CellObservation, CellSpec, Target

CHECKED_SHARES: Final = (1.0, 0.5, 0.25)
"""Shares of a command, from full braking towards it, that are tried before braking."""
MAX_BRAKING_STEPS: Final = 64
"""Points of a braking path at which the tip is looked at."""
MAX_CLOCK_ERROR_NS: Final = 2_000_000
"""A stamp farther ahead than this is no time of this machine [ns]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Workspace:
    """Where the tip may be, in the frame of the base; from a scan of the place, or typed."""

    low_m: tuple[float, float, float]
    """Least corner of the box [m]; its height is that of the table, or more."""
    high_m: tuple[float, float, float]
    """Largest corner [m]."""
    chain: TipChain
    """Joints from the base to the tip."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GuardLimits:
    """All limits that a guard keeps, from the robot, the scan and the task."""

    low: Array
    """Least joint positions [joints]."""
    high: Array
    """Largest joint positions [joints]."""
    max_speed: Array
    """Largest speeds [joints]."""
    max_accel: Array
    """Largest accelerations [joints]."""
    period_s: float
    """Duration of a control step [s]."""
    kind: Literal["joint_position", "joint_velocity"]
    """What the cell takes."""
    has_gripper: bool
    """Whether there is a hand."""
    workspace: Workspace | None
    """Where the tip may be; None where the body is unknown."""
    hold_age_s: float
    """From this age on a target or an observation is not acted on [s]."""
    stop_age_s: float = 0.3
    """From this age on the cell is stopped [s]."""
    max_load: float = 0.9
    """Largest share of its torque that a joint may exert."""
    max_lag: float = 0.35
    """A joint farther behind its target has met something [rad or m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GuardState:
    """What a guard remembers from one target to the next."""

    seq: int = -1
    """Number of the last target."""
    observation_seq: int = -1
    """Number of the last observation."""
    t_ns: int = 0
    """When the last command was passed [ns]."""
    q: Array | None = None
    """Positions that were commanded last [joints]."""
    dq: Array | None = None
    """Speeds that were commanded last [joints]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Verdict:
    """What a guard decided."""

    action: Literal["send", "hold", "stop"]
    """What may be done."""
    reason: str = ""
    """Why it is not sent; empty where it is."""
    q: Array | None = None
    """Positions to send [joints]."""
    dq: Array | None = None
    """Speeds to send [joints]."""
    gripper: float | None = None
    """Opening of the hand to send."""
    clamps: tuple[str, ...] = ()
    """Limits that changed the target, by name."""


def guard_limits(
    spec: CellSpec, *, workspace: Workspace | None, speed_share: float, margin: float = 0.035
) -> GuardLimits:
    """Return the limits of a cell at a share of its speeds; joints keep `margin` [rad or m] from their stops.

    Raises `InputError` where a limit is missing, not finite or not positive: without limits nothing moves.
    """
    bounds = np.array([[joint.low, joint.high, joint.max_speed, joint.max_accel] for joint in spec.joints])
    low, high, speed, accel = bounds.reshape(-1, 4).T
    sound = np.isfinite(bounds).all() and (speed > 0.0).all() and (accel > 0.0).all() and (low < high).all()
    if not len(bounds) or not sound or not 0.0 < speed_share <= 1.0 or not 0.0 < spec.control_hz < 2000.0:
        raise InputError(
            f"limits of the cell {spec.name!r} that are missing, not finite or not positive",
            expected="low < high, speed and acceleration above 0 for every joint, a speed share in (0, 1]",
            hint="Write them into the cell's file: a cell without limits does not move.",
        )
    inset = np.minimum(margin, 0.05 * (high - low))
    return GuardLimits(
        low=low + inset,
        high=high - inset,
        max_speed=speed * speed_share,
        max_accel=accel,
        period_s=1.0 / spec.control_hz,
        kind=spec.actions[0],
        has_gripper=spec.has_gripper,
        workspace=workspace,
        hold_age_s=2.0 / spec.control_hz,
    )


def warm_up(limits: GuardLimits) -> None:
    """Check a target for nothing: kinematics are compiled at first use, which takes longer than a watchdog waits."""
    q = 0.5 * (limits.low + limits.high)
    target = Target(seq=0, t_ns=0, q=q, valid_for_s=1.0)
    observation = CellObservation(seq=0, t_capture_ns=0, q=q, dq=np.zeros(len(q)))
    check_target(target, observation, limits, GuardState(), now_ns=0)


def check_target(
    target: Target, observation: CellObservation, limits: GuardLimits, state: GuardState, *, now_ns: int
) -> tuple[Verdict, GuardState]:
    """Return what may be sent of a target, and what the guard remembers."""
    refusal = (
        _observation_refusal(observation, limits, state, now_ns)
        or _target_refusal(target, limits, state)
        or _age_refusal(target, observation, limits, now_ns)
    )
    if refusal is not None:
        return refusal, _after_refusal(state, refusal, target, observation)
    wish, clamps = _asked_speed(target, observation, limits, state, now_ns)
    start = _reference(observation, limits, state)
    behind = np.abs(start - observation.q)
    if limits.kind == "joint_position" and (behind > limits.max_lag).any():
        worst = int(np.argmax(behind))
        refusal = Verdict(action="stop", reason=f"joint {worst} is {behind[worst]:.2f} behind its target")
        return refusal, _after_refusal(state, refusal, target, observation)
    step_s = _step_s(limits, state, now_ns)
    dq, more = _within_limits(wish, start, _last_speed(limits, state, now_ns), step_s, limits)
    gripper = None if target.gripper is None or not limits.has_gripper else float(np.clip(target.gripper, 0.0, 1.0))
    if gripper is not None and gripper != target.gripper:
        more = (*more, "gripper")
    q = start + dq * step_s
    passed = Verdict(
        action="send",
        q=q if limits.kind == "joint_position" else None,
        dq=dq if limits.kind == "joint_velocity" else None,
        gripper=gripper,
        clamps=(*clamps, *more),
    )
    remembered = GuardState(seq=target.seq, observation_seq=observation.seq, t_ns=now_ns, q=q, dq=dq)
    return passed, remembered


def _observation_refusal(
    observation: CellObservation, limits: GuardLimits, state: GuardState, now_ns: int
) -> Verdict | None:
    if observation.faults:
        return Verdict(action="stop", reason=observation.faults[0])
    count = len(limits.low)
    if not _is_finite_vector(observation.q, count) or not _is_finite_vector(observation.dq, count):
        return Verdict(action="stop", reason="an observation with a wrong size or a number that is not finite")
    if observation.seq < state.observation_seq:
        return Verdict(action="stop", reason="an observation older than the one before")
    if observation.t_capture_ns > now_ns + MAX_CLOCK_ERROR_NS:
        return Verdict(action="stop", reason="an observation from the future")
    if observation.load is not None and _is_finite_vector(observation.load, count):
        worst = int(np.argmax(np.abs(observation.load)))
        if abs(float(observation.load[worst])) > limits.max_load:
            return Verdict(
                action="stop", reason=f"joint {worst} exerts {abs(observation.load[worst]):.0%} of its torque"
            )
    return None


def _target_refusal(target: Target, limits: GuardLimits, state: GuardState) -> Verdict | None:
    count = len(limits.low)
    if (target.q is None) == (target.dq is None):
        return Verdict(action="stop", reason="a target without exactly one of positions and speeds")
    if not _is_finite_vector(target.q if target.dq is None else target.dq, count):
        return Verdict(action="stop", reason="a target with a wrong size or a number that is not finite")
    if target.gripper is not None and not _is_finite_number(target.gripper):
        return Verdict(action="stop", reason="an opening of the hand that is no finite number")
    if not isinstance(target.seq, int) or target.seq <= state.seq:
        return Verdict(action="stop", reason="a target out of order")
    if not _is_finite_number(target.valid_for_s) or target.valid_for_s <= 0.0 or not isinstance(target.t_ns, int):
        return Verdict(action="stop", reason="a target without a time or a duration")
    return None


def _age_refusal(target: Target, observation: CellObservation, limits: GuardLimits, now_ns: int) -> Verdict | None:
    if target.t_ns > now_ns + MAX_CLOCK_ERROR_NS:
        return Verdict(action="stop", reason="a target from the future")
    target_age_s, seen_age_s = 1e-9 * (now_ns - target.t_ns), 1e-9 * (now_ns - observation.t_capture_ns)
    if max(target_age_s, seen_age_s) > limits.stop_age_s:
        kind = "target" if target_age_s > seen_age_s else "observation"
        return Verdict(action="stop", reason=f"{kind} {max(target_age_s, seen_age_s):.2f} s old")
    if target_age_s > min(target.valid_for_s, limits.hold_age_s):
        return Verdict(action="hold", reason="late target")
    if seen_age_s > limits.hold_age_s:
        return Verdict(action="hold", reason="old observation")
    return None


def _after_refusal(state: GuardState, refusal: Verdict, target: Target, observation: CellObservation) -> GuardState:
    """Return the state after a hold, in which the robot brakes where it is; that after a stop is a new one."""
    if refusal.action == "stop":
        return GuardState()
    return replace(state, seq=target.seq, observation_seq=observation.seq, q=None, dq=None)


def _step_s(limits: GuardLimits, state: GuardState, now_ns: int) -> float:
    """Return for how long this command counts [s]: targets that come sooner than they should move by less."""
    if state.q is None:
        return limits.period_s
    return min(limits.period_s, max(0.0, 1e-9 * (now_ns - state.t_ns)))


def _last_speed(limits: GuardLimits, state: GuardState, now_ns: int) -> Array:
    """Return the speed that the robot has by what was commanded last [joints]; positions are reached after a while."""
    at_rest = limits.kind == "joint_position" and 1e-9 * (now_ns - state.t_ns) > 2.0 * limits.period_s
    return np.zeros(len(limits.low)) if state.dq is None or at_rest else state.dq


def _reference(observation: CellObservation, limits: GuardLimits, state: GuardState) -> Array:
    """Return where motion starts from [joints]: the last commanded positions, or the measured ones."""
    return observation.q if state.q is None or limits.kind == "joint_velocity" else state.q


def _asked_speed(
    target: Target, observation: CellObservation, limits: GuardLimits, state: GuardState, now_ns: int
) -> tuple[Array, tuple[str, ...]]:
    """Return the speeds that a target asks for [joints], and whether its positions lie outside the joints' ranges."""
    if target.dq is not None:
        return np.asarray(target.dq, dtype=np.float64), ()
    positions = np.asarray(target.q, dtype=np.float64)
    inside = np.clip(positions, limits.low, limits.high)
    step_s = max(_step_s(limits, state, now_ns), 1e-6)
    speed = (inside - _reference(observation, limits, state)) / step_s
    return speed, ("joint range",) if (inside != positions).any() else ()


def _within_limits(
    wish: Array, start: Array, last: Array, step_s: float, limits: GuardLimits
) -> tuple[Array, tuple[str, ...]]:
    """Return speeds [joints] that keep every limit, and the limits that changed what was wish."""
    clamps = []
    dq = np.clip(wish, -limits.max_speed, limits.max_speed)
    if not np.array_equal(dq, wish):
        clamps.append("speed")
    fastest, slowest = (
        _braking_speed(limits.high - start, step_s, limits),
        -_braking_speed(start - limits.low, step_s, limits),
    )
    ranged = np.clip(dq, slowest, fastest)
    if not np.array_equal(ranged, dq):
        clamps.append("joint range")
    change = limits.max_accel * step_s
    eased = np.clip(ranged, last - change, last + change)
    if not np.array_equal(eased, ranged):
        clamps.append("acceleration")
    if limits.workspace is None:
        return eased, tuple(clamps)
    braking = last - np.clip(last, -change, change)
    for share in CHECKED_SHARES:
        tried = braking + share * (eased - braking)
        path = _braking_path(start + tried * step_s, tried, limits)
        depths = _outside(np.concatenate([start[None], path]), limits.workspace)
        if depths[1:].max() <= max(depths[0], 0.0):
            return tried, tuple(clamps) if share == 1.0 else (*clamps, "workspace")
    return braking, (*clamps, "workspace")


def _braking_speed(room: Array, step_s: float, limits: GuardLimits) -> Array:
    """Return the largest speed [joints] from which a joint stops within the room that it has [joints].

    Solves v²/2a + v (1.5 T + h) = d for v: a command of h, then braking in whole periods T, each longer than it is.
    """
    late = 1.5 * limits.period_s + step_s
    d, a = np.maximum(room, 0.0), limits.max_accel
    return np.asarray(a * (np.sqrt(late * late + 2.0 * d / a) - late))


def _braking_path(q: Array, dq: Array, limits: GuardLimits) -> Array:
    """Return the positions [k, joints] through which joints come to rest from a command on."""
    change = limits.max_accel * limits.period_s
    steps = min(MAX_BRAKING_STEPS, math.ceil((np.abs(dq) / change).max()) + 1)
    speeds = np.sign(dq) * np.maximum(np.abs(dq) - change * np.arange(steps)[:, None], 0.0)
    return np.concatenate([q[None], q + np.cumsum(speeds, axis=0) * limits.period_s])


def _outside(q: Array, workspace: Workspace) -> Array:
    """Return how far the tip is outside the workspace at positions [k, joints], [k] [m]; below 0 inside."""
    padded = np.zeros((len(q), workspace.chain.count))
    padded[:, : q.shape[1]] = q
    tip = tip_kinematics(workspace.chain, padded).base_from_tip[:, :3, 3]
    return np.asarray(np.maximum(workspace.low_m - tip, tip - workspace.high_m).max(axis=1))


def _is_finite_vector(values: object, count: int) -> bool:
    return (
        isinstance(values, np.ndarray)
        and values.shape == (count,)
        and values.dtype.kind in "fiu"
        and bool(np.isfinite(values).all())
    )


def _is_finite_number(value: object) -> bool:
    return isinstance(value, (int, float, np.floating)) and bool(np.isfinite(value))
