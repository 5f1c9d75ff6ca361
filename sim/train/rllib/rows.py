"""Rows of cousins for one of RLlib's workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import gymnasium as gym
import numpy as np

from cousins.geometry import Array
from sim.envs.vector_env import CousinsVectorEnv
from sim.train.config import Training
from sim.train.cousin_sampling import TwinFirst
from sim.train.training_envs import environment_of
from sim.train.training_progress import COUNTED

ROWS: Final = "cousins/rows"
"""Name by which RLlib knows `rows_of`."""


class RunnerRows(gym.vector.VectorWrapper):
    """A worker's rows: seeds that no two workers share, rewards in the order of one, and only the metrics as info.

    A reward is multiplied by 1 - discount, so that a return is at most as large as a reward was.
    """

    def __init__(self, env: CousinsVectorEnv, *, discount: float) -> None:
        super().__init__(env)
        self.rows, self._scale = env, 1.0 - discount

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes; one seed becomes one for each row."""
        if isinstance(seed, (int, np.integer)):
            seed = np.random.SeedSequence(int(seed)).generate_state(self.num_envs, np.uint32).tolist()
        return self.env.reset(seed=seed, options=options)[0], {}

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """Advance every row by one action."""
        seen, reward, terminated, truncated, info = self.env.step(actions)
        told: dict[str, Any] = {}
        if "metrics" in info:
            told = {name: info["metrics"][name].astype(float) for name in COUNTED}
            told |= {f"_{name}": info["_metrics"] for name in COUNTED}
        return seen, reward * self._scale, terminated, truncated, told

    def go_on(self, steps: int) -> None:
        """Let a sampler that shows the twin first know of the steps that a worker's rows took before."""
        sampler = self.rows.sampler
        if isinstance(sampler, TwinFirst):
            sampler.done = max(sampler.done, steps)


def rows_of(config: Mapping[str, Any]) -> RunnerRows:
    """Return a worker's rows of a training: `pack`, `training`, and `workers` of which it is one.

    Steps and rows of the training are divided among the workers.
    """
    training: Training = config["training"]
    workers = int(config["workers"])
    own = replace(training, steps=-(-training.steps // workers), rows=rows_each(training, workers))
    env = environment_of(config["pack"], own, autoreset="next_step")[1]
    return RunnerRows(env, discount=training.learning.discount)


def rows_each(training: Training, workers: int) -> int:
    """Return how many rows each worker has."""
    return -(-training.rows // workers)
