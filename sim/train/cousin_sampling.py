"""Which cousins training shows: the twin first, then cousins drawn evenly or by how much they teach.

A cousin teaches most while it is sometimes solved and sometimes not: its score is p (1 - p) of its running share of
successes ("No Regrets", 2024), and cousins that were not shown for long are looked at again (Prioritized Level Replay,
2021). Drawing evenly is the default and the control.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from sim.envs.cousin_sampler import Hearing, Sampler

MEMORY: Final = 0.8
"""Weight of what a cousin's share of successes was before its latest episode."""
STALE: Final = 0.2
"""Share of the draws that go by how long ago a cousin was shown."""
LEAST: Final = 0.02
"""Score of a cousin that is always or never solved; the most is 0.25."""


class Even:
    """Every cousin as often as any other."""

    def __init__(self, indices: Sequence[int]) -> None:
        self.indices = list(indices)
        self.first = self.indices[0]

    def draw(self, rng: np.random.Generator) -> int:
        """Return a cousin."""
        return self.indices[int(rng.integers(len(self.indices)))]


class Prioritised:
    """Cousins that teach most, most often."""

    def __init__(self, indices: Sequence[int]) -> None:
        self.indices = list(indices)
        self.first = self.indices[0]
        self.share = np.full(len(self.indices), 0.5)
        self.seen = np.zeros(len(self.indices), dtype=np.int64)
        self.heard = 0
        self._place = {index: place for place, index in enumerate(self.indices)}

    def chances(self) -> np.ndarray:
        """Return the chance of each cousin."""
        score = self.share * (1.0 - self.share) + LEAST
        age = (self.heard - self.seen).astype(float) + 1.0
        return np.asarray((1.0 - STALE) * score / score.sum() + STALE * age / age.sum())

    def draw(self, rng: np.random.Generator) -> int:
        """Return a cousin."""
        place = int(np.searchsorted(np.cumsum(self.chances()), rng.random(), side="right"))
        return self.indices[min(place, len(self.indices) - 1)]

    def hear(self, index: int, told: Mapping[str, float]) -> None:
        """Take note of how an episode went."""
        place = self._place.get(index)
        if place is None:
            return
        self.heard += 1
        self.seen[place] = self.heard
        self.share[place] = MEMORY * self.share[place] + (1.0 - MEMORY) * float(told["success_at_end"])


class TwinFirst:
    """The twin alone for some steps, then now and then."""

    def __init__(self, then: Sampler, *, twin: int, steps: int, share: float) -> None:
        self.then, self.twin, self.steps, self.share = then, twin, steps, share
        self.first = twin
        self.done = 0

    def draw(self, rng: np.random.Generator) -> int:
        """Return a cousin."""
        if self.done < self.steps or rng.random() < self.share:
            return self.twin
        return self.then.draw(rng)

    def hear(self, index: int, told: Mapping[str, float]) -> None:
        """Count the steps of an episode, and pass on how it went."""
        self.done += int(told["length"])
        if isinstance(self.then, Hearing):
            self.then.hear(index, told)


def sampler_state(sampler: Any) -> dict[str, Any]:
    """Return what a sampler remembers, in JSON's types."""
    if isinstance(sampler, TwinFirst):
        return {"done": sampler.done, "then": sampler_state(sampler.then)}
    if isinstance(sampler, Prioritised):
        return {"share": sampler.share.tolist(), "seen": sampler.seen.tolist(), "heard": sampler.heard}
    return {}


def put_sampler_state(sampler: Any, told: Mapping[str, Any]) -> None:
    """Put back what `sampler_state` told."""
    if isinstance(sampler, TwinFirst):
        sampler.done = told["done"]
        put_sampler_state(sampler.then, told["then"])
    if isinstance(sampler, Prioritised):
        sampler.share[:], sampler.seen[:] = told["share"], told["seen"]
        sampler.heard = told["heard"]
