"""Push in cousins with Stable-Baselines3.

Give a pack folder with `--pack`, or a twin's scene folder with `--out`. The run is short: it shows how the library
takes the rows, not how well it learns. `cousins train` is tuned, keeps checkpoints and resumes.
"""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

import cousins

ROWS, STEPS = 8, 64


def learn(pack: Path) -> int:
    """Return the number of steps taken."""
    from stable_baselines3 import PPO

    rows = cousins.make_env(pack=pack, task="push", split="train", num_envs=ROWS, autoreset="same_step")
    env = cousins.adapt_env(rows, "sb3")
    learner = PPO("MlpPolicy", env, n_steps=STEPS, batch_size=128, device="cpu").learn(2 * STEPS * ROWS)
    env.close()
    return learner.num_timesteps


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    arguments = parser.parse_args()
    if importlib.util.find_spec("stable_baselines3") is None:
        print("Stable-Baselines3 is not installed: pip install 'cousins[rl]'")
        sys.exit()
    with tempfile.TemporaryDirectory() as scratch:
        pack = arguments.pack or Path(scratch) / "pack"
        if arguments.pack is None:
            cousins.make_pack(arguments.out, pack, count=8, seed=7)
        print(f"{learn(pack)} steps")
