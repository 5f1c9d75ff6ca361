"""rsl_rl, skrl and RLlib over cousins: each takes the environment and really trains some steps."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cousins.errors import InputError
from tests.sim.envs.test_env import fake_env

CONFIG: dict[str, Any] = {
    "num_steps_per_env": 16,
    "save_interval": 100,
    "obs_groups": {"actor": ["policy"], "critic": ["policy", "privileged"]},
    "algorithm": {"class_name": "PPO", "num_learning_epochs": 2, "num_mini_batches": 2},
    "actor": {
        "class_name": "MLPModel",
        "hidden_dims": [32],
        "distribution_cfg": {"class_name": "GaussianDistribution"},
    },
    "critic": {"class_name": "MLPModel", "hidden_dims": [32]},
}


def test_rsl_rl_trains_with_a_critic_that_sees_more() -> None:
    pytest.importorskip("rsl_rl")
    from rsl_rl.runners import OnPolicyRunner

    from sim.train.rsl_rl import RslRlVecEnv

    env = RslRlVecEnv(fake_env(4, autoreset="same_step", observations="groups"))
    runner = OnPolicyRunner(env, CONFIG, device="cpu")
    before = [value.clone() for value in runner.alg.get_policy().parameters()]
    runner.learn(2, init_at_random_ep_len=True)
    assert any((old != new).any() for old, new in zip(before, runner.alg.get_policy().parameters(), strict=True))


def test_rsl_rl_receives_time_outs_and_metrics() -> None:
    pytest.importorskip("rsl_rl")
    from sim.train.rsl_rl import RslRlVecEnv

    env = RslRlVecEnv(fake_env(2, autoreset="same_step", observations="groups"))
    env.episode_length_buf = torch.tensor([18, 0])
    ends = [env.step(torch.tensor([[1.0, 0.0]] * 2)) for _ in range(2)]
    assert [end[2].tolist() for end in ends] == [[0, 0], [1, 0]]
    assert ends[1][3]["time_outs"].tolist() == [True, False]
    assert ends[1][3]["log"]["/length"] == 2.0
    assert ends[1][0]["policy"].shape == (2, 33)
    assert ends[1][0]["privileged"].dtype == torch.float32
    assert env.episode_length_buf.tolist() == [0, 2]
    with pytest.raises(InputError, match="same_step and groups"):
        RslRlVecEnv(fake_env(2, autoreset="same_step"))


def test_skrl_trains_some_steps() -> None:
    pytest.importorskip("skrl")
    from skrl.envs.wrappers.torch import wrap_env
    from skrl.trainers.torch import SequentialTrainer

    example = runpy.run_path(str(Path(__file__).parents[3] / "examples" / "11_skrl.py"))
    env = wrap_env(fake_env(4, autoreset="same_step"), wrapper="gymnasium", verbose=False)
    example["make_agent"].__globals__["STEPS"] = 16
    agent = example["make_agent"](env)
    weights = agent.models["policy"].net[0].weight
    before = weights.detach().clone()
    plain = {"headless": True, "disable_progressbar": True, "close_environment_at_exit": False}
    SequentialTrainer(env=env, agents=agent, cfg={"timesteps": 48, **plain}).train()
    assert (weights != before).any()


def test_every_task_is_registered_with_rllib() -> None:
    pytest.importorskip("ray.rllib", exc_type=ImportError)
    from ray.tune.registry import ENV_CREATOR, _global_registry

    from sim.envs.registration import TASKS, env_id
    from sim.train.rllib import register
    from tests.sim.worlds_for_tests import boxes

    register()
    assert all(_global_registry.contains(ENV_CREATOR, env_id(task)) for task in TASKS)
    env = _global_registry.get(ENV_CREATOR, "cousins/Push-v0")({"pack": boxes(1), "split": [0]})
    assert np.isfinite(env.reset(seed=0)[0]).all()
    env.close()
