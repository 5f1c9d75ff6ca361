"""Stages run once, again when their inputs or options change, and leave no partial results."""

from __future__ import annotations

import json
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

from cousins.errors import InputError, StageError
from cousins.geometry import Array
from cousins.store import Store
from flows.execution.executor import KEPT_VALUES, StageExecutor
from flows.execution.progress import STAGE_NAMES, stage_progress
from flows.execution.stage import Reference, Stage, StageContext, deferred, deferred_all
from flows.execution.stage_options import StageOptions
from flows.execution.worker_process import LocalRunner, half_the_threads
from flows.pipeline.stages import SCAN_STAGES
from flows.reporting.summary import busy_seconds, stage_seconds

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Points:
    points: Array


def make_points(context: StageContext, count: int) -> Points:
    return Points(points=context.rng.normal(size=(count, 3)))


def double(_: StageContext, source: Points) -> Points:
    return Points(points=2.0 * source.points)


def total(_: StageContext, parts: tuple[Points, ...]) -> Points:
    return Points(points=np.concatenate([part.points for part in parts]))


def fail(context: StageContext) -> None:
    (context.folder / "half").write_text("half")
    raise StageError("it broke", stage="fail")


MAKE = Stage(name="make", top_package="capture", compute=make_points, kind=Points, rng_key=(0,), options=("seed",))
DOUBLE = Stage(name="double", top_package="capture", compute=double, kind=Points)
TOTAL = Stage(name="total", top_package="capture", compute=total, kind=Points)
FAIL: Stage[[], Points] = Stage(name="fail", top_package="capture", compute=fail)

ONE_SCAN = """
import sys, time
from pathlib import Path
sys.path.insert(0, "tests/flows")
import test_executor
from cousins.store import Store
from flows.execution.executor import StageExecutor
from flows.execution.stage_options import StageOptions
executor = StageExecutor(store=Store(Path(sys.argv[1])), options=StageOptions(seed=3))
executor.run(test_executor.MAKE(count=4))
print("made", flush=True)
time.sleep(60)
"""


def executor_of(folder: Path, **options: int) -> StageExecutor:
    return StageExecutor(store=Store(folder), options=StageOptions(**options))


def test_a_finished_stage_is_not_computed_again(tmp_path: Path) -> None:
    first = executor_of(tmp_path).run(MAKE(count=4))
    executor = executor_of(tmp_path)
    second = executor.run(MAKE(count=4))
    assert (first.reused, second.reused) == (False, True)
    assert first.digest == second.digest
    assert executor.load(second).points.shape == (4, 3)


def test_inputs_and_options_that_count_change_the_key(tmp_path: Path) -> None:
    first = executor_of(tmp_path).run(MAKE(count=4))
    assert not executor_of(tmp_path).run(MAKE(count=5)).reused
    assert not executor_of(tmp_path, seed=1).run(MAKE(count=4)).reused
    assert executor_of(tmp_path).run(MAKE(count=4)).digest == first.digest


def test_options_that_do_not_count_leave_the_key(tmp_path: Path) -> None:
    points = executor_of(tmp_path).run(MAKE(count=4))
    executor_of(tmp_path).run(DOUBLE(source=deferred(points)))
    assert executor_of(tmp_path, seed=9).run(DOUBLE(source=deferred(points))).reused


def test_a_value_read_back_is_the_value_that_was_computed(tmp_path: Path) -> None:
    executor = executor_of(tmp_path)
    points = executor.run(MAKE(count=4))
    doubled = executor.run(DOUBLE(source=deferred(points)))
    np.testing.assert_array_equal(executor_of(tmp_path).load(doubled).points, executor.load(doubled).points)


def test_a_tuple_of_references_is_loaded_as_a_tuple_of_values_and_each_counts_in_the_key(tmp_path: Path) -> None:
    executor = executor_of(tmp_path)
    small, large = executor.run(MAKE(count=1)), executor.run(MAKE(count=3))
    both = executor.run(TOTAL(parts=deferred_all([small, large])))
    assert executor.load(both).points.shape == (4, 3)
    assert not executor.run(TOTAL(parts=deferred_all([large, small]))).reused


def test_only_the_values_that_were_used_last_are_kept(tmp_path: Path) -> None:
    executor = executor_of(tmp_path)
    references = [executor.run(MAKE(count=count)) for count in range(1, KEPT_VALUES + 3)]
    values = [executor.load(reference) for reference in references]
    assert len(executor.memo) == KEPT_VALUES
    assert executor.load(references[-1]) is values[-1]
    assert executor.load(references[0]) is not values[0]
    executor.run(TOTAL(parts=deferred_all(references)))
    assert executor.load(references[-1]) is values[-1]


def test_whole_number_inputs_give_a_stage_a_generator_of_its_own(tmp_path: Path) -> None:
    executor = executor_of(tmp_path)
    shorter, longer = (executor.load(executor.run(MAKE(count=count))).points for count in (2, 3))
    assert not np.array_equal(shorter, longer[:2])
    np.testing.assert_array_equal(shorter, executor.rng(0, 2).normal(size=(2, 3)))


def test_a_failed_stage_leaves_no_result_and_its_error_passes_through(tmp_path: Path) -> None:
    executor = executor_of(tmp_path)
    with pytest.raises(StageError, match="fail: it broke"):
        executor.run(FAIL())
    assert list((tmp_path / "values").iterdir()) == []
    assert list((tmp_path / "work").iterdir()) == []


def test_a_scan_killed_between_stages_goes_on_where_it_was(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ONE_SCAN, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout is not None
    assert child.stdout.readline() == b"made\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    executor = executor_of(tmp_path, seed=3)
    points = executor.run(MAKE(count=4))
    assert points.reused
    assert not executor.run(DOUBLE(source=deferred(points))).reused


def test_progress_is_reported_at_the_start_and_end_of_a_stage(tmp_path: Path) -> None:
    events: list[tuple[str, bool]] = []
    executor = executor_of(tmp_path)
    executor.progress = lambda stage, reference: events.append((stage.name, reference is not None))
    executor.run(MAKE(count=2))
    assert events == [("make", False), ("make", True)]


def test_a_progress_bar_counts_the_stages_of_a_scan() -> None:
    assert tuple(stage.name for stage in SCAN_STAGES) == STAGE_NAMES


def test_progress_lines_go_to_an_open_descriptor_and_a_closed_one_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "progress.jsonl").open("w") as file, stage_progress(file.fileno()) as progress:
        executor = executor_of(tmp_path / "store")
        executor.progress = progress
        points = executor.run(MAKE(count=2))
    begun, ended = (json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines())
    assert begun == {"stage": "make", "event": "begun"}
    assert ended["seconds"] >= 0.0
    assert ended | {"seconds": 0} == {
        "stage": "make",
        "event": "ended",
        "seconds": 0,
        "digest": points.digest,
        "reused": False,
    }
    with pytest.raises(InputError, match=r"--progress-fd 987, which is not open"), stage_progress(987):
        pass


def test_a_second_process_that_was_never_needed_is_never_started(tmp_path: Path) -> None:
    executor = executor_of(tmp_path)
    with closing(LocalRunner(executor)) as runner:
        shared = runner.run_all("points", [MAKE(count=1), MAKE(count=2)])
    assert [executor.load(reference).points.shape[0] for reference in shared] == [1, 2]


def test_two_processes_share_the_threads_and_give_them_back() -> None:
    before = numba.get_num_threads()
    with half_the_threads():
        assert numba.get_num_threads() == max(1, before // 2)
    assert numba.get_num_threads() == before


def test_times_of_one_stage_add_up_and_overlaps_count_once() -> None:
    def reference(stage: Stage[..., Points], started: float, ended: float) -> Reference[Points]:
        return Reference(stage=stage, digest="", started=started, ended=ended, reused=False)

    parts = [reference(MAKE, 0.0, 2.0), reference(MAKE, 1.0, 4.0), reference(DOUBLE, 6.0, 7.0)]
    assert stage_seconds(parts) == {"make": 5.0, "double": 1.0}
    assert busy_seconds(parts) == pytest.approx(5.0)
