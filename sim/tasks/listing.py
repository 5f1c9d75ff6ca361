"""Which tasks a source affords, cousin by cousin, each with its proof or the reason against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sim.tasks.affordance_queries import known_of
from sim.tasks.episode import Episode
from sim.tasks.task import Task
from sim.worlds.worlds import Source


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a cousin affords a task."""

    task: str
    """Name of the task."""
    index: int
    """Number of the cousin."""
    afforded: bool
    """Whether it does."""
    words: str
    """The proof, or the reason against it."""


def verdicts(source: Source, indices: Sequence[int], tasks: Sequence[Task]) -> Iterator[Verdict]:
    """Tell of each cousin which tasks it affords, to the first of the bodies that suit them."""
    for index in indices:
        known = known_of(source, source.scene(index), index)
        for task in tasks:
            found = task.afford(known, task.bodies[0])
            afforded = isinstance(found, Episode)
            words = found.proof if isinstance(found, Episode) else found.reason
            yield Verdict(task=task.name, index=index, afforded=afforded, words=words)
