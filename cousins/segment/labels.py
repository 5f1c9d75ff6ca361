"""What things are called: the namer seam, and how guesses in several pictures become one name with its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.geometry import Array
from cousins.segment.geometric_names import Label
from cousins.segment.segments import Segment, Segmentation

MOST_VIEWS = 8
"""Pictures in which each thing is looked at: those that show most of it."""
LEAST_PIXELS = 60
"""Least depth pixels of a thing in a picture: fewer are not told apart by eye either."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """One picture, turned so that up is up, with the things to be named in it."""

    picture: Array
    """SRGB, uint8 [h, w, 3]."""
    masks: tuple[Array, ...]
    """By thing: bool [h', w'], turned as the picture, at the depth image's size."""

    def box(self, number: int) -> Array:
        """Return left, top, right and bottom of a thing in the picture [px], float64 [4]."""
        mask = self.masks[number]
        rows, columns = np.nonzero(mask)
        scale = np.array(self.picture.shape[1::-1]) / np.array(mask.shape[::-1])
        low, high = np.array([columns.min(), rows.min()]), np.array([columns.max() + 1, rows.max() + 1])
        return np.concatenate([low * scale, high * scale])


class Namer(Protocol):
    """Says what things in a picture may be."""

    @property
    def source(self) -> str:
        """Return its name, as told beside each label."""
        ...

    @property
    def least_score(self) -> float:
        """Return the score below which its name is not taken, 0 to 1."""
        ...

    def guess(self, view: View) -> Sequence[Mapping[str, float]]:
        """Return by thing of the view words with their scores, 0 to 1; none where it knows none."""
        ...


def named(capture: Capture, segmentation: Segmentation, namer: Namer) -> Segmentation:
    """Return the segmentation with the names of a namer; a thing that it cannot name keeps its own."""
    shown = [_best_frames(capture, segment) for segment in segmentation.segments]
    guesses: list[list[Mapping[str, float]]] = [[] for _ in segmentation.segments]
    for frame in capture.frames:
        here = [k for k, frames in enumerate(shown) if frame.index in frames]
        picture = frame.color() if here else None
        if picture is None:
            continue
        masks = tuple(segmentation.segments[k].masks[frame.index] for k in here)
        for k, guess in zip(here, namer.guess(upright(frame, picture, masks)), strict=True):
            guesses[k].append(guess)
    labels = [agreed(guess, source=namer.source, least=namer.least_score) for guess in guesses]
    segments = tuple(
        segment if label is None else with_label(segment, label)
        for segment, label in zip(segmentation.segments, labels, strict=True)
    )
    return replace(segmentation, segments=segments, warnings=(*segmentation.warnings, *_told(capture, namer)))


def agreed(guesses: Sequence[Mapping[str, float]], *, source: str, least: float) -> Label | None:
    """Return the word with the highest mean score over all views, silence counting zero; None under `least`."""
    words = sorted({word for guess in guesses for word in guess})
    means = {word: sum(guess.get(word, 0.0) for guess in guesses) / len(guesses) for word in words}
    best = max(words, key=lambda word: (means[word], word), default=None)
    if best is None or means[best] < least:
        return None
    return Label(text=best, score=means[best], source=source)


def with_label(segment: Segment, label: Label) -> Segment:
    """Return the segment under another name."""
    return replace(segment, label=label.text, label_score=round(label.score, 3), label_source=label.source)


def upright(frame: Frame, picture: Array, masks: Sequence[Array]) -> View:
    """Return a view turned by quarter turns so that the world's up is the picture's."""
    right, down, _ = frame.world_from_camera[2, :3]
    sideways = abs(right) > abs(down)
    quarters = (1 if right > 0.0 else 3) if sideways else (2 if down > 0.0 else 0)
    return View(
        picture=np.ascontiguousarray(np.rot90(picture, quarters)),
        masks=tuple(np.rot90(mask, quarters) for mask in masks),
    )


def _best_frames(capture: Capture, segment: Segment) -> set[int]:
    sizes = {
        frame.index: int(segment.masks[frame.index].sum())
        for frame in capture.frames
        if frame.color_path is not None and frame.index in segment.masks
    }
    large = [index for index, size in sizes.items() if size >= LEAST_PIXELS]
    return set(sorted(large, key=lambda index: (-sizes[index], index))[:MOST_VIEWS])


def _told(capture: Capture, namer: Namer) -> tuple[str, ...]:
    if any(frame.color_path is not None for frame in capture.frames):
        return ()
    return (f"no frame has a colour image, so that {namer.source} names nothing",)
