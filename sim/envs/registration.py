"""Registration of the environments in the registry of Gymnasium."""

from __future__ import annotations

from typing import Final

import gymnasium as gym

NAMESPACE: Final = "cousins"
TASKS: Final = ("push", "pull", "lift", "place", "stack", "open_drawer", "close_drawer", "open_door", "clear_table")
"""Tasks with an environment; a test compares them with the files in `sim/tasks/backends`."""


def env_id(task: str) -> str:
    """Return the id of a task's environment, such as `cousins/OpenDrawer-v0`."""
    return f"{NAMESPACE}/{''.join(word.capitalize() for word in task.split('_'))}-v0"


def register_envs() -> None:
    """Register the environments of all tasks in Gymnasium; calling it again changes nothing."""
    for task in TASKS:
        if env_id(task) in gym.registry:
            continue
        gym.register(
            id=env_id(task),
            entry_point="sim.envs.env:CousinsEnv",
            vector_entry_point="sim.envs.make_env:make_env",
            kwargs={"task": task},
            disable_env_checker=True,
        )
