"""The scan as a Prefect flow: one task a stage; what tasks pass to each other are content hashes, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE

from cousins.store import Store
from flows.execution.executor import Desk, Options, Reference, Stage, Tell, say_nothing
from flows.execution.worker_process import Call, Partner
from flows.pipeline.scan_job import STEPS, Plain, Twin, twin_of
from flows.pipeline.stages import Export


@dataclass(eq=False)
class Observed:
    """Carries every call out as a Prefect task; caching is the store's, not Prefect's."""

    plain: Plain
    """Does the work."""
    progress: Any
    """Id of the flow's progress artifact."""
    done: int = 0
    """Steps that have ended."""

    def do(self, stage: Stage, **inputs: Any) -> Reference:
        """Carry out one stage as one task."""
        (reference,) = self._as_task(stage.name, [(stage, inputs)])
        return reference

    def share(self, name: str, calls: list[Call]) -> tuple[Reference, ...]:
        """Carry out calls that do not need each other as one task: tasks stay coarse."""
        return self._as_task(name, calls)

    def _as_task(self, name: str, calls: list[Call]) -> tuple[Reference, ...]:
        references: list[Reference] = []

        @task(name=name, cache_policy=NO_CACHE, persist_result=False)
        def stage_task() -> list[dict[str, Any]]:
            references.extend(self.plain.share(name, calls))
            return [asdict(reference) for reference in references]

        stage_task()
        self.done += len({stage.name for stage, _ in calls})
        update_progress_artifact(self.progress, progress=min(100.0, 100.0 * self.done / len(STEPS)))
        return tuple(references)


def scan_with_prefect(export: Export, store: Store, options: Options, *, tell: Tell = say_nothing) -> tuple[Twin, Desk]:
    """Turn an export into a twin under Prefect: at the server that PREFECT_API_URL names, else at one of its own."""
    desk = Desk(store=store, options=options, tell=tell)
    results: list[Twin] = []

    @flow(name="scan", log_prints=False, persist_result=False)
    def scan(digest: str, seed: int, segmenter: str) -> dict[str, Any]:  # noqa: ARG001
        progress = create_progress_artifact(progress=0.0, key="scan", description=f"scan of {export.digest[:12]}")
        with closing(Partner(desk)) as partner, store.in_use():
            desk.when_work_begins = partner.start
            twin = twin_of(export, Observed(Plain(desk, partner), progress), desk)
        create_table_artifact(table_of(twin.references), key="scan-stages", description="stages of the scan")
        results.append(twin)
        return {reference.stage: reference.digest for reference in twin.references}

    scan(export.digest, options.seed, options.segmenter)
    return results[0], desk


def table_of(references: Iterable[Reference]) -> list[dict[str, Any]]:
    """Return what the table artifact shows: each stage, its result, and whether it had to be made."""
    return [
        {
            "stage": reference.stage,
            "result": reference.digest[:12],
            "seconds": round(reference.seconds, 2),
            "reused": reference.reused,
        }
        for reference in references
    ]
