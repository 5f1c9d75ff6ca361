"""Join raised patches with the objects of a voxel map: which patch is part of which object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from cousins.geometry import Array
from cousins.segment.multi_view import LabelledCloud
from cousins.segment.relief.raised_patches import RaisedPatch
from cousins.segment.structure.planes import FixedStructure, heights_above_plane, plane_basis

OVER_M = (-0.02, 0.04)
"""Heights over the support between which a point lies on a low thing or is a part of it [m]."""
MIN_INSIDE_SHARE = 0.6
"""Least share of an object's points over a low thing from which the two are one: the bowl of a spoon."""
MAX_COVERED_SHARE = 0.3
"""Largest share of a low thing under an object that extends beyond it; more is that object's foot."""


def join_raised_patches(
    cloud: LabelledCloud, patches: Sequence[RaisedPatch], structure: FixedStructure
) -> tuple[LabelledCloud, tuple[RaisedPatch, ...]]:
    """Return the cloud without objects that raised patches hold, and the patches that are not part of an object.

    Only patches that are objects hold others; points on them are taken from the rest of the cloud as well.
    """
    labels, rest = cloud.labels.copy(), cloud.rest
    remaining: list[RaisedPatch] = []
    planes = {fitted.plane.name: fitted for fitted in structure.planes}
    for patch in patches:
        fitted = planes[patch.support]
        axes = plane_basis(fitted.plane.normal)
        outline = cKDTree(patch.points @ axes.T)
        is_over = _is_over(cloud.points, outline, axes, heights_above_plane(fitted, cloud.points), cloud.voxel_m)
        is_over &= labels >= 0
        held = _held_labels(labels, is_over) if patch.kind == "object" else []
        is_other = is_over & ~np.isin(labels, held)
        if is_other.any():
            distance, _ = cKDTree(cloud.points[is_other] @ axes.T).query(patch.points @ axes.T)
            if float((distance < cloud.voxel_m).mean()) > MAX_COVERED_SHARE:
                continue
        labels[np.isin(labels, held)] = -1
        if patch.kind == "object":
            rest = rest[~_is_over(rest, outline, axes, heights_above_plane(fitted, rest), patch.cell_m)]
        remaining.append(patch)
    is_kept = labels >= 0
    kept_labels = np.unique(labels[is_kept], return_inverse=True)[1].ravel()
    joined = replace(
        cloud,
        points=cloud.points[is_kept],
        normals=cloud.normals[is_kept],
        labels=kept_labels.astype(np.int64),
        height_m=cloud.height_m[is_kept],
        rest=rest,
    )
    return joined, tuple(remaining)


def _held_labels(labels: Array, is_over: Array) -> list[int]:
    """Return the objects [k] that lie over a patch with most of their points, from two masks of the points [n]."""
    over, total = (np.bincount(labels[mask]) for mask in (is_over, labels >= 0))
    return np.flatnonzero((over > 0) & (over >= MIN_INSIDE_SHARE * total[: len(over)])).tolist()


def _is_over(points: Array, outline: cKDTree, axes: Array, height_m: Array, reach_m: float) -> Array:
    """Return which points [n, 3] lie over a outline, within `reach_m` beside its cells."""
    near = (height_m > OVER_M[0]) & (height_m < OVER_M[1])
    distance, _ = outline.query(points[near] @ axes.T, distance_upper_bound=reach_m)
    out = np.zeros(len(points), dtype=bool)
    out[near] = np.isfinite(distance)
    return out
