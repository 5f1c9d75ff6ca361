"""Associate masks that have no identity across frames to objects in space.

Each frame's masks are lifted to points in space. Masks of two frames are one object when their points fall on each
other: every point votes for the instance that its voxel already holds, and the majority decides (multi-view vote). A
mask that covers several well-voted instances joins none of them: frames must agree to join what others split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.parts.stability_grouping import merge_groups
from cousins.segment.surfaces.surface import world_points
from cousins.segment.surfaces.voxel_map import confident_pixels, voxel_codes


@dataclass(frozen=True, kw_only=True)
class LiftConfig:
    """When masks of different frames show one object."""

    voxel_m: float = 0.01
    """Edge of the cells in which overlap is counted [m]: two standard deviations of the depth noise at 0.6 m."""
    min_overlap: float = 0.35
    """Least share of the smaller of two cell sets that both must hold to be one object."""
    min_frames: int = 2
    """Least frames that must show an object where there are more than two frames."""
    max_range_m: float = 5.0
    """Largest depth that is used [m]: beyond it the sensor interpolates."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LiftedObject:
    """One object in space with its masks."""

    masks: dict[int, Array]
    """By frame index: bool [h, w]."""
    points: Array
    """World points [m], the centre of mass of each cell, float64 [n, 3]."""


def lift_masks(
    capture: Capture, masks: Mapping[int, Sequence[Array]], *, config: LiftConfig | None = None
) -> tuple[LiftedObject, ...]:
    """Return the objects that masks bool [h, w] by frame index show, the one with most pixels first."""
    config = config or LiftConfig()
    sources, cells, points = _mask_cells(capture, masks, config)
    if not sources:
        return ()
    group = _group_masks(cells, [frame for frame, _ in sources], config)
    min_frames = config.min_frames if len(capture.frames) > 2 else 1
    objects = []
    for k in sorted(set(group)):
        members = [n for n in range(len(sources)) if group[n] == k]
        by_frame: dict[int, Array] = {}
        for n in members:
            frame, mask = sources[n]
            by_frame[frame] = by_frame[frame] | mask if frame in by_frame else mask
        if len(by_frame) >= min_frames:
            objects.append(
                LiftedObject(masks=by_frame, points=_voxel_means([points[n] for n in members], config.voxel_m))
            )
    return tuple(sorted(objects, key=lambda instance: -sum(int(m.sum()) for m in instance.masks.values())))


def _mask_cells(
    capture: Capture, masks: Mapping[int, Sequence[Array]], config: LiftConfig
) -> tuple[list[tuple[int, Array]], list[Array], list[Array]]:
    """Return frame and mask, occupied cells and world points of each mask with depth."""
    sources, cells, points = [], [], []
    for frame in capture.frames:
        if frame.index not in masks:
            continue
        frame_points, is_confident = world_points(frame), confident_pixels(frame, max_range_m=config.max_range_m)
        for mask in masks[frame.index]:
            mask_points = frame_points[mask & is_confident]
            if len(mask_points) == 0:
                continue
            sources.append((frame.index, np.asarray(mask, dtype=bool)))
            cells.append(np.unique(voxel_codes(np.floor(mask_points / config.voxel_m).astype(np.int64))))
            points.append(mask_points)
    return sources, cells, points


def _group_masks(cells: Sequence[Array], frames: Sequence[int], config: LiftConfig) -> list[int]:
    """Return the group of each mask: best overlaps are joined first, and never two masks of one frame."""
    pairs = []
    for a in range(len(cells)):
        for b in range(a):
            if frames[a] == frames[b]:
                continue
            shared_cells = len(np.intersect1d(cells[a], cells[b], assume_unique=True))
            share = shared_cells / min(len(cells[a]), len(cells[b]))
            if share >= config.min_overlap:
                pairs.append((-share * np.sqrt(shared_cells), b, a))
    group = list(range(len(cells)))
    frames_of_group = {n: {frames[n]} for n in range(len(cells))}
    for _, a, b in sorted(pairs):
        low, high = sorted((group[a], group[b]))
        if low == high or frames_of_group[low] & frames_of_group[high]:
            continue
        group = merge_groups(group, [(low, high)])
        frames_of_group[low] |= frames_of_group.pop(high)
    return group


def _voxel_means(parts: Sequence[Array], voxel_m: float) -> Array:
    points = np.concatenate(list(parts))
    _, inverse, counts = np.unique(
        voxel_codes(np.floor(points / voxel_m).astype(np.int64)), return_inverse=True, return_counts=True
    )
    sums = [np.bincount(inverse.ravel(), weights=points[:, axis]) for axis in range(3)]
    return np.asarray(np.stack(sums, axis=1) / counts[:, None])
