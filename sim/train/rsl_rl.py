"""Cousins for rsl_rl: tensors, observation groups `policy` and `privileged`, resets in the same step.

A critic that sees more than the actor is `obs_groups={"actor": ["policy"], "critic": ["policy", "privileged"]}` in the
runner's configuration.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from cousins.errors import InputError
from sim.envs.vector_env import GROUPS, CousinsVectorEnv


class RslRlVecEnv(VecEnv):
    """rsl_rl's protocol; metrics of ended episodes are in `extras["log"]`, faults end an episode as its time does."""

    def __init__(self, env: CousinsVectorEnv, *, device: str = "cpu", seed: int = 0) -> None:
        groups = set(getattr(env.single_observation_space, "spaces", ())) == set(GROUPS)
        if env.mode is not AutoresetMode.SAME_STEP or not groups:
            raise InputError(
                f"autoreset {env.mode.name.lower()}, observations {'groups' if groups else 'policy'}",
                expected="same_step and groups",
                hint='Make it with autoreset="same_step", observations="groups".',
            )
        self.env = env
        self.num_envs, self.num_actions = env.num_envs, int(env.single_action_space.shape[0])
        self.max_episode_length = env.episodes.horizon
        self.device = device
        self.cfg = {"task": env.episodes.task.name, "body": env.episodes.worlds.body.name, **env.label}
        self._seen, _ = env.reset(seed=seed)

    @property
    def episode_length_buf(self) -> torch.Tensor:
        """Steps of the running episodes [n]; setting it lets episodes end at different times."""
        return torch.as_tensor(self.env.episodes.length.copy(), device=self.device)

    @episode_length_buf.setter
    def episode_length_buf(self, length: torch.Tensor) -> None:
        self.env.episodes.length[:] = length.cpu().numpy()

    def get_observations(self) -> TensorDict:
        """Return what is seen now."""
        found = {name: torch.as_tensor(value, device=self.device) for name, value in self._seen.items()}
        return TensorDict(found, batch_size=[self.num_envs], device=self.device)

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Advance all rows."""
        self._seen, reward, terminated, truncated, info = self.env.step(actions.detach().cpu().numpy())
        done = terminated | truncated
        extras: dict[str, Any] = {"time_outs": torch.as_tensor(truncated, device=self.device)}
        if done.any():
            metrics = {name: value for name, value in info["metrics"].items() if isinstance(value, np.ndarray)}
            told = {f"/{name}": float(value[done].mean()) for name, value in metrics.items() if name[0] != "_"}
            extras["log"] = told
        return (
            self.get_observations(),
            torch.as_tensor(reward, dtype=torch.float32, device=self.device),
            torch.as_tensor(done, dtype=torch.long, device=self.device),
            extras,
        )

    def close(self) -> None:
        """Free the engine."""
        self.env.close()
