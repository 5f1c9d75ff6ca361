"""Packs as Prefect flows with JSON parameters, so that deployments can name them: `flows.vary.vary`.

Only Prefect's runners and deployments import this module. A task makes a chunk of blocks, on processes of this machine,
Ray or Dask; blocks are kept as they are made, so tasks pass on nothing but times.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings
from prefect.task_runners import ProcessPoolTaskRunner

from cousins.child_processes import end_with_parent_process
from cousins.errors import StageError
from cousins.extras import requires_extra
from cousins.store import Store
from cousins.vary.recipes import Recipe, parse_recipe
from flows.pipeline.make_pack import BlockJob, VaryRequest, make_block, make_pack
from flows.pipeline.run_scan import default_store

CHUNKS_PER_WORKER: Final = 4
"""Chunks by worker: enough that none waits long at the end, few enough that orchestration stays small."""
MAX_FLOWS: Final = 4
"""Flows in which workers may die before a run gives up."""
RAY_STORE_BYTES: Final = 100_000_000
"""Memory for what Ray's tasks pass on: a few numbers; the rest is on disk."""


@flow(name="vary", log_prints=False, persist_result=False)
def vary(
    *,
    scene: Path,
    output: Path,
    count: int = 100,
    seed: int = 0,
    recipe: str | None = None,
    name: str = "pack",
    runner: str = "prefect",
    workers: int = 2,
    library: Path | None = None,
    store: Path | None = None,
) -> dict[str, Any]:
    """Make a pack of cousins, as `cousins vary` does; `recipe` is TOML. Returns what `--json` prints."""
    request = VaryRequest(
        scene=scene,
        output=output,
        recipe=Recipe() if recipe is None else parse_recipe(recipe),
        count=count,
        seed=seed,
        name=name,
        workers=workers,
        library=library,
    )
    opened = default_store() if store is None else Store(store)
    return make_pack(
        request,
        lambda job, numbers: blocks_with_prefect(runner, job, list(numbers), workers=workers),
        store=opened,
        progress=lambda *_: None,
    )


@flow(name="blocks", log_prints=False, persist_result=False)
def blocks(*, job: BlockJob, chunks: list[list[int]], runner: str = "prefect") -> list[tuple[int, float]]:
    """Make blocks, a task for each chunk of numbers; return the seconds of each by its number.

    What a dead worker did not finish is missing from the answer; `runner` says by which errors one is reported.
    """
    worker_deaths = _death_errors(runner)
    futures = {make_chunk.submit(job, chunk): chunk for chunk in chunks}
    seconds: list[tuple[int, float]] = []
    for future in as_completed(list(futures)):
        try:
            seconds += zip(futures[future], future.result(), strict=True)
        except worker_deaths as error:
            logging.warning("a worker died: %s", str(error)[:200])
    return seconds


@task(name="blocks", cache_policy=NO_CACHE, persist_result=False)
def make_chunk(job: BlockJob, numbers: list[int]) -> list[float]:
    """Make the blocks of a chunk; return the seconds of each."""
    end_with_parent_process()
    return [make_block(job, number) for number in numbers]


def blocks_with_prefect(runner: str, job: BlockJob, numbers: list[int], *, workers: int) -> Iterator[float]:
    """Make blocks under Prefect and return the seconds of each.

    Ray and Dask give the chunk of a dead worker to another one; what is still lost is made by one more flow. Raises
    `StageError` where that does not help, and what a block itself raises.
    """
    seconds: dict[int, float] = {}
    with _one_server():
        for _ in range(MAX_FLOWS):
            seconds |= _run_flow(runner, job, [number for number in numbers if number not in seconds], workers)
            if len(seconds) == len(numbers):
                return iter(seconds.values())
    raise StageError(f"workers died in {MAX_FLOWS} flows", stage="vary")


def _run_flow(runner: str, job: BlockJob, numbers: list[int], workers: int) -> dict[int, float]:
    """Return the seconds of each block by its number, without those that died with their worker."""
    size = max(1, -(-len(numbers) // (CHUNKS_PER_WORKER * workers)))
    chunks = [numbers[start : start + size] for start in range(0, len(numbers), size)]
    flow_on_runner = blocks.with_options(task_runner=_task_runner(runner, workers))
    return dict(flow_on_runner(job=job, chunks=chunks, runner=runner))


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


def _task_runner(runner: str, workers: int) -> Any:
    """Return Prefect's task runner by our name of it; raises `InputError` where its extra is not installed."""
    if runner == "prefect":
        return ProcessPoolTaskRunner(max_workers=workers)
    if runner == "ray":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        with requires_extra("ray"):
            from prefect_ray import RayTaskRunner
        options: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False, "log_to_driver": False}
        options["object_store_memory"] = RAY_STORE_BYTES
        return RayTaskRunner(init_kwargs=options)
    if runner == "dask":
        logging.getLogger("distributed").setLevel(logging.WARNING)
        with requires_extra("dask"):
            from prefect_dask import DaskTaskRunner
        options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        return DaskTaskRunner(cluster_kwargs=options)
    raise StageError(f"no runner named {runner}", stage="vary")


def _death_errors(runner: str) -> tuple[type[Exception], ...]:
    """Return the errors by which a task runner reports a dead worker."""
    if runner == "ray":
        with requires_extra("ray"):
            from ray.exceptions import NodeDiedError, WorkerCrashedError
        return WorkerCrashedError, NodeDiedError
    if runner == "dask":
        with requires_extra("dask"):
            from distributed import KilledWorker
        return (KilledWorker,)
    return (BrokenProcessPool,)
