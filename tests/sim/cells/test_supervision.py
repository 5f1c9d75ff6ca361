"""Whatever process is killed, stopped or silent, the robot is stopped by another one, and the stop latches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from cousins.errors import CellError
from sim.cells.backends.feetech import Config
from sim.cells.cell import Target
from sim.cells.latch import Latch
from sim.cells.supervision import CellPlan, SupervisedCell
from tests.sim.cells.feetech_for_tests import Peer, running_peer

MOVER = Path(__file__).with_name("moving_for_tests.py")


def plan_for(peer: Peer, folder: Path) -> CellPlan:
    config = Config(name="arm", port=peer.port, calibration=peer.calibration, reply_timeout_s=0.1)
    return CellPlan(backend="feetech", config=config, folder=folder, silence_s=0.3)


def first_stop_ns(peer: Peer, since_ns: int) -> int | None:
    """Return when the first write after a time made the measured positions the goals; None where none did."""
    return next(
        (line["t_ns"] for line in peer.writes() if line["t_ns"] > since_ns and line["goals"] == line["ticks"]), None
    )


def wait_for(condition: Callable[[], object], *, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("victim", ["runner", "driver"])
def test_the_robot_is_stopped_when_a_process_is_killed_or_frozen(
    tmp_path: Path, victim: str, blow: signal.Signals
) -> None:
    with running_peer(tmp_path) as peer:
        words = [sys.executable, str(MOVER), peer.port, str(peer.calibration), str(tmp_path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as runner:
            try:
                assert runner.stdout is not None
                driver = int(runner.stdout.readline())
                time.sleep(0.5)
                now_ns = time.monotonic_ns()
                os.kill(runner.pid if victim == "runner" else driver, blow)
                wait_for(lambda: Latch("arm", tmp_path).reason)
                stopped_ns = first_stop_ns(peer, now_ns)
                assert stopped_ns is not None
                assert stopped_ns - now_ns < 1_000_000_000
                moved = [line["t_ns"] for line in peer.writes() if line["goals"] != line["ticks"]]
                assert max(moved) <= stopped_ns
                last = peer.writes()[-1]
                time.sleep(0.2)
                assert peer.writes()[-1] == last
                assert not psutil.pid_exists(driver) or psutil.Process(driver).status() == psutil.STATUS_ZOMBIE
            finally:
                runner.kill()


def test_without_its_watchdog_the_driver_stops_the_robot(tmp_path: Path) -> None:
    with running_peer(tmp_path) as peer, SupervisedCell(plan_for(peer, tmp_path)) as cell:
        cell.arm()
        os.kill(cell.process_ids["watchdog"], signal.SIGKILL)
        wait_for(lambda: cell.latch.reason)
        assert "the watchdog is gone (by the guard)" in cell.latch.reason
        with pytest.raises(CellError, match="driver is gone: the watchdog is gone"):
            cell.observe()


def test_a_loop_that_hangs_is_a_silence(tmp_path: Path) -> None:
    with running_peer(tmp_path) as peer, SupervisedCell(plan_for(peer, tmp_path)) as cell:
        cell.arm()
        wait_for(lambda: cell.latch.reason)
        assert "the program that runs the policy was silent" in cell.latch.reason


def test_a_run_that_ends_as_it_should_leaves_no_latch(tmp_path: Path) -> None:
    with running_peer(tmp_path) as peer:
        with SupervisedCell(plan_for(peer, tmp_path)) as cell:
            cell.arm()
            for seq in range(5):
                cell.tick()
                observation = cell.observe()
                cell.send(Target(seq=seq, t_ns=time.monotonic_ns(), q=observation.q, valid_for_s=0.1))
            processes = cell.process_ids
        assert cell.latch.reason == ""
        for process in processes.values():
            with pytest.raises(ProcessLookupError):
                os.kill(process, 0)


def test_what_a_guard_stops_is_named_and_latched_and_refused_at_the_next_start(tmp_path: Path) -> None:
    with running_peer(tmp_path) as peer:
        with SupervisedCell(plan_for(peer, tmp_path)) as cell:
            cell.observe()
            with pytest.raises(CellError, match=r"guard: .*not finite"):
                cell.send(Target(seq=0, t_ns=time.monotonic_ns(), q=np.full(5, np.nan), valid_for_s=0.1))
        with pytest.raises(CellError, match=r"arm was stopped: .*not finite.*cousins cell release FILE --confirm arm"):
            SupervisedCell(plan_for(peer, tmp_path)).connect()


def test_a_stop_from_elsewhere_reaches_a_run_within_its_next_target(tmp_path: Path) -> None:
    with running_peer(tmp_path) as peer, SupervisedCell(plan_for(peer, tmp_path)) as cell:
        observation = cell.observe()
        Latch("arm", tmp_path).set("red button", by="operator")
        with pytest.raises(CellError, match="stopped: red button"):
            cell.send(Target(seq=0, t_ns=time.monotonic_ns(), q=observation.q, valid_for_s=0.1))


def test_an_unplugged_arm_is_named_and_latched(tmp_path: Path) -> None:
    with running_peer(tmp_path) as peer, SupervisedCell(plan_for(peer, tmp_path)) as cell:
        cell.observe()
        peer.fault("unplug")
        with pytest.raises(CellError, match="unplugged"):
            cell.observe()
        assert "unplugged" in cell.latch.reason
