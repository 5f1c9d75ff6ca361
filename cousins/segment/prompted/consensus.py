"""Cluster the masks of keyframes to objects in space by the scene points that several views share.

Two masks of different views are compared only on points that both views see, so that occluded points do not count.
Agreement is evidence for one object, disagreement against it, two masks of one view most of all; the clusters come from
the same correlation clustering as geometry's patches (`edge_contraction.py`). The view-consensus idea is
that of Yan et al., "MaskClustering", CVPR 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array, invert, project, transform
from cousins.segment.parts.edge_contraction import contract_edges
from cousins.segment.surfaces.surface import noise_m

NOT_VISIBLE, NO_OBJECT = -2, -1
"""Labels of a point in a frame: not visible, or visible and of no object."""
NEUTRAL_OVERLAP = 0.4
"""Overlap on shared points at which two masks are equally likely one object or two."""
FULL_WEIGHT_POINTS = 40
"""Number of shared points from which a comparison has full weight."""
SAME_VIEW_EVIDENCE = -4.0
"""Evidence of two masks of one view: it takes several other views to outvote it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MaskConsensus:
    """Objects on which the views agree."""

    labels: Array
    """Object of each point, -1 none, int64 [n]."""
    mask_objects: tuple[Array, ...]
    """By keyframe: object of each of its masks, -1 where its object was dropped, int64 [k]."""


def cluster_masks(points: Array, frames: Sequence[Frame], images: Sequence[Array], *, voxel_m: float) -> MaskConsensus:
    """Return the objects of the scene points [n, 3] from the label images [h, w] of keyframes."""
    mask_starts = np.cumsum([0] + [int(image.max(initial=-1)) + 1 for image in images])
    frame_labels = np.stack(
        [labels_in_view(points, frame, image, voxel_m=voxel_m) for frame, image in zip(frames, images, strict=True)]
    )
    pairs, evidence = _comparisons(frame_labels, mask_starts)
    cluster = contract_edges(int(mask_starts[-1]), pairs, evidence) if mask_starts[-1] else np.zeros(0, dtype=np.int64)
    votes = _object_votes(frame_labels, mask_starts, cluster)
    labels = np.where(votes.max(axis=0, initial=0.0) > 0.0, votes.argmax(axis=0), len(votes) - 1)
    supported = _is_supported(cluster, mask_starts)
    sizes = np.bincount(labels, minlength=len(votes))[:-1]
    keep_mask = supported & (sizes > 0)
    number = np.append(np.where(keep_mask, np.cumsum(keep_mask) - 1, -1), -1)
    mask_objects = tuple(number[cluster[a:b]] for a, b in pairwise(mask_starts))
    return MaskConsensus(labels=number[labels], mask_objects=mask_objects)


def labels_in_view(points: Array, frame: Frame, image: Array, *, voxel_m: float) -> Array:
    """Return the label of each point [n, 3] in a label image [h, w], `NO_OBJECT` or `NOT_VISIBLE`; int64 [n]."""
    pixels, z = project(transform(invert(frame.world_from_camera), points), frame.depth_camera)
    height, width = image.shape
    with np.errstate(invalid="ignore"):
        inside: Array = np.all((pixels > -0.5) & (pixels < np.array([width, height]) - 0.5), axis=-1) & (z > 0.05)
    column, row = np.rint(np.where(inside[:, None], pixels, 0.0)).astype(np.int64).T
    measured = frame.depth_m[row, column].astype(np.float64)
    near = np.abs(measured - z) < 1.5 * voxel_m + 2.0 * noise_m(measured)
    return np.where(inside & (measured > 0.0) & near, image[row, column], NOT_VISIBLE)


def _comparisons(frame_labels: Array, mask_starts: Array) -> tuple[Array, Array]:
    """Return pairs of masks [m, 2], numbered over all frames, and the evidence [m] that they are one object."""
    pairs: list[tuple[int, int]] = []
    evidence: list[float] = []
    for f, g in combinations(range(len(frame_labels)), 2):
        both = (frame_labels[f] != NOT_VISIBLE) & (frame_labels[g] != NOT_VISIBLE)
        rows, columns = int(mask_starts[f + 1] - mask_starts[f]), int(mask_starts[g + 1] - mask_starts[g])
        codes = (frame_labels[f][both] + 1) * (columns + 1) + frame_labels[g][both] + 1
        table = np.bincount(codes, minlength=(rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
        shared = table[1:, 1:]
        either = table[1:].sum(axis=1)[:, None] + table[:, 1:].sum(axis=0)[None, :] - shared
        for a, b in np.argwhere(shared > 0):
            weight = min(1.0, either[a, b] / FULL_WEIGHT_POINTS)
            pairs.append((int(mask_starts[f] + a), int(mask_starts[g] + b)))
            evidence.append(weight * (float(shared[a, b] / either[a, b]) - NEUTRAL_OVERLAP))
    for first, after in pairwise(mask_starts):
        for a, b in combinations(range(int(first), int(after)), 2):
            pairs.append((a, b))
            evidence.append(SAME_VIEW_EVIDENCE)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(evidence)


def _object_votes(frame_labels: Array, mask_starts: Array, cluster: Array) -> Array:
    """Return the votes [clusters + 1, n] of the frames for each point; the last row is for no object."""
    count = int(cluster.max(initial=-1)) + 1
    votes = np.zeros((count + 1, frame_labels.shape[1]), dtype=np.float32)
    for f, labels in enumerate(frame_labels):
        visible = np.flatnonzero(labels != NOT_VISIBLE)
        clusters = np.append(cluster[mask_starts[f] : mask_starts[f + 1]], count)[labels[visible]]
        votes[clusters, visible] += 1.0
    return votes


def _is_supported(cluster: Array, mask_starts: Array) -> Array:
    """Return which clusters are in at least two keyframes, or in one where there are at most two, bool [clusters]."""
    count = int(cluster.max(initial=-1)) + 1
    frame_counts = np.zeros(count, dtype=np.int64)
    for a, b in pairwise(mask_starts):
        frame_counts[np.unique(cluster[a:b])] += 1
    return frame_counts >= (2 if len(mask_starts) - 1 > 2 else 1)
