"""Short films of episodes as looping WebP images, small enough to lie inside a page."""

from __future__ import annotations

import base64
import io
from typing import Any, Final

import numpy as np
from PIL import Image

from sim.recording.rendering import CameraConfig, DrawnCamera
from sim.recording.rollout_collection import collect_rollouts
from sim.regress.episode_runs import EpisodeRunner

STRIDE: Final = 4
"""Control steps from one frame to the next."""
MAX_FRAMES: Final = 40
"""Most frames of a film; of a longer episode frames are left out evenly."""
HOLD_MS: Final = 1500
"""How long the last frame is shown [ms]."""
QUALITY: Final = 45
"""Quality of the images, 0 to 100."""
MAX_BYTES: Final = 250_000
"""Largest film [bytes]; every second frame is left out until it is smaller."""
CAMERA: Final = CameraConfig(width=240, height=180, supersampling=1, show_goal=True)


def filmed(runner: EpisodeRunner, cousin: int, start: int) -> dict[str, Any]:
    """Return an episode as JSON values: `webp` in base64, its success, and how many frames it has.

    The episode is the one that `EpisodeRunner.run` runs. `webp` is empty where the engine could not begin it.
    """
    env, policy = runner.env, runner.policy
    (rollout,) = collect_rollouts(env, [(cousin, start)], act=policy.act, begin=policy.begin, seed=runner.seed)
    steps = list(range(0, rollout.steps, STRIDE))
    if len(steps) > MAX_FRAMES:
        steps = [steps[index] for index in np.linspace(0, len(steps) - 1, MAX_FRAMES).round().astype(int)]
    pictures = DrawnCamera("fixed", env, CAMERA).render_rollout(rollout, steps=steps)
    frames = [Image.fromarray(picture) for picture in pictures]
    data = _webp(frames, round(1000.0 * rollout.metadata.step_s * rollout.steps / max(len(frames), 1)))
    return {
        "webp": base64.b64encode(data).decode("ascii"),
        "success": rollout.success_at_end,
        "frames": len(frames),
        "fault": rollout.fault,
    }


def _webp(frames: list[Image.Image], duration_ms: int) -> bytes:
    """Return frames as a looping image of at most `MAX_BYTES`; nothing without frames."""
    if not frames:
        return b""
    buffer = io.BytesIO()
    durations = [duration_ms] * (len(frames) - 1) + [HOLD_MS]
    frames[0].save(
        buffer, format="WEBP", save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=QUALITY
    )
    if buffer.tell() <= MAX_BYTES or len(frames) == 1:
        return buffer.getvalue()
    return _webp([*frames[:-1:2], frames[-1]], 2 * duration_ms)
