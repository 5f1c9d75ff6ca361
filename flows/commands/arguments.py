"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cousins.vary.cousins import SPLITS


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a type of arguments: whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number") from error
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text[:40]} is not from {low} to {high}")
        return value

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """Return a type of arguments: finite numbers from `low` to `high`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number") from error
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text[:40]} is not from {low:g} to {high:g}")
        return value

    return parse


SEED: Final = whole_number(0, 2**63 - 1)
"""Type of a seed."""
EPISODES: Final = whole_number(0, 1_000_000)
"""Type of a number of episodes: the most take some days, and their table is still read at once."""


def add_progress_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--progress-fd` of commands that take long."""
    parser.add_argument(
        "--progress-fd",
        type=int,
        metavar="N",
        help="write progress to this open file descriptor, a JSON object a line: stage, event, seconds, digest, reused",
    )


def add_scale_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what measures the scale of a capture."""
    parser.add_argument(
        "--tag-size",
        type=number(1.0, 10_000.0),
        metavar="MM",
        help="side of the printed tags in the scene: corrects the scale by them",
    )
    parser.add_argument(
        "--scale-distance",
        action="append",
        default=[],
        metavar="A:B=M",
        help="a distance you measured: tag3:tag7=0.50, or two pixels of a picture of `inspect --pictures`, "
        "12:310,220:505,228=0.50; repeat it for more",
    )
    parser.add_argument(
        "--scale-room",
        type=Path,
        metavar="ROOM",
        help="RoomPlan scan (JSON or USDZ) of the room whose walls the pictures show: these measure the scale",
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cousins scan` and `demo` share."""
    parser.add_argument("--seed", type=SEED, default=0, help="root of all randomness (0)")
    parser.add_argument(
        "--segmenter",
        default="geometric",
        metavar="NAME[:WEIGHTS]",
        help="who tells objects apart: geometric, or sam with the weights of a model's name or a path (geometric)",
    )
    parser.add_argument("--names", metavar="NAME[:WEIGHTS]", help="who names objects: yolox or clip (geometry)")
    parser.add_argument("--force", action="store_true", help="replace an older scene at the output folder")
    parser.add_argument(
        "--runner",
        choices=("auto", "plain", "prefect"),
        default="auto",
        help="auto: Prefect where PREFECT_API_URL names a running server, plain calls elsewhere",
    )


def add_rollout_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `cousins record` and `film` share."""
    parser.add_argument(
        "policy",
        metavar="POLICY",
        help="policy folder, as `cousins train` writes it, a Python file or ws://HOST:PORT as `cousins eval` takes"
        " them, or `random`",
    )
    parser.add_argument("--pack", required=True, metavar="PACK", help="pack folder, or NAME:TAG@STORE")
    parser.add_argument("--split", choices=SPLITS, default="heldout_far", help="cousins to act in (heldout_far)")
    add_setting_arguments(parser, policy_source="a Python file or `random`")
    parser.add_argument("--engine", default="mujoco", metavar="NAME", help="mujoco or pybullet (mujoco)")
    parser.add_argument(
        "--shadow", type=SEED, metavar="SEED", help="hide physics and spoil the robot by this seed (sim-to-sim)"
    )
    parser.add_argument("--seed", type=SEED, default=0, help="root of the starts' randomness, as in `cousins eval` (0)")


def add_setting_arguments(parser: argparse.ArgumentParser, *, policy_source: str) -> None:
    """Add the worlds that a policy was made for, where `policy_source` does not name them itself."""
    parser.add_argument("--task", metavar="NAME", help=f"for {policy_source}: the task (push)")
    parser.add_argument("--body", metavar="NAME", help=f"for {policy_source}: body (the task's first)")
    parser.add_argument("--control", metavar="NAME", help=f"for {policy_source}: what its actions are (ee_delta)")
    parser.add_argument(
        "--control-hz", type=number(0.01, 10_000.0), metavar="HZ", help=f"for {policy_source}: actions a second (20)"
    )
