"""Cousins for RLlib by id: `register()`, then `PPOConfig().environment("cousins/Push-v0", env_config={"pack": …})`.

Needs the extra `rllib`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ray.tune.registry import register_env

from sim.envs.env import CousinsEnv
from sim.envs.registration import TASKS, env_id
from sim.train.rllib.rows import ROWS_ENV_ID, make_worker_env


def register() -> None:
    """Register the environments of all tasks with Ray under their Gymnasium ids, and the rows of a training."""
    for task in TASKS:
        register_env(env_id(task), partial(_make_env, task))
    register_env(ROWS_ENV_ID, make_worker_env)


def _make_env(task: str, config: Mapping[str, Any]) -> CousinsEnv:
    return CousinsEnv(**{"task": task, **config})
