"""How often single views cut an object of several views in two, or show two of them as one.

Each view alone is segmented by another method than all views together, so that their disagreement estimates errors
where nobody knows the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.geometry import Array, Intrinsics
from cousins.segment.masks import is_cut_by_border
from cousins.segment.parts.convex_patches import PatchConfig
from cousins.segment.parts.stability_grouping import GroupConfig
from cousins.segment.single_view import label_view
from cousins.segment.structure.planes import FixedStructure

MAX_VIEWS = 6
"""Most views that are segmented alone, evenly spaced."""
MAX_VIEW_PIXELS = 100_000
"""Most depth pixels of a view that is segmented alone, twice those of a phone; of more, every n-th row and column."""
MIN_VIEWS = 3
"""Fewest views that must show an object before they are counted: two may share an occluder."""
MIN_VIEW_PIXELS = 200
"""Fewest pixels of an object in a view that says something about it."""
MIN_PART_SHARE = 0.25
"""Least share of an object that a part holds: smaller ones are fragments at edges."""
MIN_JOINED_SHARE = 0.5
"""Least share of each of two objects that one label holds where a view shows both as one."""


@dataclass(frozen=True, kw_only=True)
class ViewAgreement:
    """What views that were segmented alone say about the objects of all views."""

    view_count: dict[int, int]
    """Number of views that show an object well, by object."""
    cut_count: dict[int, int]
    """Number of these that cut it into several."""
    joined_count: dict[tuple[int, int], int]
    """Number of views that show two objects well, and as one; first < second."""
    pair_view_count: dict[tuple[int, int], int]
    """Number of views that show two objects well, by pair."""

    def cut_by_most(self) -> list[int]:
        """Return the objects that most views cut into several."""
        return [
            k
            for k, count in sorted(self.cut_count.items())
            if self.view_count[k] >= MIN_VIEWS and 2 * count > self.view_count[k]
        ]

    def joined_by_most(self) -> list[tuple[int, int]]:
        """Return the pairs of objects that most views show as one."""
        together = self.pair_view_count
        return [
            p for p, count in sorted(self.joined_count.items()) if together[p] >= MIN_VIEWS and 2 * count > together[p]
        ]

    def sentences(self, count: int) -> tuple[str, ...]:
        """Return what most views doubt about `count` objects, one sentence for each kind of error."""
        doubled, halved = len(self.cut_by_most()), len(self.joined_by_most())
        sentences = []
        if doubled:
            sentences.append(f"{doubled} of {count} objects may hold two things: most single views show them apart")
        if halved:
            sentences.append(f"{halved} of {count} objects may be part of another: most single views show them as one")
        return tuple(sentences)


def compare_views(
    capture: Capture,
    structure: FixedStructure,
    masks: Sequence[Mapping[int, Array]],
    *,
    patch: PatchConfig,
    group: GroupConfig,
) -> ViewAgreement:
    """Return how single views agree with objects whose masks by frame index are given, bool [h, w] each."""
    view_count: Counter[int] = Counter()
    cut_count: Counter[int] = Counter()
    joined_count: Counter[tuple[int, int]] = Counter()
    together: Counter[tuple[int, int]] = Counter()
    for frame in capture.frames[:: max(1, -(-len(capture.frames) // MAX_VIEWS))]:
        step = max(1, int(np.ceil(np.sqrt(frame.depth_m.size / MAX_VIEW_PIXELS))))
        inside = {k: by[frame.index][::step, ::step] for k, by in enumerate(masks) if frame.index in by}
        visible = {
            k: mask
            for k, mask in inside.items()
            if np.count_nonzero(mask) >= MIN_VIEW_PIXELS and not is_cut_by_border(mask)
        }
        if not visible:
            continue
        labels = label_view(thinned(frame, step), structure, patch=patch, group=group).labels
        parts = {k: _parts(labels, mask) for k, mask in visible.items()}
        view_count.update(k for k, shares in parts.items() if shares)
        cut_count.update(k for k, shares in parts.items() if len(shares) > 1)
        pairs = [(a, b) for a in sorted(parts) for b in sorted(parts) if a < b and parts[a] and parts[b]]
        together.update(pairs)
        main = {k: max(shares, key=lambda label: (shares[label], -label)) for k, shares in parts.items() if shares}
        joined_count.update(
            (a, b)
            for a, b in pairs
            if main[a] == main[b] and min(parts[a][main[a]], parts[b][main[b]]) >= MIN_JOINED_SHARE
        )
    return ViewAgreement(
        view_count=dict(view_count),
        cut_count=dict(cut_count),
        joined_count=dict(joined_count),
        pair_view_count=dict(together),
    )


def thinned(frame: Frame, step: int) -> Frame:
    """Return a frame with every `step`-th row and column of its depth."""
    depth_m, camera = np.ascontiguousarray(frame.depth_m[::step, ::step]), frame.depth_camera
    return replace(
        frame,
        depth_m=depth_m,
        confidence=np.ascontiguousarray(frame.confidence[::step, ::step]),
        depth_camera=Intrinsics(
            width=depth_m.shape[1],
            height=depth_m.shape[0],
            fx=camera.fx / step,
            fy=camera.fy / step,
            cx=camera.cx / step,
            cy=camera.cy / step,
        ),
    )


def _parts(labels: Array, mask: Array) -> dict[int, float]:
    """Return the labels of a view that hold a good share of a mask [h, w], with that share."""
    inside = labels[mask & (labels >= 0)]
    if 2 * len(inside) < np.count_nonzero(mask):
        return {}
    counts = np.bincount(inside)
    return {int(k): float(counts[k] / len(inside)) for k in np.flatnonzero(counts >= MIN_PART_SHARE * len(inside))}
