"""`cousins record POLICY --pack PACK -o DIR`: rollouts of a policy as a data set, every episode counted."""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cousins.extras import requires_extra
from flows.commands.arguments import EPISODES, add_progress_argument, add_rollout_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins record`."""
    add_rollout_arguments(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write, a new one")
    parser.add_argument("--format", default="lerobot", metavar="NAME", help="lerobot or mcap (lerobot)")
    parser.add_argument(
        "--camera", action="append", default=[], metavar="NAME", help="record pictures: fixed or wrist; repeat it"
    )
    parser.add_argument("--episodes", type=EPISODES, default=100, help="episodes, spread evenly over the cousins (100)")
    add_progress_argument(parser)


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Roll out and write; nothing is left where it fails."""
    from flows.execution.progress import counted, progress_lines
    from flows.pipeline.policy_loading import acting, rollouts

    with requires_extra("record"):
        from sim.recording import (
            make_recording_env,
            make_writer,
            plan_episodes,
            require_new_path,
            run_metadata,
            write_rollouts,
        )
        from sim.recording.rendering import make_cameras, require_cameras

        writer = make_writer(arguments.format)
    require_cameras(arguments.camera)
    require_new_path(arguments.output)
    actor, setting = acting(arguments)
    env, indices = make_recording_env(arguments.pack, arguments.split, arguments.episodes, setting)
    with closing(env), progress_lines(arguments.progress_fd) as lines:
        plan = plan_episodes(env, indices, arguments.episodes)
        written = write_rollouts(
            counted(
                rollouts(env, plan.episodes, actor, seed=arguments.seed), "record", len(plan.episodes), lines.count
            ),
            run_metadata(env),
            arguments.output,
            writer=writer,
            cameras=make_cameras(arguments.camera, env),
        )
        about = run_metadata(env)
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


def format_result(result: dict[str, Any]) -> str:
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
