"""Push in cousins with skrl, which takes the Gymnasium environment as it is.

Give a pack folder with `--pack`, or a twin's scene folder with `--out`. The run is short; `cousins train` is tuned.
"""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

import cousins

ROWS, STEPS = 8, 64
NO_FILES = {"write_interval": 0, "checkpoint_interval": 0}


def make_agent(env: Any) -> Any:
    import torch
    from skrl.agents.torch.ppo import PPO
    from skrl.memories.torch import RandomMemory
    from skrl.models.torch import DeterministicMixin, GaussianMixin, Model

    def network(inputs: int, outputs: int) -> torch.nn.Sequential:
        return torch.nn.Sequential(torch.nn.Linear(inputs, 64), torch.nn.Tanh(), torch.nn.Linear(64, outputs))

    class Actor(GaussianMixin, Model):
        def __init__(self, **spaces: Any) -> None:
            Model.__init__(self, **spaces)
            GaussianMixin.__init__(self)
            self.net = network(self.num_observations, self.num_actions)
            self.log_std = torch.nn.Parameter(torch.zeros(self.num_actions))

        def compute(self, inputs: dict[str, Any], _: str = "") -> tuple[Any, dict[str, Any]]:
            return self.net(inputs["observations"]), {"log_std": self.log_std}

    class Critic(DeterministicMixin, Model):
        def __init__(self, **spaces: Any) -> None:
            Model.__init__(self, **spaces)
            DeterministicMixin.__init__(self)
            self.net = network(self.num_observations, 1)

        def compute(self, inputs: dict[str, Any], _: str = "") -> tuple[Any, dict[str, Any]]:
            return self.net(inputs["observations"]), {}

    spaces = {"observation_space": env.observation_space, "action_space": env.action_space, "device": "cpu"}
    return PPO(
        models={"policy": Actor(**spaces), "value": Critic(**spaces)},
        memory=RandomMemory(memory_size=STEPS, num_envs=env.num_envs, device="cpu"),
        cfg={"rollouts": STEPS, "learning_epochs": 2, "mini_batches": 2, "experiment": NO_FILES},
        **spaces,
    )


def learn(pack: Path) -> int:
    """Return the number of steps taken."""
    from skrl.envs.wrappers.torch import wrap_env
    from skrl.trainers.torch import SequentialTrainer

    rows = cousins.make_env(pack=pack, task="push", split="train", num_envs=ROWS, autoreset="same_step")
    env = wrap_env(rows, wrapper="gymnasium", verbose=False)
    options = {"headless": True, "disable_progressbar": True, "close_environment_at_exit": True}
    SequentialTrainer(env=env, agents=make_agent(env), cfg={"timesteps": 2 * STEPS, **options}).train()
    return 2 * STEPS * ROWS


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    arguments = parser.parse_args()
    if importlib.util.find_spec("skrl") is None:
        print("skrl is not installed: pip install 'cousins[adapters]'")
        sys.exit()
    with tempfile.TemporaryDirectory() as scratch:
        pack = arguments.pack or Path(scratch) / "pack"
        if arguments.pack is None:
            cousins.make_pack(arguments.out, pack, count=8, seed=7)
        print(f"{learn(pack)} steps")
