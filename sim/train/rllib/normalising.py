"""Running normalisation of observations over many workers, as a connector of RLlib, with a floor of the variance.

RLlib's own filter uses the change of a mean since the last merge as the mean of the new observations: with two workers
that observe values around 5 it reports 5.0, 2.5, 1.8, 1.5 (Ray 2.60). Here each worker stores the moments since the
last merge separately, and a merge combines them exactly (Chan, Golub and LeVeque, 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import gymnasium as gym
import numpy as np
from ray.rllib.connectors.connector_v2 import ConnectorV2

from cousins.geometry import Array
from sim.train.config import VARIANCE_FLOOR
from sim.train.policies import NORMALISED_LIMIT


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moments:
    """Moments of observations: count, mean [size], and sum of squared deviations from the mean [size]."""

    count: float
    """Number of observations."""
    mean: Array
    """Mean [size]."""
    squares: Array
    """Sum of squared deviations from the mean [size]."""

    @property
    def variance(self) -> Array:
        """Variance [size]."""
        return np.asarray(self.squares / self.count)

    def merged_with(self, other: Moments) -> Moments:
        """Return the moments of both sets of observations together."""
        if not self.count or not other.count:
            return self if self.count else other
        count = self.count + other.count
        mean_difference, weight = other.mean - self.mean, other.count / count
        squares = self.squares + other.squares + mean_difference**2 * self.count * weight
        return Moments(count=count, mean=self.mean + mean_difference * weight, squares=squares)

    def to_list(self) -> list[Any]:
        """Return count, mean and squares in JSON types."""
        return [self.count, self.mean.tolist(), self.squares.tolist()]


NO_OBSERVATIONS: Final = Moments(count=0.0, mean=np.zeros(0), squares=np.zeros(0))
"""Moments of no observations."""


def moments_of(values: Array) -> Moments:
    """Return the moments of observations [n, size]."""
    mean = values.mean(0)
    return Moments(count=float(len(values)), mean=mean, squares=np.square(values - mean).sum(0))


def moments_from_list(values: Sequence[Any]) -> Moments:
    """Return the moments that `Moments.to_list` converted."""
    count, mean, squares = values
    return Moments(count=float(count), mean=np.array(mean, dtype=float), squares=np.array(squares, dtype=float))


class ObservationNormaliser(ConnectorV2):
    """Replaces the last observation of each row by its deviation from the mean, in standard deviations."""

    merged: Moments
    """Moments of all workers, up to the last merge."""
    pending: Moments
    """Moments of this worker since the last merge."""

    def __init__(
        self, input_observation_space: gym.Space[Any] | None = None, input_action_space: Any = None, **options: Any
    ) -> None:
        super().__init__(input_observation_space, input_action_space, **options)
        self.reset_state()

    def __call__(self, *, batch: dict[str, Any], episodes: list[Any], **unused: Any) -> Any:
        """Add the last observations to the moments, then normalise them in the episodes in place."""
        del unused
        rows = list(self.single_agent_episode_iterator(episodes, agents_that_stepped_only=False))
        observations = np.array([row.get_observations(-1) for row in rows], dtype=float)
        self.pending = self.pending.merged_with(moments_of(observations))
        moments = self.merged.merged_with(self.pending)
        scaled = (observations - moments.mean) / np.sqrt(moments.variance + VARIANCE_FLOOR)
        for row, value in zip(
            rows, np.clip(scaled, -NORMALISED_LIMIT, NORMALISED_LIMIT).astype(np.float32), strict=True
        ):
            row.set_observations(at_indices=-1, new_data=value)
            row.observation_space = self.observation_space
        return batch

    def get_state(self, components: Any = None, *, not_components: Any = None, **unused: Any) -> dict[str, Any]:
        """Return the moments before and since the last merge in JSON types."""
        del components, not_components, unused
        return {"known": self.merged.to_list(), "fresh": self.pending.to_list()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the moments that `get_state` returned."""
        self.merged, self.pending = (moments_from_list(state[name]) for name in ("known", "fresh"))

    def reset_state(self) -> None:
        """Clear all moments."""
        self.merged = self.pending = NO_OBSERVATIONS

    def merge_states(self, states: list[dict[str, Any]]) -> dict[str, Any]:
        """Merge the new moments of all workers, and return the common state."""
        for state in states:
            self.merged = self.merged.merged_with(moments_from_list(state["fresh"]))
        self.pending = NO_OBSERVATIONS
        return self.get_state()
