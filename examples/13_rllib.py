"""Push in cousins with RLlib, whose workers build environments by id on a Ray cluster.

Give a pack folder with `--pack`, or a twin's scene folder with `--out`. The run is short: it shows how the library
takes the rows, not how well it learns. `cousins train` is tuned, keeps checkpoints and resumes.
"""

import argparse
import importlib.util
import logging
import sys
import tempfile
from pathlib import Path

import cousins

ROWS, STEPS = 8, 64


def learn(pack: Path) -> int:
    """Return the number of steps taken."""
    import ray
    from ray.rllib.algorithms.ppo import PPOConfig

    cousins.register_rllib_envs()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    config = (
        PPOConfig()
        .environment("cousins/Push-v0", env_config={"pack": str(pack.resolve()), "split": "train"})
        .env_runners(num_env_runners=1)
        .training(train_batch_size_per_learner=ROWS * STEPS, minibatch_size=128, num_epochs=2)
    )
    algorithm = config.build_algo()
    steps = algorithm.train()["num_env_steps_sampled_lifetime"]
    algorithm.stop()
    ray.shutdown()
    return int(steps)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    arguments = parser.parse_args()
    if importlib.util.find_spec("ray") is None:
        print("Ray is not installed: pip install 'cousins[rllib]'")
        sys.exit()
    with tempfile.TemporaryDirectory() as scratch:
        pack = arguments.pack or Path(scratch) / "pack"
        if arguments.pack is None:
            cousins.make_pack(arguments.out, pack, count=8, seed=7)
        print(f"{learn(pack)} steps")
