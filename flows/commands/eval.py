"""`cousins eval POLICY --pack PACK`: how a policy does in the cousins of a split."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from cousins.errors import InputError
from flows.extras import needing
from flows.pipeline.policy_loading import actor_of
from flows.reporting.formatting import table


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Try the policy; every episode is counted."""
    with needing("rl"):
        from sim.envs.shadow import LABEL
        from sim.train.evaluation import evaluate, failures
    if arguments.episodes < 1:
        raise InputError(f"--episodes {arguments.episodes}", expected="1 or more", hint="Give a larger number.")
    policy = actor_of(arguments)
    found = evaluate(
        policy,
        pack=arguments.pack,
        split=arguments.split,
        episodes=arguments.episodes,
        engine=arguments.engine,
        shadow=arguments.shadow,
        seed=arguments.seed,
    )
    kinds = failures(found.tried)
    result = {
        "policy": arguments.policy,
        "task": policy.card.task,
        "engine": found.engine,
        "split": arguments.split,
        "episodes": len(found.tried),
        "success_at_end": asdict(found.at_end),
        "success_once": asdict(found.once),
        "faults": kinds.get("fault", 0),
        "failures": kinds,
        "by_cousin": {str(index): asdict(one) for index, one in found.by_cousin().items()},
        "refused": list(found.refused),
        "digest": found.digest,
    }
    return result | ({} if arguments.shadow is None else {"label": LABEL}), 0


def told(result: dict[str, Any]) -> str:
    """Return the result in words."""
    rows = [[what, *_shown(result[key])] for what, key in (("at the end", "success_at_end"), ("once", "success_once"))]
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
    lines += [f"cousin {index}: {one['k']} of {one['n']}" for index, one in worst if one["k"] < one["n"]]
    return "\n".join(lines)


def _shown(share: dict[str, Any]) -> list[str]:
    return [f"{share['k']} of {share['n']}", f"{share['p']:.0%}", f"{share['low']:.0%} to {share['high']:.0%}"]
