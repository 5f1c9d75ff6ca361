"""Try a policy of your own, in the very episodes that trained ones are tried in; this one is written by hand.

The file is the policy: `cousins eval examples/10_your_policy.py --task push --pack PACK` asks its `act`, here and in
`cousins record` and `film`. What it sees of a push, in metres in the robot's frame: its two drives with their speeds
(4), the tip (3), the way from the tip to the object (3), from the object to the goal (2), from the tip to where a stick
would push from (2), and more. Give a pack folder with `--pack`, or a twin's scene folder with `--out`.
"""

from __future__ import annotations

import argparse
import runpy
import tempfile
from pathlib import Path

import numpy as np

ROUND_M = 0.09
"""Farther than this from an object's middle, a stick goes round it [m]."""
STEP_M = 0.012
"""Way of the tip in an action of 1 [m]."""


def act(observations: np.ndarray) -> np.ndarray:
    """Go round the object to its far side, then push it along the way to its goal."""
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
    from sim.train.evaluation import evaluate, count_failures
    from sim.train.python_policies import PythonPolicyCard, PythonPolicy

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        small_pack = runpy.run_path(str(Path(__file__).with_name("07_environments.py")))["small_pack"]
        pack = arguments.pack or small_pack(arguments.out, Path(scratch))
        for split in ("twin", "train"):
            found = evaluate(PythonPolicy(Path(__file__), PythonPolicyCard(task="push")), pack=pack, split=split, episodes=16)
            print(f"{split}: {found.success_at_end.k} of {found.success_at_end.n} pushed home; failed {count_failures(found.episodes)}")


if __name__ == "__main__":
    main()
