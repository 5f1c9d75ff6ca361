"""Running means of observations over many workers, as a connector of RLlib, with the floor that all learners share.

RLlib's own filter takes the change of a mean since the last merge for the mean of what came since: with two workers
that see numbers around 5 it tells 5.0, 2.5, 1.8, 1.5 (Ray 2.60). Here a worker keeps apart what it saw since the last
merge, and a merge adds that up exactly (Chan, Golub and LeVeque, 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import gymnasium as gym
import numpy as np
from ray.rllib.connectors.connector_v2 import ConnectorV2

from cousins.geometry import Array
from sim.train.config import FLOOR
from sim.train.policies import FARTHEST


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moments:
    """How many observations were seen, their mean [size] and their summed squares around it [size]."""

    count: float
    """So many."""
    mean: Array
    """Mean."""
    squares: Array
    """Sum of the squared differences from it."""

    @property
    def variance(self) -> Array:
        """Variance."""
        return np.asarray(self.squares / self.count)

    def plus(self, other: Moments) -> Moments:
        """Return the moments of both together."""
        if not self.count or not other.count:
            return self if self.count else other
        count = self.count + other.count
        apart, weight = other.mean - self.mean, other.count / count
        squares = self.squares + other.squares + apart**2 * self.count * weight
        return Moments(count=count, mean=self.mean + apart * weight, squares=squares)

    def told(self) -> list[Any]:
        """Return them as plain values."""
        return [self.count, self.mean.tolist(), self.squares.tolist()]


NOTHING: Final = Moments(count=0.0, mean=np.zeros(0), squares=np.zeros(0))
"""Of no observations."""


def moments_of(values: Array) -> Moments:
    """Return the moments of observations [n, size]."""
    mean = values.mean(0)
    return Moments(count=float(len(values)), mean=mean, squares=np.square(values - mean).sum(0))


def moments_from(told: Sequence[Any]) -> Moments:
    """Return what `Moments.told` told."""
    count, mean, squares = told
    return Moments(count=float(count), mean=np.array(mean, dtype=float), squares=np.array(squares, dtype=float))


class Normaliser(ConnectorV2):
    """Replaces each row's last observation by its distance from the mean, in deviations."""

    known: Moments
    """Of all workers, up to the last merge."""
    fresh: Moments
    """Of this worker since then."""

    def __init__(
        self, input_observation_space: gym.Space[Any] | None = None, input_action_space: Any = None, **options: Any
    ) -> None:
        super().__init__(input_observation_space, input_action_space, **options)
        self.reset_state()

    def __call__(self, *, batch: dict[str, Any], episodes: list[Any], **others: Any) -> Any:
        """Take note of what is seen, then normalise it in the episodes themselves."""
        del others
        rows = list(self.single_agent_episode_iterator(episodes, agents_that_stepped_only=False))
        seen = np.array([row.get_observations(-1) for row in rows], dtype=float)
        self.fresh = self.fresh.plus(moments_of(seen))
        now = self.known.plus(self.fresh)
        scaled = (seen - now.mean) / np.sqrt(now.variance + FLOOR)
        for row, value in zip(rows, np.clip(scaled, -FARTHEST, FARTHEST).astype(np.float32), strict=True):
            row.set_observations(at_indices=-1, new_data=value)
            row.observation_space = self.observation_space
        return batch

    def get_state(self, components: Any = None, *, not_components: Any = None, **others: Any) -> dict[str, Any]:
        """Return what was seen before the last merge, and since."""
        del components, not_components, others
        return {"known": self.known.told(), "fresh": self.fresh.told()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over what another one told."""
        self.known, self.fresh = (moments_from(state[name]) for name in ("known", "fresh"))

    def reset_state(self) -> None:
        """Forget all."""
        self.known = self.fresh = NOTHING

    def merge_states(self, states: list[dict[str, Any]]) -> dict[str, Any]:
        """Add what every worker saw to what all knew, and return what all know now."""
        for state in states:
            self.known = self.known.plus(moments_from(state["fresh"]))
        self.fresh = NOTHING
        return self.get_state()
