"""One frame, asked: what a model answers to geometry's questions becomes one object number at each pixel.

Geometry proposes a box around each object it tells apart, and points on a grid: fine where something rises, coarse
on the supports, so that what geometry joined, split or overlooked is asked for too. Of the answers, those that are
fixed structure go; of those that repeat each other the best stays; and a mask with others inside it stays whole
unless they make it up or geometry told them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cousins.geometry import Array
from cousins.segment.prompted.prompts import Answers, Looked, Prompts, box_prompts, grid_prompts
from cousins.segment.structure.planes import Structure, heights, inside_outline

SAME = 0.7
"""Least overlap (intersection over union) of two answers that mean the same object."""
INSIDE = 0.8
"""Least share of a mask within another of which it is then a part."""
MADE_UP = 0.85
"""Least share of a mask that its parts cover when they are all there is to it."""
FLAT_M = 0.005
"""Height under which the upper quarter of a mask, smoothed over 5 by 5 pixels, is its support itself [m]."""
WALL_M = 0.02
"""The same for walls, whose noise is that of the far end of the room [m]."""
BATCH = 64
"""Questions that are asked at once."""


@dataclass(frozen=True, kw_only=True)
class AskConfig:
    """Which questions are asked and which answers are taken."""

    fine_px: int = 10
    """Step of the grid where something rises [px of the depth image]."""
    coarse_px: int = 24
    """Step of the grid on supports [px]."""
    min_score: float = 0.7
    """Least overlap that the model must expect of its mask."""
    min_pixels: int = 30
    """Fewer pixels are not told from noise."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mask:
    """An answer that was taken."""

    pixels: Array
    """Bool [h, w]."""
    score: float
    """The model's own, 0 to 1."""


def answered(looked: Looked, labels: Array, raised_m: Array, known: Array, *, config: AskConfig) -> tuple[Array, int]:
    """Return the object of each pixel [h, w], -1 none, and how many objects are geometry's own for want of an answer.

    `labels` [h, w] is geometry's proposal, `raised_m` [h, w] the height above structure, `known` where depth was seen.
    """
    rises = known & ((labels >= 0) | (raised_m > FLAT_M))
    boxes = box_prompts(labels)
    masks: list[Mask] = []
    refused = np.zeros_like(known)
    questions = (
        boxes,
        grid_prompts(rises, step_px=config.fine_px),
        grid_prompts(known & ~rises, step_px=config.coarse_px),
    )
    for prompts in questions:
        for answers in _batches(looked, prompts):
            refused |= _take(answers, raised_m, known, masks, config)
    kept = settled(distinct(masks), labels)
    own = _unanswered(labels, kept, refused, config)
    return painted([*kept, *own], labels.shape, config.min_pixels), len(own)


def raised(frame_points: Array, structure: Structure) -> Array:
    """Return the height of points [h, w, 3] above the nearest plane beside them [m]; walls count from 15 mm on."""
    least = np.full(frame_points.shape[:-1], np.inf)
    for fitted in structure.planes:
        over = np.abs(ndimage.uniform_filter(heights(fitted, frame_points), 5))
        near = inside_outline(fitted.plane, frame_points, margin_m=0.05)
        over = over - (WALL_M - FLAT_M) if fitted.plane.kind == "wall" else over
        least = np.where(near, np.minimum(least, over), least)
    return least


def distinct(masks: Sequence[Mask]) -> list[Mask]:
    """Return the masks without repetitions, the best score first."""
    kept: list[Mask] = []
    for mask in sorted(masks, key=lambda mask: (-mask.score, -int(mask.pixels.sum()))):
        if all(overlap(mask.pixels, other.pixels) < SAME for other in kept):
            kept.append(mask)
    return kept


def settled(masks: Sequence[Mask], labels: Array) -> list[Mask]:
    """Return masks none of which is a part of another: either the whole stays, or what makes it up."""
    gone: set[int] = set()
    by_size = sorted(range(len(masks)), key=lambda n: -int(masks[n].pixels.sum()))
    for n in by_size:
        if n in gone:
            continue
        whole = masks[n]
        parts = [m for m in by_size if m != n and m not in gone and _is_part(masks[m], whole)]
        if parts and (_made_up(whole, [masks[m] for m in parts]) or _told_apart(whole, labels)):
            gone.add(n)
        else:
            gone.update(parts)
    return [mask for n, mask in enumerate(masks) if n not in gone]


def painted(masks: Sequence[Mask], shape: tuple[int, ...], min_pixels: int) -> Array:
    """Return the number of the best-scored mask at each pixel, -1 none; small rests are dropped."""
    image = np.full(shape, -1, dtype=np.int64)
    order = sorted(range(len(masks)), key=lambda n: masks[n].score)
    for n in order:
        image[masks[n].pixels] = n
    counts = np.bincount(image[image >= 0], minlength=len(masks))
    number = np.where(counts >= min_pixels, np.cumsum(counts >= min_pixels) - 1, -1)
    return np.where(image >= 0, number[image], -1) if len(masks) else image


def overlap(one: Array, other: Array) -> float:
    """Return the intersection over union of two masks."""
    both = int((one & other).sum())
    return both / max(1, int(one.sum()) + int(other.sum()) - both)


def _batches(looked: Looked, prompts: Prompts) -> Iterator[Answers]:
    for start in range(0, len(prompts), BATCH):
        yield looked.ask(prompts.part(start, start + BATCH))


def _take(answers: Answers, raised_m: Array, known: Array, masks: list[Mask], config: AskConfig) -> Array:
    """Add the masks of objects to those taken; return where the model sees fixed structure, bool [h, w]."""
    refused = np.zeros_like(known)
    for many, scores in zip(answers.masks, answers.scores, strict=True):
        for pixels, score in zip(many & known, scores, strict=True):
            if score < config.min_score or pixels.sum() < config.min_pixels:
                continue
            if float(np.quantile(raised_m[pixels], 0.75)) < FLAT_M or pixels.sum() > 0.6 * known.sum():
                refused |= pixels
            else:
                masks.append(Mask(pixels=pixels, score=float(score)))
    return refused


def _unanswered(labels: Array, kept: Sequence[Mask], refused: Array, config: AskConfig) -> list[Mask]:
    """Return geometry's objects that the model said nothing of: neither an object nor structure."""
    said = refused.copy()
    for mask in kept:
        said |= mask.pixels
    own = [labels == k for k in np.unique(labels) if k >= 0]
    return [
        Mask(pixels=pixels & ~said, score=0.0)
        for pixels in own
        if pixels.sum() >= config.min_pixels and said[pixels].mean() < 0.3
    ]


def _is_part(small: Mask, whole: Mask) -> bool:
    size = int(small.pixels.sum())
    within = int((small.pixels & whole.pixels).sum())
    return size < whole.pixels.sum() and within >= INSIDE * size


def _made_up(whole: Mask, parts: Sequence[Mask]) -> bool:
    """Tell whether two or more parts cover a whole and are believed no less than it."""
    believed = [part for part in parts if part.score >= whole.score]
    union = np.zeros_like(whole.pixels)
    for part in believed:
        union |= part.pixels
    return len(believed) > 1 and float(union[whole.pixels].mean()) >= MADE_UP


def _told_apart(whole: Mask, labels: Array) -> bool:
    """Tell whether geometry sees two or more whole objects in a mask."""
    within = labels[whole.pixels]
    within = within[within >= 0]
    shared = np.bincount(within) if len(within) else np.zeros(0, dtype=np.int64)
    held = [k for k in np.flatnonzero(shared) if shared[k] >= INSIDE * int((labels == k).sum())]
    return len([k for k in held if shared[k] >= 0.1 * whole.pixels.sum()]) > 1
