"""Cousins by name: `register()`, then `PPOConfig().environment("cousins/Push-v0", env_config={"pack": …})`.

Needs the extra `rllib`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ray.tune.registry import register_env

from sim.envs.env import CousinsEnv
from sim.envs.registration import TASKS, env_id
from sim.train.rllib.rows import ROWS, rows_of


def register() -> None:
    """Tell Ray of the environments of all tasks by Gymnasium's ids, and of the rows that a training asks for."""
    for task in TASKS:
        register_env(env_id(task), partial(_made, task))
    register_env(ROWS, rows_of)


def _made(task: str, config: Mapping[str, Any]) -> CousinsEnv:
    return CousinsEnv(**{"task": task, **config})
