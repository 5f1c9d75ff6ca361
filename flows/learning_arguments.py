"""What `cousins train`, `eval`, `record` and `film` take."""

from __future__ import annotations

import argparse
from pathlib import Path

from flows.pack_arguments import SPLITS


def train_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins train`."""
    parser.add_argument("pack", metavar="PACK", help="pack folder, or NAME:TAG@STORE")
    parser.add_argument("--task", default="push", metavar="NAME", help="what is learned; `cousins tasks` lists (push)")
    parser.add_argument("--algo", default="ppo", metavar="NAME", help="who learns: ppo or sac (ppo)")
    parser.add_argument("--steps", type=int, default=400_000, help="environment steps (400000)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="POLICY", help="policy folder to write")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the training in that folder, bit for bit; on Ray with its weights, optimiser and means, in"
        " new episodes (only in a folder that you trust: RLlib's own files are pickles)",
    )
    parser.add_argument("--seed", type=int, default=0, help="root of all randomness (0)")
    parser.add_argument("--from", dest="start", type=Path, metavar="POLICY", help="policy to start from")
    parser.add_argument(
        "--worlds",
        default="cousins",
        metavar="NAME",
        help="twin: the twin alone; noise: the twin with ordinary noise; cousins: the twin first, then the train split"
        " (cousins)",
    )
    parser.add_argument("--first", type=int, metavar="N", help="only the first N cousins of the train split")
    parser.add_argument(
        "--twin-first", type=float, default=0.1, metavar="SHARE", help="of the steps, in the twin alone; 0: never (0.1)"
    )
    parser.add_argument("--replay", default="uniform", metavar="NAME", help="uniform or prioritised (uniform)")
    parser.add_argument(
        "--robot", metavar="NAME", help="exact, or varied in gain, latency and noise (varied; exact in the twin alone)"
    )
    parser.add_argument("--rows", type=int, default=32, help="worlds side by side (32)")
    parser.add_argument("--body", metavar="NAME", help="body; the task's first where not given")
    parser.add_argument(
        "--runner",
        default="local",
        metavar="NAME",
        help="local: Stable-Baselines3 in this process; ray: PPO of RLlib, whose workers divide steps and rows among"
        " them, on the cluster of RAY_ADDRESS or one of this machine, each with a replay of its own; no two runs are"
        " the same there (local)",
    )
    parser.add_argument("--workers", type=int, default=2, help="ray: processes that collect rollouts (2)")


def eval_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins eval`."""
    parser.add_argument(
        "policy",
        metavar="POLICY",
        help="policy folder, as `cousins train` writes it, or a Python file of yours with a function"
        " act(observations) [n, k] -> actions [n, m] (and reset(), where it remembers), which is run",
    )
    _made_for_arguments(parser, who="a Python file")
    parser.add_argument("--pack", required=True, metavar="PACK", help="pack folder, or NAME:TAG@STORE")
    parser.add_argument("--split", choices=SPLITS, default="heldout_far", help="cousins to try it in (heldout_far)")
    parser.add_argument("--engine", default="mujoco", metavar="NAME", help="mujoco or pybullet (mujoco)")
    parser.add_argument("--episodes", type=int, default=100, help="episodes, spread evenly over the cousins (100)")
    parser.add_argument(
        "--shadow", type=int, metavar="SEED", help="hide physics and spoil the robot by this seed (sim-to-sim)"
    )
    parser.add_argument("--seed", type=int, default=0, help="root of the starts' randomness (0)")


def record_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins record`."""
    _rolling_arguments(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write, a new one")
    parser.add_argument("--format", default="lerobot", metavar="NAME", help="lerobot or mcap (lerobot)")
    parser.add_argument(
        "--camera", action="append", default=[], metavar="NAME", help="record pictures: fixed or wrist; repeat it"
    )
    parser.add_argument("--episodes", type=int, default=100, help="episodes, spread evenly over the cousins (100)")


def film_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins film`."""
    _rolling_arguments(parser)
    parser.add_argument("-o", "--output", type=Path, default=Path("film.mp4"), metavar="MP4", help="film to write")
    parser.add_argument("--loop", default="webp", metavar="NAME", help="looping picture beside it: webp or gif (webp)")
    parser.add_argument("--camera", default="fixed", metavar="NAME", help="fixed or wrist (fixed)")
    parser.add_argument("--episodes", type=int, default=6, help="episodes, chosen by chance from an evaluation's (6)")


def _rolling_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "policy",
        metavar="POLICY",
        help="policy folder, as `cousins train` writes it, a Python file as `cousins eval` takes it, or `random`",
    )
    parser.add_argument("--pack", required=True, metavar="PACK", help="pack folder, or NAME:TAG@STORE")
    parser.add_argument("--split", choices=SPLITS, default="heldout_far", help="cousins to act in (heldout_far)")
    _made_for_arguments(parser, who="a Python file or `random`")
    parser.add_argument("--engine", default="mujoco", metavar="NAME", help="mujoco or pybullet (mujoco)")
    parser.add_argument(
        "--shadow", type=int, metavar="SEED", help="hide physics and spoil the robot by this seed (sim-to-sim)"
    )
    parser.add_argument("--seed", type=int, default=0, help="root of the starts' randomness, as in `cousins eval` (0)")


def _made_for_arguments(parser: argparse.ArgumentParser, *, who: str) -> None:
    parser.add_argument("--task", metavar="NAME", help=f"for {who}: the task (push)")
    parser.add_argument("--body", metavar="NAME", help=f"for {who}: the body; the task's first where not given")
    parser.add_argument("--control", metavar="NAME", help=f"for {who}: what its actions are (ee_delta)")
    parser.add_argument("--control-hz", type=float, metavar="HZ", help=f"for {who}: actions a second (20)")
