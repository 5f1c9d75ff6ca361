"""Which cousin a row shows next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from sim.tasks.episode import Episode
from sim.tasks.task_source import Staged


class Sampler(Protocol):
    """Chooses cousins."""

    first: int
    """A cousin that affords the task."""

    def draw(self, rng: np.random.Generator) -> int:
        """Return the number of a cousin that affords the task."""
        ...


@runtime_checkable
class Hearing(Protocol):
    """A sampler that learns from how episodes went."""

    def hear(self, index: int, told: Mapping[str, float]) -> None:
        """Take note of an episode that ended in a cousin: `vector_env.HEARD`, and `sim_fault`."""
        ...


class Uniform:
    """Every cousin that affords the task as often as any other."""

    def __init__(self, staged: Staged, indices: Sequence[int]) -> None:
        self._staged = staged
        self.indices: Sequence[int] = list(indices)
        self.first = staged.first_of(indices)

    def draw(self, rng: np.random.Generator) -> int:
        """Draw until a cousin affords the task; which were tried before makes no difference."""
        while True:
            index = self.indices[int(rng.integers(len(self.indices)))]
            if isinstance(self._staged.episode(index), Episode):
                return index
