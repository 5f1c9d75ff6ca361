"""Samplers of training: the twin first, then cousins that are sampled uniformly or by how much they teach.

A cousin teaches most while it is solved in some episodes and not in others: its score is p (1 - p), where p is its
running success rate ("No Regrets", 2024); cousins that were not shown for long are revisited (Prioritized Level Replay,
2021). Uniform sampling is the default and the control.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from cousins.geometry import Array
from sim.envs.cousin_sampler import FeedbackSampler, Sampler

SUCCESS_RATE_DECAY: Final = 0.8
"""Weight of the previous success rate of a cousin when an episode is added."""
STALENESS_WEIGHT: Final = 0.2
"""Share of the probability that is distributed by the number of episodes since a cousin was shown."""
MIN_SCORE: Final = 0.02
"""Score of a cousin that is always or never solved; the largest score is 0.25 more."""


class UniformSampler:
    """Samples all cousins with the same probability."""

    def __init__(self, indices: Sequence[int]) -> None:
        self.indices = list(indices)
        self.first = self.indices[0]

    def sample(self, rng: np.random.Generator) -> int:
        """Return the number of a cousin."""
        return self.indices[int(rng.integers(len(self.indices)))]


class PrioritisedSampler:
    """Samples cousins in proportion to how much they teach."""

    def __init__(self, indices: Sequence[int]) -> None:
        self.indices = list(indices)
        self.first = self.indices[0]
        self.success_rate = np.full(len(self.indices), 0.5)
        self.last_shown = np.zeros(len(self.indices), dtype=np.int64)
        self.episode_count = 0
        self._positions = {index: position for position, index in enumerate(self.indices)}

    def probabilities(self) -> Array:
        """Return the probability of each of the n cousins, shape [n]."""
        score = self.success_rate * (1.0 - self.success_rate) + MIN_SCORE
        age = (self.episode_count - self.last_shown).astype(float) + 1.0
        return np.asarray((1.0 - STALENESS_WEIGHT) * score / score.sum() + STALENESS_WEIGHT * age / age.sum())

    def sample(self, rng: np.random.Generator) -> int:
        """Return the number of a cousin."""
        position = int(np.searchsorted(np.cumsum(self.probabilities()), rng.random(), side="right"))
        return self.indices[min(position, len(self.indices) - 1)]

    def record_episode(self, index: int, metrics: Mapping[str, float]) -> None:
        """Update the success rate of a cousin with an episode's `success_at_end`."""
        position = self._positions.get(index)
        if position is None:
            return
        self.episode_count += 1
        self.last_shown[position] = self.episode_count
        success = float(metrics["success_at_end"])
        self.success_rate[position] = (
            SUCCESS_RATE_DECAY * self.success_rate[position] + (1.0 - SUCCESS_RATE_DECAY) * success
        )


class TwinFirstSampler:
    """Shows only the twin for some steps, then samples from another sampler and shows the twin now and then."""

    def __init__(self, cousin_sampler: Sampler, *, twin: int, twin_steps: int, twin_share: float) -> None:
        self.cousin_sampler, self.twin = cousin_sampler, twin
        self.twin_steps, self.twin_share = twin_steps, twin_share
        self.first = twin
        self.steps_taken = 0

    def sample(self, rng: np.random.Generator) -> int:
        """Return the number of a cousin."""
        if self.steps_taken < self.twin_steps or rng.random() < self.twin_share:
            return self.twin
        return self.cousin_sampler.sample(rng)

    def record_episode(self, index: int, metrics: Mapping[str, float]) -> None:
        """Count the steps of an episode, and pass it on to the sampler of cousins."""
        self.steps_taken += int(metrics["length"])
        if isinstance(self.cousin_sampler, FeedbackSampler):
            self.cousin_sampler.record_episode(index, metrics)


def sampler_state(sampler: Any) -> dict[str, Any]:
    """Return the state of a sampler in JSON types."""
    if isinstance(sampler, TwinFirstSampler):
        return {"done": sampler.steps_taken, "then": sampler_state(sampler.cousin_sampler)}
    if isinstance(sampler, PrioritisedSampler):
        return {
            "share": sampler.success_rate.tolist(),
            "seen": sampler.last_shown.tolist(),
            "heard": sampler.episode_count,
        }
    return {}


def restore_sampler(sampler: Any, state: Mapping[str, Any]) -> None:
    """Restore what `sampler_state` returned."""
    if isinstance(sampler, TwinFirstSampler):
        sampler.steps_taken = state["done"]
        restore_sampler(sampler.cousin_sampler, state["then"])
    if isinstance(sampler, PrioritisedSampler):
        sampler.success_rate[:], sampler.last_shown[:] = state["share"], state["seen"]
        sampler.episode_count = state["heard"]
