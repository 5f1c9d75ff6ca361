"""Procedural textures: wood, plaster, printed paper and glaze; uint8 [h, w, 3], sRGB, row 0 on top."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cousins.geometry import Array

Color = tuple[int, int, int]
"""An sRGB colour, 0 to 255."""


def mottled(size: tuple[int, int], color: Color, rng: np.random.Generator, *, mottle: float = 3.0) -> Array:
    """Return a single colour of (height, width) with cloudy variation of `mottle` levels, [h, w, 3]."""
    clouds = _clouds(size, 60.0, rng) * mottle + rng.normal(size=size) * 0.4 * mottle
    return _to_uint8(np.array(color, dtype=np.float64) + clouds[..., None])


def wood(size: tuple[int, int], color: Color, rng: np.random.Generator, *, planks: int) -> Array:
    """Return planks along the width, each with its own tone and grain, [h, w, 3]."""
    height, width = size
    rows = np.arange(height) * planks // height
    edges = np.abs((np.arange(height) * planks / height) % 1.0 - 0.5) > 0.5 - 1.6 * planks / height
    image = np.empty((height, width, 3))
    for plank in range(planks):
        in_plank = rows == plank
        image[in_plank] = np.array(color) * rng.uniform(0.88, 1.08) + _grain((int(in_plank.sum()), width), rng)[
            ..., None
        ] * [
            1.0,
            0.9,
            0.75,
        ]
    if planks > 1:
        image[edges] *= 0.55
    return _to_uint8(image)


def parquet(size: tuple[int, int], color: Color, rng: np.random.Generator, *, rows: int, length_px: int) -> Array:
    """Return floor boards in rows with staggered ends, [h, w, 3]."""
    height, width = size
    image = np.empty((height, width, 3))
    cuts = np.linspace(0, height, rows + 1).astype(int)
    for top, bottom in pairwise(cuts):
        left = -int(rng.integers(0, length_px))
        while left < width:
            start, stop = max(left, 0), min(left + length_px, width)
            tone = rng.uniform(0.84, 1.1)
            grain = _grain((bottom - top, stop - start), rng)[..., None] * [1.0, 0.9, 0.75]
            image[top:bottom, start:stop] = np.array(color) * tone + grain
            image[top:bottom, start : start + 2] *= 0.6
            left += length_px
        image[top : top + 2] *= 0.6
    return _to_uint8(image)


def printed_label(
    size: tuple[int, int],
    background: Color,
    ink: Color,
    lines: Sequence[tuple[str, float]],
    *,
    band: Color,
    repeats: int = 1,
) -> Array:
    """Return a printed label [h, w, 3]: centred lines of (text, share of the height) between two bands, repeated."""
    height, width = size
    part_px = width // repeats
    image = Image.new("RGB", (part_px, height), background)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, part_px, round(0.1 * height)), fill=band)
    draw.rectangle((0, round(0.9 * height), part_px, height), fill=band)
    total = sum(share for _, share in lines) * 1.25
    y = 0.5 - total / 2
    for text, share in lines:
        draw_line(draw, text, (part_px / 2, (y + share * 0.62) * height), share * height, ink, limit_px=0.86 * part_px)
        y += share * 1.25
    single = np.asarray(image)
    return np.concatenate([single] * repeats + [single[:, : width - part_px * repeats]], axis=1)


def draw_line(
    draw: ImageDraw.ImageDraw, text: str, center: tuple[float, float], size_px: float, ink: Color, *, limit_px: float
) -> None:
    """Draw a line of text around a centre, smaller where it would be wider than `limit_px`."""
    font = ImageFont.load_default(max(size_px, 6.0))
    width_px = draw.textlength(text, font=font)
    if width_px > limit_px:
        font = ImageFont.load_default(max(size_px * limit_px / width_px, 6.0))
    draw.text(center, text, fill=ink, font=font, anchor="mm")


def small_print(size: tuple[int, int], background: Color, ink: Color, rng: np.random.Generator, *, title: str) -> Array:
    """Return the back of a package [h, w, 3]: a title, a table, lines of small print and a bar code."""
    height, width = size
    image = Image.new("RGB", (width, height), background)
    draw = ImageDraw.Draw(image)
    draw_line(draw, title, (width / 2, 0.08 * height), 0.07 * height, ink, limit_px=0.9 * width)
    for row in range(16):
        y, right = (0.17 + 0.028 * row) * height, rng.uniform(0.6, 0.92) * width
        draw.line((0.08 * width, y, right, y), fill=ink, width=max(1, height // 160))
    draw.rectangle((0.08 * width, 0.66 * height, 0.52 * width, 0.93 * height), outline=ink, width=max(1, height // 120))
    for row in range(1, 6):
        y = (0.66 + 0.045 * row) * height
        draw.line((0.08 * width, y, 0.52 * width, y), fill=ink, width=max(1, height // 200))
    draw.rectangle((0.58 * width, 0.74 * height, 0.94 * width, 0.93 * height), fill=(250, 250, 250))
    x = 0.6
    while x < 0.91:
        bar = rng.uniform(0.005, 0.018)
        draw.rectangle((x * width, 0.76 * height, (x + bar) * width, 0.9 * height), fill=(15, 15, 15))
        x += bar + rng.uniform(0.006, 0.016)
    return np.asarray(image)


def page_edges(size: tuple[int, int], rng: np.random.Generator, *, along_width: bool) -> Array:
    """Return the cut edge of a book's pages [h, w, 3], with lines along the width or the height."""
    height, width = size
    count = height if along_width else width
    tone = 226.0 + 14.0 * rng.normal(size=count).clip(-2.0, 2.0)
    image = np.broadcast_to(tone[:, None] if along_width else tone[None, :], size)
    return _to_uint8(image[..., None] * np.array([1.0, 0.97, 0.9]))


def atlas(cells: Sequence[Array], size: tuple[int, int]) -> Array:
    """Return six cells [h, w, 3], resized to (height, width), as the atlas for `primitives.box`, [2 h, 3 w, 3]."""
    fitted = [np.asarray(Image.fromarray(cell).resize((size[1], size[0]), Image.Resampling.LANCZOS)) for cell in cells]
    return np.concatenate([np.concatenate(fitted[:3], axis=1), np.concatenate(fitted[3:], axis=1)], axis=0)


def wrap_around(background: Array, parts: Sequence[tuple[float, float, Array]]) -> Array:
    """Return a wrapped texture [h, w, 3]: images over a background between heights v, as (v from, v to, image)."""
    image = background.copy()
    height, width = image.shape[:2]
    for low, high, part in parts:
        top, bottom = round((1.0 - high) * height), round((1.0 - low) * height)
        image[top:bottom] = np.asarray(Image.fromarray(part).resize((width, bottom - top), Image.Resampling.LANCZOS))
    return image


def _grain(size: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return wood grain [h, w] along the width, about ±20 levels."""
    height, width = size
    warp = _smooth_noise(size, (6, 6), rng)
    warp = warp / max(float(np.abs(warp).max()), 1e-9)
    y = np.arange(height)[:, None] / max(height, 1)
    rings = np.sin(2.0 * np.pi * (rng.uniform(3.0, 6.0) * y + 1.3 * warp + rng.uniform()))
    fibre = _smooth_noise(size, (max(height // 2, 2), max(width // 36, 2)), rng)
    return 7.0 * rings + 9.0 * fibre / max(float(fibre.std()), 1e-9)


def _clouds(size: tuple[int, int], width_px: float, rng: np.random.Generator) -> Array:
    """Return smooth noise [h, w] of unit standard deviation, in patches about `width_px` wide."""
    clouds = _smooth_noise(size, (max(int(size[0] / width_px), 2), max(int(size[1] / width_px), 2)), rng)
    return clouds / max(float(clouds.std()), 1e-9)


def _smooth_noise(size: tuple[int, int], knots: tuple[int, int], rng: np.random.Generator) -> Array:
    """Return normal noise at knots (rows, columns), interpolated smoothly to [h, w]."""
    coarse = Image.fromarray(rng.normal(size=knots).astype(np.float32))
    return np.asarray(coarse.resize((size[1], size[0]), Image.Resampling.BICUBIC), dtype=np.float64)


def _to_uint8(image: Array) -> Array:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
