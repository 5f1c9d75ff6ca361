"""Segment some views alone, and count in how many of them two groups of points belong to one object.

A learned affinity decides in each view what belongs together. It errs in single views, and rarely in most of them the
same way, so that the majority says where pieces of a map of all views are two things that touch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array, Intrinsics, invert, project, transform
from cousins.segment.parts.convex_patches import PatchConfig
from cousins.segment.parts.stability_grouping import GroupConfig
from cousins.segment.single_view import label_view
from cousins.segment.structure.planes import FixedStructure

MAX_VIEWS: Final = 12
"""Most views that are segmented alone, evenly spaced."""
MAX_VIEW_PIXELS: Final = 100_000
"""Most depth pixels of a view that is segmented alone, twice those of a phone; of more, every n-th row and column."""
REACH_VOXELS: Final = 2.0
"""A view shows a point where its depth differs by no more than this many voxels."""
MIN_POINTS: Final = 12
"""Fewest points of a group in a view that says something about it."""
MIN_MAIN_SHARE: Final = 0.6
"""Least share of a group's points in a view that one object holds, so that the view says where the group belongs."""
MAX_PAIR_M: Final = 0.6
"""Longest side of the box around two groups on which views vote [m]: the affinity was learned on tabletop things."""
MIN_VOTES: Final = 3
"""Fewest views that must show two groups before they are believed: two may share an occluder."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SegmentedView:
    """One view, segmented alone."""

    frame: Frame
    """The frame, with a share of its rows and columns of depth."""
    step: int
    """Every `step`-th row and column of the depth image was taken."""
    labels: Array
    """Object of each of its pixels, -1 none, int64 [h, w]."""


def segment_views(
    frames: Sequence[Frame], structure: FixedStructure, *, patch: PatchConfig, group: GroupConfig
) -> list[SegmentedView]:
    """Return `MAX_VIEWS` evenly spaced frames, or all of fewer, each segmented alone."""
    views = []
    for frame in frames[:: max(1, -(-len(frames) // MAX_VIEWS))]:
        step = max(1, int(np.ceil(np.sqrt(frame.depth_m.size / MAX_VIEW_PIXELS))))
        small = _thinned(frame, step)
        labels = label_view(small, structure, patch=patch, group=group).labels
        views.append(SegmentedView(frame=small, step=step, labels=labels))
    return views


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ViewVotes:
    """The object of each point of a map in each view."""

    objects: Array
    """Object of the view, -1 where the view does not show the point or no object there, int64 [views, n]."""
    points: Array
    """The points of the map, world [m], float64 [n, 3]."""

    def subset(self, mask: Array) -> ViewVotes:
        """Return the votes on the points selected by a mask [n]."""
        return ViewVotes(objects=self.objects[:, mask], points=self.points[mask])

    def count(self, labels: Array) -> tuple[Array, Array]:
        """Return in how many views two groups are of one object, and of two, int64 [k, k], from `labels` [n] ≥ 0."""
        groups = int(labels.max(initial=-1)) + 1
        together, apart = (np.zeros((groups, groups), dtype=np.int64) for _ in range(2))
        for objects in self.objects:
            is_shown = objects >= 0
            if not is_shown.any():
                continue
            width = int(objects.max()) + 1
            counts = np.bincount(labels[is_shown] * width + objects[is_shown], minlength=groups * width)
            counts = counts.reshape(groups, width)
            total = counts.sum(axis=1)
            knows = (total >= MIN_POINTS) & (counts.max(axis=1) >= MIN_MAIN_SHARE * total)
            main = counts.argmax(axis=1)
            both = knows[:, None] & knows[None, :]
            same = main[:, None] == main[None, :]
            together += both & same
            apart += both & ~same
        return together, apart

    def are_apart(self, labels: Array) -> Array:
        """Return which groups most views show as two objects, bool [k, k], from `labels` [n] ≥ 0.

        Pairs that are larger together than what the affinity was learned on, such as parts of furniture, never are.
        """
        together, apart = self.count(labels)
        low, high = np.full((len(together), 3), np.inf), np.full((len(together), 3), -np.inf)
        np.minimum.at(low, labels, self.points)
        np.maximum.at(high, labels, self.points)
        size_m = np.maximum(high[:, None], high[None, :]) - np.minimum(low[:, None], low[None, :])
        return np.asarray((together + apart >= MIN_VOTES) & (apart > together) & (size_m.max(axis=-1) <= MAX_PAIR_M))


def vote_on_points(views: Sequence[SegmentedView], points: Array, *, voxel_m: float) -> ViewVotes:
    """Return the object of each of the world points [n, 3] in each view."""
    objects = np.full((len(views), len(points)), -1, dtype=np.int64)
    for row, view in zip(objects, views, strict=True):
        frame = view.frame
        pixels, z = project(transform(invert(frame.world_from_camera), points), frame.depth_camera)
        columns, rows = np.rint(np.nan_to_num(pixels, nan=-1.0)).astype(np.int64).T
        height, width = view.labels.shape
        inside = np.flatnonzero((z > 0.0) & (columns >= 0) & (rows >= 0) & (columns < width) & (rows < height))
        pixels_inside = rows[inside], columns[inside]
        is_near = np.abs(frame.depth_m[pixels_inside] - z[inside]) <= REACH_VOXELS * voxel_m
        row[inside[is_near]] = view.labels[pixels_inside][is_near]
    return ViewVotes(objects=objects, points=points)


def _thinned(frame: Frame, step: int) -> Frame:
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
