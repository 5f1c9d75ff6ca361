"""`cousins eval POLICY --pack PACK`: how a policy does in the cousins of a split."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from typing import Any

from cousins.errors import InputError
from cousins.extras import requires_extra
from flows.commands.arguments import EPISODES, SEED, add_progress_argument, add_setting_arguments
from flows.reporting.formatting import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins eval`."""
    from cousins.vary.cousins import SPLITS

    parser.add_argument(
        "policy",
        metavar="POLICY",
        help="policy folder, as `cousins train` writes it, or a Python file of yours with a function"
        " act(observations) [n, k] -> actions [n, m] (and reset(), where it remembers), which is run, or ws://HOST:PORT"
        " of a policy server of openpi's protocol",
    )
    add_setting_arguments(parser, policy_source="a Python file")
    parser.add_argument("--pack", required=True, metavar="PACK", help="pack folder, or NAME:TAG@STORE")
    parser.add_argument("--split", choices=SPLITS, default="heldout_far", help="cousins to try it in (heldout_far)")
    parser.add_argument("--engine", default="mujoco", metavar="NAME", help="mujoco or pybullet (mujoco)")
    parser.add_argument("--episodes", type=EPISODES, default=100, help="episodes, spread evenly over the cousins (100)")
    parser.add_argument(
        "--shadow", type=SEED, metavar="SEED", help="hide physics and spoil the robot by this seed (sim-to-sim)"
    )
    parser.add_argument("--seed", type=SEED, default=0, help="root of the starts' randomness (0)")
    add_progress_argument(parser)


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Try the policy; every episode is counted."""
    from flows.execution.progress import progress_lines
    from flows.pipeline.policy_loading import actor_of

    with requires_extra("rl"):
        from sim.envs.shadow import LABEL
        from sim.train.evaluation import count_failures, evaluate
    if arguments.episodes < 1:
        raise InputError(f"--episodes {arguments.episodes}", expected="1 or more", hint="Give a larger number.")
    policy = actor_of(arguments)
    with progress_lines(arguments.progress_fd) as lines:
        evaluation = evaluate(
            policy,
            pack=arguments.pack,
            split=arguments.split,
            episodes=arguments.episodes,
            engine=arguments.engine,
            shadow=arguments.shadow,
            seed=arguments.seed,
            on_progress=partial(lines.count, "evaluate"),
        )
    kinds = count_failures(evaluation.episodes)
    result = {
        "policy": arguments.policy,
        "task": policy.card.task,
        "engine": evaluation.engine,
        "split": arguments.split,
        "episodes": len(evaluation.episodes),
        "success_at_end": asdict(evaluation.success_at_end),
        "success_once": asdict(evaluation.success_once),
        "faults": kinds.get("fault", 0),
        "failures": kinds,
        "by_cousin": {str(index): asdict(share) for index, share in evaluation.by_cousin().items()},
        "refused": list(evaluation.refused),
        "digest": evaluation.digest,
    }
    return result | ({} if arguments.shadow is None else {"label": LABEL}), 0


def format_result(result: dict[str, Any]) -> str:
    """Return the result in words."""
    rows = [
        [moment, *_share_cells(result[key])]
        for moment, key in (("at the end", "success_at_end"), ("once", "success_once"))
    ]
    lines = [
        f"{result['task']} in {result['split']} under {result['engine']}, {result['episodes']} episodes"
        + (f" ({result['label']}: hidden physics)" if "label" in result else ""),
        "",
        *table(["success", "episodes", "share", "95 %"], rows),
        "",
        *(f"failed    {count:>4}  {kind}" for kind, count in result["failures"].items()),
    ]
    if result["refused"]:
        lines.append(f"not tried {len(result['refused']):>4}  cousins that do not afford the task")
    worst = sorted(result["by_cousin"].items(), key=lambda item: item[1]["p"])[:5]
    lines += [f"cousin {index}: {share['k']} of {share['n']}" for index, share in worst if share["k"] < share["n"]]
    return "\n".join(lines)


def _share_cells(share: dict[str, Any]) -> list[str]:
    return [f"{share['k']} of {share['n']}", f"{share['p']:.0%}", f"{share['low']:.0%} to {share['high']:.0%}"]
