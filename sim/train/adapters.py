"""Environments as other learners take them, by the learner's name."""

from __future__ import annotations

from typing import Any

from cousins.errors import UnknownNameError
from cousins.extras import requires_extra
from sim.envs.vector_env import CousinsVectorEnv


def adapt_env(env: CousinsVectorEnv, library: str) -> Any:
    """Return the environment as `sb3` (a `VecEnv`) or `rsl_rl` (a `VecEnv` of tensors) takes it.

    It must reset ended rows in the same step (`make_env(..., autoreset="same_step")`); `rsl_rl` also needs
    `observations="groups"`. Raises `InputError` where the library is not installed, `UnknownNameError` for others.
    """
    if library == "sb3":
        with requires_extra("rl"):
            from sim.train.sb3 import Sb3VecEnv
        return Sb3VecEnv(env)
    if library == "rsl_rl":
        with requires_extra("adapters"):
            from sim.train.rsl_rl import RslRlVecEnv
        return RslRlVecEnv(env)
    raise UnknownNameError(
        f"no adapter for {library!r}",
        expected="sb3 or rsl_rl",
        hint="skrl takes the environment as it is; for RLlib call `register_rllib_envs`.",
    )


def register_rllib_envs() -> None:
    """Register the environments of all tasks with Ray under their Gymnasium ids, such as `cousins/Push-v0`."""
    with requires_extra("rllib"):
        from sim.train.rllib import register
    register()
