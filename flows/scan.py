"""The scan as a Prefect flow with JSON parameters, so that a deployment can name it: `flows.scan.scan`.

Only Prefect's runners and deployments import this module. What tasks pass to each other are content hashes, as JSON;
caching is the store's, not Prefect's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE

from cousins.store import Store
from flows.execution.executor import StageExecutor
from flows.execution.stage import ProgressCallback, Reference, StageCall, StageRunner, no_progress
from flows.execution.worker_process import call_from_json, call_to_json, reference_from_json, reference_to_json
from flows.pipeline.run_scan import local_runner, run_scan_with
from flows.pipeline.scan_options import ScanOptions
from flows.pipeline.scan_results import ScanRequest, ScanResult
from flows.pipeline.stages import SCAN_STAGES, STAGES

T = TypeVar("T")

_PROGRESS: ContextVar[ProgressCallback] = ContextVar("progress", default=no_progress)
"""Receives the stages of the flow that runs in this context."""
_RUNNER: ContextVar[StageRunner] = ContextVar("runner")
"""Runs the stages of the flow that runs in this context."""


@flow(name="scan", log_prints=False, persist_result=False)
def scan(
    *,
    source: Path,
    output: Path,
    options: ScanOptions | None = None,
    force: bool = False,
    truth: Path | None = None,
    store: Path | None = None,
) -> ScanResult:
    """Turn a phone export into a scene folder, as `cousins scan` does."""
    request = ScanRequest(source=source, output=output, options=options or ScanOptions(), force=force, truth=truth)
    opened = None if store is None else Store(store)
    return run_scan_with(_prefect_runner, request, progress=_PROGRESS.get(), store=opened)


@task(name="stages", cache_policy=NO_CACHE, persist_result=False)
def run_stages(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run calls that do not need each other with the flow's runner; calls and references as JSON."""
    return [
        reference_to_json(reference)
        for reference in _RUNNER.get().run_all("stages", [call_from_json(message, STAGES) for message in calls])
    ]


def scan_with_prefect(request: ScanRequest, *, progress: ProgressCallback, store: Store | None) -> ScanResult:
    """Run the flow in this process: at the server that PREFECT_API_URL names, else at one of its own."""
    token = _PROGRESS.set(progress)
    try:
        result: ScanResult = scan(
            source=request.source,
            output=request.output,
            options=request.options,
            force=request.force,
            truth=request.truth,
            store=None if store is None else store.root,
        )
    finally:
        _PROGRESS.reset(token)
    return result


@contextmanager
def _prefect_runner(executor: StageExecutor) -> Iterator[StageRunner]:
    artifact = create_progress_artifact(progress=0.0, key="scan", description="stages of the scan that are done")
    assert isinstance(artifact, UUID), "the flow is synchronous"
    with local_runner(executor) as local:
        token = _RUNNER.set(local)
        runner = PrefectRunner(artifact=artifact)
        try:
            yield runner
        finally:
            _RUNNER.reset(token)
    create_table_artifact(table_of(runner.references), key="scan-stages", description="stages of the scan")


@dataclass(eq=False)
class PrefectRunner:
    """Runs calls as Prefect tasks, those that do not need each other as one task: tasks stay coarse."""

    artifact: UUID
    """Id of the flow's progress artifact."""
    references: list[Reference[object]] = field(default_factory=list)
    """Results so far."""

    def run(self, call: StageCall[T]) -> Reference[T]:
        """Run one stage as one task."""
        return self.run_all(call.stage.name, [call])[0]

    def run_all(self, name: str, calls: Sequence[StageCall[T]]) -> tuple[Reference[T], ...]:
        """Run calls as one task of that name."""
        answers = run_stages.with_options(name=name)([call_to_json(call) for call in calls])
        references = tuple(reference_from_json(call.stage, answer) for call, answer in zip(calls, answers, strict=True))
        self.references += references
        done = {reference.stage.name for reference in self.references}
        update_progress_artifact(self.artifact, progress=min(100.0, 100.0 * len(done) / len(SCAN_STAGES)))
        return references


def table_of(references: Iterable[Reference[object]]) -> list[dict[str, Any]]:
    """Return the rows of the table artifact: each stage, its result, and whether it was reused."""
    return [
        {
            "stage": reference.stage.name,
            "result": reference.digest[:12],
            "seconds": round(reference.seconds, 2),
            "reused": reference.reused,
        }
        for reference in references
    ]
