"""Runners that make the blocks of a pack: processes of this machine, or a Prefect flow over them, Ray or Dask."""

from __future__ import annotations

import importlib.util
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from cousins.child_processes import end_with_parent, interrupts_held
from cousins.errors import StageError, UnknownNameError
from cousins.extras import missing_module_as_extra
from flows.pipeline.make_pack import BlockJob, make_block

RUNNERS: Final = ("local", "prefect", "ray", "dask")
"""Names of the runners."""
MODULES: Final = {"prefect": "prefect", "ray": "prefect_ray", "dask": "prefect_dask"}
"""Module that a runner needs beside the core."""
MAX_DEATHS: Final = 3
"""Workers that may die before a run gives up."""


def run_blocks(runner: str, job: BlockJob, numbers: Sequence[int], *, workers: int) -> Iterator[float]:
    """Make blocks and yield the seconds of each as it is done, in any order.

    Raises `StageError` where workers keep dying, and what a block itself raises.
    """
    require_runner(runner)
    if not numbers:
        return iter(())
    if runner == "local":
        return _by_processes(job, list(numbers), workers)
    from flows.vary import blocks_with_prefect

    return blocks_with_prefect(runner, job, list(numbers), workers=workers)


def require_runner(runner: str) -> None:
    """Raise `UnknownNameError` for a runner that there is not, `InputError` for one that is not installed."""
    if runner not in RUNNERS:
        raise UnknownNameError(
            f"no runner named '{runner}'", expected="one of " + ", ".join(RUNNERS), hint="Type --runner local."
        )
    module = MODULES.get(runner)
    if module is not None and importlib.util.find_spec(module) is None:
        with missing_module_as_extra():
            raise ModuleNotFoundError(f"no module {module}", name=module)


def _by_processes(job: BlockJob, numbers: list[int], workers: int) -> Iterator[float]:
    left = list(numbers)
    deaths = 0
    while left:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(max_workers=min(workers, len(left)), mp_context=context, initializer=end_with_parent)
        with interrupts_held():
            pending: dict[Future[float], int] = {pool.submit(make_block, job, number): number for number in left}
        try:
            while pending:
                ready, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in ready:
                    seconds = future.result()
                    left.remove(pending.pop(future))
                    yield seconds
        except BrokenProcessPool as error:
            deaths += 1
            if deaths > MAX_DEATHS:
                raise StageError(f"workers died {deaths} times", stage="vary") from error
        except BaseException:
            _end_workers()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _end_workers() -> None:
    """End workers in the middle of their blocks: what they have finished is kept."""
    for process in multiprocessing.active_children():
        process.kill()
