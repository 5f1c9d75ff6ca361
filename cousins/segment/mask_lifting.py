"""From masks that know no identity over frames to instances in space: what learned segmenters hand over.

Each frame's masks are points in space. Masks of two frames are one object when their points fall on each other:
every point votes for the instance that its voxel already holds, and the majority decides (multi-view vote).
A mask that covers several well-voted instances joins none of them: frames must agree to join what others split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.parts.stability_grouping import union
from cousins.segment.surfaces.surface import world_points
from cousins.segment.surfaces.voxel_map import codes_of, confident


@dataclass(frozen=True, kw_only=True)
class LiftConfig:
    """When masks of different frames are one object."""

    voxel_m: float = 0.01
    """Cells in which masks meet [m]: two standard deviations of the depth noise at 0.6 m."""
    min_overlap: float = 0.35
    """Least share of the smaller of two cell sets that both must hold to be one object."""
    min_frames: int = 2
    """Least frames that must show an object where there are more than two frames."""
    max_range_m: float = 5.0
    """Depth beyond this is a guess of the sensor [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Instance:
    """One object in space with its masks."""

    masks: dict[int, Array]
    """By frame index: bool [h, w]."""
    points: Array
    """World points [m], the centre of mass of each cell, float64 [n, 3]."""


def lift(
    capture: Capture, masks: Mapping[int, Sequence[Array]], *, config: LiftConfig | None = None
) -> tuple[Instance, ...]:
    """Associate masks [h, w] without identity, by frame index, to instances; the one seen most comes first."""
    config = config or LiftConfig()
    owners, cells, points = _mask_cells(capture, masks, config)
    if not owners:
        return ()
    group = _associate(cells, [frame for frame, _ in owners], config)
    least = config.min_frames if len(capture.frames) > 2 else 1
    found = []
    for k in sorted(set(group)):
        members = [n for n in range(len(owners)) if group[n] == k]
        by_frame: dict[int, Array] = {}
        for n in members:
            frame, mask = owners[n]
            by_frame[frame] = by_frame[frame] | mask if frame in by_frame else mask
        if len(by_frame) >= least:
            found.append(Instance(masks=by_frame, points=_means([points[n] for n in members], config.voxel_m)))
    return tuple(sorted(found, key=lambda instance: -sum(int(m.sum()) for m in instance.masks.values())))


def _mask_cells(
    capture: Capture, masks: Mapping[int, Sequence[Array]], config: LiftConfig
) -> tuple[list[tuple[int, Array]], list[Array], list[Array]]:
    """Return frame and mask, occupied cells and world points of each mask with depth."""
    owners, cells, points = [], [], []
    for frame in capture.frames:
        if frame.index not in masks:
            continue
        seen, good = world_points(frame), confident(frame, max_range_m=config.max_range_m)
        for mask in masks[frame.index]:
            own = seen[mask & good]
            if len(own) == 0:
                continue
            owners.append((frame.index, np.asarray(mask, dtype=bool)))
            cells.append(np.unique(codes_of(np.floor(own / config.voxel_m).astype(np.int64))))
            points.append(own)
    return owners, cells, points


def _associate(cells: Sequence[Array], frames: Sequence[int], config: LiftConfig) -> list[int]:
    """Return the group of each mask: best partners first, never two masks of one frame that were told apart."""
    pairs = []
    for a in range(len(cells)):
        for b in range(a):
            if frames[a] == frames[b]:
                continue
            both = len(np.intersect1d(cells[a], cells[b], assume_unique=True))
            share = both / min(len(cells[a]), len(cells[b]))
            if share >= config.min_overlap:
                pairs.append((-share * np.sqrt(both), b, a))
    group = list(range(len(cells)))
    shown = {n: {frames[n]} for n in range(len(cells))}
    for _, a, b in sorted(pairs):
        low, high = sorted((group[a], group[b]))
        if low == high or shown[low] & shown[high]:
            continue
        group = union(group, [(low, high)])
        shown[low] |= shown.pop(high)
    return group


def _means(parts: Sequence[Array], voxel_m: float) -> Array:
    points = np.concatenate(list(parts))
    _, inverse, counts = np.unique(
        codes_of(np.floor(points / voxel_m).astype(np.int64)), return_inverse=True, return_counts=True
    )
    sums = [np.bincount(inverse.ravel(), weights=points[:, axis]) for axis in range(3)]
    return np.asarray(np.stack(sums, axis=1) / counts[:, None])
