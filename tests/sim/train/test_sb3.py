"""Stable-Baselines3 over cousins: its protocol is kept, and it trains."""

from __future__ import annotations

import numpy as np
import pytest
from stable_baselines3 import PPO, SAC

from cousins.errors import InputError
from sim.train.sb3 import Sb3VecEnv
from tests.sim.envs.test_env import fake_env


def test_ended_rows_keep_the_last_observation_and_whether_time_was_up() -> None:
    env = Sb3VecEnv(fake_env(2, autoreset="same_step"))
    env.seed(0)
    env.reset()
    for _ in range(20):
        observations, reward, has_ended, infos = env.step(np.tile([1.0, 0.0], (2, 1)).astype(np.float32))
    assert has_ended.all()
    assert reward.dtype == np.float32
    for row, info in enumerate(infos):
        assert info["TimeLimit.truncated"]
        assert info["terminal_observation"][0] > observations[row][0] + 0.2
        assert info["episode"]["l"] == 20
        assert info["episode"]["r"] == pytest.approx(info["metrics"]["return"])
        assert info["metrics"]["success_at_end"] is False


def test_seeds_and_options_go_to_the_rows() -> None:
    env = Sb3VecEnv(fake_env(2, autoreset="same_step"))
    env.seed(4)
    first = env.reset()
    env.seed(4)
    np.testing.assert_array_equal(env.reset(), first)
    env.set_options([{"cousin": 2}, {"cousin": 0}])
    env.reset()
    assert [info["cousin"] for info in env.reset_infos] == [2, 0]


@pytest.mark.parametrize("observations", ["policy", "groups"])
def test_ppo_trains_some_steps(observations: str) -> None:
    env = Sb3VecEnv(fake_env(4, autoreset="same_step", observations=observations))
    policy = "MlpPolicy" if observations == "policy" else "MultiInputPolicy"
    model = PPO(policy, env, n_steps=32, batch_size=64, n_epochs=2, seed=0, device="cpu")
    before = [value.clone() for value in model.policy.parameters()]
    model.learn(256)
    assert model.num_timesteps == 256
    assert any((old != new).any() for old, new in zip(before, model.policy.parameters(), strict=True))


def test_sac_trains_some_steps() -> None:
    model = SAC("MlpPolicy", Sb3VecEnv(fake_env(2, autoreset="same_step")), learning_starts=20, seed=0, device="cpu")
    model.learn(60)
    assert model.num_timesteps == 60


def test_another_way_to_reset_is_refused() -> None:
    with pytest.raises(InputError, match="same_step"):
        Sb3VecEnv(fake_env(1))
