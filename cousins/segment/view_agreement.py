"""How often single views cut an object of several views in two, or show two of them as one.

Each view alone is segmented by another method than all views together, so that their disagreement estimates errors
where nobody knows the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array
from cousins.segment.masks import is_cut_by_border
from cousins.segment.view_votes import SegmentedView

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


def compare_views(views: Sequence[SegmentedView], masks: Sequence[Mapping[int, Array]]) -> ViewAgreement:
    """Return how views that were segmented alone agree with objects whose masks by frame index are given, bool [h, w].

    The masks are of the whole depth images.
    """
    view_count: Counter[int] = Counter()
    cut_count: Counter[int] = Counter()
    joined_count: Counter[tuple[int, int]] = Counter()
    together: Counter[tuple[int, int]] = Counter()
    for view in views:
        index, step, labels = view.frame.index, view.step, view.labels
        inside = {k: by[index][::step, ::step] for k, by in enumerate(masks) if index in by}
        visible = {
            k: mask
            for k, mask in inside.items()
            if np.count_nonzero(mask) >= MIN_VIEW_PIXELS and not is_cut_by_border(mask)
        }
        if not visible:
            continue
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


def _parts(labels: Array, mask: Array) -> dict[int, float]:
    """Return the labels of a view that hold a good share of a mask [h, w], with that share."""
    inside = labels[mask & (labels >= 0)]
    if 2 * len(inside) < np.count_nonzero(mask):
        return {}
    counts = np.bincount(inside)
    return {int(k): float(counts[k] / len(inside)) for k in np.flatnonzero(counts >= MIN_PART_SHARE * len(inside))}
