"""`cousins train PACK --task push -o POLICY`: learn a task in cousins."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cousins.errors import InputError, UnknownNameError
from cousins.extras import requires_extra
from flows.commands.arguments import SEED, add_progress_argument

if TYPE_CHECKING:
    from flows.execution.progress import ProgressLines
    from sim.train.training_progress import ProgressReport, TrainingResult

RUNNERS: Final = ("local", "ray")
"""Who collects what is learned from."""
PROGRESS_STAGE: Final = "train"
"""Stage of the lines of `--progress-fd`, which count environment steps."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument("--seed", type=SEED, default=0, help="root of all randomness (0)")
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
    parser.add_argument(
        "--body", metavar="BODY", help="name of a body, or path of its URDF or MJCF; the task's first where not given"
    )
    parser.add_argument(
        "--runner",
        default="local",
        metavar="NAME",
        help="local: Stable-Baselines3 in this process; ray: PPO of RLlib, whose workers divide steps and rows among"
        " them, on the cluster of RAY_ADDRESS or one of this machine, each with a replay of its own; no two runs are"
        " the same there (local)",
    )
    parser.add_argument("--workers", type=int, default=2, help="ray: processes that collect rollouts (2)")
    add_progress_argument(parser)


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Train, or go on with it, and return how often it succeeds at the end of its episodes."""
    from flows.execution.progress import progress_lines

    train = _trainer(arguments.runner, arguments.workers)
    with requires_extra("rl"):
        from sim.train.config import TrainingConfig, default_learning
    for name in ("steps", "rows", "workers"):
        _require_positive(name, getattr(arguments, name))
    if arguments.first is not None:
        _require_positive("first", arguments.first)
    if not 0.0 <= arguments.twin_first <= 1.0:
        raise InputError(f"--twin-first {arguments.twin_first}", expected="a share, 0 to 1", hint="Leave it out: 0.1.")
    training = TrainingConfig(
        task=arguments.task,
        steps=arguments.steps,
        seed=arguments.seed,
        worlds=arguments.worlds,
        first=arguments.first,
        twin_share=arguments.twin_first,
        replay=arguments.replay,
        robot=arguments.robot,
        rows=arguments.rows,
        body=arguments.body,
        learning=default_learning(arguments.algo, arguments.task),
    )
    with progress_lines(arguments.progress_fd) as lines:
        lines.count(PROGRESS_STAGE, 0, training.steps)
        trained = train(
            arguments.pack,
            training,
            arguments.output,
            resume=arguments.resume,
            start=arguments.start,
            on_progress=partial(_report_progress, lines),
        )
        steps = int(trained.curve[-1]["steps"])
        lines.count(PROGRESS_STAGE, steps, training.steps)
    return {
        "policy": os.fspath(arguments.output),
        "task": training.task,
        "algo": training.learning.algorithm,
        "runner": arguments.runner,
        "workers_replaced": trained.workers_replaced,
        "worlds": training.worlds,
        "steps": steps,
        "seconds": round(trained.seconds, 3),
        "steps_per_second": round(steps / max(trained.seconds, 1e-9), 1),
        "success_at_end": trained.curve[-1]["success_at_end"],
        "curve": list(trained.curve),
    }, 0


def format_result(result: dict[str, Any]) -> str:
    """Return the result in words."""
    speed = f"{result['seconds']:.0f} s, {result['steps_per_second']:.0f} a second"
    return "\n".join(
        [
            f"policy    {result['policy']}",
            f"learned   {result['task']} by {result['algo']} in {result['worlds']}, {result['steps']} steps in {speed}",
            f"success   {result['success_at_end']:.0%} of the last episodes, while it still tried things",
            f"next      cousins eval {result['policy']} --pack PACK --split heldout_far",
        ]
    )


def _trainer(runner: str, workers: int) -> Callable[..., TrainingResult]:
    """Return what trains: Stable-Baselines3 in this process, or RLlib over a Ray cluster."""
    if runner not in RUNNERS:
        raise UnknownNameError(
            f"no runner of trainings named '{runner}'",
            expected="one of " + ", ".join(RUNNERS),
            hint="Type --runner local.",
        )
    if runner == "ray":
        with requires_extra("rllib"):
            from sim.train.rllib import train_on_ray
        return partial(train_on_ray, workers=workers)
    with requires_extra("rl"):
        from sim.train.training import train
    return train


def _report_progress(lines: ProgressLines, progress: ProgressReport) -> None:
    """Show a checkpoint and write its steps; those of the last are written once the training has ended."""
    _show_progress(progress)
    if progress.steps < progress.total_steps:
        lines.count(PROGRESS_STAGE, progress.steps, progress.total_steps)


def _show_progress(progress: ProgressReport) -> None:
    replaced = f", {progress.workers_replaced} dead workers replaced" if progress.workers_replaced else ""
    sys.stderr.write(
        f"  {progress.steps:>9} of {progress.total_steps} steps, {progress.steps_per_second:5.0f} a second, "
        f"success {progress.success_at_end:.0%}{replaced}\n"
    )
    sys.stderr.flush()


def _require_positive(name: str, value: int) -> None:
    if value < 1:
        raise InputError(f"--{name} {value}", expected="1 or more", hint="Give a larger number.")
