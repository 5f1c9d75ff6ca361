"""The guard: no sequence of targets leads past a limit, and what it refuses it names."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from cousins.errors import InputError
from sim.bodies import build
from sim.bodies.kinematics import tip_chain, tip_kinematics
from sim.cells.body_specs import spec_of_body
from sim.cells.cell import CellObservation, CellSpec, Target
from sim.cells.guard import GuardLimits, GuardState, Workspace, check_target, guard_limits
from tests.sim.cells.hostile_for_tests import hostile_observation, hostile_target

PERIOD_NS = 50_000_000
BOX = ((0.2, -0.35, 0.05), (0.65, 0.35, 0.7))
"""Where the tip of the Panda may be [m]."""


def panda(action: str) -> tuple[CellSpec, GuardLimits]:
    body = build("panda")
    spec = spec_of_body(
        body,
        name="test",
        domain="sim",
        driver="test",
        version="1",
        stop_kind="none",
        actions=(action,),
        accel_time_s=0.4,
    )
    workspace = Workspace(low_m=BOX[0], high_m=BOX[1], chain=tip_chain(body))
    return spec, guard_limits(spec, workspace=workspace, speed_share=0.5)


def home() -> np.ndarray:
    return np.array([drive.home for drive in build("panda").drives])[:7]


def still(q: np.ndarray, *, seq: int = 0, t_ns: int = 0) -> CellObservation:
    return CellObservation(seq=seq, t_capture_ns=t_ns, q=q, dq=np.zeros(len(q)))


@pytest.mark.parametrize("action", ["joint_position", "joint_velocity"])
def test_ten_thousand_hostile_targets_lead_past_no_limit(action: str) -> None:
    spec, limits = panda(action)
    rng = np.random.default_rng(5)
    chain = tip_chain(build("panda"))
    state, q, dq, now_ns, fresh = GuardState(), home(), np.zeros(7), 10**12, True
    outcomes = {"send": 0, "hold": 0, "stop": 0}
    for number in range(10_000):
        step_ns = int(PERIOD_NS * rng.choice([1.0, 1.0, 1.0, 0.2, 0.01]))
        now_ns += step_ns
        observation = hostile_observation(rng, number, now_ns, q, dq)
        target = hostile_target(rng, spec, number, now_ns)
        verdict, state = check_target(target, observation, limits, state, now_ns=now_ns)
        outcomes[verdict.action] += 1
        if verdict.action != "send":
            assert verdict.reason
            assert (verdict.q, verdict.dq, verdict.gripper) == (None, None, None)
            dq, fresh = np.zeros(7), True
            continue
        step_s = 1e-9 * (PERIOD_NS if fresh else min(step_ns, PERIOD_NS))
        fresh = False
        assert state.q is not None
        assert state.dq is not None
        speed = state.dq
        assert (np.abs(speed) <= limits.max_speed + 1e-9).all()
        assert (np.abs(speed - dq) <= limits.max_accel * step_s + 1e-9).all()
        q, dq = state.q, speed
        assert (q >= limits.low - 1e-9).all()
        assert (q <= limits.high + 1e-9).all()
        tip_m = tip_kinematics(chain, np.append(q, [0.0, 0.0])[None]).base_from_tip[0, :3, 3]
        assert (tip_m >= np.array(BOX[0]) - 1e-6).all(), (number, tip_m)
        assert (tip_m <= np.array(BOX[1]) + 1e-6).all(), (number, tip_m)
        assert verdict.gripper is None or 0.0 <= verdict.gripper <= 1.0
    assert min(outcomes.values()) > 20, outcomes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"q": np.full(7, np.nan)}, "not finite"),
        ({"q": np.zeros(6)}, "wrong size"),
        ({"q": None}, "exactly one of positions and speeds"),
        ({"seq": -1}, "out of order"),
        ({"t_ns": 10**13}, "from the future"),
        ({"t_ns": 10**12 - 10**9}, "target 1.00 s old"),
        ({"gripper": float("inf")}, "opening of the hand"),
        ({"valid_for_s": 0.0}, "without a time or a duration"),
    ],
)
def test_a_wrong_target_stops_the_cell_and_is_named(changes: dict[str, object], words: str) -> None:
    _, limits = panda("joint_position")
    good = {"seq": 0, "t_ns": 10**12, "q": home(), "gripper": 1.0, "valid_for_s": 0.1}
    target = Target(**(good | changes))  # type: ignore[arg-type]
    observation = still(home(), t_ns=10**12)
    verdict, state = check_target(target, observation, limits, GuardState(), now_ns=10**12)
    assert (verdict.action, state.q) == ("stop", None)
    assert words in verdict.reason


def test_a_late_target_is_never_sent() -> None:
    _, limits = panda("joint_position")
    target = Target(seq=0, t_ns=10**12, q=home() + 0.1, valid_for_s=0.05)
    now_ns = 10**12 + 60_000_000
    verdict, _ = check_target(target, still(home(), t_ns=now_ns), limits, GuardState(), now_ns=now_ns)
    assert (verdict.action, verdict.reason, verdict.q) == ("hold", "late target", None)


def test_a_joint_that_does_not_follow_stops_the_cell() -> None:
    _, limits = panda("joint_position")
    state = GuardState(seq=0, t_ns=10**12, q=home() + 0.5, dq=np.zeros(7))
    target = Target(seq=1, t_ns=10**12, q=home(), valid_for_s=0.1)
    verdict, _ = check_target(target, still(home(), t_ns=10**12), limits, state, now_ns=10**12)
    assert verdict.action == "stop"
    assert "0.50 behind its target" in verdict.reason


def test_targets_faster_than_the_clock_do_not_move_the_robot_faster() -> None:
    _, limits = panda("joint_position")
    state, now_ns = GuardState(), 10**12
    for number in range(200):
        now_ns += 1_000_000
        target = Target(seq=number, t_ns=now_ns, q=home() + 1.0, valid_for_s=0.1)
        _, state = check_target(
            target, still(home() if state.q is None else state.q, seq=number, t_ns=now_ns), limits, state, now_ns=now_ns
        )
    assert state.q is not None
    assert (np.abs(state.q - home()) <= limits.max_speed * (0.2 + 0.05) + 1e-9).all()


def test_a_cell_without_limits_does_not_move() -> None:
    spec, _ = panda("joint_position")
    for changes in ({"max_accel": float("inf")}, {"max_speed": 0.0}, {"low": float("nan")}, {"high": -9.0}):
        joints = (replace(spec.joints[0], **changes), *spec.joints[1:])  # type: ignore[arg-type]
        with pytest.raises(InputError, match="missing, not finite or not positive"):
            guard_limits(replace(spec, joints=joints), workspace=None, speed_share=1.0)
    with pytest.raises(InputError, match="speed share in"):
        guard_limits(spec, workspace=None, speed_share=float("nan"))


def test_checking_a_target_costs_little_more_than_its_kinematics() -> None:
    """The bound is a ratio, since a busy machine slows both; `benchmarks/robots/cells.py` measures milliseconds."""
    _, limits = panda("joint_position")
    assert limits.workspace is not None
    padded = np.append(home(), [0.0, 0.0])[None]
    state, now_ns, checks, references = GuardState(), 10**12, [], []
    for number in range(300):
        now_ns += PERIOD_NS
        target = Target(seq=number, t_ns=now_ns, q=home() + 0.1 * np.sin(0.1 * number), valid_for_s=0.1)
        observation = still(home() if state.q is None else state.q, seq=number, t_ns=now_ns)
        begun = time.thread_time_ns()
        _, state = check_target(target, observation, limits, state, now_ns=now_ns)
        checked = time.thread_time_ns()
        tip_kinematics(limits.workspace.chain, padded)
        checks.append(checked - begun)
        references.append(time.thread_time_ns() - checked)
    assert np.median(checks) < 80.0 * np.median(references)
