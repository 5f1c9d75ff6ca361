"""Measure what stands between a policy and a robot: guard, watchdog, named faults, a host at its rate.

No robot is here: all of it is against peers in other processes, and simulations.

- 10,000 hostile targets (not finite, jumps, stale or future stamps, wrong sizes, wrong order) on a seven-joint arm with
  a workspace: commands past a limit of speed, acceleration, joint range or workspace are counted;
- the program that runs the policy, and the driver, are each killed and frozen while a Feetech peer moves: time until
  the peer receives a stop, and whether it latches;
- faults of the Feetech peer that are named by the driver;
- the remote host with a robot object of LeRobot's shape at 30 Hz: late ticks, time of a tick.

    python benchmarks/robots/cells.py [--quick] [--json]
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from cousins.errors import CellError, InputError
from program import program_parser, run_program
from rows import Row, at_most, count_of, entry, equals, is_complete, optional
from sim.bodies import build
from sim.bodies.kinematics import tip_chain, tip_kinematics
from sim.cells.backends.feetech import Config, FeetechCell
from sim.cells.backends.remote import Config as RemoteConfig
from sim.cells.body_specs import spec_of_body
from sim.cells.cell import Target
from sim.cells.guard import GuardState, Workspace, check_target, guard_limits
from sim.cells.latch import Latch
from sim.cells.supervision import CellPlan, SupervisedCell
from tests.sim.cells.feetech_for_tests import Peer, running_peer
from tests.sim.cells.host_for_tests import running_host
from tests.sim.cells.hostile_for_tests import hostile_observation, hostile_target

ROWS = (
    Row(quantity="what answers", value=entry("domain")),
    Row(quantity="hostile targets", value=entry("hostile_targets")),
    Row(
        quantity="commands past a limit",
        bar="0",
        value=entry("hostile_past_limit"),
        met=equals(0),
    ),
    Row(quantity="guard, median of CPU time [ms]", bar="≤ 0.2", value=entry("guard_ms"), met=at_most(0.2)),
    Row(
        quantity="stop received after a kill or freeze, p99 [ms]",
        bar="≤ 100",
        value=entry("stop_p99_ms"),
        met=at_most(100.0),
        digits=1,
    ),
    Row(quantity="the same, median [ms]", value=entry("stop_p50_ms"), digits=1),
    Row(
        quantity="stops that reached the peer and latched",
        bar="all",
        value=count_of("stops", "blows"),
        met=is_complete,
    ),
    Row(quantity="stops without cause before the blow", bar="0", value=entry("false_stops"), met=equals(0)),
    Row(
        quantity="faults of the Feetech peer that are named",
        bar="all",
        value=count_of("faults_named", "faults"),
        met=is_complete,
    ),
    Row(quantity="ticks of the remote host at 30 Hz", value=entry("host_ticks")),
    Row(quantity="late ticks (more than two periods)", value=entry("late_ticks")),
    Row(
        quantity="share of late ticks",
        bar="≤ 0.001",
        value=entry("late_share"),
        met=at_most(0.001),
        digits=4,
    ),
    Row(quantity="observe and send over the host, p99 [ms]", value=entry("host_tick_p99_ms"), digits=1),
    Row(quantity="load of the machine before", value=entry("load"), digits=1),
    Row(quantity="quick run", value=optional("quick")),
)
PERIOD_NS = 50_000_000
BOX = ((0.2, -0.35, 0.05), (0.65, 0.35, 0.7))
"""Where the tip of the Panda may be [m]."""
FAULTS = {
    "drop": "no reply",
    "truncate": "truncated reply",
    "bad_checksum": "bad checksum",
    "wrong_id": "wrong id",
    "overload": "overload",
    "overheating": "overheating",
    "overheating_silent": "overheating",
    "overcurrent": "overcurrent",
    "voltage": "voltage",
    "brown_out": "brown-out",
    "angle": "angle",
    "unplug": "unplugged",
    "swapped_ids": "swapped ids",
    "stale_calibration": "stale calibration",
    "wrong_model": "wrong model",
}
"""Faults of the peer and the words that must name each."""
MOVER = Path(__file__).parents[2] / "tests/sim/cells/moving_for_tests.py"


def main() -> None:
    parser = program_parser(__doc__, quick="fewer targets, blows and seconds")
    run_program(parser, measure)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    load = os.getloadavg()[0]
    result: dict[str, Any] = {"domain": "peer and sim; no robot", "load": load, "quick": arguments.quick}
    result |= measure_guard(1_000 if arguments.quick else 10_000)
    result |= measure_faults()
    result |= measure_host(3.0 if arguments.quick else 10.0)
    result |= measure_stops(1 if arguments.quick else 2)
    return result


def measure_guard(count: int) -> dict[str, Any]:
    body = build("panda")
    chain = tip_chain(body)
    spec = spec_of_body(
        body,
        accel_time_s=0.4,
        name="benchmark",
        domain="sim",
        driver="none",
        version="1",
        stop_kind="none",
        actions=("joint_position",),
    )
    limits = guard_limits(spec, workspace=Workspace(low_m=BOX[0], high_m=BOX[1], chain=chain), speed_share=0.5)
    rng = np.random.default_rng(11)
    q, dq = np.array([drive.home for drive in body.drives])[:7], np.zeros(7)
    state, now_ns, past, durations = GuardState(), 10**12, 0, []
    rest = True
    for number in range(count):
        step_ns = int(PERIOD_NS * rng.choice([1.0, 1.0, 0.3, 0.01]))
        now_ns += step_ns
        observation, target = hostile_observation(rng, number, now_ns, q, dq), hostile_target(rng, spec, number, now_ns)
        begun = time.thread_time_ns()
        verdict, state = check_target(target, observation, limits, state, now_ns=now_ns)
        durations.append(time.thread_time_ns() - begun)
        if verdict.action != "send":
            dq, rest = np.zeros(7), True
            continue
        assert state.q is not None
        assert state.dq is not None
        step_s = 1e-9 * (PERIOD_NS if rest else min(step_ns, PERIOD_NS))
        tip_m = tip_kinematics(chain, np.append(state.q, [0.0, 0.0])[None]).base_from_tip[0, :3, 3]
        past += int(
            (np.abs(state.dq) > limits.max_speed + 1e-9).any()
            or (np.abs(state.dq - dq) > limits.max_accel * step_s + 1e-9).any()
            or (state.q < limits.low - 1e-9).any()
            or (state.q > limits.high + 1e-9).any()
            or (tip_m < np.array(BOX[0]) - 1e-6).any()
            or (tip_m > np.array(BOX[1]) + 1e-6).any()
        )
        q, dq, rest = state.q, state.dq, False
    return {
        "hostile_targets": count,
        "hostile_past_limit": past,
        "guard_ms": 1e-6 * float(np.median(durations)),
    }


def measure_faults() -> dict[str, Any]:
    named = {}
    for fault, words in FAULTS.items():
        with tempfile.TemporaryDirectory() as folder, running_peer(Path(folder)) as peer:
            named[fault] = words in fault_text(peer, fault)
    unnamed = [fault for fault, is_named in named.items() if not is_named]
    return {"faults": len(named), "faults_named": len(named) - len(unnamed), "unnamed": unnamed}


def fault_text(peer: Peer, fault: str) -> str:
    """Return all that a driver says of a fault, before or after it connects."""
    cell = FeetechCell(Config(name="arm", port=peer.port, calibration=peer.calibration))
    is_identity = fault in ("swapped_ids", "stale_calibration", "wrong_model")
    try:
        if not is_identity:
            cell.connect()
        peer.fault(fault)
        if is_identity:
            cell.connect()
        return " ".join(cell.observe().faults)
    except (CellError, InputError) as error:
        return str(error)
    finally:
        cell.close()


def measure_host(seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, running_host(Path(folder)) as host:
        plan = CellPlan(
            backend="remote", config=RemoteConfig(url=host.url), folder=Path(folder), silence_s=0.4, speed_share=1.0
        )
        with SupervisedCell(plan) as cell:
            period_s = 1.0 / cell.spec.control_hz
            start = cell.observe().q
            cell.arm()
            ticks: list[float] = []
            durations: list[float] = []
            begun = due = time.monotonic()
            while time.monotonic() - begun < seconds:
                ticks.append(time.monotonic())
                cell.tick()
                cell.observe()
                goal = start + 0.3 * np.sin(time.monotonic() - begun)
                cell.send(Target(seq=len(ticks), t_ns=time.monotonic_ns(), q=goal, gripper=1.0, valid_for_s=0.2))
                durations.append(time.monotonic() - ticks[-1])
                due = max(due + period_s, time.monotonic() - period_s)
                time.sleep(max(0.0, due - time.monotonic()))
    late = int((np.diff(ticks) > 2.0 * period_s).sum())
    return {
        "host_ticks": len(ticks),
        "late_ticks": late,
        "late_share": late / len(ticks),
        "host_tick_p99_ms": 1e3 * float(np.percentile(durations, 99)),
    }


def measure_stops(rounds: int) -> dict[str, Any]:
    delays: list[float] = []
    blows = false_stops = 0
    for _ in range(rounds):
        for victim in ("runner", "driver"):
            for blow in (signal.SIGKILL, signal.SIGSTOP):
                outcome = stop_delay_ms(victim, blow)
                if outcome is None:
                    false_stops += 1
                    continue
                blows += 1
                delays += outcome
    return {
        "blows": blows,
        "stops": len(delays),
        "false_stops": false_stops,
        "stop_p50_ms": float(np.percentile(delays, 50)) if delays else None,
        "stop_p99_ms": float(np.percentile(delays, 99)) if delays else None,
        "stop_delays_ms": [round(delay, 1) for delay in delays],
    }


def stop_delay_ms(victim: str, blow: signal.Signals) -> list[float] | None:
    """Return the time from a blow to the stop [ms], empty where none came; None where the cell had stopped before."""
    with tempfile.TemporaryDirectory() as folder, running_peer(Path(folder)) as peer:
        latch = Latch("arm", Path(folder))
        words = [sys.executable, str(MOVER), peer.port, str(peer.calibration), folder]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as runner:
            try:
                assert runner.stdout is not None
                driver = int(runner.stdout.readline())
                time.sleep(0.5)
                if latch.reason:
                    return None
                blow_ns = time.monotonic_ns()
                os.kill(runner.pid if victim == "runner" else driver, blow)
                deadline = time.monotonic() + 2.0
                while not latch.reason and time.monotonic() < deadline:
                    time.sleep(0.005)
                time.sleep(0.1)
                stops = [w["t_ns"] for w in peer.writes() if w["t_ns"] > blow_ns and w["goals"] == w["ticks"]]
                return [1e-6 * (stops[0] - blow_ns)] if stops and latch.reason else []
            finally:
                runner.kill()


if __name__ == "__main__":
    main()
