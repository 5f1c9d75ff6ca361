"""A pack's blocks as a Prefect flow: a task a chunk, on processes of this machine, Ray or Dask."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Final

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings
from prefect.task_runners import ProcessPoolTaskRunner

from cousins.errors import StageError
from flows.extras import needing
from flows.pipeline.make_pack import BlockJob, make_block

CHUNKS: Final = 4
"""Chunks by worker: enough that none waits long at the end, few enough that orchestration stays small."""
MOST_FLOWS: Final = 4
"""Flows in which workers may die before a run gives up."""
RAY_STORE_BYTES: Final = 100_000_000
"""Memory for what Ray's tasks pass on: a few numbers; the rest is on disk."""


def blocks_with_prefect(runner: str, job: BlockJob, numbers: list[int], *, workers: int) -> Iterator[float]:
    """Make blocks under Prefect and return the seconds of each.

    Ray and Dask give the chunk of a dead worker to another one; what is still lost is made by one more flow. Raises
    `StageError` where that does not help, and what a block itself raises.
    """
    made: dict[int, float] = {}
    with _one_server():
        for _ in range(MOST_FLOWS):
            made |= _made(runner, job, [number for number in numbers if number not in made], workers)
            if len(made) == len(numbers):
                return iter(made.values())
    raise StageError(f"workers died in {MOST_FLOWS} flows", stage="vary")


@contextmanager
def _one_server() -> Iterator[None]:
    """Let workers report to the server of this process: each would start its own, and leave it when killed.

    Prefect stops it when the process ends, after the last log was sent.
    """
    if PREFECT_API_URL.value():
        yield
        return
    server = SubprocessASGIServer()
    server.start(timeout=PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value())
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        yield


def _made(runner: str, job: BlockJob, numbers: list[int], workers: int) -> dict[int, float]:
    """Return the seconds of each block by its number, without those that died with their worker."""
    size = max(1, -(-len(numbers) // (CHUNKS * workers)))
    chunks = [numbers[start : start + size] for start in range(0, len(numbers), size)]
    chunk = task(name="blocks", cache_policy=NO_CACHE, persist_result=False)(_chunk)
    task_runner, died = _task_runner(runner, workers)

    @flow(name="vary", log_prints=False, persist_result=False, task_runner=task_runner)
    def vary(key: str, blocks: int) -> list[tuple[int, float]]:  # noqa: ARG001
        futures = {chunk.submit(job, one): one for one in chunks}
        found: list[tuple[int, float]] = []
        for future in as_completed(list(futures)):
            try:
                found += zip(futures[future], future.result(), strict=True)
            except died as error:
                logging.warning("a worker died: %s", str(error)[:200])
        return found

    return dict(vary(job.key[:12], len(numbers)))


def _chunk(job: BlockJob, numbers: list[int]) -> list[float]:
    return [make_block(job, number) for number in numbers]


def _task_runner(runner: str, workers: int) -> tuple[Any, tuple[type[Exception], ...]]:
    """Return who carries tasks out, and what it raises for a dead worker."""
    if runner == "prefect":
        return ProcessPoolTaskRunner(max_workers=workers), (BrokenProcessPool,)
    if runner == "ray":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        with needing("ray"):
            from prefect_ray import RayTaskRunner
            from ray.exceptions import NodeDiedError, WorkerCrashedError
        options: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False, "log_to_driver": False}
        options["object_store_memory"] = RAY_STORE_BYTES
        return RayTaskRunner(init_kwargs=options), (WorkerCrashedError, NodeDiedError)
    if runner == "dask":
        logging.getLogger("distributed").setLevel(logging.WARNING)
        with needing("dask"):
            from distributed import KilledWorker
            from prefect_dask import DaskTaskRunner
        options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        return DaskTaskRunner(cluster_kwargs=options), (KilledWorker,)
    raise StageError(f"no runner named {runner}", stage="vary")
