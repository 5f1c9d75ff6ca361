"""Samplers: which cousin a row of an environment shows in its next episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from sim.tasks.episode import Episode
from sim.tasks.task_source import TaskSource


class Sampler(Protocol):
    """Chooses the cousin of each episode."""

    first: int
    """Number of a cousin that affords the task; shown while the environment is being made."""

    def sample(self, rng: np.random.Generator) -> int:
        """Return the number of a cousin that affords the task."""
        ...


@runtime_checkable
class FeedbackSampler(Protocol):
    """A sampler that adapts to the outcomes of episodes."""

    def record_episode(self, index: int, metrics: Mapping[str, float]) -> None:
        """Update the sampler with an episode that ended in cousin `index`.

        `metrics` holds the values of `vector_env.SAMPLER_METRICS`, and `sim_fault`: 1 where the world broke.
        """
        ...


class UniformAffordedSampler:
    """Samples uniformly among the cousins that afford the task, by rejection."""

    def __init__(self, task_source: TaskSource, indices: Sequence[int]) -> None:
        self._task_source = task_source
        self.indices: Sequence[int] = list(indices)
        self.first = task_source.first_of(indices)

    def sample(self, rng: np.random.Generator) -> int:
        """Return the number of a cousin that affords the task; independent of the cousins sampled before."""
        while True:
            index = self.indices[int(rng.integers(len(self.indices)))]
            if isinstance(self._task_source.episode(index), Episode):
                return index
