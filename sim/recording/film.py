"""A film of evaluation episodes side by side: chosen by chance, never the best, each told by number and outcome."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cousins.errors import InputError
from cousins.geometry import Array
from sim.recording.dataset_writer import require_new
from sim.recording.rendering import Camera
from sim.recording.rollouts import Rollout
from sim.recording.video import open_video

LOOPS: Final = ("webp", "gif")
"""Kinds of looping picture."""
GOOD: Final = (38, 120, 62)
BAD: Final = (150, 62, 52)
"""Ground of a caption, by how the episode ended."""
EMPTY: Final = (60, 63, 68)
"""Colour of a tile where no engine began the episode, and between tiles."""
_CHOICE: Final = 2
"""Spawn key of the chance that chooses episodes; a key of one number is no episode's."""


@dataclass(frozen=True, kw_only=True)
class FilmConfig:
    """How a film looks."""

    stride: int = 2
    """Steps from one picture to the next."""
    hold_s: float = 1.0
    """How long the end stands still [s]."""
    caption_px: int = 18
    """Height of a caption [px], even."""
    loop: str = "webp"
    """Kind of the looping picture, of `LOOPS`."""
    quality: int = 60
    """Of the looping picture where it is WebP."""


def choose(episodes: Sequence[tuple[int, int]], count: int, *, seed: int) -> list[tuple[int, int]]:
    """Return so many of the episodes of an evaluation, by chance alone, in their order."""
    chance = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_CHOICE,)))
    picked = chance.choice(len(episodes), size=min(count, len(episodes)), replace=False)
    return [episodes[number] for number in sorted(picked.tolist())]


def loop_path(output: Path, config: FilmConfig) -> Path:
    """Return where the looping picture of a film goes; raises `InputError` for an unknown kind or name."""
    if config.loop not in LOOPS:
        raise InputError(f"a loop as {config.loop!r}", expected="one of " + ", ".join(LOOPS), hint="Type one of them.")
    if output.suffix != ".mp4":
        raise InputError(
            f"a film at {output.name!r}", expected="a name that ends in .mp4", hint=f"-o {output.stem}.mp4"
        )
    return output.with_suffix(f".{config.loop}")


def write_film(rollouts: Sequence[Rollout], camera: Camera, output: Path, config: FilmConfig) -> Path:
    """Write a film of rollouts and a looping picture beside it, whose path is returned; raises `InputError`."""
    loop = loop_path(output, config)
    require_new(output)
    require_new(loop)
    step_s = rollouts[0].about.step_s * config.stride
    pictures = list(_pictures(rollouts, camera, config, ends=round(config.hold_s / step_s)))
    output.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{output.stem}.", dir=output.parent))
    try:
        height, width = pictures[0].shape[:2]
        video = open_video(part / "film.mp4", width=width, height=height, fps=round(1.0 / step_s), key_frames=24)
        for _ in video.add(pictures):
            pass
        video.close()
        images = [Image.fromarray(picture) for picture in pictures]
        times = {"save_all": True, "append_images": images[1:], "duration": round(1000.0 * step_s), "loop": 0}
        images[0].save(part / "loop", format=config.loop.upper(), quality=config.quality, **times)
        (part / "film.mp4").rename(output)
        (part / "loop").rename(loop)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return loop


def _pictures(rollouts: Sequence[Rollout], camera: Camera, config: FilmConfig, *, ends: int) -> Iterator[Array]:
    """Yield all tiles in one picture, until the longest episode has stood still for `ends` pictures."""
    columns = math.ceil(math.sqrt(len(rollouts)))
    height, width = camera.height + config.caption_px, camera.width
    rows = math.ceil(len(rollouts) / columns)
    captions = [_caption(rollout, width, config.caption_px) for rollout in rollouts]
    films = [camera.film(rollout, steps=range(0, rollout.steps, config.stride)) for rollout in rollouts]
    most = max(len(range(0, rollout.steps, config.stride)) for rollout in rollouts)
    page = np.empty((rows * height, columns * width, 3), dtype=np.uint8)
    page[:] = EMPTY
    for _ in range(max(most, 1) + ends):
        for number, (film, caption) in enumerate(zip(films, captions, strict=True)):
            top, left = (number // columns) * height, (number % columns) * width
            page[top : top + config.caption_px, left : left + width] = caption
            picture = next(film, None)
            if picture is not None:
                page[top + config.caption_px : top + height, left : left + width] = picture
        yield page.copy()


def _caption(rollout: Rollout, width: int, height: int) -> Array:
    went = "fault" if rollout.fault else "success" if rollout.success_at_end else "no success"
    image = Image.new("RGB", (width, height), GOOD if rollout.success_at_end else BAD)
    font = ImageFont.load_default(size=height - 6)
    ImageDraw.Draw(image).text((6, 2), f"cousin {rollout.cousin}: {went}", fill=(255, 255, 255), font=font)
    return np.asarray(image)
