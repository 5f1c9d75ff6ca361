"""A pack's blocks as a Prefect flow: a task a chunk, on processes of this machine, Ray or Dask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.task_runners import ProcessPoolTaskRunner

from cousins.errors import StageError
from flows.extras import needing
from flows.varying import BlockJob, make_block

CHUNKS: Final = 4
"""Chunks by worker: enough that none waits long at the end, few enough that orchestration stays small."""


def blocks_with_prefect(runner: str, job: BlockJob, numbers: list[int], *, workers: int) -> Iterator[float]:
    """Make blocks under Prefect and return the seconds of each; a chunk whose worker dies is tried again, once."""
    size = max(1, -(-len(numbers) // (CHUNKS * workers)))
    chunks = [numbers[start : start + size] for start in range(0, len(numbers), size)]
    chunk = task(name="blocks", retries=1, cache_policy=NO_CACHE, persist_result=False)(_chunk)

    @flow(name="vary", log_prints=False, persist_result=False, task_runner=_task_runner(runner, workers))
    def vary(key: str, blocks: int) -> list[float]:  # noqa: ARG001
        futures = [chunk.submit(job, one) for one in chunks]
        return [seconds for future in as_completed(futures) for seconds in future.result()]

    return iter(vary(job.key[:12], len(numbers)))


def _chunk(job: BlockJob, numbers: list[int]) -> list[float]:
    return [make_block(job, number) for number in numbers]


def _task_runner(runner: str, workers: int) -> Any:
    if runner == "prefect":
        return ProcessPoolTaskRunner(max_workers=workers)
    if runner == "ray":
        with needing("ray"):
            from prefect_ray import RayTaskRunner
        return RayTaskRunner(init_kwargs={"num_cpus": workers, "include_dashboard": False})
    if runner == "dask":
        with needing("dask"):
            from prefect_dask import DaskTaskRunner
        return DaskTaskRunner(cluster_kwargs={"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None})
    raise StageError(f"no runner named {runner}", stage="vary")
