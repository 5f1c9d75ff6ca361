"""`cousins film POLICY --pack PACK -o film.mp4`: evaluation episodes to watch, chosen by chance."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import Any

from cousins.errors import InputError
from flows.extras import needing
from flows.pipeline.policy_loading import acting, rollouts

EVALUATED = 100
"""Episodes of an evaluation by default; the film shows some of these."""


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Choose episodes by chance, act in them, and draw them side by side."""
    with needing("record"):
        from sim.recording import about_of, open_worlds, plan_of, require_new
        from sim.recording.film import FilmConfig, choose, loop_path, write_film
        from sim.recording.rendering import CameraConfig, DrawnCamera, require_cameras
    config = FilmConfig(loop=arguments.loop)
    for path in (arguments.output, loop_path(arguments.output, config)):
        require_new(path)
    require_cameras([arguments.camera])
    if not 1 <= arguments.episodes <= EVALUATED:
        raise InputError(f"--episodes {arguments.episodes}", expected=f"1 to {EVALUATED}", hint="Leave it out: 6.")
    actor, setting = acting(arguments)
    env, indices = open_worlds(arguments.pack, arguments.split, arguments.episodes, setting)
    with closing(env):
        chosen = choose(plan_of(env, indices, EVALUATED).episodes, arguments.episodes, seed=arguments.seed)
        shown = list(rollouts(env, chosen, actor, seed=arguments.seed))
        camera = DrawnCamera(arguments.camera, env, CameraConfig(width=240, height=180, goal=True))
        loop = write_film(shown, camera, arguments.output, config)
        about = about_of(env)
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
            {"cousin": one.cousin, "start": one.start, "success_at_end": one.success_at_end, "fault": one.fault}
            for one in shown
        ],
    }
    return result | ({"label": about.label} if about.label else {}), 0


def told(result: dict[str, Any]) -> str:
    """Return the result in words."""
    good = sum(one["success_at_end"] for one in result["episodes"])
    return (
        f"{result['film']} and {result['loop']}: {len(result['episodes'])} of {result['of']} evaluation episodes of "
        f"{result['task']} in {result['split']}, chosen by chance, {good} with success"
        + (f" ({result['label']}: hidden physics)" if "label" in result else "")
    )
