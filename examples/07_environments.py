"""Step cousins as a Gymnasium environment: rows side by side, a cousin in each, and after an episode the next.

Give a pack folder with `--pack`, or a twin's scene folder with `--out` (example 01 writes one): a small pack is made
of it first. `cousins tasks PACK` lists which tasks a pack affords.
"""

import argparse
import tempfile
from pathlib import Path

import cousins

STEPS = 300


def play(pack: Path) -> None:
    env = cousins.make_env(pack=pack, task="push", split="train", num_envs=4)
    observations, info = env.reset(seed=0)
    print(f"{observations.shape} observations, {env.action_space.shape} actions, cousins {info['cousin']}")
    env.action_space.seed(0)
    for _ in range(STEPS):
        _, _, terminated, truncated, info = env.step(env.action_space.sample())
        for row in (terminated | truncated).nonzero()[0]:
            total, progress, success = (info["metrics"][name][row] for name in ("return", "progress", "success_at_end"))
            print(f"cousin {info['cousin'][row]}: return {total:.1f}, progress {progress:.0%}, success {success}")
    task: cousins.Task = env.task
    body: cousins.Body = env.body
    print(f"the task is {task.name}, the body {body.name} with {len(body.drives)} drives")
    env.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pack = arguments.pack or Path(scratch) / "pack"
        if arguments.pack is None:
            cousins.make_pack(arguments.out, pack, count=8, seed=7)
        play(pack)
