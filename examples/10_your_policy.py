"""Try a policy of your own, in the very episodes that trained ones are tried in; this one is written by hand.

The file is the policy: `cousins eval examples/10_your_policy.py --task push --pack PACK` asks its `act`, here and in
`cousins record` and `film`. What it sees of a push, in metres in the robot's frame: its two drives with their speeds
(4), the tip (3), the way from the tip to the object (3), from the object to the goal (2), from the tip to where a stick
would push from (2), and more. Give a pack folder with `--pack`, or a twin's scene folder with `--out`.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import cousins

ROUND_M = 0.09
"""Farther than this from an object's middle, a stick goes round it [m]."""
STEP_M = 0.012
"""Way of the tip in an action of 1 [m]."""


def act(observations: np.ndarray) -> np.ndarray:
    """Go round the object to its far side, then push it along the line to its goal."""
    to_object, to_goal, to_start = observations[:, 7:9], observations[:, 10:12], observations[:, 12:14]
    left = np.linalg.norm(to_goal, axis=1, keepdims=True)
    ahead = to_goal / np.maximum(left, 1e-6)
    side = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    behind = (to_object * ahead).sum(axis=1, keepdims=True)
    aside = -(to_object * side).sum(axis=1, keepdims=True)
    lined_up = (np.abs(aside) < 0.015) & (behind > 0.0)
    past = (behind < 0.02) & (np.abs(aside) < ROUND_M)
    out = side * np.where(aside < 0.0, -1.0, 1.0) * 0.02
    push = ahead * np.minimum(0.3 * left, STEP_M) - side * aside
    go = np.where(lined_up, push, np.where(past, out, to_start - 0.01 * ahead))
    return np.clip(go / STEP_M, -1.0, 1.0) * (left > 0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    arguments = parser.parse_args()
    policy = cousins.load_policy(__file__, task="push")
    with tempfile.TemporaryDirectory() as scratch:
        pack = arguments.pack or Path(scratch) / "pack"
        if arguments.pack is None:
            cousins.make_pack(arguments.out, pack, count=8, seed=7)
        for split in ("twin", "train"):
            success = cousins.evaluate(policy, pack=pack, split=split, episodes=16).success_at_end
            print(f"{split}: {success.k} of {success.n} pushed to the goal")


if __name__ == "__main__":
    main()
