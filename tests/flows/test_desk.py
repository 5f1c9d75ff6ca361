"""Stages are carried out once, again when their inputs or options change, and never half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import pytest

from cousins.errors import StageError
from cousins.geometry import Array
from cousins.store import Store
from flows.execution.executor import Desk, Options, Reference, Stage
from flows.execution.worker_process import Partner, half_the_threads
from flows.reporting.summary import busy_seconds, stage_seconds

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Points:
    points: Array


def make_points(desk: Desk, _: Path, *, count: int) -> Points:
    return Points(points=desk.rng(0).normal(size=(count, 3)))


def double(desk: Desk, _: Path, *, source: Reference) -> Points:
    return Points(points=2.0 * desk.read(MAKE, source).points)


def fail(desk: Desk, folder: Path) -> None:
    (folder / "half").write_text("half")
    raise StageError("it broke", stage="fail")


MAKE = Stage(name="make", top="capture", work=make_points, kind=Points, options=("seed",))
DOUBLE = Stage(name="double", top="capture", work=double, kind=Points)
FAIL = Stage(name="fail", top="capture", work=fail)

ONE_SCAN = """
import sys, time
from pathlib import Path
sys.path.insert(0, "tests/flows")
import test_desk
from cousins.store import Store
from flows.execution.executor import Desk, Options
desk = Desk(store=Store(Path(sys.argv[1])), options=Options(seed=3))
first = desk.carry_out(test_desk.MAKE, count=4)
print("made", flush=True)
time.sleep(60)
"""


def desk_of(folder: Path, **options: int) -> Desk:
    return Desk(store=Store(folder), options=Options(**options))


def test_a_finished_stage_is_not_done_again(tmp_path: Path) -> None:
    first = desk_of(tmp_path).carry_out(MAKE, count=4)
    desk = desk_of(tmp_path)
    second = desk.carry_out(MAKE, count=4)
    assert (first.reused, second.reused) == (False, True)
    assert first.digest == second.digest
    assert desk.read(MAKE, second).points.shape == (4, 3)


def test_inputs_and_options_that_count_change_the_key(tmp_path: Path) -> None:
    first = desk_of(tmp_path).carry_out(MAKE, count=4)
    assert not desk_of(tmp_path).carry_out(MAKE, count=5).reused
    assert not desk_of(tmp_path, seed=1).carry_out(MAKE, count=4).reused
    assert desk_of(tmp_path).carry_out(MAKE, count=4).digest == first.digest


def test_options_that_do_not_count_leave_the_key(tmp_path: Path) -> None:
    made = desk_of(tmp_path).carry_out(MAKE, count=4)
    desk_of(tmp_path).carry_out(DOUBLE, source=made)
    assert desk_of(tmp_path, seed=9).carry_out(DOUBLE, source=made).reused


def test_a_value_read_back_is_the_value_that_was_made(tmp_path: Path) -> None:
    desk = desk_of(tmp_path)
    made = desk.carry_out(MAKE, count=4)
    doubled = desk.carry_out(DOUBLE, source=made)
    np.testing.assert_array_equal(desk_of(tmp_path).read(DOUBLE, doubled).points, desk.read(DOUBLE, doubled).points)


def test_a_failed_stage_leaves_no_result_and_its_error_passes_through(tmp_path: Path) -> None:
    desk = desk_of(tmp_path)
    with pytest.raises(StageError, match="fail: it broke"):
        desk.carry_out(FAIL)
    assert list((tmp_path / "values").iterdir()) == []
    assert list((tmp_path / "work").iterdir()) == []


def test_a_scan_killed_between_stages_goes_on_where_it_was(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ONE_SCAN, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout is not None
    assert child.stdout.readline() == b"made\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    desk = desk_of(tmp_path, seed=3)
    made = desk.carry_out(MAKE, count=4)
    assert made.reused
    assert not desk.carry_out(DOUBLE, source=made).reused


def test_stages_are_told_at_their_start_and_end(tmp_path: Path) -> None:
    heard: list[tuple[str, bool]] = []
    desk = desk_of(tmp_path)
    desk.tell = lambda stage, reference: heard.append((stage.name, reference is not None))
    desk.carry_out(MAKE, count=2)
    assert heard == [("make", False), ("make", True)]


def test_a_second_process_that_was_never_needed_is_never_started(tmp_path: Path) -> None:
    desk = desk_of(tmp_path)
    with closing(Partner(desk)) as partner:
        shared = partner.share([(MAKE, {"count": 1}), (MAKE, {"count": 2})])
    assert [desk.read(MAKE, one).points.shape[0] for one in shared] == [1, 2]


def test_two_processes_share_the_threads_and_give_them_back() -> None:
    before = numba.get_num_threads()
    with half_the_threads():
        assert numba.get_num_threads() == max(1, before // 2)
    assert numba.get_num_threads() == before


def test_times_of_one_stage_add_up_and_overlaps_count_once() -> None:
    def reference(stage: str, began: float, ended: float) -> Reference:
        return Reference(stage=stage, digest="", began=began, ended=ended, reused=False)

    parts = [reference("a", 0.0, 2.0), reference("a", 1.0, 4.0), reference("b", 6.0, 7.0)]
    assert stage_seconds(parts) == {"a": 5.0, "b": 1.0}
    assert busy_seconds(parts) == pytest.approx(5.0)
