"""Train a policy in cousins with the tuned learner, load it, and evaluate it where it was not trained.

Give a pack folder with `--pack`, or a twin's scene folder with `--out`. The default is a short run that shows the
calls; 400,000 steps learn to push. Every episode is counted; the interval is Wilson's.
"""

import argparse
import tempfile
from pathlib import Path

import cousins

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    parser.add_argument("--steps", type=int, default=4096, help="environment steps (4096)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pack, folder = arguments.pack or Path(scratch) / "pack", Path(scratch) / "policy"
        if arguments.pack is None:
            cousins.make_pack(arguments.out, pack, count=8, seed=7)
        cousins.train(pack, cousins.TrainingConfig(task="push", steps=arguments.steps, seed=0), folder)
        policy = cousins.load_policy(folder)
        for split in ("twin", "train"):
            success = cousins.evaluate(policy, pack=pack, split=split, episodes=16).success_at_end
            print(f"{split}: {success.k} of {success.n}, {success.low:.0%} to {success.high:.0%}")
