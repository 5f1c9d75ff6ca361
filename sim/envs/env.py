"""Cousins as Gymnasium environments: `gymnasium.make("cousins/Push-v0", pack=…)` and `make_vec`.

    import gymnasium, sim
    env = gymnasium.make("cousins/Push-v0", pack="out/pack", split="train")
    envs = gymnasium.make_vec("cousins/Push-v0", num_envs=8, pack="demo:v1@https://…", split="train")

Registered ids are built from the names of the tasks: `open_drawer` is `cousins/OpenDrawer-v0`.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from cousins.errors import InputError
from cousins.geometry import Array
from cousins.plugins import called_with
from sim.bodies.columns import Column
from sim.envs.make_env import make_env
from sim.envs.vector_env import CousinsVectorEnv


class CousinsEnv(gym.Env[Any, Any]):
    """A vector environment of one row without automatic resets; takes the options of `make_env`."""

    def __init__(self, *, render_mode: str | None = None, **options: Any) -> None:
        if render_mode is not None:
            raise InputError(
                f"render_mode {str(render_mode)[:40]!r}",
                expected="None: environments compute states, not pictures",
                hint="`cousins film` draws episodes; so does `cousins record` with --camera.",
            )
        self.render_mode = render_mode
        self.vector: CousinsVectorEnv = called_with(
            make_env, options={"num_envs": 1, "autoreset": AutoresetMode.DISABLED} | options, owner="environments"
        )
        self.metadata = {"render_modes": [], "render_fps": self.vector.metadata["render_fps"]}
        self.observation_space = self.vector.single_observation_space
        self.action_space = self.vector.single_action_space

    @property
    def columns(self) -> tuple[Column, ...]:
        """Name, unit, frame and sources of each number of a policy's observation, in order."""
        return self.vector.columns

    @property
    def privileged_columns(self) -> tuple[Column, ...]:
        """The same of the observations for a critic alone."""
        return self.vector.privileged_columns

    @property
    def action_columns(self) -> tuple[Column, ...]:
        """Name, unit and frame of each number of an action, in order."""
        return self.vector.action_columns

    @property
    def spec(self) -> gym.envs.registration.EnvSpec | None:
        """Specification that it was made from, with the digest of its worlds and the version of its engine."""
        return self.vector.spec

    @spec.setter
    def spec(self, spec: gym.envs.registration.EnvSpec | None) -> None:
        self.vector.spec = spec

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; return the first observation and the info. `options={"cousin": i}` selects the cousin."""
        super().reset(seed=seed)
        observations, info = self.vector.reset(seed=seed, options=options)
        return _first_row(observations), _first_row_info(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Advance by one action [size] in [-1, 1]."""
        observations, reward, terminated, truncated, info = self.vector.step(np.asarray(action)[None])
        return (
            _first_row(observations),
            float(reward[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            _first_row_info(info),
        )

    def close(self) -> None:
        """Release the engine."""
        self.vector.close()


def _first_row(observation: Any) -> Any:
    if isinstance(observation, dict):
        return {name: value[0] for name, value in observation.items()}
    return observation[0]


def _first_row_info(info: dict[str, Any]) -> dict[str, Any]:
    """Return the info of the only row of a vector environment, with built-in Python types instead of numpy scalars."""
    row_info: dict[str, Any] = {}
    for key, value in info.items():
        if key.startswith("_") or not np.any(info[f"_{key}"]):
            continue
        row_info[key] = _first_row_info(value) if isinstance(value, dict) else _python_value(value)
    return row_info


def _python_value(value: Array) -> Any:
    scalar = value[0]
    return scalar.item() if isinstance(scalar, np.generic) else scalar
