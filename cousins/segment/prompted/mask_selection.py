"""Prompt a mask model for one frame and select from its predictions one object number at each pixel.

Geometry proposes a box around each of its objects, and points on a grid: fine on raised surface, coarse on the
supports, so that objects that geometry joined, split or missed are prompted too. Predictions that are fixed structure
are dropped; of duplicates the best stays; and a mask with others inside it stays whole unless they cover it or geometry
separates them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cousins.geometry import Array
from cousins.segment.prompted.prompts import EncodedFrame, MaskPredictions, Prompts, box_prompts, grid_prompts
from cousins.segment.structure.planes import FixedStructure, heights_above_plane, inside_outline

MIN_DUPLICATE_OVERLAP = 0.7
"""Lowest overlap (intersection over union) of two masks of the same object."""
MIN_PART_SHARE = 0.8
"""Lowest share of a mask within another from which it is a part of it."""
MIN_PARTS_COVER = 0.85
"""Lowest share of a mask that its parts cover if they replace it."""
MAX_FLAT_HEIGHT_M = 0.005
"""Height below which the upper quarter of a mask, smoothed over 5 by 5 pixels, is the support itself [m]."""
MAX_WALL_HEIGHT_M = 0.02
"""The same for walls, whose noise is that of the far end of the room [m]."""
BATCH_SIZE = 64
"""Number of prompts per model call."""


@dataclass(frozen=True, kw_only=True)
class MaskSelectionConfig:
    """Which prompts are made and which predictions are accepted."""

    fine_px: int = 10
    """Step of the prompt grid on raised surface [px of the depth image]."""
    coarse_px: int = 24
    """Step of the prompt grid on supports [px]."""
    min_score: float = 0.7
    """Lowest predicted overlap of a mask with its object, 0 to 1."""
    min_pixels: int = 30
    """Fewest pixels of a mask; fewer are noise."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScoredMask:
    """A predicted mask that was accepted."""

    pixels: Array
    """Bool [h, w]."""
    score: float
    """Overlap with the object that the model predicts, 0 to 1."""


def select_masks(
    encoded: EncodedFrame, labels: Array, height_m: Array, has_depth: Array, *, config: MaskSelectionConfig
) -> tuple[Array, int]:
    """Return the object of each pixel [h, w], -1 none, and how many proposals of geometry got no prediction.

    `labels` [h, w] is geometry's proposal, `height_m` [h, w] the height above structure [m], `has_depth` bool [h, w].
    """
    is_raised = has_depth & ((labels >= 0) | (height_m > MAX_FLAT_HEIGHT_M))
    boxes = box_prompts(labels)
    masks: list[ScoredMask] = []
    structure_mask = np.zeros_like(has_depth)
    prompt_sets = (
        boxes,
        grid_prompts(is_raised, step_px=config.fine_px),
        grid_prompts(has_depth & ~is_raised, step_px=config.coarse_px),
    )
    for prompts in prompt_sets:
        for predictions in _predict_in_batches(encoded, prompts):
            structure_mask |= _collect_masks(predictions, height_m, has_depth, masks, config)
    selected = resolve_nesting(drop_duplicates(masks), labels)
    unanswered = _unanswered_proposals(labels, selected, structure_mask, config)
    return paint_labels([*selected, *unanswered], labels.shape, config.min_pixels), len(unanswered)


def heights_above_structure(frame_points: Array, structure: FixedStructure) -> Array:
    """Return the height of points [h, w, 3] above the nearest plane [m], float64 [h, w]; walls count from 15 mm on."""
    least = np.full(frame_points.shape[:-1], np.inf)
    for fitted in structure.planes:
        over = np.abs(ndimage.uniform_filter(heights_above_plane(fitted, frame_points), 5))
        near = inside_outline(fitted.plane, frame_points, margin_m=0.05)
        over = over - (MAX_WALL_HEIGHT_M - MAX_FLAT_HEIGHT_M) if fitted.plane.kind == "wall" else over
        least = np.where(near, np.minimum(least, over), least)
    return least


def drop_duplicates(masks: Sequence[ScoredMask]) -> list[ScoredMask]:
    """Return the masks without duplicates, the best score first."""
    selected: list[ScoredMask] = []
    for mask in sorted(masks, key=lambda mask: (-mask.score, -int(mask.pixels.sum()))):
        if all(mask_overlap(mask.pixels, other.pixels) < MIN_DUPLICATE_OVERLAP for other in selected):
            selected.append(mask)
    return selected


def resolve_nesting(masks: Sequence[ScoredMask], labels: Array) -> list[ScoredMask]:
    """Return masks none of which is a part of another, by geometry's labels [h, w]: the whole stays, or its parts."""
    dropped: set[int] = set()
    by_size = sorted(range(len(masks)), key=lambda n: -int(masks[n].pixels.sum()))
    for n in by_size:
        if n in dropped:
            continue
        parent = masks[n]
        children = [m for m in by_size if m != n and m not in dropped and _is_part(masks[m], parent)]
        if children and (
            _is_covered_by_parts(parent, [masks[m] for m in children]) or _holds_several_objects(parent, labels)
        ):
            dropped.add(n)
        else:
            dropped.update(children)
    return [mask for n, mask in enumerate(masks) if n not in dropped]


def paint_labels(masks: Sequence[ScoredMask], shape: tuple[int, ...], min_pixels: int) -> Array:
    """Return the number of the best-scored mask at each pixel, int64 [h, w], -1 none; small masks are dropped."""
    image = np.full(shape, -1, dtype=np.int64)
    order = sorted(range(len(masks)), key=lambda n: masks[n].score)
    for n in order:
        image[masks[n].pixels] = n
    counts = np.bincount(image[image >= 0], minlength=len(masks))
    new_labels = np.where(counts >= min_pixels, np.cumsum(counts >= min_pixels) - 1, -1)
    return np.where(image >= 0, new_labels[image], -1) if len(masks) else image


def mask_overlap(first: Array, second: Array) -> float:
    """Return the intersection over union of two masks bool [h, w]."""
    both = int((first & second).sum())
    return both / max(1, int(first.sum()) + int(second.sum()) - both)


def _predict_in_batches(encoded: EncodedFrame, prompts: Prompts) -> Iterator[MaskPredictions]:
    for start in range(0, len(prompts), BATCH_SIZE):
        yield encoded.predict(prompts.subset(start, start + BATCH_SIZE))


def _collect_masks(
    predictions: MaskPredictions,
    height_m: Array,
    has_depth: Array,
    masks: list[ScoredMask],
    config: MaskSelectionConfig,
) -> Array:
    """Append the masks of objects to `masks`; return the pixels that the model segments as structure, bool [h, w]."""
    structure_mask = np.zeros_like(has_depth)
    for candidates, scores in zip(predictions.masks, predictions.scores, strict=True):
        for pixels, score in zip(candidates & has_depth, scores, strict=True):
            if score < config.min_score or pixels.sum() < config.min_pixels:
                continue
            if float(np.quantile(height_m[pixels], 0.75)) < MAX_FLAT_HEIGHT_M or pixels.sum() > 0.6 * has_depth.sum():
                structure_mask |= pixels
            else:
                masks.append(ScoredMask(pixels=pixels, score=float(score)))
    return structure_mask


def _unanswered_proposals(
    labels: Array, selected: Sequence[ScoredMask], structure_mask: Array, config: MaskSelectionConfig
) -> list[ScoredMask]:
    """Return geometry's proposals that the model segmented neither as an object nor as structure."""
    answered = structure_mask.copy()
    for mask in selected:
        answered |= mask.pixels
    proposals = [labels == k for k in np.unique(labels) if k >= 0]
    return [
        ScoredMask(pixels=pixels & ~answered, score=0.0)
        for pixels in proposals
        if pixels.sum() >= config.min_pixels and answered[pixels].mean() < 0.3
    ]


def _is_part(child: ScoredMask, parent: ScoredMask) -> bool:
    size = int(child.pixels.sum())
    within = int((child.pixels & parent.pixels).sum())
    return size < parent.pixels.sum() and within >= MIN_PART_SHARE * size


def _is_covered_by_parts(parent: ScoredMask, parts: Sequence[ScoredMask]) -> bool:
    """Return whether two or more parts cover their parent and score no lower."""
    trusted = [part for part in parts if part.score >= parent.score]
    union = np.zeros_like(parent.pixels)
    for part in trusted:
        union |= part.pixels
    return len(trusted) > 1 and float(union[parent.pixels].mean()) >= MIN_PARTS_COVER


def _holds_several_objects(parent: ScoredMask, labels: Array) -> bool:
    """Return whether geometry's labels [h, w] have two or more whole objects within a mask."""
    within = labels[parent.pixels]
    within = within[within >= 0]
    shared = np.bincount(within) if len(within) else np.zeros(0, dtype=np.int64)
    contained = [k for k in np.flatnonzero(shared) if shared[k] >= MIN_PART_SHARE * int((labels == k).sum())]
    return len([k for k in contained if shared[k] >= 0.1 * parent.pixels.sum()]) > 1
