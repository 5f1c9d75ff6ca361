"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from cousins.vary.cousins import SPLITS


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
        "--tag-size", type=float, metavar="MM", help="side of the printed tags in the scene: corrects the scale by them"
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
    parser.add_argument("--seed", type=int, default=0, help="root of all randomness (0)")
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
        help="policy folder, as `cousins train` writes it, a Python file as `cousins eval` takes it, or `random`",
    )
    parser.add_argument("--pack", required=True, metavar="PACK", help="pack folder, or NAME:TAG@STORE")
    parser.add_argument("--split", choices=SPLITS, default="heldout_far", help="cousins to act in (heldout_far)")
    add_setting_arguments(parser, policy_source="a Python file or `random`")
    parser.add_argument("--engine", default="mujoco", metavar="NAME", help="mujoco or pybullet (mujoco)")
    parser.add_argument(
        "--shadow", type=int, metavar="SEED", help="hide physics and spoil the robot by this seed (sim-to-sim)"
    )
    parser.add_argument("--seed", type=int, default=0, help="root of the starts' randomness, as in `cousins eval` (0)")


def add_setting_arguments(parser: argparse.ArgumentParser, *, policy_source: str) -> None:
    """Add the worlds that a policy was made for, where `policy_source` does not name them itself."""
    parser.add_argument("--task", metavar="NAME", help=f"for {policy_source}: the task (push)")
    parser.add_argument("--body", metavar="NAME", help=f"for {policy_source}: body (the task's first)")
    parser.add_argument("--control", metavar="NAME", help=f"for {policy_source}: what its actions are (ee_delta)")
    parser.add_argument("--control-hz", type=float, metavar="HZ", help=f"for {policy_source}: actions a second (20)")
