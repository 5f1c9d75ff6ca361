"""The law book of cells: every file in `sim.cells.backends` keeps it, whatever answers behind it."""

from __future__ import annotations

import dataclasses
import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from cousins.errors import CellError
from cousins.plugins import backend_names, load_backend
from sim.cells.cell import Cell, CellObservation, CellSpec, Target
from sim.cells.guard import guard_limits
from sim.cells.guarded import GuardedCell
from sim.cells.latch import Latch
from sim.cells.supervision import BACKENDS
from sim.envs.make_env import make_env
from tests.sim.cells.feetech_for_tests import running_peer
from tests.sim.cells.host_for_tests import running_host
from tests.sim.tasks import scenes_for_tests as scenes


@contextmanager
def simulated(folder: Path) -> Iterator[Cell]:
    del folder
    module = load_backend(BACKENDS, "simulated", kind="cell")
    env = make_env(pack=scenes.table_source(), task="push", split=[0], autoreset="disabled")
    yield module.SimulatedCell(module.Config(), env)


@contextmanager
def feetech(folder: Path) -> Iterator[Cell]:
    module = load_backend(BACKENDS, "feetech", kind="cell")
    with running_peer(folder) as peer:
        yield module.build(module.Config(port=peer.port, calibration=peer.calibration))


@contextmanager
def remote(folder: Path) -> Iterator[Cell]:
    module = load_backend(BACKENDS, "remote", kind="cell")
    with running_host(folder) as host:
        yield module.build(module.Config(url=host.url))


CELL_MAKERS: Final[dict[str, Callable[[Path], Any]]] = {"simulated": simulated, "feetech": feetech, "remote": remote}
"""How each cell is made; a new cell needs a line here, and a peer."""
NAMES: Final = backend_names(BACKENDS)


@pytest.fixture(params=NAMES)
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cell]:
    assert request.param in CELL_MAKERS, f"{request.param} has no line in `CELL_MAKERS`"
    with CELL_MAKERS[request.param](tmp_path) as new_cell:
        yield new_cell
        new_cell.close()


def step(cell: Cell, seq: int, move: float) -> Target:
    """Return a target that moves the first joint by so much, and no other."""
    observation = cell.observe()
    change = np.zeros(len(observation.q))
    change[0] = move
    fields: dict[str, Any] = {"seq": seq, "t_ns": time.monotonic_ns(), "valid_for_s": 0.2}
    if cell.spec.actions[0] == "joint_position":
        return Target(q=observation.q + change, **fields)
    return Target(dq=change * cell.spec.control_hz, **fields)


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_is_one_file_with_a_frozen_config_build_and_stop_line(name: str) -> None:
    module = load_backend(BACKENDS, name, kind="cell")
    assert module.__doc__
    assert module.Config.__dataclass_params__.frozen
    assert all(field.default is not dataclasses.MISSING for field in dataclasses.fields(module.Config))
    assert isinstance(module.Config().name, str)
    for function in (module.build, module.stop_line):
        assert list(inspect.signature(function).parameters) == ["config"]


def test_before_connect_nothing_is_known_and_nothing_is_sent(cell: Cell) -> None:
    for use in (lambda: cell.spec, cell.observe, cell.hold):
        with pytest.raises(CellError, match="not connected"):
            use()


def test_a_spec_has_limits_a_domain_and_a_digest(cell: Cell) -> None:
    cell.connect()
    spec = cell.spec
    assert isinstance(spec, CellSpec)
    guard_limits(spec, workspace=None, speed_share=1.0)
    assert spec.domain in ("sim", "peer")
    assert spec.actions
    assert spec.driver
    assert spec.version
    assert spec.stop_kind
    assert spec.digest != dataclasses.replace(spec, control_hz=7.0).digest


def test_observations_are_numbered_stamped_and_whole(cell: Cell) -> None:
    cell.connect()
    count = len(cell.spec.joints)
    observations: list[CellObservation] = []
    for _ in range(5):
        before = time.monotonic_ns()
        observations.append(cell.observe())
        assert observations[-1].t_capture_ns > before - 500_000_000
        assert observations[-1].t_capture_ns <= time.monotonic_ns()
    assert [item.seq for item in observations] == sorted(item.seq for item in observations)
    for item in observations:
        assert (item.q.shape, item.dq.shape) == ((count,), (count,))
        assert np.isfinite(item.q).all()
        assert (item.gripper is not None) == cell.spec.has_gripper
        assert set(item.columns) == set(cell.spec.supplies)
        assert item.faults == ()


def test_a_target_moves_the_joint_that_it_names_and_what_was_sent_is_returned(cell: Cell) -> None:
    cell.connect()
    start = cell.observe().q
    for seq in range(25):
        target = step(cell, seq, 0.01)
        sent = cell.send(target)
        assert sent.seq == target.seq
        assert (sent.q is None) == (target.q is None)
        time.sleep(0.02)
    moved = cell.observe().q - start
    assert moved[0] > 0.03
    assert np.abs(moved[1:]).max() < 0.02


def test_the_kind_of_target_that_a_cell_does_not_take_is_refused(cell: Cell) -> None:
    cell.connect()
    target = step(cell, 0, 0.0)
    swapped = dataclasses.replace(target, q=target.dq, dq=target.q)
    with pytest.raises(CellError, match="wrong target"):
        cell.send(swapped)


def test_a_stopped_cell_is_at_rest_and_stays_there(cell: Cell) -> None:
    cell.connect()
    for seq in range(5):
        cell.send(step(cell, seq, 0.02))
    cell.stop("test")
    time.sleep(0.3)
    first = cell.observe().q
    time.sleep(0.2)
    np.testing.assert_allclose(cell.observe().q, first, atol=0.003)


def test_behind_its_guard_a_stop_latches_until_a_person_lifts_it(cell: Cell, tmp_path: Path) -> None:
    latch = Latch("law", tmp_path / "latches")
    cell.connect()
    limits = guard_limits(cell.spec, workspace=None, speed_share=0.25)
    guarded = GuardedCell(cell, limits, latch)
    guarded.observe()
    guarded.send(step(guarded, 0, 0.001))
    wrong = step(guarded, 1, float("nan"))
    with pytest.raises(CellError, match="guard: a target with a wrong size or a number that is not finite"):
        guarded.send(wrong)
    guarded.observe()
    with pytest.raises(CellError, match="stopped"):
        guarded.send(step(guarded, 2, 0.0))
    with pytest.raises(CellError, match=r"law was stopped: a target .* \(by the guard\).*cousins cell release"):
        GuardedCell(cell, limits, Latch("law", tmp_path / "latches")).connect()
    assert "not finite" in latch.release()
    latch.require_released()


def test_a_cell_can_be_closed_twice(cell: Cell) -> None:
    cell.connect()
    cell.close()
    cell.close()
