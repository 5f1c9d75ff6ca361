"""A film of evaluation episodes in a grid: selected at random, each with its cousin and outcome as a caption."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cousins.errors import InputError
from cousins.geometry import Array
from cousins.publishing import move_new, staging_folder
from sim.recording.dataset_writer import require_new_path
from sim.recording.rendering import Camera
from sim.recording.rollouts import Rollout
from sim.recording.video import open_video

LOOP_FORMATS: Final = ("webp", "gif")
"""Formats of the looping image."""
SUCCESS_COLOR: Final = (38, 120, 62)
FAILURE_COLOR: Final = (150, 62, 52)
"""Background of the caption of a failed episode; `SUCCESS_COLOR` is that of a successful one."""
EMPTY_COLOR: Final = (60, 63, 68)
"""Colour of a tile whose episode did not begin, and of unused tiles."""
_SELECTION_SPAWN_KEY: Final = 2
"""Spawn key of the random selection of episodes; keys of episodes have two or more numbers."""


@dataclass(frozen=True, kw_only=True)
class FilmConfig:
    """Layout and timing of a film."""

    stride: int = 2
    """Control steps from one frame to the next."""
    hold_s: float = 1.0
    """How long the last frame is held [s]."""
    caption_px: int = 18
    """Height of a caption [px], even."""
    loop: str = "webp"
    """Format of the looping image, one of `LOOP_FORMATS`."""
    quality: int = 60
    """Quality of the looping image as WebP, 0 to 100."""


def select_episodes(episodes: Sequence[tuple[int, int]], count: int, *, seed: int) -> list[tuple[int, int]]:
    """Return `count` of the episodes (cousin, start) of an evaluation, selected at random, in their order."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SELECTION_SPAWN_KEY,)))
    selected = rng.choice(len(episodes), size=min(count, len(episodes)), replace=False)
    return [episodes[number] for number in sorted(selected.tolist())]


def loop_path(output: Path, config: FilmConfig) -> Path:
    """Return the path of the looping image of a film; raises `InputError` for an unknown format or suffix."""
    if config.loop not in LOOP_FORMATS:
        raise InputError(
            f"a loop as {config.loop!r}", expected="one of " + ", ".join(LOOP_FORMATS), hint="Type one of them."
        )
    if output.suffix != ".mp4":
        raise InputError(
            f"a film at {output.name!r}", expected="a name that ends in .mp4", hint=f"-o {output.stem}.mp4"
        )
    return output.with_suffix(f".{config.loop}")


def write_film(rollouts: Sequence[Rollout], camera: Camera, output: Path, config: FilmConfig) -> Path:
    """Write a film of rollouts and a looping image beside it; return the path of the image. Raises `InputError`."""
    loop = loop_path(output, config)
    require_new_path(output)
    require_new_path(loop)
    step_s = rollouts[0].metadata.step_s * config.stride
    frames = list(_film_frames(rollouts, camera, config, hold_frames=round(config.hold_s / step_s)))
    with staging_folder(output.parent) as partial_folder:
        height, width = frames[0].shape[:2]
        video = open_video(
            partial_folder / "film.mp4", width=width, height=height, fps=round(1.0 / step_s), key_frames=24
        )
        for _ in video.add(frames):
            pass
        video.close()
        images = [Image.fromarray(picture) for picture in frames]
        save_options = {"save_all": True, "append_images": images[1:], "duration": round(1000.0 * step_s), "loop": 0}
        images[0].save(partial_folder / "loop", format=config.loop.upper(), quality=config.quality, **save_options)
        move_new(partial_folder / "film.mp4", output)
        move_new(partial_folder / "loop", loop)
    return loop


def _film_frames(
    rollouts: Sequence[Rollout], camera: Camera, config: FilmConfig, *, hold_frames: int
) -> Iterator[Array]:
    """Yield frames of all tiles, uint8 [h, w, 3], until the longest episode has been held for `hold_frames` frames."""
    columns = math.ceil(math.sqrt(len(rollouts)))
    height, width = camera.height + config.caption_px, camera.width
    rows = math.ceil(len(rollouts) / columns)
    captions = [_caption(rollout, width, config.caption_px) for rollout in rollouts]
    renderings = [camera.render_rollout(rollout, steps=range(0, rollout.steps, config.stride)) for rollout in rollouts]
    longest = max(len(range(0, rollout.steps, config.stride)) for rollout in rollouts)
    frame = np.empty((rows * height, columns * width, 3), dtype=np.uint8)
    frame[:] = EMPTY_COLOR
    for _ in range(max(longest, 1) + hold_frames):
        for number, (rendering, caption) in enumerate(zip(renderings, captions, strict=True)):
            top, left = (number // columns) * height, (number % columns) * width
            frame[top : top + config.caption_px, left : left + width] = caption
            picture = next(rendering, None)
            if picture is not None:
                frame[top + config.caption_px : top + height, left : left + width] = picture
        yield frame.copy()


def _caption(rollout: Rollout, width: int, height: int) -> Array:
    outcome = "fault" if rollout.fault else "success" if rollout.success_at_end else "no success"
    image = Image.new("RGB", (width, height), SUCCESS_COLOR if rollout.success_at_end else FAILURE_COLOR)
    font = ImageFont.load_default(size=height - 6)
    ImageDraw.Draw(image).text((6, 2), f"cousin {rollout.cousin}: {outcome}", fill=(255, 255, 255), font=font)
    return np.asarray(image)
