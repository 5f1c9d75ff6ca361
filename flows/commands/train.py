"""`cousins train PACK --task push -o POLICY`: learn a task in cousins."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cousins.errors import InputError, UnknownNameError
from flows.extras import needing

if TYPE_CHECKING:
    from sim.train.training_progress import Progress, Trained

RUNNERS: Final = ("local", "ray")
"""Who collects what is learned from."""


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Train, or go on with it, and tell how often it succeeds at the end of its episodes."""
    train = _trainer(arguments.runner, arguments.workers)
    with needing("rl"):
        from sim.train.config import Training, learning_of
    for name in ("steps", "rows", "workers"):
        _require_positive(name, getattr(arguments, name))
    if arguments.first is not None:
        _require_positive("first", arguments.first)
    if not 0.0 <= arguments.twin_first <= 1.0:
        raise InputError(f"--twin-first {arguments.twin_first}", expected="a share, 0 to 1", hint="Leave it out: 0.1.")
    training = Training(
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
        learning=learning_of(arguments.algo, arguments.task),
    )
    trained = train(
        arguments.pack, training, arguments.output, resume=arguments.resume, start=arguments.start, tell=_tell
    )
    steps = int(trained.curve[-1]["steps"])
    return {
        "policy": os.fspath(arguments.output),
        "task": training.task,
        "algo": training.learning.algorithm,
        "runner": arguments.runner,
        "workers_replaced": trained.replaced,
        "worlds": training.worlds,
        "steps": steps,
        "seconds": round(trained.seconds, 3),
        "steps_per_second": round(steps / max(trained.seconds, 1e-9), 1),
        "success_at_end": trained.curve[-1]["success_at_end"],
        "curve": list(trained.curve),
    }, 0


def told(result: dict[str, Any]) -> str:
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


def _trainer(runner: str, workers: int) -> Callable[..., Trained]:
    """Return what trains: Stable-Baselines3 in this process, or RLlib over a Ray cluster."""
    if runner not in RUNNERS:
        raise UnknownNameError(
            f"no runner of trainings named '{runner}'",
            expected="one of " + ", ".join(RUNNERS),
            hint="Type --runner local.",
        )
    if runner == "ray":
        with needing("rllib"):
            from sim.train.rllib import train_on_ray
        return partial(train_on_ray, workers=workers)
    with needing("rl"):
        from sim.train.training import train
    return train


def _tell(progress: Progress) -> None:
    replaced = f", {progress.replaced} dead workers replaced" if progress.replaced else ""
    sys.stderr.write(
        f"  {progress.steps:>9} of {progress.of} steps, {progress.steps_per_second:5.0f} a second, "
        f"success {progress.success_at_end:.0%}{replaced}\n"
    )
    sys.stderr.flush()


def _require_positive(name: str, value: int) -> None:
    if value < 1:
        raise InputError(f"--{name} {value}", expected="1 or more", hint="Give a larger number.")
