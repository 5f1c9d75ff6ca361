"""Push in cousins with the learner that you have: Stable-Baselines3, skrl, rsl_rl or RLlib, some steps of each.

Give a pack folder with `--pack`, or a twin's scene folder with `--out`. `--learner` names one; without it all that are
installed take their turn (extras `rl`, `adapters`, `rllib`). The runs are short: they show how each library takes the
rows, not how well it learns. `cousins train` is tuned, keeps checkpoints and resumes.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import runpy
import tempfile
from pathlib import Path
from typing import Any

import torch

from sim.envs.make_env import make_env

ROWS, STEPS = 8, 64


def stable_baselines3(pack: Path) -> str:
    from stable_baselines3 import PPO

    from sim.train.sb3 import Sb3VecEnv

    env = Sb3VecEnv(make_env(pack=pack, split="train", num_envs=ROWS, autoreset="same_step"))
    learner = PPO("MlpPolicy", env, n_steps=STEPS, batch_size=128, device="cpu").learn(2 * STEPS * ROWS)
    env.close()
    return f"{learner.num_timesteps} steps"


def skrl_agent(env: Any, rollout: int) -> Any:
    """Return a PPO of skrl for a wrapped environment."""
    from skrl.agents.torch.ppo import PPO
    from skrl.memories.torch import RandomMemory
    from skrl.models.torch import DeterministicMixin, GaussianMixin, Model

    class Actor(GaussianMixin, Model):
        def __init__(self, **spaces: Any) -> None:
            Model.__init__(self, **spaces)
            GaussianMixin.__init__(self)
            self.net = network(self.num_observations, self.num_actions)
            self.log_std = torch.nn.Parameter(torch.zeros(self.num_actions))

        def compute(self, inputs: dict[str, Any], _: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
            return self.net(inputs["observations"]), {"log_std": self.log_std}

    class Critic(DeterministicMixin, Model):
        def __init__(self, **spaces: Any) -> None:
            Model.__init__(self, **spaces)
            DeterministicMixin.__init__(self)
            self.net = network(self.num_observations, 1)

        def compute(self, inputs: dict[str, Any], _: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
            return self.net(inputs["observations"]), {}

    spaces = {"observation_space": env.observation_space, "action_space": env.action_space, "device": "cpu"}
    quiet = {"write_interval": 0, "checkpoint_interval": 0}
    return PPO(
        models={"policy": Actor(**spaces), "value": Critic(**spaces)},
        memory=RandomMemory(memory_size=rollout, num_envs=env.num_envs, device="cpu"),
        cfg={"rollouts": rollout, "learning_epochs": 2, "mini_batches": 2, "experiment": quiet},
        **spaces,
    )


def skrl(pack: Path) -> str:
    from skrl.envs.wrappers.torch import wrap_env
    from skrl.trainers.torch import SequentialTrainer

    rows = make_env(pack=pack, split="train", num_envs=ROWS, autoreset="same_step")
    env = wrap_env(rows, wrapper="gymnasium", verbose=False)
    agent = skrl_agent(env, STEPS)
    plain = {"headless": True, "disable_progressbar": True, "close_environment_at_exit": True}
    SequentialTrainer(env=env, agents=agent, cfg={"timesteps": 2 * STEPS, **plain}).train()
    return f"{2 * STEPS * ROWS} steps"


def rsl_rl(pack: Path) -> str:
    from rsl_rl.runners import OnPolicyRunner

    from sim.train.rsl_rl import RslRlVecEnv

    rows = make_env(pack=pack, split="train", num_envs=ROWS, autoreset="same_step", observations="groups")
    settings = {
        "num_steps_per_env": STEPS,
        "save_interval": 100,
        # The critic sees masses, frictions and contacts too.
        "obs_groups": {"actor": ["policy"], "critic": ["policy", "privileged"]},
        "algorithm": {"class_name": "PPO"},
        "actor": {
            "class_name": "MLPModel",
            "hidden_dims": [64, 64],
            "distribution_cfg": {"class_name": "GaussianDistribution"},
        },
        "critic": {"class_name": "MLPModel", "hidden_dims": [64, 64]},
    }
    OnPolicyRunner(RslRlVecEnv(rows), settings, device="cpu").learn(2)
    rows.close()
    return f"{2 * STEPS * ROWS} steps"


def rllib(pack: Path) -> str:
    import ray
    from ray.rllib.algorithms.ppo import PPOConfig

    from sim.train.rllib import register

    register()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    told = {"pack": str(pack.resolve()), "split": "train"}
    config = (
        PPOConfig()
        .environment("cousins/Push-v0", env_config=told)
        .env_runners(num_env_runners=1)
        .training(train_batch_size_per_learner=512, minibatch_size=128, num_epochs=2)
    )
    algorithm = config.build_algo()
    steps = algorithm.train()["num_env_steps_sampled_lifetime"]
    algorithm.stop()
    ray.shutdown()
    return f"{steps:.0f} steps"


def network(size: int, out: int) -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Linear(size, 64), torch.nn.Tanh(), torch.nn.Linear(64, out))


LEARNERS = {"stable_baselines3": stable_baselines3, "skrl": skrl, "rsl_rl": rsl_rl, "rllib": rllib}
MODULES = {"rllib": "ray.rllib"}


def there(name: str) -> bool:
    try:
        return importlib.util.find_spec(MODULES.get(name, name)) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    parser.add_argument("--learner", choices=LEARNERS, help="only this one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        small_pack = runpy.run_path(str(Path(__file__).with_name("07_environments.py")))["small_pack"]
        pack = arguments.pack or small_pack(arguments.out, Path(scratch))
        for name in [arguments.learner] if arguments.learner else LEARNERS:
            print(f"{name}: {LEARNERS[name](pack) if arguments.learner or there(name) else 'not installed'}")
