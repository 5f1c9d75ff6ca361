"""Cousins for Stable-Baselines3: a vectorised environment over rows of worlds, without a process for each.

from stable_baselines3 import PPO
PPO("MlpPolicy", Sb3VecEnv(make_env(pack=…, num_envs=8, autoreset="same_step"))).learn(100_000)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from cousins.errors import InputError
from cousins.geometry import Array
from sim.envs.vector_env import CousinsVectorEnv


class Sb3VecEnv(VecEnv):
    """The vector interface of Stable-Baselines3: ended rows are reset in the same step.

    At the end of an episode its info holds the `metrics` of the environment, and `episode` with r, l and t like
    `Monitor`. A row whose world broke has `sim_fault` in its info; its episode counts as truncated.
    """

    def __init__(self, env: CousinsVectorEnv) -> None:
        if env.autoreset_mode is not AutoresetMode.SAME_STEP:
            raise InputError(
                f"autoreset {env.autoreset_mode.name.lower()}",
                expected="same_step",
                hint="Stable-Baselines3 takes the first observation of the next episode: make it so.",
            )
        self.env = env
        self._actions: Array = np.zeros(env.action_space.shape or ())
        self._seeds: list[int | None] = [None] * env.num_envs
        self._options: list[dict[str, Any]] = [{} for _ in range(env.num_envs)]
        self._steps = 0
        self.render_mode = None
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> Any:
        """Begin episodes in all rows, with the seeds and options set before; return observations [n, size]."""
        cousins = [options.get("cousin") for options in self._options]
        observation, info = self.env.reset(seed=self._seeds, options={"cousin": cousins})
        self.reset_infos = [{"cousin": int(cousin)} for cousin in info["cousin"]]
        self._reset_seeds()
        self._reset_options()
        return observation

    def step_async(self, actions: Array) -> None:
        """Store the actions [n, size] for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, Array, Array, list[dict[str, Any]]]:
        """Advance all rows; return observations [n, size], rewards [n], ends bool [n], and an info per row."""
        observation, reward, terminated, truncated, info = self.env.step(self._actions)
        self._steps += 1
        has_ended = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row, fault in enumerate(info.get("sim_fault", ())):
            if fault:
                infos[row]["sim_fault"] = fault
        for row in np.flatnonzero(has_ended).tolist():
            metrics = {
                name: _python_value(value[row])
                for name, value in info["metrics"].items()
                if _is_row_metric(name, value)
            }
            infos[row] |= {
                "metrics": metrics,
                "cousin": int(info["final_info"]["cousin"][row]),
                "episode": {"r": metrics["return"], "l": metrics["length"], "t": float(self._steps)},
                "terminal_observation": info["final_obs"][row],
                "TimeLimit.truncated": bool(truncated[row] and not terminated[row]),
            }
        return observation, reward.astype(np.float32), has_ended, infos

    def close(self) -> None:
        """Release the engine."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the environment once for each row."""
        return [getattr(self.env, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the environment, which is one for all rows."""
        del indices
        setattr(self.env, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call a method of the environment once, and return what it returned for each row."""
        returned = getattr(self.env, method_name)(*args, **kwargs)
        return [returned] * len(list(self._get_indices(indices)))

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for every row: rows have no wrappers."""
        del wrapper_class
        return [False] * len(list(self._get_indices(indices)))

    def get_images(self) -> Sequence[None]:
        """Return None for every row: rows are not rendered."""
        return [None] * self.num_envs


def _is_row_metric(name: str, value: Any) -> bool:
    return not name.startswith("_") and isinstance(value, np.ndarray)


def _python_value(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
