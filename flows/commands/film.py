"""`cousins film POLICY --pack PACK -o film.mp4`: evaluation episodes to watch, chosen by chance."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any

from cousins.errors import InputError
from cousins.extras import requires_extra
from flows.commands.arguments import add_progress_argument, add_rollout_arguments, whole_number

EVALUATED = 100
"""Episodes of an evaluation by default; the film shows some of these."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins film`."""
    add_rollout_arguments(parser)
    parser.add_argument("-o", "--output", type=Path, default=Path("film.mp4"), metavar="MP4", help="film to write")
    parser.add_argument("--loop", default="webp", metavar="NAME", help="looping picture beside it: webp or gif (webp)")
    parser.add_argument("--camera", default="fixed", metavar="NAME", help="fixed or wrist (fixed)")
    parser.add_argument(
        "--episodes", type=whole_number(1, 100), default=6, help="episodes, chosen by chance from an evaluation's (6)"
    )
    add_progress_argument(parser)


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Choose episodes by chance, act in them, and draw them side by side."""
    from flows.execution.progress import counted, progress_lines
    from flows.pipeline.policy_loading import acting, rollouts

    with requires_extra("record"):
        from sim.recording import make_recording_env, plan_episodes, require_new_path, run_metadata
        from sim.recording.film import FilmConfig, loop_path, select_episodes, write_film
        from sim.recording.rendering import CameraConfig, DrawnCamera, require_cameras
    config = FilmConfig(loop=arguments.loop)
    for path in (arguments.output, loop_path(arguments.output, config)):
        require_new_path(path)
    require_cameras([arguments.camera])
    if not 1 <= arguments.episodes <= EVALUATED:
        raise InputError(f"--episodes {arguments.episodes}", expected=f"1 to {EVALUATED}", hint="Leave it out: 6.")
    actor, setting = acting(arguments)
    env, indices = make_recording_env(arguments.pack, arguments.split, arguments.episodes, setting)
    with closing(env), progress_lines(arguments.progress_fd) as lines:
        picked_episodes = select_episodes(
            plan_episodes(env, indices, EVALUATED).episodes, arguments.episodes, seed=arguments.seed
        )
        acted = rollouts(env, picked_episodes, actor, seed=arguments.seed)
        episodes = list(counted(acted, "rollouts", len(picked_episodes), lines.count))
        camera = DrawnCamera(arguments.camera, env, CameraConfig(width=240, height=180, show_goal=True))
        lines.count("film", 0, 1)
        loop = write_film(episodes, camera, arguments.output, config)
        lines.count("film", 1, 1)
        about = run_metadata(env)
    result = {
        "film": str(arguments.output),
        "loop": str(loop),
        "policy": arguments.policy,
        "task": about.task,
        "engine": about.engine,
        "split": arguments.split,
        "digest": about.digest,
        "of": EVALUATED,
        "episodes": [
            {
                "cousin": rollout.cousin,
                "start": rollout.start,
                "success_at_end": rollout.success_at_end,
                "fault": rollout.fault,
            }
            for rollout in episodes
        ],
    }
    return result | ({"label": about.label} if about.label else {}), 0


def format_result(result: dict[str, Any]) -> str:
    """Return the result in words."""
    good = sum(episode["success_at_end"] for episode in result["episodes"])
    return (
        f"{result['film']} and {result['loop']}: {len(result['episodes'])} of {result['of']} evaluation episodes of "
        f"{result['task']} in {result['split']}, chosen by chance, {good} with success"
        + (f" ({result['label']}: hidden physics)" if "label" in result else "")
    )
