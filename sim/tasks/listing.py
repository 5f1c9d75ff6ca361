"""Tasks that a source affords, by cousin, each with its proof or the reason against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sim.tasks.affordance_queries import task_context
from sim.tasks.episode import Episode
from sim.tasks.task import Task, capabilities_for
from sim.worlds.worlds import CousinSource


@dataclass(frozen=True, kw_only=True)
class AffordanceVerdict:
    """Whether a cousin affords a task."""

    task: str
    """Name of the task."""
    index: int
    """Number of the cousin."""
    afforded: bool
    """Whether it does."""
    words: str
    """The proof, or the reason against it."""


def affordance_verdicts(
    source: CousinSource, indices: Sequence[int], tasks: Sequence[Task]
) -> Iterator[AffordanceVerdict]:
    """Yield for each cousin and task whether it affords it, to the task's default body."""
    for index in indices:
        context = task_context(source, source.scene(index), index)
        for task in tasks:
            episode = task.afford(context, capabilities_for(task, None))
            afforded = isinstance(episode, Episode)
            words = episode.proof if isinstance(episode, Episode) else episode.reason
            yield AffordanceVerdict(task=task.name, index=index, afforded=afforded, words=words)
