"""Cousins for rsl_rl: tensors, observation groups `policy` and `privileged`, resets in the same step.

A critic that observes more than the actor is configured by `obs_groups={"actor": ["policy"], "critic": ["policy",
"privileged"]}` in the runner's configuration.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from cousins.errors import InputError
from sim.envs.vector_env import OBSERVATION_GROUPS, CousinsVectorEnv


class RslRlVecEnv(VecEnv):
    """The environment interface of rsl_rl; `extras["log"]` holds metrics of ended episodes; faults are time-outs."""

    def __init__(self, env: CousinsVectorEnv, *, device: str = "cpu", seed: int = 0) -> None:
        has_groups = set(getattr(env.single_observation_space, "spaces", ())) == set(OBSERVATION_GROUPS)
        if env.autoreset_mode is not AutoresetMode.SAME_STEP or not has_groups:
            raise InputError(
                f"autoreset {env.autoreset_mode.name.lower()}, observations {'has_groups' if has_groups else 'policy'}",
                expected="same_step and groups",
                hint='Make it with autoreset="same_step", observations="groups".',
            )
        self.env = env
        self.num_envs, self.num_actions = env.num_envs, int(env.single_action_space.shape[0])
        self.max_episode_length = env.episodes.horizon
        self.device = device
        self.cfg = {"task": env.episodes.task.name, "body": env.episodes.worlds.body.name, **env.provenance}
        self._observations, _ = env.reset(seed=seed)

    @property
    def episode_length_buf(self) -> torch.Tensor:
        """Steps of the running episodes [n]; setting it makes episodes end at different times."""
        return torch.as_tensor(self.env.episodes.length.copy(), device=self.device)

    @episode_length_buf.setter
    def episode_length_buf(self, length: torch.Tensor) -> None:
        self.env.episodes.length[:] = length.cpu().numpy()

    def get_observations(self) -> TensorDict:
        """Return the current observations by group, each [n, size]."""
        tensors = {name: torch.as_tensor(value, device=self.device) for name, value in self._observations.items()}
        return TensorDict(tensors, batch_size=[self.num_envs], device=self.device)

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Advance all rows by one action [n, size] in [-1, 1]."""
        self._observations, reward, terminated, truncated, info = self.env.step(actions.detach().cpu().numpy())
        has_ended = terminated | truncated
        extras: dict[str, Any] = {"time_outs": torch.as_tensor(truncated, device=self.device)}
        if has_ended.any():
            metrics = {name: value for name, value in info["metrics"].items() if isinstance(value, np.ndarray)}
            metric_means = {
                f"/{name}": float(value[has_ended].mean()) for name, value in metrics.items() if name[0] != "_"
            }
            extras["log"] = metric_means
        return (
            self.get_observations(),
            torch.as_tensor(reward, dtype=torch.float32, device=self.device),
            torch.as_tensor(has_ended, dtype=torch.long, device=self.device),
            extras,
        )

    def close(self) -> None:
        """Release the engine."""
        self.env.close()
