"""Object names from pictures: the `Namer` protocol, and the consensus of its guesses over several views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.geometry import Array
from cousins.segment.geometric_names import Label
from cousins.segment.segments import Segment, Segmentation

MAX_VIEWS_PER_SEGMENT = 8
"""Largest number of pictures in which a segment is named: those that show most of it."""
MIN_MASK_PIXELS = 60
"""Fewest depth pixels of a segment in a picture from which it can be recognised."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MaskedPicture:
    """One picture, rotated so that the world's up points up, with the masks of the segments to be named."""

    picture: Array
    """SRGB, uint8 [h, w, 3]."""
    masks: tuple[Array, ...]
    """One mask per segment: bool [h', w'] at the depth image's size, rotated as the picture."""

    def box(self, number: int) -> Array:
        """Return left, top, right and bottom of a segment in the picture [px], float64 [4]."""
        mask = self.masks[number]
        rows, columns = np.nonzero(mask)
        scale = np.array(self.picture.shape[1::-1]) / np.array(mask.shape[::-1])
        low, high = np.array([columns.min(), rows.min()]), np.array([columns.max() + 1, rows.max() + 1])
        return np.concatenate([low * scale, high * scale])


class Namer(Protocol):
    """Predicts names for the segments in a picture."""

    @property
    def source(self) -> str:
        """Name of the namer, stored with each label."""
        ...

    @property
    def min_score(self) -> float:
        """Mean score below which a name is discarded, 0 to 1."""
        ...

    def guess(self, view: MaskedPicture) -> Sequence[Mapping[str, float]]:
        """Return for each mask of the view its candidate names with scores from 0 to 1; empty where there is none."""
        ...


def name_segments(capture: Capture, segmentation: Segmentation, namer: Namer) -> Segmentation:
    """Return the segmentation with names predicted by a namer; a segment without a prediction keeps its name."""
    shown_frames = [_frames_with_largest_masks(capture, segment) for segment in segmentation.segments]
    guesses: list[list[Mapping[str, float]]] = [[] for _ in segmentation.segments]
    for frame in capture.frames:
        visible = [k for k, frames in enumerate(shown_frames) if frame.index in frames]
        picture = frame.color() if visible else None
        if picture is None:
            continue
        masks = tuple(segmentation.segments[k].masks[frame.index] for k in visible)
        for k, guess in zip(visible, namer.guess(upright_picture(frame, picture, masks)), strict=True):
            guesses[k].append(guess)
    labels = [consensus_label(guess, source=namer.source, min_score=namer.min_score) for guess in guesses]
    segments = tuple(
        segment if label is None else relabel_segment(segment, label)
        for segment, label in zip(segmentation.segments, labels, strict=True)
    )
    return replace(
        segmentation, segments=segments, warnings=(*segmentation.warnings, *_no_color_warnings(capture, namer))
    )


def consensus_label(guesses: Sequence[Mapping[str, float]], *, source: str, min_score: float) -> Label | None:
    """Return the name with the highest mean score over all views, absence counting zero; None below `min_score`."""
    words = sorted({word for guess in guesses for word in guess})
    means = {word: sum(guess.get(word, 0.0) for guess in guesses) / len(guesses) for word in words}
    best = max(words, key=lambda word: (means[word], word), default=None)
    if best is None or means[best] < min_score:
        return None
    return Label(text=best, score=means[best], source=source)


def relabel_segment(segment: Segment, label: Label) -> Segment:
    """Return the segment with another label."""
    return replace(segment, label=label.text, label_score=round(label.score, 3), label_source=label.source)


def upright_picture(frame: Frame, picture: Array, masks: Sequence[Array]) -> MaskedPicture:
    """Return a picture uint8 [h, w, 3] and masks bool [h', w'], rotated by quarter turns so that up points up."""
    right, down, _ = frame.world_from_camera[2, :3]
    sideways = abs(right) > abs(down)
    quarters = (1 if right > 0.0 else 3) if sideways else (2 if down > 0.0 else 0)
    return MaskedPicture(
        picture=np.ascontiguousarray(np.rot90(picture, quarters)),
        masks=tuple(np.rot90(mask, quarters) for mask in masks),
    )


def _frames_with_largest_masks(capture: Capture, segment: Segment) -> set[int]:
    sizes = {
        frame.index: int(segment.masks[frame.index].sum())
        for frame in capture.frames
        if frame.color_path is not None and frame.index in segment.masks
    }
    large = [index for index, size in sizes.items() if size >= MIN_MASK_PIXELS]
    return set(sorted(large, key=lambda index: (-sizes[index], index))[:MAX_VIEWS_PER_SEGMENT])


def _no_color_warnings(capture: Capture, namer: Namer) -> tuple[str, ...]:
    if any(frame.color_path is not None for frame in capture.frames):
        return ()
    return (f"no frame has a colour image, so that {namer.source} names nothing",)
