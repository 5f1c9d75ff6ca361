"""Vector environments of cousins for the workers of RLlib."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import gymnasium as gym
import numpy as np

from cousins.geometry import Array
from sim.envs.vector_env import CousinsVectorEnv
from sim.train.config import TrainingConfig
from sim.train.cousin_sampling import TwinFirstSampler
from sim.train.training_envs import make_training_env
from sim.train.training_progress import CURVE_METRICS

ROWS_ENV_ID: Final = "cousins/rows"
"""Id under which RLlib finds `make_worker_env`."""


class WorkerVectorEnv(gym.vector.VectorWrapper):
    """The rows of a worker: distinct seeds, scaled rewards, and only the metrics as info.

    Rewards are multiplied by 1 - discount, so that a return is at most as large as the largest reward.
    """

    def __init__(self, env: CousinsVectorEnv, *, discount: float) -> None:
        super().__init__(env)
        self.cousins_env, self._reward_scale = env, 1.0 - discount

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes; a single seed is expanded to one seed per row."""
        if isinstance(seed, (int, np.integer)):
            seed = np.random.SeedSequence(int(seed)).generate_state(self.num_envs, np.uint32).tolist()
        return self.env.reset(seed=seed, options=options)[0], {}

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """Advance every row by one action [n, size]; return observations [n, size], rewards [n], flags [n] and info."""
        observations, reward, terminated, truncated, info = self.env.step(actions)
        metrics: dict[str, Any] = {}
        if "metrics" in info:
            metrics = {name: info["metrics"][name].astype(float) for name in CURVE_METRICS}
            metrics |= {f"_{name}": info["_metrics"] for name in CURVE_METRICS}
        return observations, reward * self._reward_scale, terminated, truncated, metrics

    def set_steps_taken(self, steps: int) -> None:
        """Set the number of steps that the rows took before, for a sampler that shows the twin first."""
        sampler = self.cousins_env.sampler
        if isinstance(sampler, TwinFirstSampler):
            sampler.steps_taken = max(sampler.steps_taken, steps)


def make_worker_env(config: Mapping[str, Any]) -> WorkerVectorEnv:
    """Return the environment of one worker; `config` holds `pack`, `training` and the number of `workers`.

    Steps and rows of the training are divided among the workers.
    """
    training: TrainingConfig = config["training"]
    workers = int(config["workers"])
    worker_training = replace(training, steps=-(-training.steps // workers), rows=rows_per_worker(training, workers))
    env = make_training_env(config["pack"], worker_training, autoreset="next_step")[1]
    return WorkerVectorEnv(env, discount=training.learning.discount)


def rows_per_worker(training: TrainingConfig, workers: int) -> int:
    """Return the number of rows of each worker, rounded up."""
    return -(-training.rows // workers)
