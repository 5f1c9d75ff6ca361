"""Patches of one plane that were sampled apart, joined where frames measured the surface between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.segment.structure.plane_fitting import PlanePatch
from cousins.segment.structure.rims import measured_and_through

MAX_ANGLE_COS = np.cos(np.deg2rad(3.0))
"""Cosine of the largest angle between patches of one plane: 3 degrees, the error of a fit to a square of 30 cm."""
MAX_OFFSET_M = 0.02
"""Largest distance of a patch's middle from the other's plane [m]; three times its scatter where that is more."""
MAX_GAP_M = 3.0
"""Widest gap that is bridged [m]: a stretch of wall that was seen at a grazing angle alone."""
GAP_STEP_M = 0.1
"""Distance between the points at which a gap is asked for surface [m]."""
GAP_LINES = 24
"""Number of lines across a gap, from the points nearest to the other patch."""
MIN_MEASURED = 0.5
"""Least share of these points at which frames measured a surface."""


def join_coplanar(patches: Sequence[PlanePatch], frames: Sequence[Frame]) -> list[PlanePatch]:
    """Return the patches with those of one plane and one surface joined, largest first; the largest keeps its plane."""
    joined: list[PlanePatch] = []
    waiting = sorted(patches, key=lambda patch: -patch.area_m2)
    while waiting:
        group, rest = waiting[0], waiting[1:]
        while True:
            match = next((n for n, patch in enumerate(rest) if _is_one_surface(group, patch, frames)), None)
            if match is None:
                break
            group = _joined(group, rest.pop(match))
        joined.append(group)
        waiting = rest
    return sorted(joined, key=lambda patch: -patch.area_m2)


def _joined(first: PlanePatch, second: PlanePatch) -> PlanePatch:
    inliers = np.concatenate([first.fit.inliers, second.fit.inliers])
    return replace(
        first,
        fit=replace(first.fit, inliers=inliers),
        points=np.concatenate([first.points, second.points]),
        area_m2=first.area_m2 + second.area_m2,
    )


def _is_one_surface(first: PlanePatch, second: PlanePatch, frames: Sequence[Frame]) -> bool:
    fit = first.fit
    offset = abs(float(second.points.mean(axis=0) @ fit.normal - fit.offset_m))
    if fit.normal @ second.fit.normal < MAX_ANGLE_COS or offset > max(MAX_OFFSET_M, 3.0 * fit.scatter_m):
        return False
    distance, nearest = cKDTree(first.points).query(second.points, distance_upper_bound=MAX_GAP_M)
    order = np.argsort(distance, kind="stable")[:GAP_LINES]
    order = order[np.isfinite(distance[order])]
    if len(order) == 0:
        return False
    start, end = first.points[nearest[order]], second.points[order]
    measured, through = measured_and_through(_gap_points(start, end), frames)
    return bool(((measured > 0) & (measured > through)).mean() >= MIN_MEASURED)


def _gap_points(start: Array, end: Array) -> Array:
    """Return points [k, 3] along the lines from `start` [n, 3] to `end` [n, 3], both ends left out."""
    count = max(1, int(np.linalg.norm(end - start, axis=1).max() / GAP_STEP_M))
    shares = (np.arange(count) + 0.5) / count
    return np.asarray(start[:, None] + shares[None, :, None] * (end - start)[:, None]).reshape(-1, 3)
