"""`cousins record POLICY --pack PACK -o DIR`: rollouts of a policy as a data set, every episode counted."""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import asdict
from typing import Any

from flows.extras import needing
from flows.pipeline.policy_loading import acting, rollouts


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Roll out and write; nothing is left where it fails."""
    with needing("record"):
        from sim.recording import about_of, open_worlds, plan_of, require_new, write_rollouts, writer_of
        from sim.recording.rendering import cameras_of, require_cameras

        writer = writer_of(arguments.format)
    require_cameras(arguments.camera)
    require_new(arguments.output)
    actor, setting = acting(arguments)
    env, indices = open_worlds(arguments.pack, arguments.split, arguments.episodes, setting)
    with closing(env):
        plan = plan_of(env, indices, arguments.episodes)
        written = write_rollouts(
            rollouts(env, plan.episodes, actor, seed=arguments.seed),
            about_of(env),
            arguments.output,
            writer=writer,
            cameras=cameras_of(arguments.camera, env),
        )
        about = about_of(env)
    result = {
        "output": str(arguments.output),
        "format": arguments.format,
        "policy": arguments.policy,
        "task": about.task,
        "engine": about.engine,
        "split": arguments.split,
        "digest": about.digest,
        "cameras": arguments.camera,
        **asdict(written),
        "refused": list(plan.refused),
    }
    return result | ({"label": about.label} if about.label else {}), 0


def told(result: dict[str, Any]) -> str:
    """Return the result in words."""
    lines = [
        f"{result['output']}: {result['episodes']} episodes, {result['steps']} steps of {result['task']}"
        f" in {result['split']} under {result['engine']}, as {result['format']}"
        + (f" ({result['label']}: hidden physics)" if "label" in result else ""),
        f"success at the end {result['successes']}, once {result['once']}, faults {result['faults']}",
    ]
    if result["refused"]:
        lines.append(f"not tried {len(result['refused'])} cousins that do not afford the task")
    return "\n".join(lines)
