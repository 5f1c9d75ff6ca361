"""Masks of keyframes to objects in space: points of the scene that several views saw decide which masks are one.

Two masks of different views are compared only on points that both views see, so that what one view hides says
nothing. Agreement pulls them together, disagreement pushes them apart, two masks of one view most of all; the
clusters come from the same correlation clustering as geometry's patches (`joining.py`). The view-consensus idea is
that of Yan et al., "MaskClustering", CVPR 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array, invert, project, transform
from cousins.segment.parts.edge_contraction import join
from cousins.segment.surfaces.surface import noise_m

UNSEEN, NOTHING = -2, -1
"""What a frame says of a point: not seen, or seen and of no object."""
AGREED = 0.4
"""Overlap on shared points at which two masks are as likely one object as two."""
FULL_POINTS = 40
"""Shared points from which a comparison counts in full."""
APART = -4.0
"""Evidence of two masks of one view: it takes several other views to outvote it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Agreed:
    """What the views agree on."""

    labels: Array
    """Object of each point, -1 none, int64 [n]."""
    of_mask: tuple[Array, ...]
    """By keyframe: object of each of its masks, -1 where its object was dropped, int64 [k]."""


def agree(points: Array, frames: Sequence[Frame], images: Sequence[Array], *, voxel_m: float) -> Agreed:
    """Return the objects that label images [h, w] of keyframes make of points [n, 3] of the scene."""
    firsts = np.cumsum([0] + [int(image.max(initial=-1)) + 1 for image in images])
    says = np.stack(
        [seen_labels(points, frame, image, voxel_m=voxel_m) for frame, image in zip(frames, images, strict=True)]
    )
    pairs, evidence = _comparisons(says, firsts)
    cluster = join(int(firsts[-1]), pairs, evidence) if firsts[-1] else np.zeros(0, dtype=np.int64)
    votes = _votes(says, firsts, cluster)
    labels = np.where(votes.max(axis=0, initial=0.0) > 0.0, votes.argmax(axis=0), len(votes) - 1)
    supported = _supported(cluster, firsts)
    sizes = np.bincount(labels, minlength=len(votes))[:-1]
    kept = supported & (sizes > 0)
    number = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
    of_mask = tuple(number[cluster[a:b]] for a, b in pairwise(firsts))
    return Agreed(labels=number[labels], of_mask=of_mask)


def seen_labels(points: Array, frame: Frame, image: Array, *, voxel_m: float) -> Array:
    """Return what a label image [h, w] says of points [n, 3]: a label, `NOTHING`, or `UNSEEN` where hidden."""
    pixels, z = project(transform(invert(frame.world_from_camera), points), frame.depth_camera)
    height, width = image.shape
    with np.errstate(invalid="ignore"):
        inside: Array = np.all((pixels > -0.5) & (pixels < np.array([width, height]) - 0.5), axis=-1) & (z > 0.05)
    column, row = np.rint(np.where(inside[:, None], pixels, 0.0)).astype(np.int64).T
    measured = frame.depth_m[row, column].astype(np.float64)
    near = np.abs(measured - z) < 1.5 * voxel_m + 2.0 * noise_m(measured)
    return np.where(inside & (measured > 0.0) & near, image[row, column], UNSEEN)


def _comparisons(says: Array, firsts: Array) -> tuple[Array, Array]:
    """Return pairs of masks, numbered over all frames, and the evidence that they are one object."""
    pairs: list[tuple[int, int]] = []
    evidence: list[float] = []
    for f, g in combinations(range(len(says)), 2):
        both = (says[f] != UNSEEN) & (says[g] != UNSEEN)
        rows, columns = int(firsts[f + 1] - firsts[f]), int(firsts[g + 1] - firsts[g])
        codes = (says[f][both] + 1) * (columns + 1) + says[g][both] + 1
        table = np.bincount(codes, minlength=(rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
        shared = table[1:, 1:]
        either = table[1:].sum(axis=1)[:, None] + table[:, 1:].sum(axis=0)[None, :] - shared
        for a, b in np.argwhere(shared > 0):
            weight = min(1.0, either[a, b] / FULL_POINTS)
            pairs.append((int(firsts[f] + a), int(firsts[g] + b)))
            evidence.append(weight * (float(shared[a, b] / either[a, b]) - AGREED))
    for first, after in pairwise(firsts):
        for a, b in combinations(range(int(first), int(after)), 2):
            pairs.append((a, b))
            evidence.append(APART)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(evidence)


def _votes(says: Array, firsts: Array, cluster: Array) -> Array:
    """Return the votes [clusters + 1, n] of the frames for each point; the last row is for no object."""
    count = int(cluster.max(initial=-1)) + 1
    votes = np.zeros((count + 1, says.shape[1]), dtype=np.float32)
    for f, said in enumerate(says):
        known = np.flatnonzero(said != UNSEEN)
        mine = np.append(cluster[firsts[f] : firsts[f + 1]], count)[said[known]]
        votes[mine, known] += 1.0
    return votes


def _supported(cluster: Array, firsts: Array) -> Array:
    """Return which clusters two keyframes show, or one where there are no more than two, bool [clusters]."""
    count = int(cluster.max(initial=-1)) + 1
    shown = np.zeros(count, dtype=np.int64)
    for a, b in pairwise(firsts):
        shown[np.unique(cluster[a:b])] += 1
    return shown >= (2 if len(firsts) - 1 > 2 else 1)
